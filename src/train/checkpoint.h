/* checkpoint.h - the state of a run on disk: whole or not there.
 *
 * DIR/step_000500/{config.json, model.safetensors, optimizer.safetensors, state.json} is made under a hidden name
 * and renamed when every file is on the disk; DIR/latest is a relative link to the newest. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "model/model.h"
#include "train/facts.h"

typedef struct Progress {                /* with the weights and moments, all that a run needs to go on */
    int64_t step;                        /* the last one done; batch number step comes next */
    int64_t skipped;                     /* steps in a row, up to this one, that were not applied */
    int64_t tokens, points, cut;         /* learned from so far; pieces between gaps that were too short */
    int     baselines;                   /* validations whose baseline was told: bit 0 val, bit 1 val_ood */
} Progress;

typedef struct Checkpoints {             /* what a run's checkpoints share; nothing is owned but the lock */
    const char  *dir;
    int64_t      keep;                   /* newest to keep, 0: all */
    double       aux_weight;             /* for config.json */
    const Facts *facts;
    const char  *settings;               /* a JSON object */
    const char  *backend;                /* what computes, for people: a difference is told, not refused */
    int          lock;                   /* of the folder; -1: none */
} Checkpoints;

int  checkpoints_open(Checkpoints *k, Err *e);                   /* makes the folder and keeps other runs out of it */
void checkpoints_close(Checkpoints *k);
int  checkpoints_exist(const Checkpoints *k);                    /* there is one from an earlier run */

/* On failure all that was there before is still there, and nothing new. folder: room for the name of what was written. */
int  checkpoint_save(const Checkpoints *k, Model *m, const Progress *p, char *folder, size_t size, Err *e);

int  checkpoint_find(const Checkpoints *k, const char *from, char *folder, size_t size, Err *e);   /* from: a folder, or "latest" for the one that DIR/latest names */
/* Refuses another model, other data, other decisive settings, and says which. notice: what a person should know. */
int  checkpoint_load(const Checkpoints *k, const char *folder, Model *m, Progress *p, Str *notice, Err *e);
int  checkpoint_init(Model *m, const char *from, Err *e);        /* weights only, of any checkpoint of the same shape */

#endif
