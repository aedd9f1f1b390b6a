/* page_settings.c - what runs were told to do: what differs between them or from the defaults, then everything. */
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/page_parts.h"
#include "util/array.h"
#include "util/json.h"

/* One setting: its name, and its value as JSON in the text of each run. */
typedef struct Value { const char *p; size_t n; } Value;      /* p NULL: not said */
typedef struct Setting { char name[64]; Value preset, of[PAGE_RUNS]; } Setting;
typedef struct Settings { Setting *row; int n, cap; } Settings;

enum { SETTINGS_MOST = 1000 };

static Setting *setting_named(Settings *s, const char *name, Err *e)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->row[i].name, name)) return &s->row[i];
    if (s->n == s->cap) {
        if (array_resize(&s->row, (size_t)(2 * s->cap + 64) * sizeof *s->row, "settings", e)) return NULL;
        s->cap = 2 * s->cap + 64;
    }
    Setting *new = &s->row[s->n++];
    *new = (Setting){.preset = {NULL, 0}};
    memcpy(new->name, name, strlen(name) + 1);
    return new;
}

/* run -1: the defaults. What cannot be read ends the list; the log was read before, so that it can. */
static int add_settings(Settings *s, const char *json, int run, Err *e)
{
    Json j;
    Err why;
    char name[64];
    json_init(&j, json ? json : "{}", json ? strlen(json) : 2);
    if (json_open(&j, '{', &why)) return 0;
    while (s->n < SETTINGS_MOST && json_more(&j, &why) > 0 && !json_key(&j, name, sizeof name, &why)) {
        json_peek(&j);
        const char *from = j.p;
        if (json_skip(&j, &why)) return 0;
        Setting *row = setting_named(s, name, e);
        if (!row) return -1;
        *(run < 0 ? &row->preset : &row->of[run]) = (Value){from, (size_t)(j.p - from)};
    }
    return 0;
}

static int same(Value a, Value b) { return !a.p == !b.p && a.n == b.n && (!a.p || !memcmp(a.p, b.p, a.n)); }

static int changed(const Setting *s, const Page *p)
{
    if (p->n == 1) return s->of[0].p && !same(s->of[0], s->preset);
    for (int i = 1; i < p->n; i++)
        if (!same(s->of[i], s->of[0])) return 1;
    return 0;
}

static const char *word_of(Json *j)
{
    int truth;
    Err e;
    if (json_peek(j) == 'n') return "none";
    return json_bool(j, &truth, &e) ? "?" : truth ? "on" : "off";
}

static void write_scalar(Str *html, Json *j)
{
    char text[4096];
    double x;
    Err e;
    switch (json_peek(j)) {
    case '"': markup_text(html, json_string(j, text, sizeof text, &e) ? "(a long text)" : text); break;
    case '0':
        if (!json_number(j, &x, &e)) markup_number(html, x, 15);
        break;
    default: str_addf(html, "%s", word_of(j));
    }
}

static void write_value(Str *html, Value v)
{
    Json j;
    Err e;
    json_init(&j, v.p ? v.p : "", v.n);
    if (json_peek(&j) != '[') {
        if (v.p) write_scalar(html, &j);
        return;
    }
    for (int i = 0, bad = json_open(&j, '[', &e); !bad && json_more(&j, &e) > 0; i++) {      /* what is nested deeper is no setting of ours and ends it */
        if (i) str_addf(html, ", ");
        write_scalar(html, &j);
    }
}

static void write_row(Str *html, const Page *p, const Setting *s)
{
    char flag[sizeof s->name];
    for (size_t i = 0; i < sizeof flag; i++) flag[i] = s->name[i] == '_' ? '-' : s->name[i];
    str_addf(html, "<tr><th scope=\"row\">");
    markup_text(html, flag);
    str_addf(html, "</th>");
    for (int i = 0; i < p->n; i++) {
        str_addf(html, "<td>");
        write_value(html, s->of[i]);
        str_addf(html, "</td>");
    }
    str_addf(html, "<td class=\"preset\">");
    write_value(html, s->preset);
    str_addf(html, "</td></tr>\n");
}

static void write_table(Str *html, const Page *p, const Settings *s, const char *label, int all)
{
    run_table_begin(html, p, label, "setting");
    str_addf(html, "<th scope=\"col\">default</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < s->n; i++)
        if (all || changed(&s->row[i], p)) write_row(html, p, &s->row[i]);
    run_table_end(html);
}

static int count_changed(const Settings *s, const Page *p)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) n += changed(&s->row[i], p);
    return n;
}

int page_settings(Str *html, const Page *p, Err *e)
{
    Settings s = {NULL, 0, 0};
    int bad = 0;
    for (int i = 0; i < p->n && !bad; i++) bad = add_settings(&s, p->run[i].log->settings, i, e);
    bad = bad || add_settings(&s, p->defaults, -1, e);
    const char *heading = p->n > 1 ? "What differs between the runs" : "What is not as it is by default";
    section_begin(html, "settings", "Settings", "");
    if (bad || !s.n) str_addf(html, "<p class=\"note\">The log says nothing about settings.</p>\n");
    else {
        str_addf(html, "<h3>%s</h3>\n", heading);
        if (count_changed(&s, p)) write_table(html, p, &s, heading, 0);
        else str_addf(html, "<p>Nothing.</p>\n");
        str_addf(html, "<details><summary>All settings</summary>\n");
        write_table(html, p, &s, "All settings", 1);
        str_addf(html, "</details>\n");
    }
    section_end(html);
    free(s.row);
    return bad ? -1 : str_ok(html, e);
}
