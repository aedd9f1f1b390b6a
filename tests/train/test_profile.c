/* test_profile.c - --profile: the trace is one that viewers open, its numbers are those of the model, and the run is the same with and without. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"
#include "util/file.h"
#include "util/json.h"

/* What a trace says: spans in its order, and their sums by name. */
enum { MAX_EVENTS = 8192, MAX_LANES = 8 };
typedef struct Seen { char name[40], category[8]; int lane; double ts, dur, arg[2]; } Seen;       /* arg: gflop, megabytes or windows, points */
typedef struct Timeline { Seen x[MAX_EVENTS]; int n, lanes; } Timeline;

static int read_args(Json *j, Seen *x, Err *e)
{
    char key[40], text[80];
    int more, n = 0;
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        if (json_peek(j) == '"' ? json_string(j, text, sizeof text, e) : n < 2 ? json_number(j, &x->arg[n++], e) : json_skip(j, e)) return -1;
    }
    return more;
}

/* One event; *kind is its "ph". */
static int read_event(Json *j, Seen *x, char *kind, Err *e)
{
    char key[40], text[80];
    double number;
    int more;
    *x = (Seen){.lane = 0};
    if (json_open(j, '{', e)) return -1;
    while ((more = json_more(j, e)) > 0) {
        if (json_key(j, key, sizeof key, e)) return -1;
        if (!strcmp(key, "args")) { if (read_args(j, x, e)) return -1; }
        else if (!strcmp(key, "name") ? json_string(j, x->name, sizeof x->name, e) : !strcmp(key, "cat") ? json_string(j, x->category, sizeof x->category, e) : 0) return -1;
        else if (!strcmp(key, "ts") ? json_number(j, &x->ts, e) : !strcmp(key, "dur") ? json_number(j, &x->dur, e) : 0) return -1;
        else if (!strcmp(key, "ph")) { if (json_string(j, text, sizeof text, e)) return -1; *kind = text[0]; }
        else if (!strcmp(key, "tid") || !strcmp(key, "pid")) { if (json_number(j, &number, e)) return -1; if (*key == 't') x->lane = (int)number; }
    }
    return more;
}

static int read_trace(Timeline *t, const char *path, Err *e)
{
    Map m;
    Json j;
    char key[40], unit[8], kind = 0;
    int more;
    if (map_open(&m, path, e)) return -1;
    json_init(&j, m.p, m.n);
    t->n = t->lanes = 0;
    int bad = json_open(&j, '{', e) || json_more(&j, e) != 1 || json_key(&j, key, sizeof key, e) || json_string(&j, unit, sizeof unit, e)
           || json_more(&j, e) != 1 || json_key(&j, key, sizeof key, e) || strcmp(key, "traceEvents") || json_open(&j, '[', e);
    while (!bad && (more = json_more(&j, e)) > 0) {
        bad = t->n == MAX_EVENTS || read_event(&j, &t->x[t->n], &kind, e) || (kind != 'X' && kind != 'M');
        if (bad || kind == 'M') continue;
        if (t->x[t->n].lane > t->lanes) t->lanes = t->x[t->n].lane;
        t->n++;
    }
    bad = bad || more < 0 || json_more(&j, e) != 0 || json_end(&j, e);
    map_close(&m);
    return bad ? -1 : 0;
}

/* Spans of a lane lie one behind the other or one inside the other, in the order of their begin. */
static int is_nested(const Timeline *t)
{
    double last = -1, ends[64];
    int depth = 0, lane = 0;
    for (int i = 0; i < t->n; i++) {
        const Seen *x = &t->x[i];
        if (x->lane != lane) lane = x->lane, last = -1, depth = 0;
        if (x->lane < 1 || x->ts < last || x->ts < 0 || x->dur < 0) return 0;
        last = x->ts;
        while (depth && ends[depth - 1] <= x->ts + 1e-4) depth--;
        if (depth && x->ts + x->dur > ends[depth - 1] + 1e-4) return 0;
        if (depth == 64) return 0;
        ends[depth++] = x->ts + x->dur;
    }
    return 1;
}

static int count(const Timeline *t, const char *name)
{
    int n = 0;
    for (int i = 0; i < t->n; i++) n += !strcmp(t->x[i].name, name);
    return n;
}

/* Sum of gflop of the ops whose name is in a list like "|ffn|norm|", or of those that are not. */
static double work_of(const Timeline *t, const char *list, int inside)
{
    double sum = 0;
    char name[48];
    for (int i = 0; i < t->n; i++) {
        snprintf(name, sizeof name, "|%s|", t->x[i].name);
        if (!strcmp(t->x[i].category, "op") && !strstr(list, name) == !inside) sum += t->x[i].arg[0];
    }
    return sum;
}

static int profiled(Trial *r, const char *dir, const char *out, const char *const *more, Err *e)
{
    return trial_small(r, below(dir, "data"), below(dir, out), e) || trial_set(r, (const char *const[]){"profile", "1", "mfu-peak-tflops", "0.1", "val-split", "0", NULL}, e)
        || trial_set(r, more, e) || trial_run(r, e) ? -1 : 0;
}

/* 6 windows of 65 points are 6 x 64 tokens. D 16, 2 layers, 3 experts of which 2, width 64 and 32, heads 1 + 8 + 32 + 64. */
TEST(train_profile_counts_the_work_of_the_model)
{
    enum { TOKENS = 6 * 64, STEPS = 3, WIDTH = 16, LAYERS = 2 };
    Err e = {0};
    Trial r;
    Timeline *t = malloc(sizeof *t);
    const char *dir = test_folder();
    CHECK(t);
    synth(dir, 40, 65);
    OK(profiled(&r, dir, "run", (const char *const[]){"profile-after", "2", NULL}, &e));
    OK(read_trace(t, below(dir, "run/profiler/trace.json"), &e));
    CHECK(is_nested(t) && t->lanes == 3);
    double layer = 4.0 * WIDTH * WIDTH + 3 * WIDTH + WIDTH + 3.0 * WIDTH * 64 + 2 * 3.0 * WIDTH * 32, matrices = 2 * WIDTH + LAYERS * layer + 105.0 * WIDTH;
    double norms = 4e-9 * TOKENS * STEPS * LAYERS * WIDTH, want = 6e-9 * TOKENS * STEPS * matrices + norms, got = work_of(t, "|embed|embed_bwd|linear|linear_dx|linear_dw|norm_route|route_bwd|ffn|ffn_bwd|heads_loss|", 1);
    CHECK(fabs(got - want) < 1e-9 * want);
    want = 1e-9 * STEPS * (4 + 10) * LAYERS * WIDTH * (6 * 64 * 65 / 2.0);
    got = work_of(t, "|attention|attention_bwd|", 1);
    CHECK(fabs(got - want) < 1e-9 * want);
    CHECK(count(t, "step 3") == 1 && count(t, "step 4") == 1 && count(t, "step 5") == 1 && !count(t, "step 2") && !count(t, "step 6"));
    CHECK(count(t, "layer 0") == 2 * STEPS && count(t, "layer 1") == 2 * STEPS && count(t, "forward") == STEPS && count(t, "backward") == STEPS && count(t, "update") == STEPS);
    CHECK(count(t, "ffn") == 2 * LAYERS * STEPS && count(t, "adamw") == STEPS && count(t, "wait for data") == STEPS && !count(t, "attend_cache"));
    for (int i = 0; i < t->n; i++) CHECK(strcmp(t->x[i].category, "data") || (t->x[i].arg[0] == 6 && t->x[i].arg[1] == 6 * 65 && t->x[i].lane > 1));
    trial_close(&r);
    free(t);
}

/* The share of each op, and a column of times that adds up to the step. */
TEST(train_profile_table_adds_up)
{
    Err e = {0};
    Trial r;
    Map m;
    double ms, ops = 0, all = -1, waiting = -1, rest = -1, step = -1;
    char name[32], line[256];
    long calls;
    const char *dir = test_folder();
    synth(dir, 40, 65);
    OK(profiled(&r, dir, "run", (const char *const[]){"profile-dir", below(dir, "elsewhere"), "num-workers", "1", NULL}, &e));
    OK(map_open(&m, below(dir, "elsewhere/ops.txt"), &e));
    CHECK(has_line(&r.words, "elsewhere/trace.json is for https://ui.perfetto.dev") && has_line(&r.words, "\nffn_bwd ") && has_line(&r.words, "1 loader thread: "));
    for (const char *p = (const char *)m.p, *end = p + m.n; p < end; p = memchr(p, '\n', (size_t)(end - p)), p++) {
        snprintf(line, sizeof line, "%.*s", (int)(end - p < 255 ? end - p : 255), p);
        if (sscanf(line, "%31s %ld %lf", name, &calls, &ms) == 3 && strcmp(name, "steps") && calls > 0) ops += ms;
        if (sscanf(line, "all ops %lf", &ms) == 1) all = ms;
        if (sscanf(line, "waiting for data %lf", &ms) == 1) waiting = ms;
        if (sscanf(line, "between them %lf", &ms) == 1) rest = ms;
        if (sscanf(line, "a step %lf", &ms) == 1) step = ms;
    }
    CHECK(fabs(ops - all) < 0.02 && fabs(all + waiting + rest - step) < 0.003 && rest >= 0 && all > 0.5 * step);
    CHECK(!strncmp((const char *)m.p, "steps 4 to 6; peaks here: 100 GFLOP/s in a product, ", 51));
    map_close(&m);
    trial_close(&r);
}

TEST(train_profile_changes_no_bit)
{
    Err e = {0};
    Trial a, b;
    const char *dir = test_folder();
    synth(dir, 40, 65);
    OK(profiled(&a, dir, "with", (const char *const[]){"profile-steps", "12", "threads", "2", NULL}, &e));
    OK(profiled(&b, dir, "without", (const char *const[]){"profile", "0", NULL}, &e));
    CHECK(a.nstep == 12 && !memcmp(a.loss, b.loss, 12 * sizeof *a.loss) && same_checkpoints(below(dir, "with/step_000012"), below(dir, "without/step_000012")));
    CHECK(!path_exists(below(dir, "without/profiler")));
    trial_close(&a), trial_close(&b);
}

/* Steps that a run of `steps` records, "first-last". */
static void recorded(const char *dir, const char *out, const char *steps, const char *after, const char *n, int64_t stop_at, const char *want)
{
    Err e = {0};
    Trial r;
    Map m;
    char got[32] = "", path[300];
    int first = 0, last = 0;
    OK(trial_small(&r, below(dir, "data"), below(dir, out), &e));
    SET(&r, "profile", "1", "mfu-peak-tflops", "0.1", "steps-per-epoch", steps, "profile-after", after, "profile-steps", n, "checkpoint-every", "0");
    r.stop_at = stop_at;
    OK(trial_run(&r, &e));
    snprintf(path, sizeof path, "%s/profiler/ops.txt", below(dir, out));
    if (path_exists(path)) {
        OK(map_open(&m, path, &e));
        if (sscanf((const char *)m.p, "steps %d to %d;", &first, &last) == 2) snprintf(got, sizeof got, "%d-%d", first, last);
        map_close(&m);
    }
    TEXT(got, want);
    trial_close(&r);
}

TEST(train_profile_of_short_and_stopped_runs)
{
    const char *dir = test_folder();
    synth(dir, 40, 65);
    recorded(dir, "a", "1", "3", "3", 0, "1-1");
    recorded(dir, "b", "4", "3", "3", 0, "2-4");
    recorded(dir, "c", "9", "3", "3", 5, "4-5");
    recorded(dir, "d", "9", "3", "3", 2, "");
    recorded(dir, "e", "5", "0", "1000", 0, "1-5");
}

TEST(train_profile_that_cannot_be_written)
{
    Err e = {0};
    Trial r;
    const char *dir = test_folder();
    synth(dir, 40, 65);
    OK(file_write(below(dir, "file"), "x", 1, &e));
    OK(profiled(&r, dir, "run", (const char *const[]){"profile-dir", below(dir, "file/inside"), NULL}, &e));
    CHECK(r.nstep == 12 && has_line(&r.words, "the run goes on without a profile"));
    trial_close(&r);
}
