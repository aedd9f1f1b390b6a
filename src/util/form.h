/* form.h - the forms in which a file holds series, so that an answer can be given in the form of the question. */
#ifndef UTIL_FORM_H
#define UTIL_FORM_H

typedef enum {
    FORM_LONG,                     /* text, a point a row: id, time, value */
    FORM_WIDE,                     /* text, a series a column */
    FORM_ROWS,                     /* text, a series a row: V1 its id, V2, V3, ... */
    FORM_JSONL,                    /* an object a line */
    FORM_NPY                       /* numbers of numpy, a series a row */
} FormKind;

typedef struct Form {
    FormKind    kind;
    char        separator;         /* of cells of text */
    const char *id, *time;         /* names of those columns; NULL: there is none */
} Form;

#endif
