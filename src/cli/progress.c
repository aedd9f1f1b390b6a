/* progress.c - see progress.h */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/digits.h"
#include "util/machine.h"

static const double PAUSE = 0.2;
enum { BLOCKS = 24, WIDTH = 80, WIDTH_MAX = 200, NAME_WIDTH = 30 };

void bar_init(Bar *b)
{
    const char *term = getenv("TERM");
    *b = (Bar){.on = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"))};
}

static int terminal_width(void)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20) return WIDTH;
    return w.ws_col < WIDTH_MAX ? w.ws_col : WIDTH_MAX;
}

const char *progress_unit(const FtsEvent *step)
{
    static const struct { const char *name, *unit; } units[] = {{"evaluate", " windows"}, {"forecast", " series"}, {"probe", " GFLOP"}};
    if (!step->name) return "";
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(step->name, units[i].name)) return units[i].unit;
    return " MiB";
}

static void time_text(char *out, size_t size, double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600) snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

int bar_text(char *out, size_t size, const FtsEvent *step, int width)
{
    char blocks[BLOCKS + 1], loss[48] = "", speed[48] = "", left[32] = "";
    double share = step->steps > 0 ? (double)step->step / (double)step->steps : 0;
    int full = (int)(BLOCKS * share);
    memset(blocks, '.', BLOCKS);
    memset(blocks, '#', (size_t)(full < BLOCKS ? full : BLOCKS));
    blocks[BLOCKS] = 0;
    if (step->loss > 0) snprintf(loss, sizeof loss, "  loss %.4f", step->loss);
    if (step->tokens_per_s > 0) snprintf(speed, sizeof speed, "  %s tokens/s", digits(step->tokens_per_s).text);
    if (step->eta_s > 0) time_text(left, sizeof left, step->eta_s);
    int n = snprintf(out, size, "[%s] %3d%%  %" PRId64 "/%" PRId64 "%s%s%s%s%s%s", blocks, (int)(100 * share), step->step, step->steps,
                     progress_unit(step), loss, speed, *left ? "  " : "", left, *left ? " left" : "");
    if (n >= (int)size) n = (int)size - 1;
    if (n > width) n = width;
    out[n] = 0;
    return n;
}

static void part_step(Bar *b, const FtsEvent *step)
{
    BarPart *free = NULL, *p = b->part;
    for (; p < b->part + BAR_PARTS; p++) {
        if (p->steps && !strncmp(p->name, step->text, sizeof p->name - 1)) break;
        if (!p->steps) free = p;
    }
    if (p == b->part + BAR_PARTS) p = free;
    if (!p) return;
    snprintf(p->name, sizeof p->name, "%s", step->text);
    p->step = step->step;
    p->steps = step->step < step->steps ? step->steps : 0;
}

/* The end of a name says more than its beginning. */
int bar_part_text(char *out, size_t size, const BarPart *p, int width)
{
    size_t n = strlen(p->name);
    int cut = snprintf(out, size, "%-*s ", NAME_WIDTH, n > NAME_WIDTH ? p->name + n - NAME_WIDTH : p->name);
    if (cut >= width) cut = width > 0 ? width : 0;
    return cut + bar_text(out + cut, size - (size_t)cut, &(FtsEvent){.name = "", .step = p->step, .steps = p->steps}, width - cut);
}

static void go_up(Bar *b)
{
    if (b->above) fprintf(stderr, "\r\x1b[%dA\x1b[J", b->above);
    b->above = 0;
}

static void draw(Bar *b, const FtsEvent *step)
{
    char text[WIDTH_MAX + 1];
    int width = terminal_width() - 1;
    go_up(b);
    for (int i = 0; i < BAR_PARTS; i++) {
        if (!b->part[i].steps) continue;
        bar_part_text(text, sizeof text, &b->part[i], width);
        fprintf(stderr, "\r%s\x1b[K\n", text);
        b->above++;
    }
    bar_text(text, sizeof text, step, width);
    fprintf(stderr, "\r%s\x1b[K", text);
    fflush(stderr);
}

void bar_step(Bar *b, const FtsEvent *step)
{
    double now = machine_seconds();
    if (!b->on) return;
    if (step->text) { part_step(b, step); return; }
    if (b->last > 0 && now - b->last < PAUSE) return;
    draw(b, step);
    b->last = now;
    b->drawn = 1;
}

void bar_clear(Bar *b)
{
    if (!b->drawn) return;
    go_up(b);
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
    b->drawn = 0;
    b->last = 0;
}
