/* chart_table.h - the numbers of a chart as a table, folded away below it: for readers who cannot see it, and for copying. */
#ifndef REPORT_CHART_TABLE_H
#define REPORT_CHART_TABLE_H

#include "report/chart.h"

int chart_table(Str *page, const Chart *c, Err *e);          /* of a long curve some rows, spread evenly, its last one among them */

#endif
