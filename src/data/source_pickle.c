/* source_pickle.c - files of Python's pickle. */
#include "data/pickle.h"

static int pickle_sniff(const char *path, int is_dir) { return named_like(path, is_dir, ".pkl") || named_like(path, is_dir, ".pickle"); }
static int pickle_open(Source *s, Err *e) { return decoded_open(s, pickle_decode, e); }

const Format format_pickle = {"pickle", ".pkl", pickle_sniff, pickle_open, decoded_read, decoded_close};
