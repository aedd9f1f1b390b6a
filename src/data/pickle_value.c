/* pickle_value.c - see pickle_value.h */
#include "data/pickle_value.h"

#include <stdlib.h>
#include <string.h>

int values_room(Value **values, size_t n, size_t *cap, Err *e)
{
    if (n <= *cap) return 0;
    size_t more = *cap + *cap / 2 < n ? n : *cap + *cap / 2;
    Value *p = realloc(*values, more * sizeof *p);
    if (!p) return err_nomem(e, more * sizeof *p, "the values of a pickle");
    *values = p;
    *cap = more;
    return 0;
}

int pool_add(Pool *p, ValueKind kind, Value *v, Err *e)
{
    if (p->n == p->cap) {
        size_t more = p->cap + p->cap / 2 + 64;
        Node *node = realloc(p->node, more * sizeof *node);
        if (!node) return err_nomem(e, more * sizeof *node, "the values of a pickle");
        p->node = node;
        p->cap = more;
    }
    p->node[p->n] = (Node){.kind = (uint8_t)kind};
    *v = (Value){.kind = kind, .node = p->n++};
    if (kind != V_ARRAY) return 0;
    node_of(p, *v)->array = calloc(1, sizeof(Array));
    return node_of(p, *v)->array ? 0 : err_nomem(e, sizeof(Array), "the values of a pickle");
}

int pool_bytes(Pool *p, ValueKind kind, const unsigned char *bytes, size_t n, Value *v, Err *e)
{
    if (pool_add(p, kind, v, e)) return -1;
    node_of(p, *v)->bytes = bytes;
    node_of(p, *v)->n = n;
    return 0;
}

int pool_buffer(Pool *p, ValueKind kind, size_t size, unsigned char **bytes, Value *v, Err *e)
{
    if (pool_add(p, kind, v, e)) return -1;
    *bytes = malloc(size + !size);
    if (!*bytes) return err_nomem(e, size, "a text of a pickle");
    node_of(p, *v)->bytes = *bytes;
    node_of(p, *v)->cap = size + !size;
    return 0;
}

int pool_extend(Pool *p, Value to, const Value *item, size_t n, Err *e)
{
    Node *node = node_of(p, to);
    if (values_room(&node->item, node->n + n, &node->cap, e)) return -1;
    if (n) memcpy(node->item + node->n, item, n * sizeof *item);
    node->n += n;
    return 0;
}

Array *pool_array(const Pool *p, Value v) { return v.kind == V_ARRAY ? node_of(p, v)->array : NULL; }

void pool_clear(Pool *p)
{
    for (size_t i = 0; i < p->n; i++) {
        Node *node = &p->node[i];
        if (node->kind == V_ARRAY) free(node->array);
        else if (node->kind == V_BYTES || node->kind == V_TEXT) free(node->cap ? (void *)node->bytes : NULL);
        else if (node->kind != V_DTYPE) free(node->item);
    }
    p->n = 0;
}

void pool_free(Pool *p)
{
    pool_clear(p);
    free(p->node);
    *p = (Pool){0};
}

const char *value_name(Value v)
{
    static const char *const name[] = {"nothing", "a mark", "None", "a number", "a function", "bytes", "a text", "a list", "a tuple", "a dict", "a dtype", "an array"};
    return name[v.kind];
}

int value_is(const Pool *p, Value v, const char *text)
{
    size_t n = strlen(text);
    return (v.kind == V_TEXT || v.kind == V_BYTES) && node_of(p, v)->n == n && !memcmp(node_of(p, v)->bytes, text, n);
}

int value_whole(Value v, int64_t *x)
{
    if (v.kind != V_NUMBER || !(v.number >= 0 && v.number <= 0x1p53)) return 0;
    *x = (int64_t)v.number;
    return (double)*x == v.number;
}
