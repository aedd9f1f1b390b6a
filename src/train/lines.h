/* lines.h - what a run says in words before its first step. */
#ifndef TRAIN_LINES_H
#define TRAIN_LINES_H

#include "data/order.h"
#include "model/config.h"
#include "util/event.h"

/* 113352192 as "113,352,192". */
typedef struct Digits { char text[32]; } Digits;
Digits digits_of(int64_t x);

void lines_params(const Events *to, const ModelConfig *c);                   /* params total=113.35M (113,352,192) active=49.65M (49,651,200) */
void lines_data(const Events *to, const Dataset *d, const Order *o, const char *ood_path, int64_t min_points);

#endif
