#include <string.h>

#include "test.h"

#include "data/flatbuf.h"

/* A root table at 24 with slots: 0 a short -2, 1 absent, 2 a text, 3 a vector of one table at 64, 4 a vector of two longs. */
static const unsigned char block[] =
    "\x18\0\0\0"                "\x0e\0\x18\0\x04\0\0\0\x08\0\x0c\0\x10\0" "\0\0\0\0\0\0"
    "\x14\0\0\0" "\xfe\xff\0\0" "\x10\0\0\0" "\x14\0\0\0" "\x20\0\0\0"     "\0\0\0\0"
    "\x04\0\0\0" "a\n\x7f" "b"                                             /* 48: the text */
    "\x01\0\0\0" "\x08\0\0\0"                                              /* 56: the vector of tables */
    "\x04\0\x04\0" "\x04\0\0\0"                                            /* 64: a vtable without slots, 68: its table */
    "\x02\0\0\0" "\x07\0\0\0\0\0\0\0" "\xff\xff\xff\xff\xff\xff\xff\xff";  /* 72: the vector of longs */
enum { SIZE = sizeof block - 1 };

TEST(flatbuf_reads_what_tables_hold)
{
    FlatBuf b = {block, SIZE, 0};
    FlatTable t = flat_root(&b);
    char text[8], cut[3];
    Err e = {0};
    CHECK(t.at == 24 && flat_int(t, 0, 2, 9) == -2 && flat_int(t, 0, 1, 9) == -2);
    CHECK(flat_int(t, 1, 8, 9) == 9 && flat_int(t, 5, 8, 9) == 9 && flat_int(t, 4000, 8, 9) == 9);
    CHECK(!flat_table(t, 1).at && !flat_vector(t, 1, 4).n && !flat_int(flat_table(t, 1), 0, 4, 0));
    flat_text(t, 2, text, sizeof text);
    flat_text(t, 2, cut, sizeof cut);
    TEXT(text, "a??b");
    TEXT(cut, "a?");
    flat_text(t, 1, text, sizeof text);
    TEXT(text, "");
    FlatVector tables = flat_vector(t, 3, 4), longs = flat_vector(t, 4, 8);
    CHECK(tables.n == 1 && flat_item(tables, 0).at == 68 && flat_int(flat_item(tables, 0), 0, 4, 5) == 5);
    CHECK(longs.n == 2 && flat_item_int(longs, 0, 8, 0, 8) == 7 && flat_item_int(longs, 1, 8, 0, 8) == -1 && flat_item_int(longs, 1, 8, 4, 2) == -1);
    OK(flatbuf_ok(&b, &e));
}

/* Each place that says where something lies, sent out of the block. */
TEST(flatbuf_places_outside_are_bad_and_absent)
{
    static const struct { int at; unsigned char byte; int slot; } row[] = {
        {3, 1, 0}, {0, SIZE - 2, 0}, {27, 0x80, 0}, {27, 0x7f, 0}, {4, 255, 0}, {4, 2, 0}, {8, 255, 0}, {35, 1, 2}, {51, 1, 2}, {39, 1, 3}, {59, 1, 3}, {63, 1, 3}, {71, 0x80, 3}, {43, 1, 4}, {75, 1, 4}, {72, 3, 4},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        unsigned char now[SIZE];
        char text[8];
        Err e;
        FlatBuf b = {now, SIZE, 0};
        memcpy(now, block, SIZE);
        now[row[i].at] = row[i].byte;
        FlatTable t = flat_root(&b);
        FlatVector v = row[i].slot > 2 ? flat_vector(t, row[i].slot, row[i].slot == 3 ? 4 : 8) : (FlatVector){.in = &b};
        flat_text(t, 2, text, sizeof text);
        if (row[i].slot == 0) CHECK(flat_int(t, 0, 2, 9) == 9);
        if (row[i].slot == 2) TEXT(text, "");
        if (row[i].slot == 3 && v.n) CHECK(!flat_item(v, 0).at);
        if (row[i].slot == 4) CHECK(!v.n);
        CHECK(flatbuf_ok(&b, &e) == -1 && e.code == FTS_FORMAT);
        TEXT(e.message, "the metadata points outside itself: is the file damaged?");
    }
    FlatBuf none = {NULL, 0, 0};
    CHECK(!flat_root(&none).at && none.bad);
}
