/* csv_table.h - a table of series in text: what its header says of its shape, its rows and numbers, told apart by the header:
 *   long    a column "target", or "y" beside "ds" or an id, or with no other numbers beside it: a point a row, series by "item_id"
 *           ("unique_id", "id")
 *   rows    columns V1, V2, ... as in the M4 competition: a series a row, its id first
 *   wide    anything else: a series a column, but for a first column of dates or ids */
#ifndef DATA_CSV_TABLE_H
#define DATA_CSV_TABLE_H

#include "data/csv.h"

typedef enum { CSV_LONG, CSV_ROWS, CSV_WIDE } CsvShape;

typedef struct CsvTable {
    Csv      csv;
    Cell    *name;                  /* (columns) the header; owned */
    int64_t  columns;
    Csv      body;                  /* where rows begin; owns nothing */
    CsvShape shape;
    int64_t  id, target;            /* columns of the long shape; id -1: all rows are of one series */
    int      headless;              /* 1: one column of numbers without a name; name[0] is its first */
} CsvTable;

int  csv_table_open(CsvTable *t, const void *text, size_t n, Err *e);      /* 1, 0: there is not even a header, -1 failed */
void csv_table_free(CsvTable *t);                                          /* zeroed or half-open is fine */
void csv_table_rewind(CsvTable *t);                                        /* the first row comes next */
int  csv_table_row(CsvTable *t, Err *e);                                   /* the next, which must have as many cells as the header: 1, 0, -1 */
int  csv_table_ragged_row(CsvTable *t, Err *e);                            /* of the shape rows: what is empty at the end is no point and no cell */
int  csv_table_number(const CsvTable *t, int64_t column, double *x, Err *e);
int64_t csv_table_column(const CsvTable *t, const char *const *names);     /* the first that has one of them, upper or lower case; -1: none */
int  csv_table_first(const CsvTable *t, int64_t *first, Err *e);             /* of the shape wide, at its first row: the first column of a series, 0 or, behind labels, 1 */
Cell csv_table_id(const CsvTable *t);                                      /* of the row of a long table */

typedef struct Ids {
    Cell    *id;                    /* (n) in order of first appearance; owned, as are the others */
    int64_t *points;                /* (n) how many rows each has */
    int64_t *slot;                  /* (slots) 1 + place in id, 0 free; a power of two, at most half full */
    int64_t  n, slots;
} Ids;

int  ids_count(Ids *s, Cell id, Err *e);                                   /* a row of it; zeroed is empty */
int64_t ids_find(const Ids *s, Cell id);                                   /* its place; -1: none */
void ids_free(Ids *s);

#endif
