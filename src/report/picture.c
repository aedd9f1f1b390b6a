/* picture.c - see picture.h */
#include "report/picture.h"

#include <string.h>
#include <strings.h>

#include "util/file.h"

typedef int OpenCanvas(Canvas *c, double width, double height, const char *title, Err *e);

static const struct { const char *ending; OpenCanvas *open; } kinds[] = {{".svg", canvas_svg}, {".png", canvas_png}};

int picture_open(Canvas *c, const char *path, double width, double height, const char *title, Err *e)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n > 4 && !strcasecmp(path + n - 4, kinds[i].ending)) return kinds[i].open(c, width, height, title, e) ? err_wrap(e, "%s", path) : 0;
    return err_set(e, FTS_USAGE, "%s: a plot is written as .svg or .png: end its name with one of them", path);
}

int picture_check(const char *path, Err *e)
{
    Canvas c;
    if (picture_open(&c, path, 1, 1, "", e)) return -1;
    c.close(&c);
    return 0;
}

int picture_write(Canvas *c, const char *path, Err *e)
{
    Str file = {0};
    int bad = c->finish(c, &file, e);
    if (bad) err_wrap(e, "%s", path);
    c->close(c);
    bad = bad || file_write(path, file.p, file.n, e);
    str_free(&file);
    return bad ? -1 : 0;
}
