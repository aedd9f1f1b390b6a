/* forecast.c - continues series with the library: cc forecast.c $(pkg-config --cflags --libs foundationts) -o forecast
 * (run ldconfig once after make install, or set LD_LIBRARY_PATH where the library is elsewhere than below /usr/local).
 * Reads every series of a file or folder, opens a model once, and prints a line of forecast points for each series. */
#include <foundationts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const FtsError *e)
{
    fprintf(stderr, "forecast: %s\n", e->message);
    return 1;
}

/* One series at a time keeps this short; many in one call of fts_forecast() go through the model together, which is faster. */
static int forecast_series(FtsForecaster *f, const FtsReader *r, int64_t i, int64_t horizon, FtsError *e)
{
    int64_t n = fts_reader_length(r, i);
    double *x = malloc((size_t)(n + horizon) * sizeof *x), *out = x + n;
    if (!x) {
        e->code = FTS_NOMEM;
        snprintf(e->message, sizeof e->message, "no memory for series %" PRId64, i);
        return -1;
    }
    int bad = fts_reader_read(r, i, 0, n, x, e) || fts_forecast(f, (const double *const[]){x}, &n, 1, 0, horizon, out, e);
    for (int64_t t = 0; t < horizon && !bad; t++) printf("%s%.6g", t ? " " : "", out[t]);
    if (!bad) printf("\n");
    free(x);
    return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    FtsError e;
    FtsForecaster *f;
    FtsForecasterInfo info;
    FtsReader *r;
    int64_t horizon = argc == 4 ? atoll(argv[3]) : 0;
    if (horizon < 1 || horizon > 1000000) return fprintf(stderr, "usage: forecast MODEL PATH HORIZON\n"), 2;
    if (fts_forecaster_open(&f, argv[1], 0, &e) || fts_reader_open(&r, argv[2], NULL, &e)) return failed(&e);
    fts_forecaster_info(f, &info, sizeof info);
    fprintf(stderr, "%" PRId64 " parameters, looks back on %" PRId64 " points\n", info.parameters, info.most_points);
    for (int64_t i = 0; i < fts_reader_series(r); i++)
        if (forecast_series(f, r, i, horizon, &e)) return failed(&e);
    fts_reader_close(r);
    fts_forecaster_close(f);
    return 0;
}
