/* test_validate.c - a score is that of every window counted one by one, whatever the micro-batches, and it leaves no trace. */
#include "train/validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"
#include "util/file.h"
#include "util/rng.h"

typedef struct Bench { Trial t; Dataset *data; Order *order; Backend *b; Model *m; ModelConfig c; Validation v; int cap; } Bench;

static ModelConfig tiny(int P, int S)
{
    return (ModelConfig){.D = 12, .L = 1, .H = 2, .Hk = 1, .E = 3, .K = 2, .B = 1, .F = 20, .Fe = 10, .P = P, .S = S, .nh = 4,
                         .horizon = {1, 8, 32, 64}, .eps = 1e-6f, .theta = 10000, .init_range = 0.2f, .max_positions = 4096};
}

/* Walks of 250 to 450 points with gaps, one a line. */
static const char *write_walks(const char *dir)
{
    Str s = {0};
    Err e;
    uint64_t at = 0;
    for (int i = 0; i < 60; i++) {
        double x = 0;
        str_addf(&s, "{\"sequence\": [");
        for (int k = 0, n = 250 + i * 37 % 200; k < n; k++) {
            x += rng_normal(5, RNG_TEST, at++);
            if (rng_uniform(6, RNG_TEST, at) < 0.01) str_addf(&s, "%snull", k ? ", " : "");
            else str_addf(&s, "%s%.3f", k ? ", " : "", x);
        }
        str_addf(&s, "]}\n");
    }
    const char *path = below(dir, "walks.jsonl");
    if (file_write(path, s.p, s.n, &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
    str_free(&s);
    return path;
}

static int open_data(Bench *k, const char *missing, Err *e)
{
    if (trial_small(&k->t, write_walks(test_folder()), "", e) || trial_set(&k->t, (const char *const[]){"missing", missing, NULL}, e)) return -1;
    if (dataset_open(&k->data, &k->t.data.dataset_path, NULL, &k->t.data, k->c.P + 1, NULL, e)) return -1;
    return order_open(&k->order, k->data, 0.7, 3, e);
}

/* Windows of 65 points, some 200 of them validate in batches of 70: three chunks, if every point is a token. */
static int bench_open(Bench *k, ModelConfig c, StreamKind kind, const char *missing, Err *e)
{
    *k = (Bench){.c = c, .cap = 1 << 14};
    if (open_data(k, missing, e) || backend_open(&k->b, "cpu", F32, 1, e) || model_open(&k->m, &c, k->b, 1, e)) return -1;
    model_init(k->m, 11);
    k->v = (Validation){.name = "val", .batches = 1000, .workers = 1, .stream = {.kind = kind, .data = k->data, .order = k->order, .seed = 3, .per_step = 70}};
    return model_reserve(k->m, k->cap, feed_chunks(k->cap), 64, RECOMPUTE_NONE, e);
}

static void bench_close(Bench *k)
{
    model_close(k->m);
    backend_close(k->b);
    order_close(k->order);
    dataset_close(k->data);
    trial_close(&k->t);
}

static int score_as(Bench *k, int cap, int64_t windows, Score *s, Score *naive)
{
    Err e;
    Feed f;
    feed_init(&f, &k->c, cap, windows);
    int bad = validate(&k->v, k->m, &f, s, naive, &e);
    feed_free(&f);
    if (bad) test_fail(__FILE__, __LINE__, "%s", e.message);
    return bad;
}

/* Sums over single predictions, of the model and of the last value repeated. */
typedef struct Plain { const Bench *k; const ModelConfig *other; Seg seg; const float *points; double huber[4], abs, sq, naive_abs, naive_sq; int64_t n[4], targets; int windows, segments; } Plain;

static double predicted(const Model *m, Mat x, int t, int o)
{
    const float *w = m->flat.p + m->heads.at + o * m->c.D, *row = (const float *)x.p + t * x.ld;
    double s = 0;
    for (int i = 0; i < m->c.D; i++) s += (double)row[i] * (double)w[i];
    return s;
}

static void add_target(Plain *p, int horizon, double pred, double last, double target)
{
    double e = fabs(pred - target), d = last - target;
    p->huber[horizon] += e <= 2 ? 0.5 * e * e : 2 * (e - 1);
    p->n[horizon]++;
    p->abs += e;
    p->sq += e * e;
    p->naive_abs += fabs(d);
    p->naive_sq += d * d;
    p->targets++;
}

/* Does a token of this model end at point i of a segment? One after the other, as the specification counts them. */
static int token_ends(const ModelConfig *c, int i)
{
    int end = c->P - 1;
    while (end < i) end += c->S;
    return end == i;
}

/* Hears what comes out of the last norm of one segment. */
static void add_segment(void *user, int layer, int mixture, const char *stage, Mat x)
{
    Plain *p = user;
    const ModelConfig *c = &p->k->c;
    (void)layer; (void)mixture;
    if (strcmp(stage, "final")) return;
    for (int t = 0; t < x.rows; t++) {
        int o = 0, next = t * c->S + c->P;
        if (p->other && !token_ends(p->other, next - 1)) continue;
        for (int h = 0; h < c->nh; h++)
            for (int j = 0; j < c->horizon[h]; j++, o++)
                if (next + j < p->seg.npt) add_target(p, h, predicted(p->k->m, x, t, o), (double)p->points[next - 1], (double)p->points[next + j]);
    }
}

static int add_window(Plain *p, int64_t window, Err *e)
{
    enum { MOST = 65 };
    float points[MOST];
    int pt[MOST], npt[MOST];
    Origin origin[MOST];
    int64_t cut;
    int n = dataset_window(p->k->data, window, points, pt, npt, origin, &cut, e);
    for (int i = 0; i < n; i++) {
        int tokens = 1 + (npt[i] - 1 - p->k->c.P) / p->k->c.S, chunk[] = {0, tokens};
        p->seg = (Seg){.ntok = tokens, .npt = npt[i]};
        p->points = points + pt[i];
        model_eval(p->k->m, &(Input){p->points, &p->seg, chunk, 1, 1, tokens, tokens, p->k->c.P, p->k->c.S, NULL}, 0);
    }
    p->segments += n;
    p->windows++;
    return n < 0 ? -1 : 0;
}

/* The shares of the tokens' experts times their mean probabilities. */
static double aux_of(const Model *m)
{
    const Balance *b = &m->eval.balance[0];
    int64_t pairs = 0;
    double sum = 0;
    for (int i = 0; i < m->c.E; i++) pairs += b->count[i];
    for (int i = 0; i < m->c.E; i++) sum += (double)b->count[i] / (double)pairs * b->psum[i] / ((double)pairs / m->c.K);
    return m->c.E * sum;
}

/* One window after the other, each piece alone. */
static int plain_score(const Bench *k, const ModelConfig *other, Plain *p, Score *s, Score *naive, Err *e)
{
    const Stream *st = &k->v.stream;
    *p = (Plain){.k = k, .other = other};
    k->m->tap = add_segment;
    k->m->tap_user = p;
    model_eval_begin(k->m);
    for (int64_t b = 0; b < k->v.batches && stream_count(st, b); b++)
        for (int64_t i = 0; i < stream_count(st, b); i++)
            if (add_window(p, stream_window(st, b, i), e)) return -1;
    k->m->tap = NULL;
    double n = (double)p->targets;
    *s = (Score){.aux = aux_of(k->m), .mae = p->abs / n, .mse = p->sq / n};
    for (int h = 0; h < 4; h++) s->pred += p->huber[h] / (double)p->n[h] / 4;
    *naive = (Score){.mae = p->naive_abs / n, .mse = p->naive_sq / n};
    model_eval_end(k->m);
    return 0;
}

static int near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance * fabs(b); }

/* Predictions of rows computed together and alone differ by roundings of fp32; sums over the points do not. */
static void check_score(Bench *k, int windows)
{
    Err e;
    Plain p;
    Score s, naive, want, last;
    CHECK(!score_as(k, k->cap, 0, &s, &naive));
    OK(plain_score(k, NULL, &p, &want, &last, &e));
    CHECK(s.targets == p.targets && naive.targets == p.targets && p.windows == windows && p.segments > p.windows && p.targets > 20 * p.windows);
    CHECK(near(s.pred, want.pred, 1e-7) && near(s.aux, want.aux, 1e-7) && near(s.mae, want.mae, 1e-7) && near(s.mse, want.mse, 1e-7));
    CHECK(near(naive.mae, last.mae, 1e-11) && near(naive.mse, last.mse, 1e-11) && naive.pred == 0 && naive.aux == 0);
    CHECK(s.aux >= 0.9 && s.pred > 0 && s.mae > 0 && !near(s.mae, naive.mae, 1e-3));
}

TEST(train_validate_score_is_that_of_every_window)
{
    static const struct { int P, S; StreamKind kind; } row[] = {{1, 1, STREAM_VAL}, {1, 1, STREAM_ALL}, {4, 2, STREAM_VAL}, {2, 5, STREAM_ALL}};
    Err e;
    for (int i = 0; i < 4; i++) {
        Bench k;
        OK(bench_open(&k, tiny(row[i].P, row[i].S), row[i].kind, "split", &e));
        int all = (int)stream_windows(&k.v.stream);
        CHECK(all > 200 && all % 70 != 0);      /* the last batch is short */
        check_score(&k, all);
        k.v.batches = 2;
        check_score(&k, 140);
        bench_close(&k);
    }
}

/* What two models are scored on is what both predict, and nothing else: counted one by one, with gaps and the last windows of series. */
TEST(train_validate_of_tokens_that_two_models_share)
{
    static const struct { int P, S, other_P, other_S; } row[] = {{1, 1, 8, 8}, {8, 8, 1, 1}, {4, 2, 7, 3}, {2, 5, 4, 2}, {1, 1, 60, 3}};
    Err e;
    for (int i = 0; i < 5; i++) {
        Bench k;
        Plain p;
        Score s, naive, want, last;
        Origins only;
        ModelConfig both[] = {tiny(row[i].P, row[i].S), tiny(row[i].other_P, row[i].other_S)};
        OK(bench_open(&k, both[0], STREAM_VAL, "split", &e) || origins_common(&only, both, 2, 65, &e));
        k.v.only = &only;
        CHECK(!score_as(&k, k.cap, 0, &s, &naive));
        OK(plain_score(&k, &both[1], &p, &want, &last, &e));
        CHECK(p.targets > 500 && s.targets == p.targets && naive.targets == p.targets);
        CHECK(near(s.pred, want.pred, 1e-6) && near(s.aux, want.aux, 1e-7) && near(s.mae, want.mae, 1e-6) && near(s.mse, want.mse, 1e-6));
        CHECK(near(naive.mae, last.mae, 1e-11) && near(naive.mse, last.mse, 1e-11));
        Score cut;
        CHECK(!score_as(&k, CHUNK - 1 + 64, 0, &cut, NULL) && !memcmp(&cut, &s, sizeof s));
        bench_close(&k);
    }
}

TEST(train_origins_are_where_tokens_of_all_models_end)
{
    Err e;
    Origins o;
    for (int a = 0; a < 6 * 6 * 6 * 6; a++) {
        ModelConfig c[] = {tiny(1 + a % 6, 1 + a / 6 % 6), tiny(1 + a / 36 % 6, 1 + a / 216), tiny(2, 1)};
        int found = 0, wrong = origins_common(&o, c, 3, 65, &e);
        for (int i = 0; i <= 63; i++) {
            int all = token_ends(&c[0], i) && token_ends(&c[1], i) && token_ends(&c[2], i);
            if (all && (wrong || i < o.first || (i - o.first) % o.every)) test_fail(__FILE__, __LINE__, "%d: point %d is missing", a, i);
            if (!all && !wrong && i >= o.first && (i - o.first) % o.every == 0) test_fail(__FILE__, __LINE__, "%d: point %d is too many", a, i);
            found += all;
        }
        CHECK(!found == (wrong != 0));
    }
    CHECK(origins_common(&o, (ModelConfig[]){tiny(4, 2), tiny(5, 2)}, 2, 65, &e) && e.code == FTS_USAGE);
    TEXT(e.message, "patches of 5 points every 2 and those of the models before it never end at the same point of a window: nothing could be compared");
}

static int same(const Score *a, const Score *b) { return !memcmp(a, b, sizeof *a); }

TEST(train_validate_same_bits_however_it_is_computed)
{
    static const struct { int cap; int64_t windows; int workers; } way[] = {
        {1 << 14, 0, 1}, {CHUNK - 1 + 64, 0, 1}, {2 * CHUNK + 64, 0, 2}, {1 << 14, 1, 4}, {1 << 14, 40, 2}};
    Err e;
    Bench k;
    Score first, again, naive, naive_again;
    OK(bench_open(&k, tiny(1, 1), STREAM_VAL, "split", &e));
    CHECK(!score_as(&k, k.cap, 0, &first, &naive));
    for (int i = 0; i < 5; i++) {
        k.v.workers = way[i].workers;
        CHECK(!score_as(&k, way[i].cap, way[i].windows, &again, &naive_again) && same(&again, &first) && same(&naive_again, &naive));
        CHECK(!score_as(&k, way[i].cap, way[i].windows, &again, NULL) && same(&again, &first));
    }
    model_init(k.m, 12);
    CHECK(!score_as(&k, k.cap, 0, &again, &naive_again) && !same(&again, &first) && same(&naive_again, &naive));
    bench_close(&k);
}

TEST(train_validate_without_experts_has_no_aux)
{
    Err e;
    Bench k;
    Score s;
    ModelConfig c = tiny(1, 1);
    c.dense = 1;
    OK(bench_open(&k, c, STREAM_VAL, "split", &e));
    CHECK(!score_as(&k, k.cap, 0, &s, NULL) && s.aux == 0 && s.pred > 0 && isfinite(s.pred));
    bench_close(&k);
}

TEST(train_validate_of_nothing_is_zero)
{
    Err e;
    Bench k;
    Score s, naive;
    OK(bench_open(&k, tiny(1, 1), STREAM_VAL, "split", &e));
    k.v.batches = 0;
    CHECK(!score_as(&k, k.cap, 0, &s, &naive) && same(&s, &(Score){0}) && same(&naive, &(Score){0}));
    bench_close(&k);
}

/* Neither weights, gradients, moments nor what the step in progress has summed up change. */
TEST(train_validate_leaves_training_alone)
{
    Err e;
    Bench k;
    Score s;
    OK(bench_open(&k, tiny(1, 1), STREAM_VAL, "split", &e));
    Flat *f = &k.m->flat;
    size_t n = f->n * sizeof(float), sums = k.m->train.bytes;
    for (size_t i = 0; i < f->n; i++) { f->g[i] = 1; f->m[i] = 2; f->v[i] = 3; }
    memset(k.m->train.memory, 0x3d, sums);
    char *was = malloc(4 * n + sums);
    CHECK(was);
    const void *part[] = {f->p, f->g, f->m, f->v, k.m->train.memory};
    for (size_t i = 0; i < 5; i++) memcpy(was + i * n, part[i], i < 4 ? n : sums);
    CHECK(!score_as(&k, k.cap, 0, &s, NULL));
    for (size_t i = 0; i < 5; i++) CHECK(!memcmp(was + i * n, part[i], i < 4 ? n : sums));
    free(was);
    bench_close(&k);
}

TEST(train_validate_names_itself_where_the_data_fail)
{
    Err e;
    Bench k;
    Feed f;
    Score s;
    OK(bench_open(&k, tiny(1, 1), STREAM_VAL, "error", &e));
    feed_init(&f, &k.c, k.cap, 0);
    k.v.name = "val_ood";
    CHECK(validate(&k.v, k.m, &f, &s, NULL, &e) == -1 && e.code == FTS_FORMAT && !strncmp(e.message, "val_ood: ", 9) && strstr(e.message, "walks"));
    feed_free(&f);
    bench_close(&k);
}
