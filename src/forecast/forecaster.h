/* forecaster.h - a model that continues series.
 *
 * Series of any lengths go through together, without padding; each gets the same bits as alone. Horizons are hopped along
 * (schedule.h) behind a cache of keys and values, so a hop costs its new tokens only. */
#ifndef FORECAST_FORECASTER_H
#define FORECAST_FORECASTER_H

#include "forecast/context.h"
#include "forecast/predictor.h"
#include "model/config.h"

typedef struct Forecaster Forecaster;

/* dir: a folder with config.json and model.safetensors (or shards), published or ours, or the folder of a run, of which the latest checkpoint is taken.
 * type BF16: its products round their operands. threads 0: what the machine allows. */
int  forecaster_open(Forecaster **f, const char *dir, const char *device, Dtype type, int threads, Err *e);
void forecaster_close(Forecaster *f);                                       /* NULL is fine */
const ModelConfig *forecaster_config(const Forecaster *f);
int64_t forecaster_most_points(const Forecaster *f);                        /* that max_position_embeddings tokens cover: of a longer context the last ones are used */

/* Points as they are, without scaling. Each window has a point at least. Callers of one forecaster may be several: they wait for each other. */
int  forecaster_windows(Forecaster *f, const Window *w, int count, int horizon, float *out, Err *e);
Predictor forecaster_predictor(Forecaster *f, const char *name);            /* it wraps forecaster_windows */

/* Series of any size with missing points: scaled, continued, scaled back (context.h). most: points of context at most, 0: all that fit.
 * out (count, horizon), NaN where no point was observed; context (count) says what was used; NULL is fine. */
typedef struct Past { const double *x; int64_t n; } Past;
int  forecaster_series(Forecaster *f, const Past *s, int count, int64_t most, int64_t horizon, double *out, Context *context, Err *e);

#endif
