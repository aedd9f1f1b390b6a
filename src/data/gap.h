/* gap.h - what becomes of missing points: points that are not finite, as stored or after scaling. In a scaled window they are NaN or infinite. */
#ifndef DATA_GAP_H
#define DATA_GAP_H

#include <stdint.h>

/* Runs of at least min_points finite points: where each begins and how long it is. Returns their number; *cut: shorter runs,
 * and 1 for a window that has no finite point at all. */
int gap_split(const float *points, int n, int64_t min_points, int *pt, int *npt, int64_t *cut);

int gap_finite(const float *points, int n);         /* number of finite points */
int gap_first(const float *points, int n);          /* the first that is not; n: none */
void gap_interpolate(float *points, int n);         /* a line between the neighbours, at the ends the nearest one; needs one finite point */
void gap_zero(float *points, int n);                /* the scaled value 0: the mean of the series with --normalization-func zero */

#endif
