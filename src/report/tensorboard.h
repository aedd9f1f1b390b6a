/* tensorboard.h - event files that TensorBoard opens: records of protobuf messages with checksums, appended and never rewritten. */
#ifndef REPORT_TENSORBOARD_H
#define REPORT_TENSORBOARD_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/event.h"
#include "util/str.h"

typedef struct TbScalar { const char *tag; double value; } TbScalar;
typedef struct TbNaive { double mae, mse; int known; } TbNaive;

typedef struct TensorBoard {
    int     fd;
    char    path[4096];
    TbNaive naive[2];                  /* repeat-last on val and val_ood: repeated beside each validation */
} TensorBoard;

/* A new file in dir (made with its parents) whose name sorts after those that are there, because they are read in that order. */
int  tb_open(TensorBoard *t, const char *dir, Err *e);
int  tb_resume(TensorBoard *t, int64_t step, Err *e);              /* what earlier files say about this step and later ones is hidden */
int  tb_scalars(TensorBoard *t, int64_t step, const TbScalar *s, int n, Err *e);
int  tb_event(TensorBoard *t, const Event *ev, Err *e);            /* the scalars of a step, a validation, ...; other kinds write nothing */
void tb_close(TensorBoard *t);                                     /* zeroed or half-open is fine */

/* The bytes of all this. */
uint32_t tb_crc32c(const void *p, size_t n);
void tb_record(Str *out, const void *message, size_t n);
void tb_message(Str *out, double wall_time, int64_t step, const TbScalar *s, int n);

#endif
