/* table.h - bytes read as a table of text: a first line says how ("c2" csv, two points wanted, "l0D" jsonl, all, daily; "j" json), the
 * rest is the text. For the fuzzer and for the test that reads its seeds. Returns NULL, or what is wrong with the answer. */
#ifndef TESTS_FUZZ_TABLE_H
#define TESTS_FUZZ_TABLE_H

#include <stdint.h>
#include <string.h>

#include "data/table.h"

static inline const char *wrong_series(const TableSeries *s, int64_t keep)
{
    if (s->n > s->total || s->n < 0 || (keep ? s->n != (s->total < keep ? s->total : keep) : s->n != s->total)) return "the number of points";
    volatile double seen;
    for (int64_t i = 0; i < s->n; i++) seen = s->x[i];                       /* so that the sanitizer looks at each */
    (void)seen;
    if (s->time && (!s->has_time || (s->n && stamp_order(&s->time[s->n - 1], &s->last)))) return "the last time";
    for (int64_t i = 1; s->time && i < s->n; i++)
        if (stamp_order(&s->time[i - 1], &s->time[i]) >= 0) return "the order of times";
    return s->id && strlen(s->id) < SIZE_MAX ? NULL : "the id";
}

static inline const char *read_table(const uint8_t *bytes, size_t n, int64_t *series, Err *e)
{
    static const char *const kinds[] = {"csv", "jsonl", "json"}, letters[] = "clj";
    Table *t;
    TableSeries s;
    Freq freq;
    const uint8_t *line = n ? memchr(bytes, '\n', n) : NULL;
    char name[8] = {0};
    *series = -1;
    if (!line || line - bytes < 2 || line - bytes > 8 || !bytes[0] || !strchr(letters, bytes[0]) || bytes[1] < '0' || bytes[1] > '9') return NULL;
    memcpy(name, bytes + 2, (size_t)(line - bytes) - 2);
    TableOptions o = {.keep = bytes[1] - '0', .freq = freq_read(&freq, name, e) ? NULL : &freq};
    if (table_open_text(&t, kinds[strchr(letters, bytes[0]) - letters], line + 1, n - (size_t)(line + 1 - bytes), &o, e)) return NULL;
    int64_t count = 0, told = table_count(t);
    const char *wrong = NULL;
    int more;
    while ((more = table_next(t, &s, e)) > 0 && !wrong) {
        wrong = wrong_series(&s, o.keep);
        count++;
    }
    if (!more && told >= 0 && told != count) wrong = "the number of series";
    if (!more) *series = count;
    table_close(t);
    return wrong;
}

#endif
