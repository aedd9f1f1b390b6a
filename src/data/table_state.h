/* table_state.h - the inside of a table, for the files that read one: one TableKind for each. */
#ifndef DATA_TABLE_STATE_H
#define DATA_TABLE_STATE_H

#include "data/table.h"
#include "util/str.h"

typedef struct TableKind {
    const Format *format;                                        /* NULL: any other */
    int  (*open)(Table *t, Err *e);                              /* sets form, count where it is known, state */
    int  (*next)(Table *t, TableSeries *s, Err *e);              /* sets all but id, which it leaves in t->id with t->named */
    void (*close)(Table *t);                                     /* half-open is fine */
} TableKind;

struct Table {
    const TableKind *kind;
    const Format *format;
    char   *path;                                                /* owned; NULL: text in memory */
    Map     map;                                                 /* of the file, if the kind reads text; empty for text in memory */
    const char *text;                                            /* (size) */
    size_t  size;
    int64_t keep;                                                /* 0: all */
    Freq    freq;
    int     has_freq;                                            /* freq was given */
    Form    form;
    int64_t count, at;                                           /* series; -1: not known. at: those handed out */
    Str     id;                                                  /* of the series handed out */
    int     named;                                               /* 1: the file says it, 2: a name of ours */
    int     timeless;                                            /* as it was asked for */
    int     scout;                                               /* 1: looks for a frequency, so one time alone has none, every = 0 */
    Freq    lent[2];                                             /* of dates, of counts: what one time alone goes on at; every 0: not looked for yet */
    Err     why;                                                 /* of the series handed out, "": its times show their frequency */
    void   *state;                                               /* the kind's own; owned by it */
};

extern const TableKind table_csv, table_jsonl, table_json, table_source;

/* The last points of a series that comes point by point: at most twice as many as are wanted are held. */
typedef struct Tail {
    double  *x;                                                  /* (n), in the order of the file; owned, as are the others */
    Stamp   *time;                                               /* (n) or NULL */
    int64_t *row;                                                /* (n) the line of each time, or NULL */
    int64_t  n, cap, total;                                      /* total: that ever came */
} Tail;

/* time NULL: there is none. A time that is not later than the one before is refused. */
int  tail_push(Tail *a, int64_t keep, double x, const Stamp *time, int64_t row, Err *e);
const Stamp *tail_last(const Tail *a);                           /* the time before the next; NULL: there is none */
int  tail_series(Table *t, const Tail *x, const Tail *time, TableSeries *s, Err *e);      /* fills s and t->why; time: where its times are, may be x */
void tail_free(Tail *a);                                         /* zeroed is fine */

#endif
