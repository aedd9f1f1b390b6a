/* page_parts.h - the sections of a page, each in a file of its own; and what they share. */
#ifndef REPORT_PAGE_PARTS_H
#define REPORT_PAGE_PARTS_H

#include "report/page.h"

typedef struct Page {
    const PageRun *run;                /* (n) */
    int         n;
    const char *defaults;
    int64_t     to;                    /* the last step of any run: charts are as wide */
    int         looks;                 /* looks that curves have */
} Page;

/* Each writes its section, or nothing where there is nothing to show. */
int page_summary(Str *html, const Page *p, Err *e);
int page_curves(Str *html, const Page *p, Err *e);
int page_experts(Str *html, const Page *p, Err *e);
int page_samples(Str *html, const Page *p, Err *e);
int page_settings(Str *html, const Page *p, Err *e);
int page_events(Str *html, const Page *p, Err *e);

int page_has_experts(const Page *p);
int runs_share(const Page *p, int validation, int column);   /* 1: all have the same value of repeating the last one, so they are validated on the same targets */
void page_style(Str *html, int looks);                       /* the rules of the page, with those for so many looks */
void page_script(Str *html);                                 /* values under the pointer */

void section_begin(Str *html, const char *id, const char *title, const char *about);
void section_end(Str *html);
void run_heading(Str *html, const Page *p, int run);         /* its name and line, where there are several */
/* A table that scrolls by itself where the screen is too narrow; its head has a column for each run behind the first. */
void run_table_begin(Str *html, const Page *p, const char *label, const char *first);
void run_table_end(Str *html);

#endif
