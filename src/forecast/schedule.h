/* schedule.h - which head continues a series, and how far: the longest one that fits, again and again (spec, Forecasting). */
#ifndef FORECAST_SCHEDULE_H
#define FORECAST_SCHEDULE_H

#include "model/config.h"

typedef struct Hop {
    int head;                            /* its place in c->horizon */
    int take;                            /* of its points these are appended, the rest is surplus */
    int again;                           /* 1: the next token would not begin where one ends: all is encoded anew */
} Hop;

Hop schedule_hop(const ModelConfig *c, int64_t left);        /* left: points that are still to come, at least 1 */

#endif
