/* tsf.h - files of the Monash archive: tags, @data, then a line for each series: its attributes and points between colons.
 * Bytes above 127 pass through: these files are Latin-1, and only names hold them. */
#ifndef DATA_TSF_H
#define DATA_TSF_H

#include "data/decoded.h"

int tsf_decode(Decoded *d, const void *text, size_t n, Err *e);      /* a Decode; errors begin with "line 3, column 7: " */

#endif
