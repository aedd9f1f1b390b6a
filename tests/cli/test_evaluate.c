/* test_evaluate.c - the evaluate verb as typed: its three forms of answer, and what is said to what it cannot do. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* saw.csv: 60 rows of a saw with four teeth, and the same upside down. Pairs: means 2 and 4, deviations 1 and 2; the third does not change. */
static const char *files(void)
{
    static char dir[256];
    if (*dir) return dir;
    snprintf(dir, sizeof dir, "%s", test_folder());
    cli("cd %s && { echo date,up,down; for i in $(seq 60); do echo \"2024-$i,$((i %% 4)),$((9 - i %% 4))\"; done; } >saw.csv", dir);
    cli("cd %s && printf '[1, 3]\\n[2, 6]\\n' >'so, far.jsonl' && printf '[5]\\n[4]\\n' >came.jsonl && printf '[1, 3]\\n[5, 5]\\n' >flat.jsonl", dir);
    return dir;
}

TEST(cli_evaluate_prints_a_table)
{
    if (!cli_program()) return;
    const Said *s = cli("cd %s && $P evaluate --model repeat-last --data saw.csv --prediction-length 4,2 --season 2", files());
    CHECK(s->status == 0 && !*s->err);
    TEXT(s->out,
        "saw.csv: 2 series, scaled by rows 1 to 42, forecast from row 49 to 60\n"
        "\n"
        "horizon  context  windows  model                    MSE         MAE      MASE     sMAPE\n"
        "      4       16        8  repeat-last          2.07921     1.13996     0.625    58.795\n"
        "      4       16        8  seasonal-naive:2     1.66337     0.91197     0.500    44.196\n"
        "      2        8       10  repeat-last          2.74455     1.55034     0.850    80.848\n"
        "      2        8       10  seasonal-naive:2     3.32673     1.82393     1.000    88.393\n"
        "\n"
        "windows: of each series. MSE, MAE: of scaled values. sMAPE: in percent. MASE: season 2 (as given)\n");
}

TEST(cli_evaluate_pairs)
{
    if (!cli_program()) return;
    const Said *s = cli("cd %s && $P evaluate --model repeat-last --data 'so, far.jsonl' --test-data came.jsonl", files());
    CHECK(s->status == 0 && !*s->err);
    TEXT(s->out,
        "so, far.jsonl: 2 series, continued in came.jsonl\n"
        "\n"
        "horizon  context  windows  model               MSE         MAE      MASE     sMAPE\n"
        "      1        4        1  repeat-last     2.50000     1.50000     0.750    45.000\n"
        "\n"
        "windows: of each series. MSE, MAE: of scaled values. sMAPE: in percent. MASE: season 1 (--season M sets another)\n");
    s = cli("cd %s && $P evaluate --model repeat-last --data flat.jsonl --test-data came.jsonl", files());
    CHECK(s->status == 0 && strstr(s->out, ",\nover 1 series: the others have no season to learn from, or do not change in one\n"));
}

TEST(cli_evaluate_for_programs)
{
    if (!cli_program()) return;
    const Said *s = cli("cd %s && $P evaluate --model seasonal-naive:2 --data 'so, far.jsonl' --test-data came.jsonl --csv --prediction-length 1 --context-length 7", files());
    CHECK(s->status == 0 && !*s->err);
    TEXT(s->out,
        "data,model,prediction_length,context_length,season,series,windows,mse,mae,mase,smape\n"
        "\"so, far.jsonl\",seasonal-naive:2,1,7,1,2,1,8.5,2.5,1.25,100\n"
        "\"so, far.jsonl\",repeat-last,1,7,1,2,1,2.5,1.5,0.75,45\n");
    s = cli("cd %s && $P evaluate --model repeat-last --data 'so, far.jsonl' --test-data came.jsonl --season 2 --json", files());
    CHECK(s->status == 0 && !*s->err);
    TEXT(s->out,
        "[{\"data\": \"so, far.jsonl\", \"test_data\": \"came.jsonl\", \"model\": \"repeat-last\", \"prediction_length\": 1, \"context_length\": 4, \"season\": 2, \"series\": 2, \"windows\": 1,"
        " \"mse\": 2.5, \"mae\": 1.5, \"mase\": null, \"smape\": 45, \"mase_series\": 0},\n"
        " {\"data\": \"so, far.jsonl\", \"test_data\": \"came.jsonl\", \"model\": \"seasonal-naive:2\", \"prediction_length\": 1, \"context_length\": 4, \"season\": 2, \"series\": 2, \"windows\": 1,"
        " \"mse\": 8.5, \"mae\": 2.5, \"mase\": null, \"smape\": 100, \"mase_series\": 0}]\n");
}

TEST(cli_evaluate_wrong_usage)
{
    static const struct { const char *args, *says; } wrong[] = {
        {"--data saw.csv", "foundationts: evaluate needs --model: a folder of a model, repeat-last, or seasonal-naive:PERIOD"},
        {"--model repeat-last", "foundationts: evaluate needs --data: the file of series to forecast"},
        {"--model arima --data saw.csv", "foundationts: --model: 'arima' is no folder of a model, and none of repeat-last, seasonal-naive:PERIOD"},
        {"--model seasonal-naive:x --data saw.csv", "foundationts: --model: 'seasonal-naive:x' needs a period of 1..1000000 points, as in seasonal-naive:24"},
        {"--model repeat-last --data saw.csv --json --csv", "foundationts: --json and --csv are two forms of one answer: give one of them"},
        {"--model repeat-last --data saw.csv --prediction-length 2,0", "foundationts: --prediction-length: 0 is outside 1..1000000"},
        {"--model repeat-last --data saw.csv --season 0", "foundationts: --season: 0 is outside 1..1000000"},
        {"--model repeat-last saw.csv", "foundationts: evaluate takes options only, got 'saw.csv'"},
    };
    if (!cli_program()) return;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!cli_fails(cli("cd %s && $P evaluate %s", files(), wrong[i].args), 2, wrong[i].says)) test_fail(__FILE__, __LINE__, "%s", wrong[i].args);
    cli_fails(cli("cd %s && $P evaluate --model repeat-last --data saw.csv", files()), 1,
              "foundationts: saw.csv: 60 rows; a horizon of 96 with a context of 512 needs 639, of which the last fifth is for the test");
}

TEST(cli_evaluate_from_a_configuration)
{
    if (!cli_program()) return;
    const Said *s = cli("cd %s && echo '{\"model\": \"repeat-last\", \"data\": \"saw.csv\", \"prediction_length\": \"2\"}' >a.json && $P evaluate --config a.json --csv", files());
    CHECK(s->status == 0 && strstr(s->out, "\nsaw.csv,repeat-last,2,8,1,2,10,"));
}
