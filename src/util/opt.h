/* opt.h - one row is one option: field, default, range, flag, JSON key, help.
 *
 * A room that owns settings writes them once in <room>.def as rows of
 *     X(KIND, field, "default", low, high, "values", "help")
 * and includes that file twice: once to make struct members (OPT_FIELD), once to make table rows
 * (OPT_ROW). The default is text and passes the same parser and range as a user's value; "" means
 * unset (INT, REAL, SIZE: OPT_UNSET; FLAG: -1, decided later; TEXT: NULL; CHOICE: not allowed).
 * --batch-size is field batch_size; a FLAG is --x or --no-x; a LIST may be given several times. */
#ifndef UTIL_OPT_H
#define UTIL_OPT_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/str.h"

typedef enum { OPT_INT, OPT_REAL, OPT_SIZE, OPT_TEXT, OPT_FLAG, OPT_CHOICE, OPT_LIST } OptKind;

enum { OPT_LIST_MAX = 64 };
#define OPT_UNSET (-1)
typedef struct OptList { char *item[OPT_LIST_MAX]; int n; } OptList;

#define OPT_CTYPE_INT    int64_t
#define OPT_CTYPE_REAL   double
#define OPT_CTYPE_SIZE   int64_t      /* bytes; 20G, 512M, 1.5T: powers of 1024 */
#define OPT_CTYPE_TEXT   char *       /* owned */
#define OPT_CTYPE_FLAG   int
#define OPT_CTYPE_CHOICE int          /* place in "a|b|c" */
#define OPT_CTYPE_LIST   OptList      /* owned texts */

typedef struct Opt {
    OptKind     kind;
    const char *field, *preset;
    double      low, high;
    const char *values, *help;
    size_t      offset;
} Opt;

#define OPT_FIELD(kind, field, preset, low, high, values, help) OPT_CTYPE_##kind field;
#define OPT_ROW(T, kind, field, preset, low, high, values, help) \
    {OPT_##kind, #field, preset, low, high, values, help, offsetof(T, field)}

/* A table and the struct it fills. A task has one set per room that owns options. */
typedef struct OptSet { const Opt *row; int n; void *to; } OptSet;

void opt_flag(const Opt *o, char *out, size_t size);                /* "batch-size" */
int  opt_defaults(const OptSet *set, int nset, Err *e);
const Opt *opt_find(const OptSet *set, int nset, const char *name, const OptSet **in, int *negated);  /* NULL: unknown. '-', '_' alike; "no-x" finds the FLAG x */
int  opt_set(const OptSet *set, int nset, const char *name, const char *value, Err *e);    /* value NULL: a FLAG without one. Unknown names are answered with the nearest known one */
void opt_write(const OptSet *set, int nset, Str *json);             /* {"batch_size":256,...}: the effective settings; unset ones are left out */
void opt_free(const OptSet *set, int nset);

#endif
