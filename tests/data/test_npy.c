#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/npy.h"
#include "util/file.h"
#include "util/rng.h"

#define FOLDER   "tests/corpus/data/npy"
#define FOLDER_Z "tests/corpus/data/npygz"

static int here(void)
{
    if (path_is_dir(FOLDER)) return 1;
    test_skip("not run from the root of the project");
    return 0;
}

/* Files that numpy wrote: rows 0 1 2 3, 4 5 6 7, 8 9 10 11, but for bool, which holds their lowest bits. */
TEST(npy_reads_what_numpy_wrote)
{
    static const char *const name[] = {"rows_b1", "rows_i1", "rows_i2", "rows_i4", "rows_i8", "rows_u1", "rows_u2", "rows_u4", "rows_u8", "rows_f2", "rows_f4",
                                       "rows_f8", "big_f4", "fortran_i2", "fortran_big_f8", "v2", "v3"};
    Err e = {0};
    if (!here()) return;
    for (size_t k = 0; k < sizeof name / sizeof *name; k++) {
        char file[64];
        Source s;
        snprintf(file, sizeof file, "%s.npy", name[k]);
        OK(source_open(&s, &format_npy, path_to(FOLDER, file), NULL, &e));
        CHECK(s.count == 3);
        for (int i = 0; i < 3; i++) {
            double x[4];
            CHECK(s.length[i] == 4);
            OK(s.format->read(&s, i, 0, 4, x, &e));
            for (int t = 0; t < 4; t++) CHECK(x[t] == (k ? 4 * i + t : t % 2));
            OK(s.format->read(&s, i, 2, 1, x, &e));
            CHECK(x[0] == (k ? 4 * i + 2 : 0));
        }
        source_close(&s);
    }
}

TEST(npy_one_dimension_none_and_objects)
{
    static const struct { const char *dir, *file; const Format *format; int count; int64_t length[3]; double last; } want[] = {
        {FOLDER, "one_d.npy", &format_npy, 1, {4}, 7}, {FOLDER, "scalar.npy", &format_npy, 1, {1}, 7}, {FOLDER, "objects.npy", &format_npy, 3, {2, 3, 4}, 11},
        {FOLDER_Z, "rows.npy.gz", &format_npygz, 3, {4, 4, 4}, 11}, {FOLDER_Z, "members.npy.gz", &format_npygz, 3, {4, 4, 4}, 11},
        {FOLDER_Z, "objects.npy.gz", &format_npygz, 3, {2, 3, 4}, 11},
    };
    Err e = {0};
    if (!here()) return;
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        Source s;
        double x;
        const char *path = path_to(want[k].dir, want[k].file);
        CHECK(source_sniff(path) == want[k].format);
        OK(source_open(&s, want[k].format, path, NULL, &e));
        CHECK(s.count == want[k].count);
        for (int i = 0; i < want[k].count; i++) CHECK(s.length[i] == want[k].length[i]);
        OK(s.format->read(&s, s.count - 1, s.length[s.count - 1] - 1, 1, &x, &e));
        CHECK(x == want[k].last);
        source_close(&s);
    }
}

static size_t array(char *out, const char *dict, size_t data)
{
    size_t n = strlen(dict);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (char)n;
    out[9] = (char)(n >> 8);
    memcpy(out + 10, dict, n);
    memset(out + 10 + n, 0, data);
    return 10 + n + data;
}

TEST(npy_broken_headers_are_named)
{
    static const struct { const char *dict, *message; } broken[] = {
        {"x", "header: found \"x\", expected '{'"},
        {"{'descr': '<f4', 'fortran_order': False}", "header: \"shape\" is missing"},
        {"{'descr': '<f4', 'descr': '<f4'}", "header: \"descr\" stands there twice"},
        {"{'descr': '<f4', 'more': 1}", "header: \"more\" is not one of descr, fortran_order, shape"},
        {"{'descr': '<f4', 'fortran_order': Maybe}", "header: found \"Maybe}\", expected True or False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", "header: found \")}\", expected ',' or ')'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", "header: found \"-3,)}\", expected a size"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "header: a size in \"shape\" is too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999)}", "header: \"shape\" is larger than any file"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}", "an array of 3 dimensions: reshape it to 2, a row for each series"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9)}", "2 rows of 9 numbers of 4 bytes do not fit into 77 bytes: is the file complete?"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (999999, 0)}", "999999 series without a point"},
        {"{'descr': 'f4', 'fortran_order': False, 'shape': (2,)}", "header: \"descr\" is \"f4\", which has no byte order"},
        {"{'descr': '<bf16', 'fortran_order': False, 'shape': (2,)}", "header: \"descr\" is \"<bf16\", not a type that can be read: save as float32 or float64"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}", "header: \"descr\" is \"<f16\", not a type that can be read: save as float32 or float64"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", "an array of complex numbers: save the real part, or the parts as two arrays"},
        {"{'descr': '<V2', 'fortran_order': False, 'shape': (2,)}", "an array of raw bytes, which is also how bfloat16 of ml_dtypes is written: save as float32"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "a structured array: save one array for each field"},
    };
    Err e = {0};
    char text[256];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        Decoded d = {0};
        CHECK(npy_decode(&d, text, array(text, broken[i].dict, 10), &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
        decoded_free(&d);
    }
}

/* Any spelling that Python's literals allow; a 2 that once was long; what follows the array is let be. */
TEST(npy_headers_in_other_words)
{
    static const char *const dict[] = {"{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"|i1\"}", "{ 'fortran_order' : True , 'shape' : ( 1 , 2 ) , 'descr' : '=f4' , } \n"};
    Err e = {0};
    char text[256];
    for (size_t i = 0; i < sizeof dict / sizeof *dict; i++) {
        Decoded d = {0};
        OK(npy_decode(&d, text, array(text, dict[i], 20), &e));
        CHECK(d.count == 1 && d.n == 2);
        decoded_free(&d);
    }
}

/* Each seed cut at every byte and with damage: refused or read; a cut one is never read whole. */
static void torment(const char *dir, Decode *decode, int good_cut)
{
    Names names;
    Err e = {0};
    uint64_t used = 0;
    OK(dir_list(&names, dir, &e));
    for (int i = 0; i < names.n; i++) {
        Map m;
        OK(map_open(&m, path_to(dir, names.name[i]), &e));
        for (size_t n = 0; n < m.n; n++) {
            Decoded d = {0};
            int bad = decode(&d, m.p, n, &e);
            CHECK(bad ? e.code == FTS_FORMAT : good_cut);
            decoded_free(&d);
        }
        unsigned char *now = malloc(m.n);
        CHECK(now);
        for (int round = 0; round < 300; round++) {
            Decoded d = {0};
            memcpy(now, m.p, m.n);
            for (int k = 0; k < 3; k++) {
                uint64_t r = rng_hash(5, RNG_TEST, used++);
                now[r % m.n] = (unsigned char)(r >> 40);
            }
            if (!decode(&d, now, m.n, &e)) CHECK(d.count >= 0);
            else CHECK(e.code == FTS_FORMAT);
            decoded_free(&d);
        }
        free(now);
        map_close(&m);
    }
    CHECK(names.n >= 4);
    names_free(&names);
}

TEST(npy_cut_and_damaged_bytes_are_refused_or_read)
{
    if (!here()) return;
    torment(FOLDER, npy_decode, 0);
    torment(FOLDER_Z, npygz_decode, 1);             /* the numbers may all be there before the checksum of gzip */
}

TEST(npygz_broken_files_are_named)
{
    Err e = {0};
    Source s;
    if (!here()) return;
    CHECK(source_open(&s, &format_npygz, path_to(FOLDER_Z, "bad_bomb.npy.gz"), NULL, &e) == -1);
    CHECK(strstr(e.message, "the header promises 480000000000 bytes, more than a gzip file of"));
    CHECK(source_open(&s, &format_npygz, path_to(FOLDER_Z, "bad_cut.npy.gz"), NULL, &e) == -1);
    CHECK(strstr(e.message, "gzip: the file ends too early: is it complete?"));
}
