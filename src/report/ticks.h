/* ticks.h - round numbers along an axis: 1, 2 or 5 times a power of ten apart, and what to write beside them. */
#ifndef REPORT_TICKS_H
#define REPORT_TICKS_H

#include <stdint.h>

/* The values (first + i) * unit * 10^power of i < n: whole numbers, so that labels have the very digits of the value. */
typedef struct Ticks { int64_t first; int n, unit, power; } Ticks;

enum { TICK_TEXT = 64 };

void   ticks_widen(double *lo, double *hi);                        /* lo <= hi, finite: a range that has no width, or too little to be told in digits, gets one */
void   ticks_find(Ticks *t, double lo, double hi, int most);       /* in a range as ticks_widen leaves it: most + 1 at the utmost, most >= 2 */
double ticks_value(const Ticks *t, int i);
void   ticks_label(char out[TICK_TEXT], const Ticks *t, int i);    /* the same way of writing for all of an axis: 12,500  1.5M  0.25  2.0e30 */
void   ticks_whole(char out[TICK_TEXT], int64_t x);                /* 12,500 */

#endif
