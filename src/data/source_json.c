/* source_json.c - a .json file that holds one array: of series, or of the numbers of one series. Files whose JSON is an
 * object (settings, dataset_info.json) are nobody's data. */
#include <stdio.h>
#include <string.h>

#include "data/jsonl.h"

static int is_series(char kind) { return kind == '[' || kind == '{'; }

/* A Json is a place in a text and may be copied: the first value decides how all are read. */
int json_decode(Decoded *d, const void *text, size_t n, Err *e)
{
    Json j, ahead;
    int more;
    json_init(&j, text, n);
    ahead = j;
    if (json_peek(&ahead) == '{') return json_error(&ahead, e, "an object, expected an array of series: objects with \"target\" go one a line into a .jsonl file");
    if (json_open(&ahead, '[', e)) return -1;
    more = json_more(&ahead, e);
    if (more > 0 && !is_series(json_peek(&ahead))) return json_series(d, &j, e) || json_end(&j, e) ? -1 : 0;
    if (json_open(&j, '[', e)) return -1;
    while ((more = json_more(&j, e)) > 0)
        if (json_series(d, &j, e)) return -1;
    return more || json_end(&j, e) ? -1 : 0;
}

/* The head of the file, behind a byte order mark and white space, begins an array. */
static int json_sniff(const char *path, int is_dir)
{
    char head[64];
    if (!named_like(path, is_dir, ".json")) return 0;
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    size_t n = fread(head, 1, sizeof head - 1, f), at;
    fclose(f);
    head[n] = 0;
    at = strncmp(head, "\xEF\xBB\xBF", 3) ? 0 : 3;
    return head[at + strspn(head + at, " \t\r\n")] == '[';
}

static int json_open_source(Source *s, Err *e) { return decoded_open(s, json_decode, e); }

const Format format_json = {"json", ".json", json_sniff, json_open_source, decoded_read, decoded_close};
