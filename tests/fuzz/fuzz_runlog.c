/* fuzz_runlog.c - libFuzzer target for log.jsonl, whatever is left of it, and for the page of it: tools/fuzz.sh 60 runlog */
#include "report/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n);

static int ascends(const LogRows *r)
{
    for (int64_t i = 1; i < r->n; i++)
        if (r->step[i] <= r->step[i - 1]) return 0;
    return r->n <= r->cap && (!r->n || r->step[0] >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t n)
{
    RunLog l;
    Err e;
    Str html = {0};
    if (runlog_decode(&l, text, n, &e)) return 0;
    if (!ascends(&l.steps) || !ascends(&l.experts) || !ascends(&l.validation[LOG_VAL]) || !ascends(&l.validation[LOG_OOD])) __builtin_trap();
    if (l.experts.width != l.routers * l.nexperts || l.notices.n > LOG_NOTICES) __builtin_trap();
    const PageRun run[] = {{"a", &l, 1, 1, (int)(n % 3), NULL, 0, NULL}, {"b", &l, 0, 0, 0, NULL, 0, "none"}};
    if (page_write(&html, run, 1 + (int)(n & 1), "{\"batch_size\":1}", &e)) __builtin_trap();
    str_free(&html);
    runlog_close(&l);
    return 0;
}
