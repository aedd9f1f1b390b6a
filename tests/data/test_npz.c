#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/npz.h"
#include "util/file.h"
#include "util/rng.h"

#define FOLDER "tests/corpus/data/npz"

static int here(void)
{
    if (path_is_dir(FOLDER)) return 1;
    test_skip("not run from the root of the project");
    return 0;
}

/* Stored and deflated by numpy (zip64 in every local header), and as a writer does that cannot go back (sizes behind the data). */
TEST(npz_reads_every_member)
{
    static const char *const name[] = {"stored.npz", "deflated.npz", "streamed.npz"};
    Err e = {0};
    if (!here()) return;
    for (int k = 0; k < 3; k++) {
        Source s;
        double x[5];
        const char *path = path_to(FOLDER, name[k]);
        CHECK(source_sniff(path) == &format_npz);
        OK(source_open(&s, &format_npz, path, NULL, &e));
        CHECK(s.count == 4 && s.length[0] == 4 && s.length[3] == 5);
        for (int i = 0; i < 4; i++) {
            OK(s.format->read(&s, i, 0, s.length[i], x, &e));
            for (int t = 0; t < s.length[i]; t++) CHECK(x[t] == (i < 3 ? 4 * i + t : 100 + t));
        }
        source_close(&s);
    }
}

TEST(npz_broken_archives_are_named)
{
    static const struct { const char *file, *message; } broken[] = {
        {"bad_text.npz", "readme.txt: no array of numpy: its name does not end in .npy"},
        {"bad_bzip2.npz", "zip: a member packed in another way than deflate: save it with numpy.savez or savez_compressed"},
        {"bad_crc.npz", "a.npy: zip: its checksum is wrong: copy or save the file again"},
    };
    Err e = {0};
    if (!here()) return;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        Map m;
        Decoded d = {0};
        OK(map_open(&m, path_to(FOLDER, broken[i].file), &e));
        CHECK(npz_decode(&d, m.p, m.n, &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, broken[i].message);
        decoded_free(&d);
        map_close(&m);
    }
}

/* Fields of the directory of a good archive, changed: where each lies from the first entry, and what is said. */
TEST(npz_lies_of_the_directory_are_refused)
{
    static const struct { int at, size; unsigned char to; const char *message; } lie[] = {
        {8, 1, 1, "zip: an encrypted member: save it without a password"},
        {24, 4, 0x7f, "zip: a member says it is larger than its bytes can be"},
        {20, 4, 0x7f, "zip: a member lies outside of the file"},
        {42, 4, 0x7f, "zip: a member lies outside of the file"},
        {28, 2, 0x7f, "zip: the central directory is broken"},
        {0, 1, 0, "zip: the central directory is broken"},
        {24, 1, 1, "a.npy: zip: a member does not unpack to the size it says"},
    };
    Err e = {0};
    Map m;
    if (!here()) return;
    OK(map_open(&m, path_to(FOLDER, "deflated.npz"), &e));
    size_t entry = 0;
    while (memcmp(m.p + entry, "PK\1\2", 4)) entry++;
    unsigned char *now = malloc(m.n);
    CHECK(now);
    for (size_t i = 0; i < sizeof lie / sizeof *lie; i++) {
        Decoded d = {0};
        memcpy(now, m.p, m.n);
        memset(now + entry + lie[i].at, lie[i].to, (size_t)lie[i].size);
        CHECK(npz_decode(&d, now, m.n, &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, lie[i].message);
        decoded_free(&d);
    }
    free(now);
    map_close(&m);
}

TEST(npz_cut_and_damaged_bytes_are_refused_or_read)
{
    Names names;
    Err e = {0};
    uint64_t used = 0;
    if (!here()) return;
    OK(dir_list(&names, FOLDER, &e));
    for (int i = 0; i < names.n; i++) {
        Map m;
        OK(map_open(&m, path_to(FOLDER, names.name[i]), &e));
        unsigned char *now = malloc(m.n);
        CHECK(now);
        for (size_t n = 0; n < m.n + 500; n++) {
            Decoded d = {0};
            memcpy(now, m.p, m.n);
            for (int k = 0; n >= m.n && k < 3; k++) {
                uint64_t r = rng_hash(6, RNG_TEST, used++);
                now[r % m.n] = (unsigned char)(r >> 40);
            }
            if (npz_decode(&d, now, n < m.n ? n : m.n, &e)) CHECK(e.code == FTS_FORMAT);
            else CHECK(n >= m.n);
            decoded_free(&d);
        }
        free(now);
        map_close(&m);
    }
    CHECK(names.n >= 4);
    names_free(&names);
}
