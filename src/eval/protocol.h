/* protocol.h - how a file is divided for the tables that papers publish.
 *
 * By the name of the file: "etth" and "ettm" have months of 30 days, 12 to learn from and the months 17 to 20 for the test;
 * any other file has its first 7/10 to learn from and its last 2/10 for the test. A forecast begins at every test row where it
 * ends within them, but the last such row is left out: that is the window count of the published tables. */
#ifndef EVAL_PROTOCOL_H
#define EVAL_PROTOCOL_H

#include <stdint.h>

#include "util/err.h"

typedef struct Split {
    int64_t context;                 /* points before each forecast */
    int64_t train, first, end;       /* rows [0, train) give the scaling; [first, end) are forecast */
    int64_t windows;                 /* of each column */
} Split;

int64_t protocol_context(int64_t horizon);                           /* 96: 512, 192: 1024, 336: 2048, 720: 3072, else four times the horizon */
int64_t protocol_season(const char *path);                           /* points, for MASE and the seasonal rule; 0: the name does not tell */
/* context 0: that of the horizon. An error says how many rows are there and needed. */
int     protocol_split(Split *s, const char *path, int64_t rows, int64_t horizon, int64_t context, int all_windows, Err *e);

#endif
