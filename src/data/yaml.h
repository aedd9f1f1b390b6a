/* yaml.h - series in YAML 1.1: lists of numbers, or mappings with "sequence" or "target". libyaml tells lists, mappings and
 * texts apart; what a text without quotes stands for is decided here, as PyYAML's safe_load does. */
#ifndef DATA_YAML_H
#define DATA_YAML_H

#include "data/decoded.h"

/* Bits, because a tag may allow several. */
typedef enum {
    SCALAR_TEXT  = 0,
    SCALAR_NULL  = 1,
    SCALAR_BOOL  = 2,
    SCALAR_INT   = 4,            /* decimal, or base 60: 1:30 */
    SCALAR_BITS  = 8,            /* 0b101, 017, 0x1f */
    SCALAR_FLOAT = 16,
    SCALAR_WORD  = 32,           /* nan, inf: a text to Python */
    SCALAR_LONG  = 64,           /* with underscores too long, or in base 60 too large to be read exactly */
} ScalarKind;

ScalarKind scalar_resolve(const char *p, size_t n, double *x);       /* x: 0 or 1 for a bool, NaN for a null; set for every kind that has a value */
int yaml_decode(Decoded *d, const void *text, size_t n, Err *e);     /* a Decode; errors begin with "line 3, column 7: " */

#endif
