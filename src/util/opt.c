/* opt.c - see opt.h */
#include "util/opt.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/num.h"

enum { NAME_MAX_SHOWN = 64, GUESS_DISTANCE = 3 };

static void *field_of(const OptSet *set, const Opt *o) { return (char *)set->to + o->offset; }

void opt_flag(const Opt *o, char *out, size_t size)
{
    snprintf(out, size, "%s", o->field);
    for (char *p = out; *p; p++)
        if (*p == '_') *p = '-';
}

static int same_name(const char *field, const char *name)
{
    for (; *field && *name; field++, name++)
        if ((*field == '_' ? '-' : *field) != (*name == '_' ? '-' : *name)) return 0;
    return *field == *name;
}

static const Opt *find_exact(const OptSet *set, int nset, const char *name, const OptSet **in)
{
    for (int s = 0; s < nset; s++)
        for (int i = 0; i < set[s].n; i++)
            if (same_name(set[s].row[i].field, name)) {
                *in = &set[s];
                return &set[s].row[i];
            }
    return NULL;
}

static const char *bare(const char *name) { return strncmp(name, "--", 2) ? name : name + 2; }
static int says_no(const char *name) { return !strncmp(name, "no-", 3) || !strncmp(name, "no_", 3); }

const Opt *opt_find(const OptSet *set, int nset, const char *name, const OptSet **in, int *negated)
{
    *negated = 0;
    name = bare(name);
    const Opt *o = find_exact(set, nset, name, in);
    if (o || !says_no(name)) return o;
    o = find_exact(set, nset, name + 3, in);
    *negated = 1;
    return o && o->kind == OPT_FLAG ? o : NULL;
}

typedef struct Guess { char name[NAME_MAX_SHOWN + 4]; int distance; } Guess;

static void consider(Guess *g, const char *asked, const char *no, const Opt *o)
{
    char flag[NAME_MAX_SHOWN], name[sizeof g->name];
    opt_flag(o, flag, sizeof flag);
    snprintf(name, sizeof name, "%s%s", no, flag);
    int d = str_distance(asked, name);
    if (d >= g->distance) return;
    g->distance = d;
    memcpy(g->name, name, sizeof name);
}

static int unknown(const OptSet *set, int nset, const char *name, Err *e)
{
    char asked[256];
    Guess g = {.distance = GUESS_DISTANCE + 1};
    snprintf(asked, sizeof asked, "%s", bare(name));
    for (char *p = asked; *p; p++)
        if (*p == '_') *p = '-';
    for (int s = 0; s < nset; s++)
        for (int i = 0; i < set[s].n; i++) {
            consider(&g, asked, "", &set[s].row[i]);
            if (set[s].row[i].kind == OPT_FLAG) consider(&g, asked, "no-", &set[s].row[i]);
        }
    /* a distance as long as the word means nothing of it was kept */
    if (g.distance <= GUESS_DISTANCE && (size_t)g.distance < strlen(asked))
        return err_set(e, FTS_USAGE, "unknown option --%s: did you mean --%s?", asked, g.name);
    return err_set(e, FTS_USAGE, "unknown option --%s (see --help)", asked);
}

static void bound_text(char *out, size_t size, double x)
{
    snprintf(out, size, fabs(x) < 1e15 && x == floor(x) ? "%.0f" : "%g", x);
}

static int outside(const Opt *o, const char *value, Err *e)
{
    char low[32], high[32];
    bound_text(low, sizeof low, o->low);
    bound_text(high, sizeof high, o->high);
    return err_set(e, FTS_USAGE, "%s is outside %s..%s", value, low, high);
}

static int set_int(const Opt *o, int64_t *to, const char *value, Err *e)
{
    const char *p = value + (*value == '-' || *value == '+');
    if (!*p || p[strspn(p, "0123456789")]) return err_set(e, FTS_USAGE, "'%s' is not a whole number", value);
    errno = 0;
    long long x = strtoll(value, NULL, 10);
    if (errno || (double)x < o->low || (double)x > o->high) return outside(o, value, e);
    *to = x;
    return 0;
}

static int set_real(const Opt *o, double *to, const char *value, Err *e)
{
    double x;
    size_t n = strlen(value);
    if (!n || num_read(value, n, &x) != n) return err_set(e, FTS_USAGE, "'%s' is not a number", value);
    if (!(x >= o->low && x <= o->high)) return outside(o, value, e);
    *to = x;
    return 0;
}

static int set_size(const Opt *o, int64_t *to, const char *value, Err *e)
{
    static const char units[] = "kmgt";
    double x = 0;
    size_t used = num_read(value, strlen(value), &x);
    const char *unit = value + used, *at = *unit ? strchr(units, *unit | 32) : NULL;
    if (!used || (*unit && (!at || unit[1]))) return err_set(e, FTS_USAGE, "'%s' is not a size (1000000, 512M, 1.5T)", value);
    if (at) x = ldexp(x, 10 * (int)(at - units + 1));
    if (!(x >= o->low && x <= o->high && x < 0x1p63)) return outside(o, value, e);
    *to = (int64_t)x;
    return 0;
}

static int set_flag(int *to, int negated, const char *value, Err *e)
{
    int x = value && (!strcmp(value, "0") || !strcmp(value, "false")) ? 0 : 1;
    if (value && (negated || (x && strcmp(value, "1") && strcmp(value, "true"))))
        return err_set(e, FTS_USAGE, "takes no value%s, got '%s'", negated ? "" : ", or one of 1, 0, true, false", value);
    *to = negated ? 0 : x;
    return 0;
}

/* The length of the k-th word of "a|b|c" and where it begins; -1 past the last. */
static int word_of(const char *values, int k, const char **at)
{
    while (k-- && values) {
        values = strchr(values, '|');
        if (values) values++;
    }
    *at = values;
    return values ? (int)strcspn(values, "|") : -1;
}

static int set_choice(const Opt *o, int *to, const char *value, Err *e)
{
    const char *at;
    int n;
    for (int k = 0; (n = word_of(o->values, k, &at)) >= 0; k++)
        if ((size_t)n == strlen(value) && !memcmp(at, value, (size_t)n)) {
            *to = k;
            return 0;
        }
    Str all = {0};
    for (int k = 0; (n = word_of(o->values, k, &at)) >= 0; k++) str_addf(&all, "%s%.*s", k ? ", " : "", n, at);
    err_set(e, FTS_USAGE, "'%s' is none of %s", value, all.failed ? o->values : all.p);
    str_free(&all);
    return -1;
}

static int copy_text(char **to, const char *value, Err *e)
{
    size_t n = strlen(value) + 1;
    *to = malloc(n);
    if (!*to) return err_nomem(e, n, "an option");
    memcpy(*to, value, n);
    return 0;
}

/* "" takes a text back to unset. */
static int set_text(char **to, const char *value, Err *e)
{
    char *copy = NULL;
    if (*value && copy_text(&copy, value, e)) return -1;
    free(*to);
    *to = copy;
    return 0;
}

static int set_list(OptList *to, const char *value, Err *e)
{
    if (!*value) return err_set(e, FTS_USAGE, "an empty value");
    if (to->n == OPT_LIST_MAX) return err_set(e, FTS_USAGE, "given more than %d times", OPT_LIST_MAX);
    if (copy_text(&to->item[to->n], value, e)) return -1;
    to->n++;
    return 0;
}

static int set_value(const OptSet *set, const Opt *o, int negated, const char *value, Err *e)
{
    void *to = field_of(set, o);
    if (!value && o->kind != OPT_FLAG) return err_set(e, FTS_USAGE, "needs a value");
    switch (o->kind) {
    case OPT_INT:    return set_int(o, to, value, e);
    case OPT_REAL:   return set_real(o, to, value, e);
    case OPT_SIZE:   return set_size(o, to, value, e);
    case OPT_TEXT:   return set_text(to, value, e);
    case OPT_FLAG:   return set_flag(to, negated, value, e);
    case OPT_CHOICE: return set_choice(o, to, value, e);
    case OPT_LIST:   return set_list(to, value, e);
    }
    return -1;
}

/* "--batch-size: " before what is wrong; a sentence about the option itself has no colon ("--drop-last takes no value"). */
static int set_named(const OptSet *set, const Opt *o, int negated, const char *value, Err *e)
{
    char flag[NAME_MAX_SHOWN];
    Err why;
    if (!set_value(set, o, negated, value, &why)) return 0;
    opt_flag(o, flag, sizeof flag);
    int sentence = !value || o->kind == OPT_FLAG;
    return err_set(e, why.code, "--%s%s%s %.900s", negated ? "no-" : "", flag, sentence ? "" : ":", why.message);
}

int opt_set(const OptSet *set, int nset, const char *name, const char *value, Err *e)
{
    const OptSet *in;
    int negated;
    const Opt *o = opt_find(set, nset, name, &in, &negated);
    return o ? set_named(in, o, negated, value, e) : unknown(set, nset, name, e);
}

static void clear(const OptSet *set, const Opt *o)
{
    void *to = field_of(set, o);
    switch (o->kind) {
    case OPT_INT:
    case OPT_SIZE:   *(int64_t *)to = OPT_UNSET; break;
    case OPT_REAL:   *(double *)to = OPT_UNSET; break;
    case OPT_FLAG:   *(int *)to = -1; break;
    case OPT_CHOICE: *(int *)to = 0; break;
    case OPT_TEXT:   *(char **)to = NULL; break;
    case OPT_LIST:   *(OptList *)to = (OptList){.n = 0}; break;
    }
}

/* Clears all before it sets any, so that after a failure opt_free() finds nothing but what is owned. */
int opt_defaults(const OptSet *set, int nset, Err *e)
{
    for (int s = 0; s < nset; s++)
        for (int i = 0; i < set[s].n; i++) clear(&set[s], &set[s].row[i]);
    for (int s = 0; s < nset; s++)
        for (int i = 0; i < set[s].n; i++) {
            const Opt *o = &set[s].row[i];
            if ((*o->preset || o->kind == OPT_CHOICE) && set_named(&set[s], o, 0, o->preset, e)) return -1;
        }
    return 0;
}

static int is_set(const Opt *o, const void *at)
{
    switch (o->kind) {
    case OPT_INT:
    case OPT_SIZE: return *(const int64_t *)at != OPT_UNSET;
    case OPT_REAL: return *(const double *)at != OPT_UNSET;
    case OPT_FLAG: return *(const int *)at >= 0;
    case OPT_TEXT: return *(char *const *)at != NULL;
    case OPT_LIST: return ((const OptList *)at)->n > 0;
    default:       return 1;
    }
}

static void write_list(const OptList *l, Str *json)
{
    for (int i = 0; i < l->n; i++) {
        str_add(json, i ? "," : "[", 1);
        json_put_string(json, l->item[i]);
    }
    str_add(json, "]", 1);
}

static void write_value(const Opt *o, const void *at, Str *json)
{
    const char *word;
    int n;
    switch (o->kind) {
    case OPT_INT:
    case OPT_SIZE:   str_addf(json, "%" PRId64, *(const int64_t *)at); break;
    case OPT_REAL:   json_put_number(json, *(const double *)at); break;
    case OPT_FLAG:   str_addf(json, *(const int *)at ? "true" : "false"); break;
    case OPT_TEXT:   json_put_string(json, *(char *const *)at); break;
    case OPT_LIST:   write_list(at, json); break;
    case OPT_CHOICE:
        n = word_of(o->values, *(const int *)at, &word);
        str_addf(json, "\"%.*s\"", n < 0 ? 0 : n, n < 0 ? "" : word);
        break;
    }
}

void opt_write(const OptSet *set, int nset, Str *json)
{
    int wrote = 0;
    str_add(json, "{", 1);
    for (int s = 0; s < nset; s++)
        for (int i = 0; i < set[s].n; i++) {
            const Opt *o = &set[s].row[i];
            const void *at = field_of(&set[s], o);
            if (!is_set(o, at)) continue;
            str_addf(json, "%s\"%s\":", wrote++ ? "," : "", o->field);
            write_value(o, at, json);
        }
    str_add(json, "}", 1);
}

void opt_free(const OptSet *set, int nset)
{
    for (int s = 0; s < nset; s++)
        for (int i = 0; i < set[s].n; i++) {
            const Opt *o = &set[s].row[i];
            void *to = field_of(&set[s], o);
            if (o->kind == OPT_TEXT) free(*(char **)to);
            if (o->kind == OPT_LIST)
                for (int k = 0; k < ((OptList *)to)->n; k++) free(((OptList *)to)->item[k]);
            if (o->kind == OPT_TEXT || o->kind == OPT_LIST) clear(&set[s], o);
        }
}
