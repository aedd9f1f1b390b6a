/* arrow_schema.c - see arrow_schema.h */
#include "data/arrow_schema.h"

#include <stdio.h>
#include <string.h>

/* Slots of the tables, as Schema.fbs numbers them. */
enum { SCHEMA_FIELDS = 1 };
enum { FIELD_NAME, FIELD_NULLABLE, FIELD_KIND, FIELD_TYPE, FIELD_DICTIONARY, FIELD_CHILDREN };
enum { INT_BITS, INT_SIGNED };
enum { FIRST_SLOT };                                /* of FloatingPoint: precision; of FixedSizeList: size; of Union: mode */
enum { MAX_DEPTH = 64, FIELD_LEAST = 8, SHAPE_DEPTH = 8 };          /* FIELD_LEAST: bytes that no field can do without */

enum { KIND_INT = 2, KIND_FLOAT = 3, KIND_BOOL = 6, KIND_LIST = 12, KIND_UNION = 14, KIND_FIXED = 16, KIND_LARGE = 21 };
enum { LIST = 1, VIEW = 2, MANY = 4 };              /* LIST: its only child has its items; VIEW: a list by offset and size; MANY: buffers beyond the count */

static const struct Kind { const char *name; int buffers, is; } kinds[] = {
    {0}, {"null", 0, 0}, {"int", 2, 0}, {"float", 2, 0}, {"binary", 3, 0}, {"string", 3, 0}, {"bool", 2, 0}, {"decimal", 2, 0}, {"date", 2, 0}, {"time", 2, 0},
    {"timestamp", 2, 0}, {"interval", 2, 0}, {"list", 2, LIST}, {"struct", 1, 0}, {"union", 1, 0}, {"fixed_size_binary", 2, 0}, {"fixed_size_list", 1, LIST},
    {"map", 2, 0}, {"duration", 2, 0}, {"large_binary", 3, 0}, {"large_string", 3, 0}, {"large_list", 2, LIST}, {"run_end_encoded", 0, 0},
    {"binary_view", 2, MANY}, {"string_view", 2, MANY}, {"list_view", 3, VIEW}, {"large_list_view", 3, VIEW},
};
enum { NKINDS = sizeof kinds / sizeof *kinds };

typedef struct Counter { ArrowCount n; int64_t left; int version; } Counter;       /* left: fields that the bytes can hold */

static int kind_of(FlatTable field) { return (int)flat_int(field, FIELD_KIND, 1, 0); }
static int is_dictionary(FlatTable field) { return flat_table(field, FIELD_DICTIONARY).at != 0; }

/* Where a union's items are is in one more buffer if it is dense; up to V4 it had a validity too. */
static int buffers_of(int kind, FlatTable field, int version)
{
    if (kind != KIND_UNION) return kinds[kind].buffers;
    return kinds[kind].buffers + (flat_int(flat_table(field, FIELD_TYPE), FIRST_SLOT, 2, 0) == 1) + (version < 5);
}

/* Of a dictionary-encoded field only the indices stand in a batch: a node and two buffers. */
static int count_field(Counter *c, FlatTable field, int depth, Err *e)
{
    int kind = kind_of(field), coded = is_dictionary(field);
    FlatVector children = flat_vector(field, FIELD_CHILDREN, 4);
    if (flatbuf_ok(field.in, e)) return -1;
    if (kind <= 0 || kind >= NKINDS) return err_set(e, FTS_FORMAT, "type %d, which is not known: leave this column out, or cast it", kind);
    if (depth > MAX_DEPTH || --c->left < 0) return err_set(e, FTS_FORMAT, "types nested too deep or too often");
    c->n.nodes++;
    c->n.buffers += coded ? 2 : buffers_of(kind, field, c->version);
    c->n.views += !coded && kinds[kind].is == MANY;
    for (int64_t i = 0; !coded && i < children.n; i++)
        if (count_field(c, flat_item(children, i), depth + 1, e)) return -1;
    return 0;
}

static const NumType *number_type(int kind, FlatTable type)
{
    static const char *const precision[] = {"float16", "float32", "float64"};
    char name[16] = "";
    int64_t of = kind == KIND_FLOAT ? flat_int(type, FIRST_SLOT, 2, 0) : 0, bits = kind == KIND_INT ? flat_int(type, INT_BITS, 4, 0) : 0;
    if (kind == KIND_BOOL) return numtype_find("bool");
    if (kind == KIND_FLOAT) return of >= 0 && of < 3 ? numtype_find(precision[of]) : NULL;
    if (bits >= 8 && bits <= 64) snprintf(name, sizeof name, "%sint%d", flat_int(type, INT_SIGNED, 1, 0) ? "" : "u", (int)bits);
    return numtype_find(name);
}

/* One level of lists: its item is what is looked at next. */
static FlatTable open_list(ArrowColumn *c, int kind, FlatTable field)
{
    FlatVector children = flat_vector(field, FIELD_CHILDREN, 4);
    if (c->levels < ARROW_LEVELS) {
        c->level[c->levels].offset = kind == KIND_FIXED ? 0 : kind == KIND_LARGE ? 8 : 4;
        c->level[c->levels].fixed = kind == KIND_FIXED ? flat_int(flat_table(field, FIELD_TYPE), FIRST_SLOT, 4, 0) : 0;
    }
    c->levels++;
    return children.n == 1 ? flat_item(children, 0) : (FlatTable){.in = field.in};
}

/* What a column is, and in words that people of pyarrow know. */
static void describe(ArrowColumn *c, FlatTable field)
{
    size_t n = 0;
    int depth = 0, kind = kind_of(field);
    flat_text(field, FIELD_NAME, c->name, sizeof c->name);
    for (; depth < SHAPE_DEPTH && kind > 0 && kind < NKINDS && kinds[kind].is & (LIST | VIEW) && !is_dictionary(field); depth++, kind = kind_of(field)) {
        n += (size_t)snprintf(c->shape + n, sizeof c->shape - n, "%s<", kinds[kind].name);
        if (kinds[kind].is == VIEW) c->levels = ARROW_LEVELS;       /* open_list() makes it too many */
        field = open_list(c, kind, field);
    }
    int known = kind > 0 && kind < NKINDS, coded = is_dictionary(field);
    const NumType *type = known && !coded ? number_type(kind, flat_table(field, FIELD_TYPE)) : NULL;
    n += (size_t)snprintf(c->shape + n, sizeof c->shape - n, "%s", coded ? "dictionary" : type ? type->name : known ? kinds[kind].name : "?");
    while (depth-- > 0) n += (size_t)snprintf(c->shape + n, sizeof c->shape - n, ">");
    c->bits = kind == KIND_BOOL;
    c->type = c->levels <= ARROW_LEVELS ? type : NULL;
}

/* What there is to choose from. The best has the highest rank; names are those of its equals, for the errors. */
typedef enum Rank { NOTHING, UNREADABLE, NUMBER, SERIES, TARGET, SEQUENCE } Rank;
typedef struct Choice { Rank rank; int equals; ArrowColumn best; char names[200]; int ids, shapes; } Choice;

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* A named column that is any kind of list is meant, and refused if it cannot be read; other columns are in nobody's way. */
static Rank rank_of(const ArrowColumn *c)
{
    int listed = strchr(c->shape, '<') || !strcmp(c->shape, "dictionary");
    if (!c->type && !listed) return NOTHING;
    if (!strncmp(c->name, "__index_level_", 14) || ends_with(c->name, "._np_shape")) return NOTHING;      /* of pandas; of GluonTS */
    if (listed && !strcmp(c->name, "sequence")) return SEQUENCE;
    if (listed && !strcmp(c->name, "target")) return TARGET;
    return !c->type ? UNREADABLE : c->levels ? SERIES : NUMBER;
}

static void consider(Choice *x, const ArrowColumn *c)
{
    Rank rank = rank_of(c);
    x->ids |= !strcmp(c->name, "item_id") || !strcmp(c->name, "unique_id") || !strcmp(c->name, "id");
    if (rank < x->rank || !rank) return;
    if (rank > x->rank) {
        x->rank = rank;
        x->equals = 0;
        x->best = *c;
        x->names[0] = 0;
    }
    size_t n = strlen(x->names);
    snprintf(x->names + n, sizeof x->names - n, "%s\"%s\"", x->equals++ ? ", " : "", c->name);
}

static int decide(ArrowSchema *s, const Choice *x, Err *e)
{
    const ArrowColumn *c = &x->best;
    const char *more = strlen(x->names) == sizeof x->names - 1 ? "..." : "";
    if (!x->rank) return err_set(e, FTS_FORMAT, "no column holds numbers: expected a column \"sequence\" or \"target\" whose rows are lists of numbers");
    if (!c->type)
        return err_set(e, FTS_FORMAT, "column \"%s\" is %s: read are list, large_list and fixed_size_list of bool, int8 to uint64, float16 to float64, "
                       "and lists of such lists: cast it", c->name, c->shape);
    if (x->equals > 1 && x->rank == NUMBER)
        return err_set(e, FTS_FORMAT, "columns %s%s are plain numbers and none holds lists: write the table as .csv, where each column is a series, "
                       "or leave one of them in", x->names, more);
    if (x->equals > 1)
        return err_set(e, FTS_FORMAT, "columns %s%s hold lists of numbers: call the one with the series \"sequence\" or \"target\"", x->names, more);
    if (x->ids && x->rank == NUMBER)
        return err_set(e, FTS_FORMAT, "column \"%s\" is plain numbers of several series, told apart by an id: write the table as .csv, "
                       "or make a list of each series", c->name);
    if (x->shapes)
        return err_set(e, FTS_FORMAT, "column \"%s\" is flattened, there is \"%s._np_shape\": write each dimension as a row, or a list of lists, "
                       "with flatten_arrays=False", c->name, c->name);
    for (int i = 0; i < c->levels; i++)
        if (!c->level[i].offset && c->level[i].fixed <= 0)
            return err_set(e, FTS_FORMAT, "column \"%s\" has lists of %lld items each, so no series has a point", c->name, (long long)c->level[i].fixed);
    s->column = *c;
    return 0;
}

/* GluonTS flattens an array and puts its shape into a column of its own. */
static int has_shape(FlatVector fields, const char *name)
{
    char want[80], other[80];
    snprintf(want, sizeof want, "%s._np_shape", name);
    for (int64_t i = 0; i < fields.n; i++) {
        flat_text(flat_item(fields, i), FIELD_NAME, other, sizeof other);
        if (!strcmp(other, want)) return 1;
    }
    return 0;
}

int arrow_schema(ArrowSchema *s, FlatTable schema, int version, Err *e)
{
    FlatVector fields = flat_vector(schema, SCHEMA_FIELDS, 4);
    Counter count = {.left = (int64_t)(schema.in->n / FIELD_LEAST), .version = version};
    Choice x = {0};
    for (int64_t i = 0; i < fields.n; i++) {
        FlatTable field = flat_item(fields, i);
        ArrowColumn c = {.before = count.n};
        describe(&c, field);
        if (count_field(&count, field, 0, e)) return err_wrap(e, "column \"%s\"", c.name);
        consider(&x, &c);
    }
    if (flatbuf_ok(schema.in, e)) return -1;
    s->all = count.n;
    x.shapes = x.rank && has_shape(fields, x.best.name);
    return decide(s, &x, e);
}
