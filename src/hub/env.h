/* env.h - what the environment says about the Hub: where it is, who we are, how patient to be. */
#ifndef HUB_ENV_H
#define HUB_ENV_H

#include "util/err.h"

typedef struct HubEnv {
    char endpoint[512];                  /* without a '/' at its end */
    char token[512];                     /* "": none. Never printed */
    int  offline;
    long connect_s, stall_s;             /* to connect; without a byte */
} HubEnv;

int env_read(HubEnv *v, Err *e);

#endif
