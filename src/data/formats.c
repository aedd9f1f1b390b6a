/* formats.c - the list of formats, and what they share. */
#include "data/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/hash.h"

/* Asked in this order; a row here is all that a new format needs outside its own file. */
const Format *const formats[] = {
    &format_bin,
    &format_jsonl,
    &format_json,
    &format_csv,
    &format_tsf,
    &format_pickle,
    &format_npy,
    &format_npygz,
    &format_npz,
    &format_yaml,
    &format_arrow,
};
const int nformats = sizeof formats / sizeof *formats;

enum { HASHED_HEAD = 1 << 16 };

const Format *source_sniff(const char *path)
{
    int is_dir = path_is_dir(path);
    for (int i = 0; i < nformats; i++)
        if (formats[i]->sniff(path, is_dir)) return formats[i];
    return NULL;
}

int named_like(const char *path, int is_dir, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return !is_dir && n > m && !strcasecmp(path + n - m, ending) && path_exists(path);
}

void formats_text(char *text, size_t size)
{
    int n = snprintf(text, size, "looked for");
    for (int i = 0; i < nformats && n < (int)size; i++)
        if (*formats[i]->looks != '.') n += snprintf(text + n, size - (size_t)n, " %s", formats[i]->looks);
    n += snprintf(text + n, n < (int)size ? size - (size_t)n : 0, " and for files");
    for (int i = 0; i < nformats && n < (int)size; i++)
        if (*formats[i]->looks == '.') n += snprintf(text + n, size - (size_t)n, " %s", formats[i]->looks);
}

int64_t source_work(const char *path)
{
    char meta[4096];
    Err ignored;
    return path_is_dir(path) && !path_join(meta, sizeof meta, path, "meta.json", &ignored) ? path_size(meta) : path_size(path);
}

int source_open(Source *s, const Format *f, const char *path, const SourceHow *how, Err *e)
{
    size_t n = strlen(path) + 1;
    *s = (Source){.format = f, .hash = HASH_START, .how = how};
    s->path = malloc(n);
    if (!s->path) return err_nomem(e, n, "a path");
    memcpy(s->path, path, n);
    int bad = f->open(s, e);
    s->how = NULL;
    if (!bad) return 0;
    err_wrap(e, "%s (%s)", path, f->name);
    source_close(s);
    return -1;
}

void source_close(Source *s)
{
    if (s->format) s->format->close(s);
    free(s->length);
    free(s->path);
    *s = (Source){0};
}

/* The head only: a fingerprint must not cost a read of the data. */
uint64_t source_hash(uint64_t h, const char *name, const Map *m)
{
    uint64_t size = m->n;
    h = hash_add(h, name, strlen(name) + 1);
    h = hash_add(h, &size, sizeof size);
    return hash_add(h, m->p, m->n < HASHED_HEAD ? m->n : HASHED_HEAD);
}
