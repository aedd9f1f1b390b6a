/* arrow_message.c - see arrow_message.h */
#include "data/arrow_message.h"

#include <string.h>

/* Slots of the tables, as Message.fbs, File.fbs and Schema.fbs number them. */
enum { MESSAGE_VERSION, MESSAGE_KIND, MESSAGE_HEADER, MESSAGE_SIZE };
enum { FOOTER_VERSION, FOOTER_SCHEMA, FOOTER_DICTIONARIES, FOOTER_BATCHES };
enum { BATCH_COMPRESSION = 3, COMPRESSION_CODEC = 0, SCHEMA_ENDIANNESS = 0 };
enum { MAGIC = 6, MAGIC_PADDED = 8, TAIL = 10, BLOCK = 24 };        /* TAIL: length of the footer, magic; BLOCK: i64 place, i32 and i64 sizes */

static uint32_t word(const unsigned char *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static int cut_short(Err *e) { return err_set(e, FTS_FORMAT, "the file ends inside a message: is it complete?"); }

static int check_version(int64_t version, Err *e)
{
    if (version == 3 || version == 4) return (int)version + 1;
    return err_set(e, FTS_FORMAT, "metadata of version V%lld, V4 and V5 can be read: write it again with a present pyarrow", (long long)version + 1);
}

/* Finds the metadata: 1, or 0 where a stream ends. Before Arrow 0.15 the length came first, without a word of ones before it. */
static int frame(ArrowMessage *m, const ArrowReader *r, size_t at, Err *e)
{
    const unsigned char *p = r->p;
    size_t from = at;
    if (at == r->n) return 0;
    if (r->n - from >= 4 && word(p + from) == 0xffffffff) from += 4;
    if (r->n - from < 4) return cut_short(e);
    uint32_t size = word(p + from);
    from += 4;
    if (!size) return 0;
    if (size > INT32_MAX || size > r->n - from) return cut_short(e);
    *m = (ArrowMessage){.meta = {p + from, size, 0}, .at = at, .end = from + size};
    return 1;
}

static int read_message(ArrowMessage *m, const ArrowReader *r, size_t at, Err *e)
{
    int more = frame(m, r, at, e);
    if (more <= 0) return more;
    FlatTable t = flat_root(&m->meta);
    int64_t version = flat_int(t, MESSAGE_VERSION, 2, 0);
    m->kind = (int)flat_int(t, MESSAGE_KIND, 1, 0);
    m->header = flat_table(t, MESSAGE_HEADER);
    m->size = flat_int(t, MESSAGE_SIZE, 8, 0);
    if (flatbuf_ok(&m->meta, e) || check_version(version, e) < 0) return -1;
    if (m->size < 0 || (uint64_t)m->size > r->n - m->end) return cut_short(e);
    m->body = r->p + m->end;
    m->end += (size_t)m->size;
    return 1;
}

static int wrap(int result, size_t at, Err *e) { return result < 0 ? err_wrap(e, "byte %zu", at) : result; }

static int open_stream(ArrowReader *r, Err *e)
{
    if (wrap(read_message(&r->schema, r, 0, e), 0, e) < 0) return -1;
    if (r->schema.kind != ARROW_SCHEMA) return err_set(e, FTS_FORMAT, "the stream does not begin with a schema: is it complete?");
    r->version = (int)flat_int(flat_root(&r->schema.meta), MESSAGE_VERSION, 2, 0) + 1;
    r->fields = r->schema.header;
    r->next = r->schema.end;
    return 0;
}

static int open_file(ArrowReader *r, Err *e)
{
    if (r->n < MAGIC_PADDED + TAIL || memcmp(r->p + r->n - MAGIC, "ARROW1", MAGIC))
        return err_set(e, FTS_FORMAT, "the file does not end with its footer: is it complete?");
    size_t end = r->n - TAIL, size = word(r->p + end);
    if (size > INT32_MAX || size > end - MAGIC_PADDED) return err_set(e, FTS_FORMAT, "a footer of %zu bytes in a file of %zu: is it damaged?", size, r->n);
    r->footer = (FlatBuf){r->p + end - size, size, 0};
    FlatTable t = flat_root(&r->footer);
    int64_t version = flat_int(t, FOOTER_VERSION, 2, 0);
    r->fields = flat_table(t, FOOTER_SCHEMA);
    r->blocks = flat_vector(t, FOOTER_BATCHES, BLOCK);
    r->next = MAGIC_PADDED;
    r->n = end - size;
    if (flatbuf_ok(&r->footer, e) || (r->version = check_version(version, e)) < 0) return err_wrap(e, "footer");
    return 0;
}

static const struct Other { const char *magic, *what; } others[] = {
    {"PAR1", "a file of Parquet, not of Arrow"},
    {"FEA1", "Feather of version 1: write version 2, as pyarrow.feather.write_feather(table, path, compression=\"uncompressed\")"},
};

/* What is neither a file nor the begin of a stream, so that a wrong length is not taken for a file cut short. */
static int check_begin(const ArrowReader *r, Err *e)
{
    if (!r->n) return err_set(e, FTS_FORMAT, "the file is empty");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (r->n >= 4 && !memcmp(r->p, others[i].magic, 4)) return err_set(e, FTS_FORMAT, "%s", others[i].what);
    if (r->n < 8 || word(r->p) == 0xffffffff || (word(r->p) && word(r->p) <= r->n - 4)) return 0;
    return err_set(e, FTS_FORMAT, "neither a file nor a stream of Arrow: it begins with neither ARROW1 nor a message");
}

int arrow_reader(ArrowReader *r, const unsigned char *p, size_t n, Err *e)
{
    int is_file = n >= MAGIC && !memcmp(p, "ARROW1", MAGIC);
    *r = (ArrowReader){.p = p, .n = n};
    if (!is_file && check_begin(r, e)) return -1;
    if (is_file ? open_file(r, e) : open_stream(r, e)) return -1;
    FlatBuf *in = r->fields.in;
    int big = flat_int(r->fields, SCHEMA_ENDIANNESS, 2, 0) != 0;
    if (flatbuf_ok(in, e)) return -1;
    return big ? err_set(e, FTS_FORMAT, "big-endian numbers: write it again on a little-endian machine") : 0;
}

static int take_batch(ArrowReader *r, ArrowMessage *m, Err *e)
{
    r->next = m->end;
    FlatTable packing = flat_table(m->header, BATCH_COMPRESSION);
    int64_t codec = flat_int(packing, COMPRESSION_CODEC, 1, 0);
    if (flatbuf_ok(&m->meta, e)) return -1;
    if (!packing.at) return 0;
    return err_set(e, FTS_FORMAT, "the data is compressed with %s: write it without, as save_to_disk of datasets does, as pyarrow.ipc.new_file(path, table.schema) does, "
                   "or with to_feather(path, compression=\"uncompressed\")", codec == 0 ? "LZ4" : codec == 1 ? "ZSTD" : "an unknown codec");
}

/* The place of the next message that is to be looked at; -1. Batches that overlap would make a small file a large dataset. */
static int next_place(ArrowReader *r, size_t *at, Err *e)
{
    *at = r->next;
    if (!r->footer.p) return 1;
    if (r->block == r->blocks.n) return 0;
    int64_t place = flat_item_int(r->blocks, r->block++, BLOCK, 0, 8);
    *at = (size_t)place;
    if (place >= 0 && *at >= r->next && *at < r->n) return 1;
    return err_set(e, FTS_FORMAT, "footer: batch %lld at byte %lld, expected %zu to %zu: is the file damaged?", (long long)r->block - 1, (long long)place, r->next, r->n);
}

int arrow_reader_next(ArrowReader *r, ArrowMessage *m, Err *e)
{
    size_t at;
    int more;
    while ((more = next_place(r, &at, e)) > 0) {
        more = wrap(read_message(m, r, at, e), at, e);
        if (more < 0 || (!more && !r->footer.p)) return more;
        if (more && m->kind == ARROW_BATCH) return wrap(take_batch(r, m, e), at, e) < 0 ? -1 : 1;
        if (!more || m->kind != ARROW_DICTIONARY || r->footer.p)
            return err_set(e, FTS_FORMAT, "byte %zu: no batch of records, where one was expected: is the file damaged?", at);
        r->next = m->end;
    }
    return more;
}
