/* err.h - errors that carry their story.
 *
 * A function that can fail for a reason outside the program returns int (0 fine, -1 failed) and takes
 * Err *e last. Whoever sees the cause calls err_set(); a caller that knows the place calls err_wrap().
 * Only the program prints. A broken promise inside is an assert, not an Err. */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

#include "foundationts.h"

typedef FtsError Err;
typedef FtsCode  ErrCode;

int err_set(Err *e, ErrCode code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));   /* always -1 */
int err_wrap(Err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));                /* "place: " before the message; always -1 */
int err_nomem(Err *e, size_t bytes, const char *what);                                           /* always -1 */
int err_errno(Err *e, int number, const char *what);                                             /* "what: No such file or directory"; always -1 */

#endif
