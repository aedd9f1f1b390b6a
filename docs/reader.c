/* reader.c - reads series with the library: cc reader.c $(pkg-config --cflags --libs foundationts) -o reader
 * (run ldconfig once after make install, or set LD_LIBRARY_PATH where the library is elsewhere than below /usr/local).
 * Prints how many series and windows a path has, and the first window of 16 points as a model would see it. */
#include <foundationts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { C = 16 };

static int failed(const FtsError *e)
{
    fprintf(stderr, "reader: %s\n", e->message);
    return 1;
}

int main(int argc, char **argv)
{
    FtsError e;
    FtsReader *r;
    FtsReaderOptions o = {.seq_max_len = C, .seq_stride = C, .normalization = "zero"};
    float points[C + 1];
    if (argc != 2) return fprintf(stderr, "usage: reader PATH\n"), 2;
    if (fts_reader_open(&r, argv[1], &o, &e)) return failed(&e);
    printf("%" PRId64 " series, %" PRId64 " windows\n", fts_reader_series(r), fts_reader_windows(r));

    size_t most = (size_t)fts_reader_max_segments(r);
    int *at = malloc(most * sizeof *at), *length = malloc(most * sizeof *length), n = 0;
    if (!at || !length) return 1;
    if (fts_reader_windows(r)) n = fts_reader_window(r, 0, points, at, length, &e);
    if (n < 0) return failed(&e);
    for (int i = 0; i < n; i++) {
        printf("segment %d:", i);
        for (int t = 0; t < length[i]; t++) printf(" %.3f", (double)points[at[i] + t]);
        printf("\n");
    }
    free(at);
    free(length);
    fts_reader_close(r);
    return 0;
}
