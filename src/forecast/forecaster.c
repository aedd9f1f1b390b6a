/* forecaster.c - see forecaster.h */
#include "forecast/forecaster.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/schedule.h"
#include "model/infer.h"
#include "model/weights.h"
#include "util/machine.h"

struct Forecaster {
    ModelConfig c;
    Backend *b;                          /* owned */
    Model   *m;                          /* owned */
    Infer    infer;                      /* open for the sizes below, which only grow */
    int      tokens, slots, cap;
    pthread_mutex_t lock;
};

/* What is asked: `ahead` points behind the n at x. */
typedef struct Job { const float *x; int64_t n, ahead; float *out; } Job;

/* A job under way. Its points, shown and made, lie in a row; tokens begin at point `first` of them. */
typedef struct Slot {
    float  *x;                           /* into the points of the batch */
    int64_t at, have, left, first;       /* at: of x in the batch's points; points there; still to come; see above */
    int     done;                        /* tokens in the cache */
    float  *out;
} Slot;

static int64_t tokens_of(const ModelConfig *c, int64_t points) { return (points - c->P) / c->S + 1; }

/* The last token is to end at the last point. A context shorter than a patch is extended to one. */
static int64_t shown_points(const ModelConfig *c, int64_t n) { return n > c->P ? n : c->P; }
static int64_t first_point(const ModelConfig *c, int64_t points) { return (points - c->P) % c->S; }

int64_t forecaster_most_points(const Forecaster *f) { return (int64_t)(f->c.max_positions - 1) * f->c.S + f->c.P; }

int forecaster_open(Forecaster **out, const char *dir, const char *device, Dtype type, int threads, Err *e)
{
    char folder[4096];
    Forecaster *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f) return err_nomem(e, sizeof *f, "a forecaster");
    pthread_mutex_init(&f->lock, NULL);
    if (weights_folder(folder, sizeof folder, &f->c, dir, e) || backend_open(&f->b, device, type, threads, e) || model_open(&f->m, &f->c, f->b, 0, e)
        || weights_map(f->m, folder, e)) {
        forecaster_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

void forecaster_close(Forecaster *f)
{
    if (!f) return;
    infer_close(&f->infer);
    model_close(f->m);
    backend_close(f->b);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

const ModelConfig *forecaster_config(const Forecaster *f) { return &f->c; }

/* Tokens of a job when all is made. */
static int64_t final_tokens(const ModelConfig *c, const Job *j) { return tokens_of(c, shown_points(c, j->n) + j->ahead); }

/* Jobs that go together from the first on: as many tokens as keep the threads busy, but one job at least. */
static int batch_of(const Forecaster *f, const Job *j, int count, int64_t *tokens, int64_t *cap)
{
    int64_t budget = (int64_t)CHUNK * par_threads(f->b->par), longest = 0, sum = 0;
    int n = 0;
    for (; n < count; n++) {
        int64_t t = final_tokens(&f->c, &j[n]);
        if (n && sum + t > budget) break;
        sum += t;
        if (t > longest) longest = t;
    }
    *tokens = sum;
    *cap = longest;
    return n;
}

static int grow(Forecaster *f, int64_t tokens, int slots, int64_t cap, Err *e)
{
    if (tokens <= f->tokens && slots <= f->slots && cap <= f->cap) return 0;
    if (tokens > INT_MAX / 2) return err_set(e, FTS_USAGE, "%lld tokens at once are too many: choose a shorter context or horizon", (long long)tokens);
    if (tokens < f->tokens) tokens = f->tokens;
    if (slots < f->slots) slots = f->slots;
    if (cap < f->cap) cap = f->cap;
    infer_close(&f->infer);
    f->tokens = f->slots = f->cap = 0;
    size_t bytes = infer_bytes(f->b, &f->c, (int)tokens, slots, (int)cap);
    if (bytes > (size_t)backend_memory(f->b))
        return err_set(e, FTS_NOMEM, "forecasting needs %zu MB for activations and cache, more than there is: choose a shorter context or horizon", bytes >> 20);
    if (infer_open(&f->infer, f->m, (int)tokens, slots, (int)cap, e)) return -1;
    f->tokens = (int)tokens;
    f->slots = slots;
    f->cap = (int)cap;
    return 0;
}

static void slot_open(Slot *s, const ModelConfig *c, const Job *j, float *points, int64_t at)
{
    int64_t n = shown_points(c, j->n), missing = n - j->n;
    *s = (Slot){.x = points + at, .at = at, .have = n, .left = j->ahead, .first = first_point(c, n), .out = j->out};
    for (int64_t i = 0; i < missing; i++) s->x[i] = j->x[0];
    memcpy(s->x + missing, j->x, (size_t)j->n * sizeof *s->x);
}

/* One pass over the new tokens of all slots with points to come, and what it says of each. */
typedef struct Pass { Forecaster *f; Slot *slot; int count; float *points, *out; Seg *seg; int *chunk, *which; int O, at[MAX_HORIZONS]; } Pass;

static Input gather(Pass *p)
{
    const ModelConfig *c = &p->f->c;
    Input in = {.points = p->points, .seg = p->seg, .chunk = p->chunk, .P = c->P, .S = c->S};
    for (int i = 0; i < p->count; i++) {
        Slot *s = &p->slot[i];
        if (!s->left) continue;
        int all = (int)tokens_of(c, s->have - s->first), n = all - s->done;
        p->which[in.nseg] = i;
        p->seg[in.nseg++] = (Seg){.tok = in.ntok, .ntok = n, .pt = (int)(s->at + s->first + (int64_t)s->done * c->S), .npt = (n - 1) * c->S + c->P, .past = s->done, .slot = i};
        p->chunk[in.nseg] = in.ntok += n;
        if (all > in.longest) in.longest = all;
        s->done = all;
    }
    in.nchunk = in.nseg;
    return in;
}

static void hop(const Pass *p, Slot *s, const float *heads)
{
    Hop h = schedule_hop(&p->f->c, s->left);
    const float *from = heads + p->at[h.head];
    size_t bytes = (size_t)h.take * sizeof *from;
    memcpy(s->x + s->have, from, bytes);
    memcpy(s->out, from, bytes);
    s->have += h.take;
    s->out += h.take;
    s->left -= h.take;
    if (!h.again) return;
    s->first = first_point(&p->f->c, s->have);
    s->done = 0;
}

static void run_passes(Pass *p)
{
    for (int j = 0; j < p->f->c.nh; p->O += p->f->c.horizon[j++]) p->at[j] = p->O;
    for (;;) {
        Input in = gather(p);
        if (!in.nseg) return;
        infer_pass(&p->f->infer, &in, p->out);
        for (int i = 0; i < in.nseg; i++) hop(p, &p->slot[p->which[i]], p->out + (size_t)i * (size_t)p->O);
    }
}

static int run_batch(Forecaster *f, const Job *j, int n, Err *e)
{
    const ModelConfig *c = &f->c;
    size_t slots = (size_t)n, floats = 0;
    int64_t at = 0;
    for (int i = 0; i < n; i++) floats += (size_t)(shown_points(c, j[i].n) + j[i].ahead);
    Pass p = {.f = f, .count = n, .slot = calloc(slots, sizeof *p.slot), .points = malloc(floats * sizeof *p.points),
              .out = malloc(slots * (size_t)config_outputs(c) * sizeof *p.out), .seg = calloc(slots, sizeof *p.seg),
              .chunk = calloc(slots + 1, sizeof *p.chunk), .which = calloc(slots, sizeof *p.which)};
    int bad = !p.slot || !p.points || !p.out || !p.seg || !p.chunk || !p.which || floats > INT_MAX;
    if (bad) err_nomem(e, floats * sizeof *p.points, "the points of a forecast");
    for (int i = 0; i < n && !bad; at += shown_points(c, j[i].n) + j[i].ahead, i++) slot_open(&p.slot[i], c, &j[i], p.points, at);
    if (!bad) run_passes(&p);
    free(p.slot);
    free(p.points);
    free(p.out);
    free(p.seg);
    free(p.chunk);
    free(p.which);
    return bad ? -1 : backend_sync(f->b, e);
}

static int run_locked(Forecaster *f, const Job *j, int count, Err *e)
{
    int64_t tokens, cap;
    for (int i = 0, n; i < count; i += n) {
        n = batch_of(f, j + i, count - i, &tokens, &cap);
        if (grow(f, tokens, n, cap, e) || run_batch(f, j + i, n, e)) return -1;
    }
    return 0;
}

static int run(Forecaster *f, const Job *j, int count, Err *e)
{
    pthread_mutex_lock(&f->lock);
    int bad = run_locked(f, j, count, e);
    pthread_mutex_unlock(&f->lock);
    return bad;
}

int forecaster_windows(Forecaster *f, const Window *w, int count, int horizon, float *out, Err *e)
{
    int64_t most = forecaster_most_points(f);
    Job *j = calloc((size_t)count + 1, sizeof *j);
    if (!j) return err_nomem(e, (size_t)count * sizeof *j, "the windows of a forecast");
    for (int i = 0; i < count; i++) {
        assert(w[i].n > 0 && horizon > 0);
        int64_t n = w[i].n < most ? w[i].n : most;
        j[i] = (Job){w[i].x + (w[i].n - n), n, horizon, out + (size_t)i * (size_t)horizon};
    }
    int bad = run(f, j, count, e);
    free(j);
    return bad;
}

static int predict(void *user, const Window *w, int count, int horizon, float *out, Err *e) { return forecaster_windows(user, w, count, horizon, out, e); }

Predictor forecaster_predictor(Forecaster *f, const char *name) { return (Predictor){name, predict, f, 64 * par_threads(f->b->par)}; }

/* Shown points of all series, one behind the other, then what is made behind each. */
typedef struct Book { Job *job; Context *context; float *shown, *made; int *who; int jobs; } Book;

static void book_free(Book *b)
{
    free(b->job);
    free(b->context);
    free(b->shown);
    free(b->made);
    free(b->who);
}

static int book_open(Book *b, const Past *s, int count, int64_t most, int64_t horizon, Err *e)
{
    size_t n = (size_t)count, floats = 0, made = 0;
    *b = (Book){.job = calloc(n + 1, sizeof *b->job), .context = calloc(n + 1, sizeof *b->context), .who = calloc(n + 1, sizeof *b->who)};
    for (int i = 0; i < count; i++) floats += (size_t)(s[i].n < most ? s[i].n : most);
    b->shown = malloc((floats + 1) * sizeof *b->shown);
    if (!b->job || !b->context || !b->who || !b->shown) return err_nomem(e, floats * sizeof *b->shown, "the series of a forecast");
    floats = 0;
    for (int i = 0; i < count; i++) {
        b->context[i] = context_show(s[i].x, s[i].n, most, b->shown + floats);
        if (!b->context[i].n) continue;
        b->who[b->jobs] = i;
        b->job[b->jobs++] = (Job){.x = b->shown + floats, .n = b->context[i].n, .ahead = b->context[i].late + horizon};
        floats += (size_t)b->context[i].n;
        made += (size_t)b->job[b->jobs - 1].ahead;
    }
    b->made = malloc((made + 1) * sizeof *b->made);
    if (!b->made) return err_nomem(e, made * sizeof *b->made, "the points of a forecast");
    made = 0;
    for (int k = 0; k < b->jobs; made += (size_t)b->job[k++].ahead) b->job[k].out = b->made + made;
    return 0;
}

static void scale_back(const Book *b, int64_t horizon, double *out)
{
    for (int k = 0; k < b->jobs; k++) {
        int i = b->who[k];
        const Context *c = &b->context[i];
        for (int64_t t = 0; t < horizon; t++) out[(int64_t)i * horizon + t] = (double)b->job[k].out[c->late + t] * c->unit + c->mean;
    }
}

int forecaster_series(Forecaster *f, const Past *s, int count, int64_t most, int64_t horizon, double *out, Context *context, Err *e)
{
    Book b;
    int64_t fit = forecaster_most_points(f);
    int bad = book_open(&b, s, count, most && most < fit ? most : fit, horizon, e) || run(f, b.job, b.jobs, e);
    for (int64_t i = 0; i < count * horizon && !bad; i++) out[i] = NAN;
    if (!bad) scale_back(&b, horizon, out);
    if (!bad && context) memcpy(context, b.context, (size_t)count * sizeof *context);
    book_free(&b);
    return bad ? -1 : 0;
}
