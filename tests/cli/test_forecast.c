/* test_forecast.c - forecasts of files in every form, with a small model that was trained on the spot. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "util/file.h"

/* A run's folder, made once. */
static const char *model(void)
{
    static char dir[512];
    if (*dir) return dir;
    snprintf(dir, sizeof dir, "%s/run", test_folder());
    const Said *s = cli("$P train --dataset-path %s --checkpoint-dir %s --steps-per-epoch 3 --val-split 0 --no-tensorboard " CLI_SMALL, cli_data(), dir);
    if (s->status) test_fail(__FILE__, __LINE__, "%s", s->err);
    return dir;
}

static const char *put(const char *name, const char *text)
{
    static char ring[4][512];
    static int at;
    char *path = ring[at++ % 4];
    Err e;
    snprintf(path, sizeof ring[0], "%s/%s", test_folder(), name);
    if (file_write(path, text, strlen(text), &e)) test_fail(__FILE__, __LINE__, "%s", e.message);
    return path;
}

#define NUMBER "-?[0-9]+(\\.[0-9]+)?(e[-+][0-9]+)?"
static const char long_form[] = "unique_id,ds,y\na,2024-01-31,1\na,2024-02-29,2.5\na,2024-03-31,\na,2024-04-30,4\nb,2024-02-29,10\nb,2024-03-31,12\nb,2024-04-30,11\n";
static const char wide_form[] = "date;\"x;1\";z\r\n2024-01-01 00:00:00;1;5\r\n2024-01-01 06:00:00;2;\r\n2024-01-01 12:00:00;3;7\r\n";

TEST(cli_forecast_goes_on_in_the_form_of_the_file)
{
    if (!cli_program()) return;
    static const char *const of_long[] = {"unique_id,ds,predictions", "a,2024-05-31," NUMBER, "a,2024-06-30," NUMBER, "b,2024-05-31," NUMBER, "b,2024-06-30," NUMBER};
    static const char *const of_wide[] = {"date;\"x;1\";z", "2024-01-01 18:00:00;" NUMBER ";" NUMBER, "2024-01-02 00:00:00;" NUMBER ";" NUMBER};
    static const char *const of_lines[] = {"\\{\"item_id\": \"p\", \"predictions\": \\[" NUMBER ", " NUMBER "\\]\\}", "\\{\"item_id\": \"1\", \"predictions\": \\[" NUMBER ", " NUMBER "\\]\\}"};
    const Said *s = cli("$P forecast --model %s --input %s --prediction-length 2", model(), put("long.csv", long_form));
    CHECK(s->status == 0 && !*s->err && cli_lines(s->out, of_long, 5));
    s = cli("$P forecast --model %s --input %s --prediction-length 2", model(), put("wide.csv", wide_form));
    CHECK(s->status == 0 && !*s->err && cli_lines(s->out, of_wide, 3));
    s = cli("$P forecast --model %s --input %s --prediction-length 2", model(), put("lines.jsonl", "{\"item_id\": \"p\", \"target\": [1, 2, null, 4]}\n[5, 6, 7]\n"));
    CHECK(s->status == 0 && !*s->err && cli_lines(s->out, of_lines, 2));
}

/* By another name, too. */
TEST(cli_forecast_does_not_replace_its_input)
{
    if (!cli_program()) return;
    const char *input = put("long.csv", long_form);
    const Said *s = cli("ln -s %s %s.link; $P forecast --model %s --input %s --prediction-length 2 --output %s.link; r=$?; cat %s; exit $r", input, input, model(), input, input, input);
    CHECK(s->status == 2 && strstr(s->err, ".link is the input, which the forecasts would replace: choose another name\n"));
    TEXT(s->out, long_form);
}

TEST(cli_forecast_in_bf16)
{
    double a = 0, b = 0;
    if (!cli_program()) return;
    const char *input = put("lines.jsonl", "[5, 6, 7, 6, 5, 6, 7]\n");
    const Said *s = cli("$P forecast --model %s --input %s --prediction-length 1", model(), input);
    CHECK(s->status == 0 && sscanf(s->out, "{\"item_id\": \"0\", \"predictions\": [%lf]}", &a) == 1);
    s = cli("$P forecast --model %s --input %s --prediction-length 1 --bf16", model(), input);
    CHECK(s->status == 0 && sscanf(s->out, "{\"item_id\": \"0\", \"predictions\": [%lf]}", &b) == 1);
    CHECK(a != b && fabs(a - b) < 0.02);           /* the series' unit is 0.8 */
    s = cli("for x in '' --bf16; do $P evaluate --model %s --data %s --test-data %s --json $x; done", model(), input, put("next.jsonl", "[8]\n"));
    const char *one = strstr(s->out, "\"mse\": "), *two = one ? strstr(one, "\n[") : NULL;
    CHECK(s->status == 0 && two && (two = strstr(two, "\"mse\": ")) && sscanf(one + 7, "%lf", &a) == 1 && sscanf(two + 7, "%lf", &b) == 1);
    CHECK(a != b && fabs(a - b) < 0.02 * a);
}

/* The same numbers in a file, in any form, from all series at once as from one. */
TEST(cli_forecast_writes_what_it_says)
{
    char dir[256], one[65536];
    if (!cli_program()) return;
    snprintf(dir, sizeof dir, "%s", test_folder());
    const char *input = put("long.csv", long_form);
    const Said *s = cli("$P forecast --model %s --input %s --prediction-length 9", model(), input);
    CHECK(s->status == 0);
    snprintf(one, sizeof one, "%s", s->out);
    s = cli("$P forecast --model %s --input %s --prediction-length 9 --output %s/o.csv --threads 1 && cat %s/o.csv && ls %s | wc -l", model(), input, dir, dir, dir);
    CHECK(s->status == 0 && !strncmp(s->out, one, strlen(one)) && strstr(s->err, "o.csv: 9 points of each of 2 series in "));
    CHECK(cli_line(s->out, " *1"));                                         /* nothing half-written beside it */
    s = cli("(head -1 %s; grep ^b %s) >%s/b.csv && $P forecast --model %s --input %s/b.csv --prediction-length 9 | tail -9", input, input, dir, model(), dir);
    CHECK(s->status == 0 && strstr(one, s->out));
    s = cli("$P forecast --model %s --input %s --prediction-length 3 --output %s/o.jsonl && cat %s/o.jsonl", model(), input, dir, dir);
    CHECK(s->status == 0 && !strncmp(s->out, "{\"item_id\": \"a\", \"predictions\": [", 33));
}

/* Nothing on stdout where something fails, and an array of numpy from a stream of series. */
TEST(cli_forecast_begins_to_write_when_there_is_something)
{
    char dir[256];
    if (!cli_program()) return;
    snprintf(dir, sizeof dir, "%s", test_folder());
    const Said *s = cli("$P forecast --model %s --input %s --prediction-length 2", model(), put("bad.csv", "ds,y\n2024-01-01,1\n2024-01-02,x\n"));
    CHECK(s->status == 1 && !*s->out && *s->err);
    s = cli("$P forecast --model %s --input %s --prediction-length 2 --output %s/o.npy && $P data info %s/o.npy", model(), put("l.jsonl", "[1, 2]\n[3, 4, 5]\n[6]\n"), dir, dir);
    CHECK(s->status == 0 && strstr(s->out, "3 series, 6 points"));
    s = cli("$P forecast --model %s --input %s --prediction-length 2 --output %s/p.npy && $P data info %s/p.npy", model(), put("long.csv", long_form), dir, dir);
    CHECK(s->status == 0 && strstr(s->out, "2 series, 4 points"));
}

/* Enough series that it is not all read at once. */
TEST(cli_forecast_to_a_reader_that_goes_away)
{
    if (!cli_program()) return;
    const char *input = put("many.jsonl", "");
    const Said *s = cli("i=0; while [ $i -lt 400 ]; do echo '[1, 2]'; i=$((i + 1)); done >%s; { $P forecast --model %s --input %s --prediction-length 200; echo $? >&2; } | head -1 >/dev/null", input, model(), input);
    TEXT(s->err, "foundationts: stdout: Broken pipe\n1\n");
}

TEST(cli_forecast_of_what_was_held_back)
{
    char dir[256];
    Map m;
    Err e;
    if (!cli_program()) return;
    snprintf(dir, sizeof dir, "%s", test_folder());
    const Said *s = cli("$P forecast --model %s --input %s --holdout 1 --plot %s/p.svg", model(), put("long.csv", long_form), dir);
    CHECK(s->status == 0 && cli_line(s->out, "a,2024-04-30," NUMBER) && cli_line(s->out, "b,2024-04-30," NUMBER));
    CHECK(cli_line(s->err, "foundationts: 2 points held back: mean absolute error " NUMBER ", of repeating the last value 1\\.25"));      /* |2.5 - 4| and |12 - 11| */
    snprintf(dir + strlen(dir), sizeof dir - strlen(dir), "/p.svg");
    OK(map_open(&m, dir, &e));
    CHECK(m.n > 500 && !strncmp((const char *)m.p, "<svg", 4));
    map_close(&m);
}

TEST(cli_forecast_says_what_it_left_out)
{
    if (!cli_program()) return;
    const Said *s = cli("$P forecast --model %s --input %s --prediction-length 2", model(), put("empty.jsonl", "[null, null]\n[1, 2, 3]\n"));
    CHECK(s->status == 0 && cli_line(s->out, "\\{\"item_id\": \"0\", \"predictions\": \\[null, null\\]\\}"));
    CHECK(cli_line(s->err, "foundationts: 1 series without any observed point: no forecast of it"));
    s = cli("awk 'BEGIN { printf \"[\"; for (i = 0; i < 5000; i++) printf \"%%d, \", i %% 7; print \"1]\" }' >%s/l.jsonl; $P forecast --model %s --input %s/l.jsonl --prediction-length 1", cli_data(), model(), cli_data());
    CHECK(s->status == 0 && cli_line(s->err, "foundationts: 1 series longer than the 4096 points that this model was made for: the last of them were used"));
}

/* One series whose times are irregular stops no others. */
TEST(cli_forecast_of_irregular_times)
{
    if (!cli_program()) return;
    static const char *const out[] = {"id,ds,predictions", "a,2024-01-10," NUMBER, "b,2024-01-03," NUMBER, "c,2024-01-02," NUMBER};
    static const char *const wide[] = {"ds,a,b", "2024-01-10," NUMBER "," NUMBER};
    static const char *const told[] = {
        "foundationts: series \"a\": line 4: 2024-01-09 follows 2024-01-02 of line 3, where the times before are 1D apart: goes on at 1D, the middle one of its steps; --freq gives another",
        "foundationts: 2 of 3 series have irregular times, or one alone: --freq gives all of them one frequency"};
    const Said *s = cli("$P forecast --model %s --input %s --prediction-length 1", model(), put("odd.csv", "id,ds,y\na,2024-01-01,1\na,2024-01-02,2\na,2024-01-09,3\nb,2024-01-01,1\nb,2024-01-02,3\nc,2024-01-01,3\n"));
    CHECK(s->status == 0 && cli_lines(s->out, out, 4) && cli_lines(s->err, told, 2));
    s = cli("$P forecast --model %s --input %s --prediction-length 1", model(), put("odd.csv", "ds,a,b\n2024-01-01,1,1\n2024-01-02,2,2\n2024-01-09,3,3\n"));
    CHECK(s->status == 0 && cli_lines(s->out, wide, 2) && !strncmp(s->err, "foundationts: line 4: ", 22) && strchr(s->err, '\n') == s->err + strlen(s->err) - 1);
    s = cli("$P forecast --model %s --input %s --prediction-length 1 --freq W", model(), put("odd.csv", "ds,a\n2024-01-01,1\n2024-01-02,2\n2024-01-09,3\n"));
    CHECK(s->status == 0 && !*s->err && strstr(s->out, "\n2024-01-16,"));
}

TEST(cli_forecast_refusals)
{
    char command[1024], want[1024];
    if (!cli_program()) return;
    const char *input = put("long.csv", long_form), *odd = put("odd.csv", "ds,y\n2024-01-01,1\n");
    struct { const char *args, *says; int status; } wrong[] = {
        {"", "forecast needs --model: a run, a checkpoint of one, or a published checkpoint", 2},
        {"--model x", "forecast needs --input: the file of series to continue", 2},
        {"--model x --input y", "forecast needs --prediction-length: how many points to forecast", 2},
        {"--model nowhere --input y --prediction-length 2", "--model: nowhere: no folder of a model, which has config.json and model.safetensors", 1},
        {"--model M --input nowhere.csv --prediction-length 2", "nowhere.csv: No such file or directory", 1},
        {"--model M --input I --prediction-length 2 --freq often", NULL, 2},
        {"--model M --input I --prediction-length 2 --plot /tmp/x.gif", NULL, 2},
        {"--model M --input O --prediction-length 2", NULL, 1},
        {"--model M --input I --prediction-length 2 --output /nowhere/at/all.csv", NULL, 1},
        {"--model x --input I --prediction-length 2 --output I", NULL, 2},
        {"--model x --input y.csv --prediction-length 2 --output next.xlsx", "--output: next.xlsx: forecasts are written as .csv, .tsv, .jsonl or .npy", 2},
        {"--model x --input y.csv --prediction-length 2 --output /tmp", "--output: /tmp is a folder: name a file in it", 2},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int n = snprintf(command, sizeof command, "M=%s; $P forecast ", model());
        for (const char *p = wrong[i].args; *p; p++) {
            int whole = (p == wrong[i].args || p[-1] == ' ') && (p[1] == ' ' || !p[1]);
            const char *is = whole && *p == 'M' ? "$M" : whole && *p == 'I' ? input : whole && *p == 'O' ? odd : NULL;
            n += is ? snprintf(command + n, sizeof command - (size_t)n, "%s", is) : snprintf(command + n, sizeof command - (size_t)n, "%c", *p);
        }
        const Said *s = cli("%s", command);
        if (s->status != wrong[i].status || strchr(s->err, '\n') != s->err + strlen(s->err) - 1) test_fail(__FILE__, __LINE__, "%s: status %d, '%s'", wrong[i].args, s->status, s->err);
        if (!wrong[i].says) continue;
        snprintf(want, sizeof want, "foundationts: %s\n", wrong[i].says);
        TEXT(s->err, want);
    }
}
