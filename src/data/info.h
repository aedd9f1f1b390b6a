/* info.h - what a path holds: the answer of data info. */
#ifndef DATA_INFO_H
#define DATA_INFO_H

#include "data/dataset.h"
#include "util/str.h"

/* Reads every point once (non-finite and constant series are counted). json: the JSON document of the command line, else text for people. */
int data_info(Str *out, const Dataset *d, const DataOpts *o, int json, Err *e);

#endif
