/* picture.h - a canvas for the kind of picture that a file's name ends with: .svg or .png. */
#ifndef REPORT_PICTURE_H
#define REPORT_PICTURE_H

#include "report/canvas.h"

/* Could a picture be written to a file of this name? So that it is said before much is computed for it. */
int picture_check(const char *path, Err *e);
int picture_open(Canvas *c, const char *path, double width, double height, const char *title, Err *e);
int picture_write(Canvas *c, const char *path, Err *e);            /* and closes it in any case */

#endif
