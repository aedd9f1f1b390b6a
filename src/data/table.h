/* table.h - the series of a file one after the other, each with its id and the times of its points: what a forecast begins with.
 *
 * Tables in text (csv_table.h) and jsonl are read as a stream: in memory stand the last points of one series, or of all series
 * where the text mixes them (a series a column; rows of a series that do not stand together). Every other format of
 * source.h can be read too, without ids and times, in the memory that it needs there. */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "data/source.h"
#include "util/calendar.h"
#include "util/err.h"
#include "util/form.h"

typedef struct Table Table;

typedef struct TableOptions {
    int64_t     keep;              /* points at the end of each series that are wanted; 0: all */
    int         timeless;          /* 1: the times of text are not even looked at */
    const Freq *freq;              /* NULL: as the times show, or else the middle one of their steps; of one time alone, that of the first series that has one. Copied */
} TableOptions;

typedef struct TableSeries {       /* what it points to is the table's and valid until the next call */
    const char   *id;              /* without ids in the file the number of the series, from 0 */
    int           named;           /* 1: the file says the id */
    const double *x;               /* (n) the last of `total` points, NaN where one is missing */
    const Stamp  *time;            /* (n) their times; NULL: the file does not say the time of each */
    int64_t       n, total;
    int           has_time;        /* 1: last, the time of the last point, and freq are known */
    Stamp         last;
    Freq          freq;
    const char   *why;             /* its own times do not show freq, or cannot be read: where, and what was done; NULL: nothing is wrong with them */
} TableSeries;

int  table_open(Table **t, const char *path, const TableOptions *o, Err *e);            /* errors begin with "PATH (csv): " */
int  table_next(Table *t, TableSeries *s, Err *e);                                      /* 1, 0: that was all, -1; not after that */
void table_close(Table *t);                                                             /* NULL is fine */
Form table_form(const Table *t);                                                        /* of the file; its texts live as long as the table */
int  table_has_ids(const Format *f);                                                    /* 1: files of this format may say the ids of their series */
int64_t table_count(const Table *t);                                                    /* series; -1: not known before the last */

/* The same on text in memory, which must outlive the table. format: "csv", "jsonl" or "json". */
int  table_open_text(Table **t, const char *format, const void *text, size_t n, const TableOptions *o, Err *e);

#endif
