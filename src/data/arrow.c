/* arrow.c - see arrow.h */
#include "data/arrow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/arrow_message.h"
#include "util/array.h"

/* Slots and sizes, as Message.fbs has them. */
enum { BATCH_LENGTH, BATCH_NODES, BATCH_BUFFERS, BATCH_COMPRESSION, BATCH_VIEWS };
enum { NODE = 16, BUFFER = 16 };                    /* i64 length and nulls; i64 place and size */

/* The parts of a batch, read from the first of the column on. */
typedef struct Parts { const ArrowMessage *m; FlatVector nodes, buffers; int64_t node, buffer; } Parts;
typedef struct Node { int64_t n; const unsigned char *valid; } Node;                      /* n items; NULL: all are valid */
typedef struct Lists { Node node; const unsigned char *offsets; int size; int64_t fixed; } Lists;     /* offsets: (node.n + 1) of size bytes; size 0: fixed items each */

/* Room for `more` items of `size` bytes behind the n that are there: half as much again, or what a large batch needs. */
static int room(void *array, int64_t n, int64_t more, size_t size, int64_t *cap, Err *e)
{
    int64_t want = n + (more > n / 2 ? more : n / 2);
    if (more <= *cap - n) return 0;
    if (array_resize(array, (size_t)want * size, "the index of a dataset", e)) return -1;
    *cap = want;
    return 0;
}

static int next_buffer(Parts *b, int64_t need, const unsigned char **p, Err *e)
{
    int64_t at = flat_item_int(b->buffers, b->buffer, BUFFER, 0, 8), size = flat_item_int(b->buffers, b->buffer, BUFFER, 8, 8);
    if (at < 0 || size < 0 || at > b->m->size || size > b->m->size - at)
        return err_set(e, FTS_FORMAT, "buffer %lld lies outside the body: is the file damaged?", (long long)b->buffer);
    if (size < need)
        return err_set(e, FTS_FORMAT, "buffer %lld has %lld bytes, expected %lld: is the file damaged?", (long long)b->buffer, (long long)size, (long long)need);
    *p = b->m->body + at;
    b->buffer++;
    return 0;
}

/* With its validity, which need not be there if all are valid. Items, but for fixed lists, have a bit in the body each at least. */
static int next_node(Parts *b, Node *node, Err *e)
{
    int64_t nulls = flat_item_int(b->nodes, b->node, NODE, 8, 8);
    node->n = flat_item_int(b->nodes, b->node, NODE, 0, 8);
    if (node->n < 0 || node->n / 8 > b->m->size || nulls < 0 || nulls > node->n)
        return err_set(e, FTS_FORMAT, "node %lld has %lld items, %lld of them null: is the file damaged?", (long long)b->node, (long long)node->n, (long long)nulls);
    b->node++;
    if (next_buffer(b, nulls ? (node->n + 7) / 8 : 0, &node->valid, e)) return -1;
    if (!nulls) node->valid = NULL;
    return 0;
}

static int is_valid(const unsigned char *valid, int64_t i) { return !valid || valid[i / 8] >> i % 8 & 1; }

static int64_t list_start(const Lists *l, int64_t i)
{
    int32_t narrow;
    int64_t x;
    if (!l->size) return i * l->fixed;
    if (l->size == 8) return memcpy(&x, l->offsets + 8 * i, 8), x;
    return memcpy(&narrow, l->offsets + 4 * i, 4), narrow;
}

static int next_lists(Parts *b, Lists *l, const ArrowColumn *c, int level, Err *e)
{
    *l = (Lists){.size = c->level[level].offset, .fixed = c->level[level].fixed};
    if (next_node(b, &l->node, e)) return -1;
    return l->size && next_buffer(b, l->node.n ? (l->node.n + 1) * l->size : 0, &l->offsets, e) ? -1 : 0;
}

/* Are its lists, one behind the other, among the `items`? */
static int check_lists(const Lists *l, int64_t items, Err *e)
{
    int64_t n = l->node.n, last = 0, bad = !l->size && n > items / l->fixed;
    for (int64_t i = 0; l->size && n && i <= n; i++) {
        int64_t start = list_start(l, i);
        bad |= start < last;
        last = start;
    }
    return bad || last > items ? err_set(e, FTS_FORMAT, "lists that go back, or beyond the %lld items that there are: is the file damaged?", (long long)items) : 0;
}

static int next_values(Parts *b, const ArrowColumn *c, ArrowBatch *batch, int64_t *n, Err *e)
{
    Node node;
    if (next_node(b, &node, e)) return -1;
    *n = node.n;
    batch->valid = node.valid;
    return next_buffer(b, c->bits ? (node.n + 7) / 8 : node.n * c->type->size, &batch->values, e);
}

/* The items [from, to) of lists are series. */
static int add_series(Arrow *a, const Lists *l, int64_t from, int64_t to, Err *e)
{
    int64_t more = to - from;
    if (room(&a->start, a->count, more, sizeof *a->start, &a->start_cap, e) || room(&a->length, a->count, more, sizeof *a->length, &a->length_cap, e)) return -1;
    for (int64_t i = from; i < to; i++) {
        int64_t start = list_start(l, i);
        a->start[a->count] = start;
        a->length[a->count++] = is_valid(l->node.valid, i) ? list_start(l, i + 1) - start : 0;
    }
    return 0;
}

static int add_lists(Arrow *a, Parts *b, const ArrowColumn *c, ArrowBatch *batch, int64_t rows, Err *e)
{
    Lists l[ARROW_LEVELS] = {{{0, 0}, 0, 0, 0}};
    const Lists *inner = &l[c->levels - 1];
    int64_t n;
    for (int k = 0; k < c->levels; k++)
        if (next_lists(b, &l[k], c, k, e)) return -1;
    if (next_values(b, c, batch, &n, e) || check_lists(inner, n, e)) return -1;
    if (l[0].node.n != rows) return err_set(e, FTS_FORMAT, "%lld rows, %lld were announced: is the file damaged?", (long long)l[0].node.n, (long long)rows);
    if (c->levels == 1) return add_series(a, inner, 0, rows, e);
    if (check_lists(&l[0], inner->node.n, e)) return -1;
    for (int64_t row = 0; row < rows; row++)
        if (is_valid(l[0].node.valid, row) && add_series(a, inner, list_start(&l[0], row), list_start(&l[0], row + 1), e)) return -1;
    return 0;
}

/* How many buffers the views before the column have beside those that the schema knows of, and all views. */
static int count_views(ArrowMessage *m, const ArrowSchema *s, int64_t *before, int64_t *all, Err *e)
{
    FlatVector views = flat_vector(m->header, BATCH_VIEWS, 8);
    *before = *all = 0;
    if (flatbuf_ok(&m->meta, e)) return -1;
    if (views.n != s->all.views)
        return err_set(e, FTS_FORMAT, "the buffers of %lld views are counted, the schema has %lld: is the file damaged?", (long long)views.n, (long long)s->all.views);
    for (int64_t i = 0; i < views.n; i++) {
        int64_t n = flat_item_int(views, i, 8, 0, 8);
        if (n < 0 || n > (int64_t)m->meta.n) return err_set(e, FTS_FORMAT, "a view of %lld buffers: is the file damaged?", (long long)n);
        *all += n;
        *before += i < s->column.before.views ? n : 0;
    }
    return 0;
}

static int open_parts(Parts *b, ArrowMessage *m, const ArrowSchema *s, Err *e)
{
    int64_t before, all;
    if (count_views(m, s, &before, &all, e)) return -1;
    *b = (Parts){m, flat_vector(m->header, BATCH_NODES, NODE), flat_vector(m->header, BATCH_BUFFERS, BUFFER), s->column.before.nodes, s->column.before.buffers + before};
    if (flatbuf_ok(&m->meta, e)) return -1;
    if (b->nodes.n == s->all.nodes && b->buffers.n == s->all.buffers + all) return 0;
    return err_set(e, FTS_FORMAT, "%lld nodes and %lld buffers, the schema has %lld and %lld: is the file damaged?",
                   (long long)b->nodes.n, (long long)b->buffers.n, (long long)s->all.nodes, (long long)(s->all.buffers + all));
}

static int add_batch(Arrow *a, ArrowMessage *m, const ArrowSchema *s, Err *e)
{
    const ArrowColumn *c = &s->column;
    ArrowBatch batch = {.first = c->levels ? a->count : a->points};
    Parts b;
    int64_t rows = flat_int(m->header, BATCH_LENGTH, 8, 0), n;
    if (open_parts(&b, m, s, e) || room(&a->batch, a->batches, 1, sizeof batch, &a->batch_cap, e)) return -1;
    if (c->levels ? add_lists(a, &b, c, &batch, rows, e) : next_values(&b, c, &batch, &n, e)) return -1;
    if (!c->levels) {
        if (n != rows) return err_set(e, FTS_FORMAT, "%lld rows, %lld were announced: is the file damaged?", (long long)n, (long long)rows);
        a->points += n;
    }
    a->batch[a->batches++] = batch;
    return 0;
}

static int same_column(Arrow *a, const ArrowColumn *c, Err *e)
{
    const ArrowColumn *first = &a->column;
    if (!a->files++) a->column = *c;
    if (c->type == first->type && !c->levels == !first->levels && !strcmp(c->name, first->name)) return 0;
    return err_set(e, FTS_FORMAT, "column \"%s\" is %s, in the first file it is \"%s\" and %s", c->name, c->shape, first->name, first->shape);
}

int arrow_add(Arrow *a, const unsigned char *p, size_t n, Err *e)
{
    ArrowReader r;
    ArrowSchema s;
    ArrowMessage m;
    int more;
    if (arrow_reader(&r, p, n, e) || arrow_schema(&s, r.fields, r.version, e) || same_column(a, &s.column, e)) return -1;
    while ((more = arrow_reader_next(&r, &m, e)) > 0)
        if (add_batch(a, &m, &s, e)) return err_wrap(e, "batch at byte %zu", m.at);
    return more;
}

/* The last batch that begins at or before it: empty ones share their beginning with the next. */
static const ArrowBatch *batch_of(const Arrow *a, int64_t i)
{
    int64_t low = 0, high = a->batches;
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (a->batch[mid].first <= i) low = mid;
        else high = mid;
    }
    return &a->batch[low];
}

static void read_values(const ArrowColumn *c, const ArrowBatch *b, int64_t at, int64_t n, double *out)
{
    if (!c->bits) numtype_read(c->type, 0, b->values + at * c->type->size, 1, n, out);
    for (int64_t k = 0; c->bits && k < n; k++) out[k] = is_valid(b->values, at + k);
    for (int64_t k = 0; b->valid && k < n; k++)
        if (!is_valid(b->valid, at + k)) out[k] = NAN;
}

void arrow_read(const Arrow *a, int64_t i, int64_t at, int64_t n, double *out)
{
    const ArrowColumn *c = &a->column;
    if (c->levels && n) read_values(c, batch_of(a, i), a->start[i] + at, n, out);
    for (int64_t done = 0, take; !c->levels && done < n; done += take) {
        const ArrowBatch *b = batch_of(a, at + done);
        int64_t end = b + 1 < a->batch + a->batches ? b[1].first : a->points, left = end - (at + done);
        take = left < n - done ? left : n - done;
        read_values(c, b, at + done - b->first, take, out + done);
    }
}

void arrow_free(Arrow *a)
{
    free(a->batch);
    free(a->start);
    free(a->length);
    *a = (Arrow){0};
}
