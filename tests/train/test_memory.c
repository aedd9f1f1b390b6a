/* test_memory.c - the plan fits its limit and wastes nothing, says what does not fit, and is what is then allocated. */
#include "train/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "support.h"
#include "test.h"
#include "train/feed.h"
#include "train/lines.h"

typedef struct Bench { Trial t; Dataset *data; Order *order; Backend *b; ModelConfig c; Stream train, val, ood; MemoryAsk ask; } Bench;

static const int64_t HUGE_LIMIT = (int64_t)1 << 50;

static ModelConfig small(int P, int S)
{
    return (ModelConfig){.D = 24, .L = 2, .H = 4, .Hk = 2, .E = 3, .K = 2, .B = 2, .F = 40, .Fe = 14, .P = P, .S = S, .nh = 4, .horizon = {1, 8, 32, 64}};
}

static int bench_data(Bench *k, Err *e)
{
    if (trial_small(&k->t, synth(test_folder(), 30, 700), "", e) || dataset_open(&k->data, &k->t.data.dataset_path, NULL, &k->t.data, k->c.P + 1, NULL, e)) return -1;
    if (order_open(&k->order, k->data, 0.2, 1, e)) return -1;
    k->train = (Stream){.kind = STREAM_TRAIN, .data = k->data, .order = k->order, .seed = 1};
    k->val = (Stream){.kind = STREAM_VAL, .data = k->data, .order = k->order};
    k->ood = (Stream){.kind = STREAM_ALL, .data = k->data, .order = k->order};
    return 0;
}

/* Windows of 65 points; a step of 400, which is some chunks. */
static int bench_open(Bench *k, ModelConfig c, Dtype type, int threads, Err *e)
{
    *k = (Bench){.c = c};
    if (bench_data(k, e) || backend_open(&k->b, "cpu", type, threads, e)) return -1;
    k->ask = (MemoryAsk){.c = &k->c, .b = k->b, .limit = HUGE_LIMIT, .batch = 100, .accum = 4, .step_windows = 400, .window_points = 65, .data_bytes = 12345,
                         .train = &k->train, .val = &k->val, .ood = &k->ood, .prefetch = 3, .val_prefetch = 1};
    return 0;
}

static void bench_close(Bench *k)
{
    backend_close(k->b);
    order_close(k->order);
    dataset_close(k->data);
    trial_close(&k->t);
}

static int64_t loader(Stream s, int64_t per_step, int prefetch)
{
    s.per_step = per_step;
    return loader_bytes(&s, prefetch);
}

/* What the parts take for micro-batches of so many tokens, added up again. One validation runs at a time. */
static int64_t bytes_of(const Bench *k, int tokens)
{
    const MemoryAsk *a = &k->ask;
    ModelMemory mm;
    Err e;
    int chunks = tokens / CHUNK + 1, routers = k->c.L * k->c.B;
    if (model_memory(&mm, &k->c, k->b->dtype, 1, a->recompute, &e)) return -1;
    Dims d = model_dims(&k->c, tokens, chunks, (int)config_tokens(&k->c, a->window_points));
    int64_t val = a->val ? loader(*a->val, a->batch, a->val_prefetch) : 0, ood = a->ood ? loader(*a->ood, a->batch, a->val_prefetch) : 0;
    return (int64_t)(mm.params + mm.grads + mm.moments + (mm.kept + mm.once) * (size_t)tokens + backend_scratch_bytes(k->b, &d))
         + routers * (8 * (int64_t)k->c.E * chunks + 1024) + k->c.L * 320 + 640            /* places of routed rows, and lines begun */
         + loader(*a->train, a->batch * a->accum, a->prefetch) + (val > ood ? val : ood) + a->data_bytes + (4 << 20);
}

static int plan(Bench *k, int64_t limit, Memory *m)
{
    Err e = {0};
    k->ask.limit = limit;
    if (!memory_plan(m, &k->ask, &e)) return 0;
    test_fail(__FILE__, __LINE__, "%s", e.message);
    return -1;
}

/* From one byte too few up to more than the whole step needs. */
static void check_limits(Bench *k, int least, int whole)
{
    Memory m;
    int64_t low = bytes_of(k, least), high = bytes_of(k, whole);
    int before = least;
    CHECK(low < high && !plan(k, low - 1, &m) && !m.fits && m.tokens == least && m.total == low);
    for (int i = 0; i <= 20; i++) {
        int64_t limit = low + (high - low) * i / 20;
        CHECK(!plan(k, limit, &m) && m.fits && m.limit == limit && m.tokens >= before && m.chunks == m.tokens / CHUNK + 1);
        CHECK(m.total == bytes_of(k, m.tokens) && m.total <= limit && (m.tokens == whole || bytes_of(k, m.tokens + 1) > limit));
        before = m.tokens;
    }
    CHECK(before == whole && !plan(k, HUGE_LIMIT, &m) && m.fits && m.tokens == whole);
}

TEST(train_memory_fits_and_one_more_token_would_not)
{
    static const struct { int P, S; Dtype type; int threads, tokens; } row[] = {{1, 1, F32, 1, 64}, {4, 2, F32, 2, 31}, {2, 5, F32, 3, 16}, {1, 1, BF16, 2, 64}};
    Err e;
    for (int i = 0; i < 4; i++) {
        Bench k;
        OK(bench_open(&k, small(row[i].P, row[i].S), row[i].type, row[i].threads, &e));
        int longest = (int)config_tokens(&k.c, 65);
        check_limits(&k, CHUNK - 1 + longest, 400 * row[i].tokens);
        k.ask.recompute = RECOMPUTE_LAYER;
        k.ask.val = k.ask.ood = NULL;
        check_limits(&k, CHUNK - 1 + longest, 400 * row[i].tokens);
        k.ask.step_windows = 5;                          /* less than a chunk: the whole step is the least */
        Memory m;
        CHECK(!plan(&k, 1, &m) && !m.fits && m.tokens == 5 * row[i].tokens && !plan(&k, m.total, &m) && m.fits && m.micro_batches == 1);
        bench_close(&k);
    }
}

/* The plan is found by halving, which needs that more tokens never take less. */
TEST(train_memory_grows_with_every_token)
{
    Err e;
    Bench k;
    int64_t before = 0;
    OK(bench_open(&k, small(1, 1), F32, 2, &e));
    for (int tokens = 1; tokens < 30000; tokens += tokens % 100 ? 1 : 37) {
        int64_t now = bytes_of(&k, tokens);
        if (now <= before) test_fail(__FILE__, __LINE__, "%d tokens take %lld bytes, one less %lld", tokens, (long long)now, (long long)before);
        before = now;
    }
    bench_close(&k);
}

TEST(train_memory_says_in_one_sentence_what_does_not_fit)
{
    Err e;
    Bench k;
    Memory m;
    char want[1024];
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    CHECK(!plan(&k, 7000000, &m) && !m.fits);
    snprintf(want, sizeof want, "does not fit: a micro-batch of 2,111 tokens needs %s bytes in all, the limit is 7,000,000: shorten --seq-max-len, lower --batch-size, "
             "choose a smaller model, set --recompute layer, or raise --memory-limit", digits_of(bytes_of(&k, 2111)).text);
    CHECK(memory_check(&m, &e) == -1 && e.code == FTS_NOMEM);
    TEXT(e.message, want);
    CHECK(!plan(&k, HUGE_LIMIT, &m));
    OK(memory_check(&m, &e));
    bench_close(&k);
}

TEST(train_memory_without_memory_for_itself)
{
    Err e = {0};
    Bench k;
    Memory m;
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    test_alloc_fail(1);
    int bad = memory_plan(&m, &k.ask, &e);
    test_alloc_fail(0);
    CHECK(bad == -1 && e.code == FTS_NOMEM);
    bench_close(&k);
}

/* On a device only what lies there counts: loaders and data are the host's. */
TEST(train_memory_of_a_device)
{
    Err e = {0};
    Bench k;
    Memory host, m;
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    Backend *cpu = k.b;
    int64_t limit = (int64_t)4 << 30;
    CHECK(!plan(&k, limit, &host));
    if (test_device_open(&k.b, F32, 0, &e)) { test_skip(e.message); k.b = cpu; bench_close(&k); return; }
    k.ask.b = k.b;
    CHECK(!plan(&k, limit, &m));
    Dims d = model_dims(&k.c, m.tokens, m.chunks, m.longest);
    const ModelMemory *mm = &m.model;
    CHECK(!m.on_host && host.on_host && !host.inputs && m.fits && m.tokens == host.tokens);
    CHECK(m.inputs == (int64_t)backend_input_bytes(k.b, &d) && m.scratch == (int64_t)backend_scratch_bytes(k.b, &d));
    CHECK(m.total == (int64_t)(mm->params + mm->grads + mm->moments + (mm->kept + mm->once) * (size_t)m.tokens) + m.routing + m.scratch + m.inputs + m.libraries);
    backend_close(k.b);
    k.b = cpu;
    bench_close(&k);
}

/* Of matrices that a library multiplies in bf16, or of all that wgmma does, the device keeps copies, all of them in the plan: what opening a model takes is what is planned for it. */
static void copies_are_planned(const char *who)
{
    Err e = {0};
    Bench k;
    Memory m;
    Model *model;
    OK(bench_open(&k, small(1, 1), BF16, 1, &e));
    Backend *cpu = k.b;
    setenv(who, "yes", 1);
    int bad = test_device_open(&k.b, BF16, 0, &e), all = test_wgmma_asked();
    unsetenv(who);
    if (bad) { test_skip(e.message); k.b = cpu; bench_close(&k); return; }
    k.ask.b = k.b;
    CHECK(!plan(&k, (int64_t)4 << 30, &m));
    CHECK(m.copies == 2 * (int64_t)(all ? m.model.rounded : m.model.dense) && m.model.dense > 0 && m.model.dense < m.model.rounded && m.model.rounded * sizeof(float) < m.model.params);
    int64_t before = backend_used(k.b), planned = (int64_t)(m.model.params + m.model.grads + m.model.moments) + m.copies;
    OK(model_open(&model, &k.c, k.b, 1, &e));
    int64_t took = backend_used(k.b) - before;
    if (took < planned || took > planned + 8192) test_fail(__FILE__, __LINE__, "%lld bytes, planned %lld", (long long)took, (long long)planned);      /* sums of a step, a list of the copies */
    model_close(model);
    CHECK(backend_used(k.b) <= before + 65536);         /* pages for small things on their way */
    backend_close(k.b);
    k.b = cpu;
    bench_close(&k);
}

TEST(train_memory_of_copies_of_weights) { copies_are_planned("FTS_CUBLAS"); }
TEST(train_memory_of_copies_for_wgmma) { copies_are_planned("FTS_WGMMA"); }

/* Micro-batches of a step of full windows, as the feed cuts them. */
static int count_fed(const Bench *k, const Memory *m)
{
    int n = (int)k->ask.step_windows, count = 0, first;
    int *pt = calloc((size_t)n, sizeof *pt), *npt = malloc((size_t)n * sizeof *npt);
    Batch b = {.pt = pt, .npt = npt, .nseg = n};
    Feed f;
    Input in;
    Err e;
    for (int i = 0; npt && i < n; i++) npt[i] = (int)k->ask.window_points;
    feed_init(&f, &k->c, m->tokens, k->ask.micro_windows);
    if (!pt || !npt || feed_batch(&f, &b, &e)) return -1;
    while (feed_next(&f, &in, &first)) {
        count++;
        if (in.ntok > m->tokens || in.nchunk > m->chunks || in.longest > m->longest) count = -1000;
    }
    feed_free(&f);
    free(pt);
    free(npt);
    return count;
}

static void check_micro_batches(Bench *k, int64_t limit)
{
    const MemoryAsk *a = &k->ask;
    int64_t step = 64 * a->step_windows, micro = 64 * a->micro_windows + CHUNK - 1, most = a->micro_windows && micro < step ? micro : step;
    Memory m;
    CHECK(!plan(k, limit, &m) && m.fits && m.window_tokens == 64 && m.longest == 64 && m.tokens <= most && (limit < HUGE_LIMIT || m.tokens == most));
    int fed = count_fed(k, &m);
    if (fed != m.micro_batches)
        test_fail(__FILE__, __LINE__, "a step of %lld windows, %lld at once, %d tokens: %d micro-batches, the plan says %d",
                  (long long)a->step_windows, (long long)a->micro_windows, m.tokens, fed, m.micro_batches);
}

TEST(train_memory_micro_batches_are_those_of_the_feed)
{
    static const int64_t micro[] = {0, 1, 31, 32, 33, 64, 65, 200, 100000000}, step[] = {1, 31, 32, 33, 64, 65, 97, 129, 400};
    Err e;
    Bench k;
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    for (int s = 0; s < 9; s++)
        for (int i = 0; i < 9; i++) {
            k.ask.step_windows = step[s];
            k.ask.micro_windows = micro[i];
            for (int tokens = CHUNK - 1 + 64; tokens < 64 * 400; tokens += 777) check_micro_batches(&k, bytes_of(&k, tokens));
            check_micro_batches(&k, HUGE_LIMIT);
        }
    bench_close(&k);
}

TEST(train_memory_recomputing_makes_room)
{
    Err e;
    Bench k;
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    int64_t low = bytes_of(&k, CHUNK - 1 + 64), high = bytes_of(&k, 400 * 64);
    for (int i = 0; i <= 10; i++) {
        Memory m[3];
        for (int r = 0; r < 3; r++) {
            k.ask.recompute = (Recompute)r;
            CHECK(!plan(&k, low + (high - low) * i / 10, &m[r]) && m[r].fits);
        }
        CHECK(m[0].tokens <= m[1].tokens && m[1].tokens <= m[2].tokens);
        CHECK(i == 10 || m[0].tokens < m[1].tokens);
    }
    bench_close(&k);
}

/* Asked for with the largest batch, the plan has one micro-batch; with one window more it has not. */
TEST(train_memory_largest_batch)
{
    Err e;
    Bench k;
    Memory m, at, above;
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    k.ask.accum = 1;
    for (int i = 1; i < 9; i++) {
        CHECK(!plan(&k, bytes_of(&k, 500 * i), &m));
        int64_t n = m.most_windows;
        CHECK(n >= 1);
        k.ask.batch = k.ask.step_windows = n;
        CHECK(!plan(&k, m.limit, &at) && at.fits && at.tokens == n * 64 && at.micro_batches == 1 && at.most_windows == n);
        k.ask.batch = k.ask.step_windows = n + 1;
        CHECK(!plan(&k, m.limit, &above) && (!above.fits || above.tokens < (n + 1) * 64));
        k.ask.batch = 100;
        k.ask.step_windows = 400;
    }
    CHECK(!plan(&k, 1 << 20, &m) && m.most_windows == 0);
    bench_close(&k);
}

TEST(train_memory_of_any_size_stays_in_range)
{
    Err e;
    Bench k;
    Memory m;
    OK(bench_open(&k, small(1, 1), F32, 2, &e));
    k.ask.batch = 100000000;
    k.ask.accum = 1000000;
    k.ask.step_windows = 100000000000000;
    CHECK(!plan(&k, INT64_MAX, &m) && m.fits && m.total > 0 && m.most_windows > 0 && m.tokens == INT_MAX / 4 / 3);
    k.ask.micro_windows = 100000000;
    CHECK(!plan(&k, INT64_MAX, &m) && m.fits && m.total > 0 && m.tokens == INT_MAX / 4 / 3);
    bench_close(&k);
}

static void hear(void *user, const Event *ev)
{
    if (ev->kind == FTS_EVENT_ANSWER) str_addf(user, "%s\n", ev->text);
}

static int64_t without_commas(const char *p)
{
    int64_t x = 0;
    for (; (*p >= '0' && *p <= '9') || *p == ','; p++)
        if (*p != ',') x = 10 * x + (*p - '0');
    return x;
}

typedef struct Table { int rows, aligned; int64_t sum, total, limit; double share; char last[1024]; } Table;

/* Names take 36 places, bytes 20, shares 8. */
static void read_line(Table *t, const char *line, size_t n)
{
    int64_t bytes = n > 36 ? without_commas(line + 36 + strspn(line + 36, " ")) : 0;
    if (!strncmp(line, "limit ", 6)) t->limit = bytes;
    else if (!strncmp(line, "total ", 6)) t->total = bytes;
    else if (n == 65 && line[64] == '%') {
        t->rows++;
        t->sum += bytes;
        t->share += strtod(line + 57, NULL);
    }
    snprintf(t->last, sizeof t->last, "%.*s", (int)n, line);
}

static Table print(const Memory *m, Str *s)
{
    Table t = {.rows = 0};
    str_free(s);
    memory_print(m, &(Events){hear, s});
    for (const char *p = s->p, *end; p && (end = strchr(p, '\n')); p = end + 1) read_line(&t, p, (size_t)(end - p));
    return t;
}

TEST(train_memory_table_adds_up)
{
    static const int64_t limit[] = {7000000, 60000000, (int64_t)1 << 50};
    Err e = {0};
    Bench k;
    Memory m;
    Str s = {0};
    char want[128];
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    for (int i = 0; i < 3; i++) {
        CHECK(!plan(&k, limit[i], &m));
        Table t = print(&m, &s);
        CHECK(t.rows == 9 && t.sum == t.total && t.total == m.total && t.limit == limit[i] && t.share > 99.5 && t.share < 100.5);
        snprintf(want, sizeof want, "micro-batch: up to %s tokens, 64 of a full window\n", digits_of(m.tokens).text);
        CHECK(has_line(&s, want));
        snprintf(want, sizeof want, "largest batch in one micro-batch: %s windows\n", digits_of(m.most_windows).text);
        CHECK(has_line(&s, want) && m.fits == (i > 0));
        if (memory_check(&m, &e)) TEXT(t.last, e.message);
        CHECK(m.fits == !has_line(&s, "does not fit"));
    }
    str_free(&s);
    bench_close(&k);
}

/* Each group of tensors begins at a line of 64 bytes. */
TEST(train_memory_parameters_of_the_published_sizes)
{
    Err e;
    Bench k;
    Memory m;
    OK(bench_open(&k, small(1, 1), F32, 1, &e));
    for (int preset = 1; preset <= 3; preset++) {
        ModelOpts o = {.preset = preset, .hidden_size = OPT_UNSET, .n_decoder_layers = OPT_UNSET, .num_experts = OPT_UNSET, .num_expert_layers = OPT_UNSET,
                       .k = OPT_UNSET, .n_head = OPT_UNSET, .d_ff = OPT_UNSET, .d_expert = OPT_UNSET};
        OK(config_from_opts(&k.c, &o, &e));
        CHECK(!plan(&k, HUGE_LIMIT, &m) && m.fits);
        int64_t exact = 4 * config_params(&k.c), have = (int64_t)m.model.params;
        CHECK(have >= exact && have - exact < exact / 1000);
        CHECK(m.model.grads == m.model.params && m.model.moments == 2 * m.model.params && m.total > 4 * exact);
    }
    CHECK(!plan(&k, (int64_t)20 << 30, &m) && !m.fits && m.most_windows == 0);      /* 2.4 billion parameters with gradients and moments */
    bench_close(&k);
}

/* A model that is opened with the plan holds what the plan says, or a little less. */
TEST(train_memory_is_what_is_allocated)
{
    Err e;
    for (int r = RECOMPUTE_NONE; r <= RECOMPUTE_LAYER; r++)
        for (int dense = 0; dense < 2; dense++) {
            Bench k;
            Memory m;
            Model *model;
            ModelConfig c = small(1, 1);
            c.dense = dense;
            OK(bench_open(&k, c, r == RECOMPUTE_MLP ? BF16 : F32, 2, &e));
            k.ask.recompute = (Recompute)r;
            CHECK(!plan(&k, 110000000, &m) && m.fits);
            OK(model_open(&model, &k.c, k.b, 1, &e));
            OK(model_reserve(model, m.tokens, m.chunks, m.longest, (Recompute)r, &e));
            int64_t acts = (int64_t)(m.model.kept + m.model.once) * m.tokens + m.routing;
            if ((int64_t)model->act_bytes > acts || (int64_t)model->act_bytes < acts - acts / 500)
                test_fail(__FILE__, __LINE__, "dense %d: activations take %zu bytes, the plan says %lld", dense, model->act_bytes, (long long)acts);
            CHECK((int64_t)k.b->scratch_size == m.scratch && model->flat.n * sizeof(float) == m.model.params);
            model_close(model);
            bench_close(&k);
        }
}
