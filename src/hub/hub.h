/* hub.h - fetching a dataset repository of the Hugging Face Hub into a folder: verified, resumed, nothing twice.
 *
 * A file gets its name when all of it is there and has the hash that the Hub lists. What is half there lies below
 * DIR/.cache/huggingface/download, in names that no loader takes for data. */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include <stdatomic.h>
#include <stdint.h>

#include "util/event.h"
#include "util/opt.h"

typedef struct HubOpts {
#define X OPT_FIELD
#include "hub/hub.def"
#undef X
} HubOpts;
extern const Opt hub_opts[];
extern const int nhub_opts;

typedef struct HubSpec {
    const HubOpts *opts;
    Events events;                       /* ANSWER lines; NOTICE; QUESTION before a large download; STEP named "download" in MiB */
    const atomic_int *stop;              /* not 0: end soon, keep what is there */
    double pause_s;                      /* before the first repetition of a request that failed in passing; doubles up to 60 times that */
} HubSpec;

/* Reads HF_ENDPOINT, HF_TOKEN and the others from the environment. */
int hub_download(const HubSpec *s, Err *e);

#endif
