/* fuzz_calendar.c - libFuzzer target for times: a first line with a frequency, then a time a line. What is read must be written
 * so that it reads back the same, and what comes after a time must be later: tools/fuzz.sh 60 calendar */
#include <assert.h>
#include <string.h>

#include "util/calendar.h"

enum { MOST = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void reads_back(const Stamp *t)
{
    char out[STAMP_TEXT];
    Stamp back;
    Err e;
    stamp_text(t, out);
    int bad = stamp_read(&back, out, strlen(out), t, &e);
    assert(!bad && back.seconds == t->seconds && back.nano == t->nano);
}

static void go_on(const Freq *f, const Stamp *t)
{
    static const int64_t steps[] = {0, 1, 2, 3, 100, INT64_MAX};
    Stamp next = *t, last;
    Err e;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        last = next;
        if (calendar_next(f, t, steps[i], &next, &e)) return;
        assert(i ? stamp_order(&last, &next) < 0 : !stamp_order(t, &next));
        if (!stamp_is_count(t)) reads_back(&next);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *p = (const char *)bytes, *end = n ? p + n : p;
    char name[64], shown[FREQ_TEXT];
    Stamp t[MOST];
    Err e;
    Freq f;
    int64_t count = 0;
    const char *first = n ? memchr(p, '\n', n) : NULL;
    if (!first || first - p >= (long)sizeof name) return 0;
    size_t length = (size_t)(first - p);
    memcpy(name, p, length);
    name[length] = 0;
    int given = !freq_read(&f, name, &e);
    if (given) freq_text(&f, shown);
    for (p += length + 1; p < end && count < MOST; p += length + 1) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        length = (size_t)((stop ? stop : end) - p);
        if (stamp_read(&t[count], p, length, count ? &t[count - 1] : NULL, &e)) continue;
        reads_back(&t[count]);
        if (given) go_on(&f, &t[count]);
        count += !count || stamp_is_count(&t[count]) == stamp_is_count(&t[0]);
        if (!stop) break;
    }
    if (!calendar_infer(t, NULL, count, &f, &e) || (count > 1 && !calendar_usual(t, count, &f, &e))) go_on(&f, &t[count - 1]);
    return 0;
}
