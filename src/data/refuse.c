/* refuse.c - see refuse.h */
#include "data/refuse.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "data/source.h"

enum { HEAD = 1024 };

static const char workbook[] = "a workbook: save its sheet as CSV", packed[] = "a packed file: unpack it first", parquet[] = "a Parquet file: write it as .csv or .arrow first",
    hdf[] = "an HDF5 file: write it as .csv or .npy first";

static const struct { const char *ending, *is; } others[] = {
    {".xlsx", workbook}, {".xls", workbook}, {".xlsm", workbook}, {".ods", workbook}, {".parquet", parquet}, {".h5", hdf}, {".hdf5", hdf}, {".gz", packed}, {".zip", packed},
    {".bz2", packed}, {".xz", packed}, {".zst", packed}, {".7z", packed}, {".tar", packed}, {".txt", "text under another name: a table of text goes by .csv"},
    {".dat", "text or something else: a table of text goes by .csv"}, {".ndjson", "JSON by lines under another name: it goes by .jsonl"},
};

static const struct { const char *magic; size_t n; const char *is; } begins[] = {
    {"PK\3\4", 4, "an Excel workbook or another zip archive, no text: save its sheet as CSV"}, {"\xD0\xCF\x11\xE0", 4, "an old Excel workbook, no text: save its sheet as CSV"},
    {"\x1F\x8B", 2, "packed by gzip: unpack it first"}, {"BZh9", 4, "packed by bzip2: unpack it first"}, {"\xFD" "7zXZ", 5, "packed by xz: unpack it first"},
    {"\x28\xB5\x2F\xFD", 4, "packed by zstd: unpack it first"}, {"\xFF\xFE", 2, "text in UTF-16: save it as UTF-8"}, {"\xFE\xFF", 2, "text in UTF-16: save it as UTF-8"},
    {"PAR1", 4, "a Parquet file: write it as .csv or .arrow first"}, {"%PDF", 4, "a PDF document"}, {"<!DOCTYPE", 9, "a page of HTML: did a download fail?"},
    {"<html", 5, "a page of HTML: did a download fail?"}, {"{\\rtf", 5, "a text document: save it as plain text"},
};

const char *refuse_bytes(const void *bytes, size_t n)
{
    const char *p = bytes;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (n >= begins[i].n && !memcmp(p, begins[i].magic, begins[i].n)) return begins[i].is;
    if (n >= 4 && ((p[0] && !p[1] && p[2] && !p[3]) || (!p[0] && p[1] && !p[2] && p[3]))) return "text in UTF-16: save it as UTF-8";
    return NULL;
}

/* A name that a format goes by, though it does not see its own in it: its reader knows what is wrong. */
static const Format *by_name(const char *path)
{
    if (named_like(path, 0, ".yml")) return &format_yaml;
    if (named_like(path, 0, ".feather")) return &format_arrow;
    for (int i = 0; i < nformats; i++)
        if (*formats[i]->looks == '.' && named_like(path, 0, formats[i]->looks)) return formats[i];
    return NULL;
}

static int refuse_file(const char *path, Err *e)
{
    Source s;
    const Format *f = by_name(path);
    if (f) {
        if (source_open(&s, f, path, NULL, e)) return -1;
        source_close(&s);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (named_like(path, 0, others[i].ending)) return err_set(e, FTS_FORMAT, "%s: not a file that can be read: %s", path, others[i].is);
    return 0;
}

int refuse_path(const char *path, Err *e)
{
    char looked[512];
    struct stat st;
    if (stat(path, &st)) return err_errno(e, errno, path);
    if (!S_ISDIR(st.st_mode) && refuse_file(path, e)) return -1;
    formats_text(looked, sizeof looked);
    return err_set(e, FTS_FORMAT, "%s: not a %s that can be read: %s", path, S_ISDIR(st.st_mode) ? "folder" : "file", looked);
}
