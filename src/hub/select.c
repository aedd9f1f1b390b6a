/* select.c - see select.h */
#include "hub/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/pattern.h"

enum { SETS = 2, SHOWN = 5, LONGEST = 512 };
static const char *const sets[SETS] = {"other/m4_daily,healthcare/hospital,sales/dominick,finance",          /* in the order of hub.def */
                                       "energy,nature,synthetic,web,sales,finance"};

/* Takes the next of a comma list; 0 at its end. A slash at its end says the same as none. */
static int next_pattern(const char **list, char *pattern, size_t size)
{
    while (**list == ',' || **list == ' ') ++*list;
    size_t n = strcspn(*list, ","), k = n;
    if (!n) return 0;
    while (k && ((*list)[k - 1] == ' ' || (*list)[k - 1] == '/')) k--;
    snprintf(pattern, size, "%.*s/**", (int)(k < size - 4 ? k : size - 4), *list);
    *list += n;
    return 1;
}

/* The folder that a path lies in, with at most `depth` names. */
static size_t folder(const char *path, int depth)
{
    size_t n = 0;
    for (const char *p = path; depth-- > 0 && (p = strchr(p, '/')); p++) n = (size_t)(p - path);
    return n;
}

typedef struct Near { char name[SHOWN][256]; int distance[SHOWN], n; } Near;

/* Sorted in; the farthest goes when there is no room. */
static void consider(Near *x, const char *name, int distance)
{
    int at = x->n < SHOWN ? x->n++ : SHOWN - 1;
    for (; at && x->distance[at - 1] > distance; at--) {
        memcpy(x->name[at], x->name[at - 1], sizeof x->name[0]);
        x->distance[at] = x->distance[at - 1];
    }
    snprintf(x->name[at], sizeof x->name[0], "%s", name);
    x->distance[at] = distance;
}

static int knows(const Near *x, const char *name)
{
    for (int i = 0; i < x->n; i++)
        if (!strcmp(x->name[i], name)) return 1;
    return 0;
}

static int no_match(const RepoList *l, const char *pattern, Err *e)
{
    Near x = {.n = 0};
    char wanted[LONGEST], name[256], text[SHOWN * 260] = "";
    snprintf(wanted, sizeof wanted, "%.*s", (int)strlen(pattern) - 3, pattern);
    for (int i = 0; i < l->n; i++)
        for (int depth = 1; depth <= 2; depth++) {
            size_t k = folder(l->file[i].path, depth);
            if (!k || k >= sizeof name) continue;
            snprintf(name, sizeof name, "%.*s", (int)k, l->file[i].path);
            int d = str_distance(wanted, name);
            if (!knows(&x, name) && (x.n < SHOWN || d < x.distance[SHOWN - 1])) consider(&x, name, d);
        }
    for (int i = 0, n = 0; i < x.n; i++) n += snprintf(text + n, sizeof text - (size_t)n, "%s%s", i ? ", " : "", x.name[i]);
    return err_set(e, FTS_USAGE, "--partitions %s: the repository has nothing there; the nearest folders are: %.700s", wanted, x.n ? text : "none at all");
}

static int mark(const RepoList *l, const char *pattern, char *wanted)
{
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (pattern_match(pattern, l->file[i].path)) n += wanted[i] = 1;
    return n;
}

static void keep_marked(RepoList *l, const char *wanted)
{
    int n = 0;
    for (int i = 0; i < l->n; i++) {
        if (wanted[i]) l->file[n++] = l->file[i];
        else free(l->file[i].path);
    }
    l->n = n;
}

int select_files(RepoList *l, const HubOpts *o, const Events *to, Err *e)
{
    const char *list = o->partitions ? o->partitions : sets[o->partition_set];
    char pattern[LONGEST], *wanted = calloc((size_t)l->n + 1, 1);
    int bad = wanted ? 0 : err_nomem(e, (size_t)l->n + 1, "the list of files");
    while (!bad && next_pattern(&list, pattern, sizeof pattern)) {
        if (mark(l, pattern, wanted)) continue;
        if (o->partitions) bad = no_match(l, pattern, e);
        else event_say(to, FTS_EVENT_NOTICE, "%.*s: the repository has nothing there", (int)strlen(pattern) - 3, pattern);
    }
    if (!bad) keep_marked(l, wanted);
    free(wanted);
    if (!bad && !l->n) bad = err_set(e, FTS_NET, "%s has none of the folders asked for", o->repo_id);
    return bad ? -1 : 0;
}
