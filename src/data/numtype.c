/* numtype.c - see numtype.h */
#include "data/numtype.h"

#include <stdio.h>
#include <string.h>

#include "util/num.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian and read as they lie");

#define READER(type, name, value) \
    static void read_##name(double *out, const void *from, int64_t n) \
    { \
        const type *x = from; \
        for (int64_t i = 0; i < n; i++) out[i] = (double)(value); \
    }
READER(uint16_t, f16,  f16_to_f32(x[i]))
READER(bf16,     bf16, bf16_to_f32(x[i]))
READER(float,    f32,  x[i])
READER(double,   f64,  x[i])
READER(int8_t,   i8,   x[i])
READER(int16_t,  i16,  x[i])
READER(int32_t,  i32,  x[i])
READER(int64_t,  i64,  x[i])
READER(uint8_t,  u8,   x[i])
READER(uint16_t, u16,  x[i])
READER(uint32_t, u32,  x[i])
READER(uint64_t, u64,  x[i])
READER(uint8_t,  b1,   x[i] != 0)

static const NumType types[] = {
    {"float16", "f2", 2, read_f16}, {"bfloat16", "bf16", 2, read_bf16}, {"float32", "f4", 4, read_f32}, {"float64", "f8", 8, read_f64},
    {"int8", "i1", 1, read_i8}, {"int16", "i2", 2, read_i16}, {"int32", "i4", 4, read_i32}, {"int64", "i8", 8, read_i64},
    {"uint8", "u1", 1, read_u8}, {"uint16", "u2", 2, read_u16}, {"uint32", "u4", 4, read_u32}, {"uint64", "u8", 8, read_u64},
    {"bool", "b1", 1, read_b1},
};
enum { NTYPES = sizeof types / sizeof *types };

void numtype_read(const NumType *t, int swapped, const unsigned char *from, int64_t step, int64_t n, double *out)
{
    enum { BLOCK = 512 };
    _Alignas(8) unsigned char block[BLOCK * 8];
    int size = t->size;
    if (step == 1 && !swapped && (uintptr_t)from % (uintptr_t)size == 0) {
        t->read(out, from, n);
        return;
    }
    for (int64_t done = 0; done < n; done += BLOCK) {
        int64_t m = n - done < BLOCK ? n - done : BLOCK;
        for (int64_t i = 0; i < m; i++)
            for (int k = 0; k < size; k++) block[i * size + k] = from[(done + i) * step * size + (swapped ? size - 1 - k : k)];
        t->read(out + done, block, m);
    }
}

const NumType *numtype_find(const char *text)
{
    if (*text == '<' || *text == '=' || *text == '|') text++;
    for (int i = 0; i < NTYPES; i++)
        if (!strcmp(text, types[i].name) || !strcmp(text, types[i].code)) return &types[i];
    return NULL;
}

void numtype_list(char *out, size_t size)
{
    size_t n = 0;
    *out = 0;
    for (int i = 0; i < NTYPES && n < size; i++) n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", types[i].name);
}
