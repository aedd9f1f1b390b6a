/* options.c - see options.h */
#include "eval/options.h"

#include <stdlib.h>
#include <string.h>

const Opt eval_opts[] = {
#define X(...) OPT_ROW(EvalOpts, __VA_ARGS__),
#include "eval/eval.def"
#undef X
};
const int neval_opts = sizeof eval_opts / sizeof *eval_opts;

enum { HORIZON_MAX = 1000000 };

static int add(Horizons *to, const char *word, size_t n, Err *e)
{
    if (!n || strspn(word, "0123456789") < n) return err_set(e, FTS_USAGE, "'%.*s' is not a whole number", (int)(n < 100 ? n : 100), word);
    long long h = n < 16 ? strtoll(word, NULL, 10) : 0;
    if (h < 1 || h > HORIZON_MAX) return err_set(e, FTS_USAGE, "%.*s is outside 1..%d", (int)(n < 100 ? n : 100), word, HORIZON_MAX);
    for (int i = 0; i < to->n; i++)
        if (to->h[i] == h) return err_set(e, FTS_USAGE, "%lld is there twice", h);
    if (to->n == HORIZONS_MAX) return err_set(e, FTS_USAGE, "more than %d numbers", HORIZONS_MAX);
    to->h[to->n++] = h;
    return 0;
}

int horizons_read(Horizons *to, const char *text, Err *e)
{
    to->n = 0;
    for (;; text++) {
        size_t n = strcspn(text, ",");
        if (add(to, text, n, e)) return err_wrap(e, "--prediction-length");
        text += n;
        if (!*text) return 0;
    }
}
