#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "util/num.h"
#include "util/rng.h"

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

TEST(num_bf16_all_values_come_back)
{
    int wrong = 0;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = bf16_to_f32((bf16)h);
        bf16 back = f32_to_bf16(f);
        wrong += isnan(f) ? !isnan(bf16_to_f32(back)) : back != h;
    }
    CHECK(!wrong);
}

TEST(num_bf16_rounds_to_the_nearest_and_ties_to_even)
{
    int wrong = 0;
    for (uint32_t h = 0; h < 0x7f80; h++) {                    /* all finite ones and their upper neighbours */
        float half = 0, low = bf16_to_f32((bf16)h);
        uint32_t mid = h << 16 | 0x8000;
        memcpy(&half, &mid, 4);
        wrong += f32_to_bf16(half) != h + (h & 1) || f32_to_bf16(-half) != (0x8000 | (h + (h & 1)));
        wrong += f32_to_bf16(nextafterf(half, 0)) != h || f32_to_bf16(nextafterf(half, INFINITY)) != h + 1;
        wrong += bits(bf16_round(low)) != bits(low);
    }
    CHECK(!wrong);
    CHECK(isinf(bf16_round(3.4e38f)) && isinf(bf16_round(INFINITY)));
    for (uint32_t u = 0x7f800001; u < 0x80000000u; u = u * 2 - 0x7f800000u) {   /* NaNs whose upper half alone would be an infinity */
        float f;
        memcpy(&f, &u, 4);
        CHECK(isnan(bf16_round(f)));
        if (u == 0x7fffffff) break;
    }
}

TEST(num_f16_all_values_mean_what_ieee_says)
{
    int wrong = 0;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = f16_to_f32((uint16_t)h);
        int exp = h >> 10 & 31, man = h & 1023;
        double want = exp ? ldexp(1024 + man, exp - 25) : ldexp(man, -24);
        if (exp == 31) wrong += man ? !isnan(f) : !isinf(f);
        else wrong += fabs((double)f) != want;
        wrong += !signbit(f) != !(h & 0x8000);
    }
    CHECK(!wrong);
}

static int reads_as(const char *text, double want)
{
    double x = -77;
    size_t n = num_read(text, strlen(text), &x);
    if (n == strlen(text) && x == want && signbit(x) == signbit(want)) return 1;
    printf("# %s: got %.17g, %zu bytes\n", text, x, n);
    return 0;
}

TEST(num_read_rounds_correctly)
{
    static const char *text[] = {"0", "-0", "1", "+1", ".5", "3.", "-2.5e-3", "1e22", "1e23", "123456789012345678", "9007199254740991", "9007199254740992",
        "9007199254740993", "9007199254740995", "900719925474099300000000000000000000", "0.1", "0.30000000000000004", "2.2250738585072011e-308",
        "2.2250738585072014e-308", "5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623157e308", "1.7976931348623159e308",
        "1e400", "-1e400", "1e-400", "1e99999999999999999999", "1e-99999999999999999999", "0e999999999999", "00012.500", "0.000000000000000000000000000001",
        "6.631236846766476e-316", "7.2057594037927933e16", "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124", "1.00000000000000011102230246251565404236316680908203126"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) CHECK(reads_as(text[i], strtod(text[i], NULL)));
}

TEST(num_read_random_numbers_agree_with_strtod)
{
    char text[64];
    for (uint64_t i = 0; i < 30000; i++) {
        uint64_t r = rng_hash(1, RNG_TEST, i);
        double any;
        memcpy(&any, &r, 8);
        if (!isfinite(any)) continue;
        snprintf(text, sizeof text, "%.*g", 1 + (int)(i % 20), any);
        CHECK(reads_as(text, strtod(text, NULL)));
        snprintf(text, sizeof text, "%.*f", (int)(i % 25), (double)(int64_t)r * 1e-12);
        CHECK(reads_as(text, strtod(text, NULL)));
    }
}

/* A tie that is one only as long as nobody looks at digit 1000. */
TEST(num_read_long_numbers_see_their_last_digit)
{
    char text[1100] = "1.00000000000000011102230246251565404236316680908203125";
    size_t n = strlen(text);
    memset(text + n, '0', 1000);
    CHECK(reads_as(text, 1));
    text[n + 999] = '1';
    CHECK(reads_as(text, 1 + 0x1p-52));
    memset(text, '0', sizeof text - 1);
    text[0] = '1';
    text[1050] = 0;
    CHECK(reads_as(text, INFINITY));
    strcpy(text + 1050, "e-1049");
    CHECK(reads_as(text, 1));
    memset(text, '0', 1000);
    text[1] = '.';
    strcpy(text + 1000, "25e999");
    CHECK(reads_as(text, 2.5));
}

TEST(num_read_stops_where_the_number_ends)
{
    static const struct { const char *text; size_t n; double x; } c[] = {
        {"12,5", 2, 12}, {"1.2.3", 3, 1.2}, {"1e", 1, 1}, {"1e+", 1, 1}, {"1ex", 1, 1}, {"2 ", 1, 2}, {"5-3", 1, 5}, {"7e5e", 3, 7e5},
        {"12345678901234567890.5.5", 22, 12345678901234567890.5}, {"", 0, 0}, {"-", 0, 0}, {".", 0, 0}, {"-.e5", 0, 0}, {"nan", 0, 0}, {"inf", 0, 0}, {" 1", 0, 0}, {"e5", 0, 0}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        double x = 0;
        CHECK(num_read(c[i].text, strlen(c[i].text), &x) == c[i].n && x == c[i].x);
    }
    double x = 0;
    CHECK(num_read("123", 2, &x) == 2 && x == 12);
}
