/* pickle_literal.c - opcodes that push a number or a text. */
#include <math.h>
#include <string.h>

#include "data/pickle_vm.h"
#include "util/num.h"

int op_constant(Vm *vm, int which, Err *e) { return vm_push(vm, which < 0 ? (Value){.kind = V_NONE} : value_number(which), e); }

int op_uint(Vm *vm, int width, Err *e)
{
    uint64_t x;
    return vm_number(vm, width, &x, e) ? -1 : vm_push(vm, value_number((double)x), e);
}

int op_int4(Vm *vm, int unused, Err *e)
{
    uint64_t x;
    (void)unused;
    return vm_number(vm, 4, &x, e) ? -1 : vm_push(vm, value_number((int32_t)(uint32_t)x), e);
}

/* Two's complement of any length, rounded as if exact: behind the first 8 bytes, whose upper 56 bits count at least,
 * it matters only whether anything but zeros follows. */
static double long_value(const unsigned char *p, size_t n)
{
    uint64_t head, sign = n && p[n - 1] & 0x80 ? UINT64_MAX : 0;
    size_t rest, i;
    while (n > 1 && p[n - 1] == (sign & 0xff) && !((p[n - 2] ^ sign) & 0x80)) n--;
    rest = n > 8 ? n - 8 : 0;
    for (head = sign, i = n; i-- > rest;) head = head << 8 | p[i];
    for (i = 0; i < rest; i++) head |= p[i] != 0;
    return ldexp((double)(int64_t)head, rest < 1000 ? (int)rest * 8 : 8000);
}

int op_long(Vm *vm, int width, Err *e)
{
    uint64_t n;
    const unsigned char *p = vm_number(vm, width, &n, e) ? NULL : vm_take(vm, n, e);
    return p ? vm_push(vm, value_number(long_value(p, (size_t)n)), e) : -1;
}

int op_double(Vm *vm, int unused, Err *e)
{
    const unsigned char *p = vm_take(vm, 8, e);
    uint64_t bits = 0;
    double x;
    (void)unused;
    if (!p) return -1;
    for (int i = 0; i < 8; i++) bits = bits << 8 | p[i];
    memcpy(&x, &bits, 8);
    return vm_push(vm, value_number(x), e);
}

/* INT and LONG; the booleans 00 and 01 are numbers like others. */
int op_int_line(Vm *vm, int unused, Err *e)
{
    const char *p;
    size_t n;
    double x;
    (void)unused;
    if (vm_line(vm, &p, &n, e) || line_whole(vm, p, n && p[n - 1] == 'L' ? n - 1 : n, &x, e)) return -1;
    return vm_push(vm, value_number(x), e);
}

int op_float_line(Vm *vm, int unused, Err *e)
{
    static const struct { const char *word; double x; } special[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    const char *p;
    size_t n;
    double x;
    (void)unused;
    if (vm_line(vm, &p, &n, e)) return -1;
    for (int i = 0; i < 3; i++)
        if (n == strlen(special[i].word) && !memcmp(p, special[i].word, n)) return vm_push(vm, value_number(special[i].x), e);
    return n && num_read(p, n, &x) == n ? vm_push(vm, value_number(x), e) : vm_error(vm, e, "FLOAT is followed by what is no number");
}

static int push_bytes(Vm *vm, ValueKind kind, int width, Err *e)
{
    uint64_t n;
    Value v;
    const unsigned char *p = vm_number(vm, width, &n, e) ? NULL : vm_take(vm, n, e);
    return !p || pool_bytes(&vm->pool, kind, p, (size_t)n, &v, e) ? -1 : vm_push(vm, v, e);
}

int op_bytes(Vm *vm, int width, Err *e) { return push_bytes(vm, V_BYTES, width, e); }
int op_text(Vm *vm, int width, Err *e) { return push_bytes(vm, V_TEXT, width, e); }

/* The value of n digits, -1 if one is none. */
static int64_t digits(const char *p, const char *end, int n, int base)
{
    static const char all[] = "0123456789abcdef0123456789ABCDEF";
    int64_t x = 0;
    if (end - p < n) return -1;
    for (int i = 0; i < n; i++) {
        const char *digit = memchr(all, p[i], sizeof all - 1);
        if (!digit || (digit - all) % 16 >= base) return -1;
        x = x * base + (digit - all) % 16;
    }
    return x;
}

/* One character of what Python 2 wrote as the repr of a string; a backslash that begins nothing stands for itself. */
static int unescape(const char **p, const char *end, unsigned char *out)
{
    static const char letter[] = "abfnrtv\\'\"", value[] = "\a\b\f\n\r\t\v\\'\"";
    const char *s = *p + 1, *known;
    *out = '\\';
    *p += 1;
    if (s == end) return 0;
    if (*s == 'x') {
        int64_t x = digits(s + 1, end, 2, 16);
        *out = (unsigned char)x;
        *p = s + 3;
        return x < 0 ? -1 : 0;
    }
    if (digits(s, end, 1, 8) >= 0) {
        int n = 1;
        while (n < 3 && digits(s, end, n + 1, 8) >= 0) n++;
        *out = (unsigned char)digits(s, end, n, 8);
        *p = s + n;
    } else if (*s && (known = strchr(letter, *s))) {
        *out = (unsigned char)value[known - letter];
        *p = s + 1;
    }
    return 0;
}

/* STRING: in quotes, with escapes. */
int op_string_line(Vm *vm, int unused, Err *e)
{
    const char *p, *end;
    unsigned char *out, *begin;
    size_t n;
    Value v;
    (void)unused;
    if (vm_line(vm, &p, &n, e)) return -1;
    if (n < 2 || (*p != '\'' && *p != '"') || p[n - 1] != *p) return vm_error(vm, e, "STRING is followed by a text without its quotes");
    end = p++ + n - 1;
    if (pool_buffer(&vm->pool, V_BYTES, n, &begin, &v, e)) return -1;
    for (out = begin; p < end; out++)
        if (*p != '\\') *out = (unsigned char)*p++;
        else if (unescape(&p, end, out)) return vm_error(vm, e, "STRING is followed by a text with \\x and no two digits behind it");
    node_of(&vm->pool, v)->n = (size_t)(out - begin);
    return vm_push(vm, v, e);
}

static unsigned char *put_utf8(unsigned char *out, uint32_t c)
{
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    *out++ = (unsigned char)(lead[more] | c >> 6 * more);
    while (more--) *out++ = (unsigned char)(0x80 | (c >> 6 * more & 0x3F));
    return out;
}

/* UNICODE: Latin-1, but for \u and \U. A backslash before another one makes it nothing special. */
int op_text_line(Vm *vm, int unused, Err *e)
{
    const char *p, *end;
    unsigned char *out, *begin;
    size_t n;
    Value v;
    (void)unused;
    if (vm_line(vm, &p, &n, e) || pool_buffer(&vm->pool, V_TEXT, 2 * n, &begin, &v, e)) return -1;
    for (out = begin, end = p + n; p < end;) {
        int width = *p != '\\' || end - p < 2 ? 0 : p[1] == 'u' ? 4 : p[1] == 'U' ? 8 : 0;
        int64_t c = width ? digits(p + 2, end, width, 16) : (unsigned char)*p;
        if (c < 0 || c > 0x10FFFF) return vm_error(vm, e, "UNICODE is followed by a text with \\%c that is no character", p[1]);
        if (*p == '\\' && !width && end - p > 1) *out++ = (unsigned char)*p++, c = (unsigned char)*p;
        out = put_utf8(out, (uint32_t)c);
        p += width ? width + 2 : 1;
    }
    node_of(&vm->pool, v)->n = (size_t)(out - begin);
    return vm_push(vm, v, e);
}
