/* source.h - one readable thing on disk: a Time-300B folder, a jsonl file. One Format per kind; formats.c lists them. */
#ifndef DATA_SOURCE_H
#define DATA_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "data/tell.h"
#include "util/err.h"
#include "util/file.h"

typedef struct Source Source;
struct Index;

typedef struct Format {
    const char *name;                                       /* "bin", "jsonl": shown by data info and in errors */
    const char *looks;                                      /* ".jsonl", the end of its files' names; or a sentence of what else is looked for */
    int     (*sniff)(const char *path, int is_dir);         /* 1: this path is mine (name, folder content); no error: what cannot be read is not mine */
    int     (*open)(Source *s, Err *e);                     /* reads what is needed to know count and lengths */
    int     (*read)(const Source *s, int64_t i, int64_t at, int64_t n, double *out, Err *e);   /* points [at, at+n) of series i; thread-safe */
    void    (*close)(Source *s);                            /* half-open is fine */
} Format;

/* How to open; for a source that nobody but the opener knows of, NULL does: no index is read or written. */
typedef struct SourceHow {
    const char *cache_dir;        /* where an index goes that cannot lie in the folder of its data; NULL: nowhere */
    const Tell *tell;             /* of bytes of source_work(); may be NULL */
} SourceHow;

struct Source {
    const Format *format;
    char   *path;                 /* owned */
    void   *state;                /* the format's own */
    int64_t count;                /* series */
    int64_t *length;              /* (count) points of each; freed by source_close, if the format's close leaves it */
    const char *dtype;            /* "float32": as stored, for people */
    int64_t bytes;                /* anonymous memory held, lengths included: for the memory plan */
    const SourceHow *how;         /* while it is opened; may be NULL */
    struct Index *index;          /* keeps scalings for the next time; the format's, NULL: there is none */
    int unkept;                   /* 1: an index would save time, but could not be written */
    uint64_t hash;                /* of file names (below path), sizes and the first 64 KiB of each file: part of the fingerprint */
};

extern const Format format_bin;
extern const Format format_jsonl;
extern const Format format_json;
extern const Format format_csv;
extern const Format format_tsf;
extern const Format format_pickle;
extern const Format format_npy;
extern const Format format_npygz;
extern const Format format_npz;
extern const Format format_yaml;
extern const Format format_arrow;
extern const Format *const formats[];
extern const int nformats;

const Format *source_sniff(const char *path);               /* NULL: not readable data */
int  named_like(const char *path, int is_dir, const char *ending);        /* a file "x.jsonl" or "X.JSONL" for ".jsonl": what most sniff() ask */
void formats_text(char *text, size_t size);                 /* what is looked for, for a person */
int64_t source_work(const char *path);                      /* bytes to read before it is open: of the file, or of the meta.json of a folder */
int  source_open(Source *s, const Format *f, const char *path, const SourceHow *how, Err *e);   /* errors begin with "PATH (bin): " */
void source_close(Source *s);                               /* zeroed is fine */
uint64_t source_hash(uint64_t h, const char *name, const Map *m);         /* adds a file to Source.hash */

#endif
