/* info.c - see info.h */
#include "data/info.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"

enum { BLOCK = 4096 };

typedef struct Row {                     /* one source, or the sum of all */
    const char *name, *path, *format, *dtype;
    int64_t series, points, quartile[5], nonfinite, constant, windows, too_short;
} Row;

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Shortest, quartiles, longest: lengths that occur, the nearest below. */
static void quartiles(int64_t *sorted, int64_t n, int64_t out[5])
{
    memset(out, 0, 5 * sizeof *out);
    if (!n) return;
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    for (int q = 0; q < 5; q++) out[q] = sorted[(n - 1) / 4 * q + (n - 1) % 4 * q / 4];
}

static int read_series(Row *r, const Source *s, int64_t i, Err *e)
{
    double x[BLOCK], low = (double)INFINITY, high = -(double)INFINITY;
    int64_t finite = 0;
    for (int64_t at = 0; at < s->length[i]; at += BLOCK) {
        int64_t n = s->length[i] - at < BLOCK ? s->length[i] - at : BLOCK;
        if (s->format->read(s, i, at, n, x, e)) return err_wrap(e, "%s (%s)", s->path, s->format->name);
        for (int64_t k = 0; k < n; k++) {
            if (!isfinite(x[k])) continue;
            finite++;
            low = fmin(low, x[k]);
            high = fmax(high, x[k]);
        }
    }
    r->nonfinite += s->length[i] - finite;
    r->constant += finite > 1 && low == high;
    return 0;
}

/* lengths: room for those of all series of the dataset; gets the sorted lengths of this source. */
static int make_row(Row *r, const Dataset *d, int k, int64_t *lengths, Err *e)
{
    const Source *s = dataset_source(d, k);
    int64_t first;
    *r = (Row){.name = dataset_name(d, k), .path = s->path, .format = s->format->name, .dtype = s->dtype, .series = s->count};
    for (int64_t i = 0; i < s->count; i++) {
        int64_t windows = dataset_series_windows(d, dataset_first(d, k) + i, &first);
        r->points += lengths[i] = s->length[i];
        r->windows += windows;
        r->too_short += !windows;
        if (read_series(r, s, i, e)) return -1;
    }
    quartiles(lengths, s->count, r->quartile);
    return 0;
}

/* rows: one for each source, then the sum. */
static int make_rows(Row *rows, const Dataset *d, int64_t *lengths, Err *e)
{
    int n = dataset_sources(d);
    Row *all = &rows[n];
    *all = (Row){.name = "all", .path = "", .format = "", .dtype = "", .series = dataset_series(d), .points = dataset_points(d),
                 .windows = dataset_windows(d), .too_short = dataset_short(d)};
    for (int k = 0; k < n; k++) {
        if (make_row(&rows[k], d, k, lengths + dataset_first(d, k), e)) return -1;
        all->nonfinite += rows[k].nonfinite;
        all->constant += rows[k].constant;
    }
    quartiles(lengths, all->series, all->quartile);
    return 0;
}

/* 2,289,795 */
static void put_count(char out[32], int64_t x)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)x), w = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) out[w++] = ',';
        out[w++] = digits[i];
    }
    out[w] = 0;
}

static const char *const titles[] = {"dataset", "format", "type", "series", "points", "shortest", "q1", "median", "q3", "longest",
                                     "missing", "constant", "windows", "too short"};
enum { NCOLUMNS = sizeof titles / sizeof *titles, NTEXTS = 3 };

/* A column of zeros would only hide the others. */
static int column_used(const Row *all, int column) { return (column != 10 || all->nonfinite) && (column != 11 || all->constant) && (column != 13 || all->too_short); }

static const char *cell(const Row *r, int column, char room[32])
{
    if (!r) return titles[column];
    const char *text[NTEXTS] = {r->name, r->format, r->dtype};
    int64_t number[] = {r->series, r->points, r->quartile[0], r->quartile[1], r->quartile[2], r->quartile[3], r->quartile[4],
                        r->nonfinite, r->constant, r->windows, r->too_short};
    if (column < NTEXTS) return text[column];
    put_count(room, number[column - NTEXTS]);
    return room;
}

/* Characters of UTF-8 text, not bytes. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void put_line(Str *out, const Row *r, const Row *all, const int *width)
{
    char room[32];
    for (int c = 0; c < NCOLUMNS; c++) {
        if (!column_used(all, c)) continue;
        const char *text = cell(r, c, room);
        int pad = width[c] - columns_of(text);
        if (c < NTEXTS) str_addf(out, "%s%*s", text, pad + 2, "");
        else str_addf(out, "%*s%s%s", pad, "", text, c + 1 < NCOLUMNS ? "  " : "");
    }
    while (out->n && out->p[out->n - 1] == ' ') out->p[--out->n] = 0;
    str_add(out, "\n", 1);
}

static void put_table(Str *out, const Row *rows, int n)
{
    int width[NCOLUMNS];
    char room[32];
    for (int c = 0; c < NCOLUMNS; c++) {
        width[c] = columns_of(titles[c]);
        for (int i = 0; i <= n; i++)
            if (columns_of(cell(&rows[i], c, room)) > width[c]) width[c] = columns_of(cell(&rows[i], c, room));
    }
    put_line(out, NULL, &rows[n], width);
    for (int i = 0; i < n + (n > 1); i++) put_line(out, &rows[i], &rows[n], width);
}

static void put_sentence(Str *out, const char *label, int64_t x)
{
    char room[32];
    put_count(room, x);
    str_addf(out, "%s%s", label, room);
}

static void put_text(Str *out, const Row *rows, int n, const Dataset *d, const DataOpts *o)
{
    const Row *all = &rows[n];
    put_table(out, rows, n);
    put_sentence(out, "\n", n);
    put_sentence(out, n == 1 ? " dataset, " : " datasets, ", all->series);
    put_sentence(out, all->series == 1 ? " series of " : " series, ", all->points);
    put_sentence(out, " points; windows of up to ", dataset_window_points(d));
    put_sentence(out, " points every ", o->seq_stride);
    put_sentence(out, ": ", all->windows);
    str_add(out, "\n", 1);
    if (all->too_short) put_sentence(out, "too short for a window: ", all->too_short), str_addf(out, " series\n");
    if (all->nonfinite) put_sentence(out, "missing or infinite: ", all->nonfinite), str_addf(out, " points\n");
    if (all->constant) put_sentence(out, "constant: ", all->constant), str_addf(out, " series\n");
    if (dataset_ignored(d)) put_sentence(out, "files that are no data: ", dataset_ignored(d)), str_add(out, "\n", 1);
}

static void put_fields(Str *out, const Row *r)
{
    const char *const name[] = {"min", "q1", "median", "q3", "max"};
    str_addf(out, "\"series\": %lld, \"points\": %lld", (long long)r->series, (long long)r->points);
    for (int q = 0; q < 5; q++) str_addf(out, ", \"%s\": %lld", name[q], (long long)r->quartile[q]);
    str_addf(out, ", \"nonfinite_points\": %lld, \"constant_series\": %lld, \"windows\": %lld, \"short_series\": %lld",
             (long long)r->nonfinite, (long long)r->constant, (long long)r->windows, (long long)r->too_short);
}

static void put_json(Str *out, const Row *rows, int n, const Dataset *d, const DataOpts *o)
{
    str_addf(out, "{");
    put_fields(out, &rows[n]);
    str_addf(out, ", \"seq_max_len\": %lld, \"seq_stride\": %lld, \"other_files\": %lld, \"datasets\": [",
             (long long)o->seq_max_len, (long long)o->seq_stride, (long long)dataset_ignored(d));
    for (int i = 0; i < n; i++) {
        str_addf(out, "%s{\"path\": ", i ? ", " : "");
        json_put_string(out, rows[i].path);
        str_addf(out, ", \"format\": \"%s\", \"dtype\": \"%s\", ", rows[i].format, rows[i].dtype);
        put_fields(out, &rows[i]);
        str_add(out, "}", 1);
    }
    str_addf(out, "]}\n");
}

int data_info(Str *out, const Dataset *d, const DataOpts *o, int json, Err *e)
{
    int n = dataset_sources(d), bad = -1;
    size_t bytes = ((size_t)dataset_series(d) + 1) * sizeof(int64_t);
    Row *rows = calloc((size_t)n + 1, sizeof *rows);
    int64_t *lengths = malloc(bytes);
    if (!rows || !lengths) err_nomem(e, bytes, "the lengths of all series");
    else if (!make_rows(rows, d, lengths, e)) {
        (json ? put_json : put_text)(out, rows, n, d, o);
        bad = str_ok(out, e);
    }
    free(lengths);
    free(rows);
    return bad;
}
