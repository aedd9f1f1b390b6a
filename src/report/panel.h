/* panel.h - the chart of one series: its box, axes, past, forecast and truth. */
#ifndef REPORT_PANEL_H
#define REPORT_PANEL_H

#include "report/plot.h"
#include "report/ticks.h"
#include "report/trace.h"

/* Sizes that all charts of a page share. */
typedef struct PanelStyle { double text, title, line; int ticks; } PanelStyle;      /* font sizes of axes and title; width of the history's line; about so many values are labelled */

enum { PANEL_MARKS = 16 };

typedef struct PanelMark { double x; Anchor anchor; int row; char text[TICK_TEXT]; } PanelMark;   /* below the time axis */

typedef struct Panel {
    const PlotSeries *series;
    Frame     frame;
    double    left;                    /* x of the title: where the room for labels begins */
    int       empty;                   /* there is not one finite value */
    int64_t   skipped;                 /* steps of history at its begin that are not shown */
    Ticks     ticks;                   /* of values */
    double    label_width;             /* of the widest label of them */
    PanelMark mark[PANEL_MARKS];
    int       marks, rows;             /* rows: of text that the marks need, 1 or 2 */
} Panel;

extern const uint32_t PANEL_HISTORY, PANEL_FORECAST, PANEL_TRUTH, PANEL_TEXT, PANEL_TITLE, PANEL_FUTURE, PANEL_SPLIT;

/* In this order: steps, values and labels; then, when the page knows left, x and w of the frame, the marks; then y and h. */
void panel_init(Panel *p, const PlotSeries *s, const PanelStyle *style);
void panel_marks(Panel *p, const PanelStyle *style);
void panel_draw(const Panel *p, const PanelStyle *style, Canvas *c);

#endif
