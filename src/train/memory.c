/* memory.c - see memory.h; the parts are those of design.md, Memory. */
#include "train/memory.h"

#include <limits.h>

#include "train/feed.h"
#include "train/lines.h"

enum { MOST_WINDOWS = 100000000 };       /* the upper end of --batch-size */
static const int64_t LIBRARIES = 4 << 20, DEVICE_LIBRARIES = 768 << 20;      /* the latter: context, loaded kernels, workspace of products */

/* Rows of experts are counted in int. */
static int64_t most_tokens(const ModelConfig *c) { return INT_MAX / 4 / (c->K + 1); }

static int64_t loaders(const MemoryAsk *a, int64_t batch)
{
    int64_t most = 0;
    const Stream *other[] = {a->val, a->ood};
    Stream s = *a->train;
    s.per_step = batch * a->accum;
    for (int i = 0; i < 2; i++) {
        if (!other[i]) continue;
        Stream v = *other[i];
        v.per_step = batch;
        int64_t n = loader_bytes(&v, a->val_prefetch);
        if (n > most) most = n;
    }
    int64_t train = loader_bytes(&s, a->prefetch), limit = INT64_MAX / 8;      /* a sum of several of them stays in range */
    return train > limit || most > limit ? limit : train + most;
}

/* Per (expert, chunk) places of routed rows, and the alignment of each buffer: what does not grow with every token. */
static int64_t routing_bytes(const ModelConfig *c, int chunks)
{
    return (int64_t)config_routers(c) * (2 * (int64_t)sizeof(int) * c->E * chunks + 16 * 64) + ((int64_t)c->L * 5 + 10) * 64;
}

static int64_t scratch_bytes(const Memory *m, const MemoryAsk *a, int tokens)
{
    Dims d = model_dims(a->c, tokens, feed_chunks(tokens), m->longest);
    return (int64_t)backend_scratch_bytes(a->b, &d);
}

static int64_t input_bytes(const Memory *m, const MemoryAsk *a, int tokens)
{
    Dims d = model_dims(a->c, tokens, feed_chunks(tokens), m->longest);
    return (int64_t)backend_input_bytes(a->b, &d);
}

static int64_t total_bytes(const Memory *m, const MemoryAsk *a, int64_t tokens, int64_t batch)
{
    const ModelMemory *mm = &m->model;
    return (int64_t)(mm->params + mm->grads + mm->moments) + m->copies + (int64_t)(mm->kept + mm->once) * tokens
         + routing_bytes(a->c, feed_chunks((int)tokens)) + scratch_bytes(m, a, (int)tokens) + input_bytes(m, a, (int)tokens)
         + (m->on_host ? loaders(a, batch) + m->data : 0) + m->libraries;
}

/* The largest x of [low, high] whose plan fits; low itself need not fit, then the answer is low - 1. x: tokens, or windows of a batch of its own. */
static int64_t most_that_fits(const Memory *m, const MemoryAsk *a, int64_t low, int64_t high, int windows)
{
    while (low <= high) {
        int64_t x = low + (high - low) / 2, bytes = windows ? total_bytes(m, a, x * m->window_tokens, x) : total_bytes(m, a, x, a->batch);
        if (bytes <= m->limit) low = x + 1;
        else high = x - 1;
    }
    return high;
}

/* Tokens that a micro-batch can have at most, whatever the memory: those of the largest step, or of --micro-batch-size and the chunk that completes it. */
static int64_t wanted_tokens(const MemoryAsk *a, int64_t window)
{
    int64_t step = a->step_windows * window, micro = a->micro_windows * window + CHUNK - 1, most = most_tokens(a->c);
    if (a->micro_windows && micro < step) step = micro;
    return step < most ? step : most;
}

/* If all windows are full: chunks of equal size, as many in a micro-batch as memory and --micro-batch-size allow; what is left
 * over for a last, short chunk joins the micro-batch before it where it fits. */
static int count_micro_batches(const Memory *m, const MemoryAsk *a)
{
    int64_t per_chunk = (CHUNK + m->window_tokens - 1) / m->window_tokens, full = a->step_windows / per_chunk, rest = a->step_windows % per_chunk;
    int64_t at_once = m->tokens / (per_chunk * m->window_tokens), asked = (a->micro_windows + per_chunk - 1) / per_chunk;
    if (asked && asked < at_once) at_once = asked;
    if (at_once < 1) at_once = 1;
    int64_t n = (full + at_once - 1) / at_once, last = full - (n - 1) * at_once;
    int joins = n && (last * per_chunk + rest) * m->window_tokens <= m->tokens && !(a->micro_windows && last * per_chunk >= a->micro_windows);
    return (int)(n + (rest && !joins));
}

static void choose_tokens(Memory *m, const MemoryAsk *a)
{
    int64_t wanted = wanted_tokens(a, m->window_tokens), least = CHUNK - 1 + m->longest;
    if (least > wanted) least = wanted;
    int64_t fit = most_that_fits(m, a, least, wanted, 0);
    m->fits = fit >= least;
    m->tokens = (int)(m->fits ? fit : least);
}

int memory_plan(Memory *m, const MemoryAsk *a, Err *e)
{
    *m = (Memory){.limit = a->limit, .data = a->data_bytes, .on_host = a->b->device->on_host};
    m->libraries = m->on_host ? LIBRARIES : DEVICE_LIBRARIES;
    if (model_memory(&m->model, a->c, a->b->dtype, 1, a->recompute, e)) return -1;
    m->copies = (int64_t)backend_copies_bytes(a->b, m->model.dense, m->model.rounded);
    m->window_tokens = (int)feed_window_tokens(a->c, a->window_points);
    m->longest = (int)config_tokens(a->c, a->window_points);
    choose_tokens(m, a);
    m->chunks = feed_chunks(m->tokens);
    m->routing = routing_bytes(a->c, m->chunks);
    m->scratch = scratch_bytes(m, a, m->tokens);
    m->inputs = input_bytes(m, a, m->tokens);
    m->loaders = loaders(a, a->batch);
    m->total = total_bytes(m, a, m->tokens, a->batch);
    m->micro_batches = count_micro_batches(m, a);
    int64_t most = most_tokens(a->c) / m->window_tokens;
    m->most_windows = most_that_fits(m, a, 1, most < MOST_WINDOWS ? most : MOST_WINDOWS, 1);
    return 0;
}

static void row(const Memory *m, const Events *to, const char *what, int64_t bytes)
{
    event_say(to, FTS_EVENT_ANSWER, "%-36s %20s %6.1f%%", what, digits_of(bytes).text, 100 * (double)bytes / (double)m->total);
}

void memory_print(const Memory *m, const Events *to)
{
    event_say(to, FTS_EVENT_ANSWER, "%-36s %20s %7s", "memory", "bytes", "share");
    row(m, to, "parameters", (int64_t)m->model.params);
    if (m->copies) row(m, to, "copies of them in bf16", m->copies);
    row(m, to, "gradients", (int64_t)m->model.grads);
    row(m, to, "optimizer moments", (int64_t)m->model.moments);
    row(m, to, "activations kept for backward", (int64_t)m->model.kept * m->tokens + m->routing);
    row(m, to, "activations shared by layers", (int64_t)m->model.once * m->tokens);
    row(m, to, "scratch of operations", m->scratch);
    if (m->inputs) row(m, to, "inputs on the device", m->inputs);
    if (m->on_host) row(m, to, "batches made ahead", m->loaders);
    if (m->on_host) row(m, to, "index, statistics, decoded series", m->data);
    row(m, to, "libraries", m->libraries);
    row(m, to, m->on_host ? "total" : "total, on the device", m->total);
    event_say(to, FTS_EVENT_ANSWER, "%-36s %20s", "limit", digits_of(m->limit).text);
    if (!m->on_host)
        event_say(to, FTS_EVENT_ANSWER, "%-36s %20s", "beside it, on the host: data, batches", digits_of(m->loaders + m->data).text);
    event_say(to, FTS_EVENT_ANSWER, "micro-batch: up to %s tokens, %s of a full window", digits_of(m->tokens).text, digits_of(m->window_tokens).text);
    event_say(to, FTS_EVENT_ANSWER, "largest batch in one micro-batch: %s windows", digits_of(m->most_windows).text);
    Err why;
    if (memory_check(m, &why)) event_say(to, FTS_EVENT_ANSWER, "%s", why.message);
}

int memory_check(const Memory *m, Err *e)
{
    if (m->fits) return 0;
    return err_set(e, FTS_NOMEM, "does not fit: a micro-batch of %s tokens needs %s bytes in all, the limit is %s: shorten --seq-max-len, lower --batch-size, choose a smaller model, set --recompute layer, or raise --memory-limit",
                   digits_of(m->tokens).text, digits_of(m->total).text, digits_of(m->limit).text);
}
