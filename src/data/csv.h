/* csv.h - rows of cells out of text: quotes, line breaks inside them, and the separator that the header line shows.
 * Cells point into the text, so that a row costs no copy. */
#ifndef DATA_CSV_H
#define DATA_CSV_H

#include "data/decoded.h"

typedef struct Cell { const char *p; size_t n; } Cell;       /* without its quotes; doubled quotes stay doubled */
typedef enum { CELL_TEXT, CELL_NUMBER, CELL_MISSING } CellKind;

typedef struct Csv {
    const char *p, *end;          /* what is still to be read */
    int64_t line, row;            /* of p; where the last row begins: a row may have several lines */
    char    separator;            /* ',' ';' or a tab: what the first line has most of */
    Cell   *cell;                 /* (n) of the last row; owned */
    int64_t n, cap;
} Csv;

void csv_init(Csv *c, const void *text, size_t n);
int  csv_row(Csv *c, Err *e);     /* the next row that is not blank: 1, 0 at the end, -1 failed: "line 3, column 2: " */
void csv_free(Csv *c);            /* zeroed is fine */

/* comma: 1 lets it stand for the decimal point. x is set to NaN for what is missing: empty, NaN, NA, null, ? */
CellKind cell_number(Cell c, int comma, double *x);
int  cell_text(Cell c, Str *out, Err *e);                    /* the text that it stands for, added to out; a zero byte is refused */
const char *cell_shown(Cell c, char out[32]);                /* for a message: the beginning, without control characters */

int  csv_decode(Decoded *d, const void *text, size_t n, Err *e);      /* a Decode; errors begin with "line 3" */

#endif
