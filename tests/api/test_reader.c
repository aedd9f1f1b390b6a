#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundationts.h"
#include "test.h"

#include "util/file.h"

static const char text[] = "[1, 2, 3, 4, 5, 6, 7]\n[5]\n[10, null, 30, 40]\n";

static const char *put(char path[512])
{
    FtsError e;
    snprintf(path, 512, "%s/x.jsonl", test_folder());
    return file_write(path, text, sizeof text - 1, &e) ? NULL : path;
}

TEST(reader_gives_series_and_windows)
{
    char path[512];
    FtsError e = {0};
    FtsReader *r;
    FtsReaderOptions o = {.seq_max_len = 3, .seq_stride = 3, .normalization = "none"};
    double x[4];
    float p[4];
    int at[2], length[2];
    CHECK(put(path));
    OK(fts_reader_open(&r, path, &o, &e));
    CHECK(fts_reader_series(r) == 3 && fts_reader_length(r, 0) == 7 && fts_reader_length(r, 1) == 1 && fts_reader_length(r, 3) == -1);
    OK(fts_reader_read(r, 2, 0, 4, x, &e));
    CHECK(x[0] == 10 && isnan(x[1]) && x[3] == 40);
    CHECK(fts_reader_windows(r) == 3 && fts_reader_max_segments(r) <= 2);
    CHECK(fts_reader_window(r, 1, p, at, length, &e) == 1 && at[0] == 0 && length[0] == 4 && p[0] == 4 && p[3] == 7);
    CHECK(fts_reader_window(r, 2, p, at, length, &e) == 1 && length[0] == 2 && p[at[0]] == 30 && p[at[0] + 1] == 40);
    CHECK(fts_reader_window(r, 3, p, at, length, &e) == -1 && e.code == FTS_USAGE);
    TEXT(e.message, "window 3: there are 3");
    CHECK(fts_reader_read(r, 0, 6, 2, x, &e) == -1);
    TEXT(e.message, "series 0: 2 points from point 6, but it has 7");
    CHECK(fts_reader_read(r, -1, 0, 1, x, &e) == -1);
    fts_reader_close(r);
    fts_reader_close(NULL);
}

TEST(reader_wrong_settings_are_named)
{
    char path[512];
    FtsError e = {0};
    FtsReader *r;
    CHECK(put(path));
    CHECK(fts_reader_open(&r, path, &(FtsReaderOptions){.normalization = "log"}, &e) == -1 && e.code == FTS_USAGE && !r);
    CHECK(strstr(e.message, "zero"));
    CHECK(fts_reader_open(&r, path, &(FtsReaderOptions){.seq_max_len = -1}, &e) == -1 && e.code == FTS_USAGE);
    CHECK(fts_reader_open(&r, "/nowhere", NULL, &e) == -1 && e.code == FTS_IO);
    OK(fts_reader_open(&r, path, NULL, &e));
    CHECK(fts_reader_windows(r) == 2);
    fts_reader_close(r);
}

/* The example of the documentation, as it stands there. */
TEST(reader_example_runs)
{
    char path[512], command[1200], line[256] = "";
    const char *program = getenv("FTS_PROGRAM");
    if (!program) { test_skip("FTS_PROGRAM is not set"); return; }
    CHECK(put(path));
    snprintf(command, sizeof command, "%.*s/docs/reader.exe %s", (int)(strrchr(program, '/') - program), program, path);
    FILE *f = popen(command, "r");
    CHECK(f);
    CHECK(fgets(line, sizeof line, f));
    TEXT(line, "3 series, 2 windows\n");
    CHECK(fgets(line, sizeof line, f));
    TEXT(line, "segment 0: -1.500 -1.000 -0.500 0.000 0.500 1.000 1.500\n");
    CHECK(pclose(f) == 0);
}
