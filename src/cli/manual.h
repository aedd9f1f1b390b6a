/* manual.h - the page of man, from the rows that the parser reads. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include <stdio.h>

#include "foundationts.h"

int manual_write(FILE *to, FtsError *e);

#endif
