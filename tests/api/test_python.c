/* test_python.c - runs tests/python/test_module.py where there is a Python with numpy (and pandas), on a small model. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../model/golden.h"
#include "foundationts.h"
#include "test.h"
#include "util/file.h"

static const char script[] = "tests/python/test_module.py";

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

/* Why it cannot be run, or NULL. packages: "numpy,pandas" */
static const char *obstacle(const char *python, const char *packages)
{
    static char why[160];
    char command[512];
    if (SANITIZED) return "the library under the sanitizers does not load into Python";
    if (!getenv("FTS_PROGRAM") || access(script, R_OK)) return "FTS_PROGRAM is not set, or this is not the repository";
    snprintf(command, sizeof command, "%s -c 'import %s' 2>/dev/null", python, packages);
    snprintf(why, sizeof why, "no Python with %s (FTS_PYTHON names one)", packages);
    return system(command) ? why : NULL;
}

static int put_model(const char *dir, const char *data, Err *e)
{
    static const char text[] = "[1, 2, 3, 4, 5, 6, 7]\n[10, null, 30, 40]\n";
    Golden g;
    if (file_write(data, text, sizeof text - 1, e) || golden_open(&g, "forecast_gqa", 1 << 20, e)) return -1;
    int bad = golden_save(&g, dir, e);
    golden_close(&g);
    return bad;
}

/* The module repeats the structures of the header: these are compared. */
static void sizes(char *text, size_t size)
{
    snprintf(text, size, "FtsError=%zu FtsError.message=%zu FtsForecasterInfo=%zu FtsForecasterInfo.horizon=%zu FtsEvent=%zu FtsEvent.loss=%zu FtsEvent.experts=%zu",
             sizeof(FtsError), offsetof(FtsError, message), sizeof(FtsForecasterInfo), offsetof(FtsForecasterInfo, horizon), sizeof(FtsEvent),
             offsetof(FtsEvent, loss), offsetof(FtsEvent, experts));
}

static void run_class(const char *name, const char *packages)
{
    char command[4096], of[512], data[512];
    Err e;
    const char *python = getenv("FTS_PYTHON"), *program = getenv("FTS_PROGRAM"), *dir = test_folder();
    if (!python) python = "python3";
    const char *why = obstacle(python, packages);
    if (why) { test_skip(why); return; }
    snprintf(data, sizeof data, "%s/x.jsonl", dir);
    OK(put_model(dir, data, &e));
    sizes(of, sizeof of);
    snprintf(command, sizeof command, "FOUNDATIONTS_LIBRARY=%.*s/libfoundationts.so PYTHONDONTWRITEBYTECODE=1 %s %s %s %s '%s' %s %s >%s/log 2>&1 || { cat %s/log; false; }",
             (int)(strrchr(program, '/') - program), program, python, script, dir, data, of, program, name, dir, dir);
    CHECK(system(command) == 0);
}

TEST(python_module) { run_class("Module", "numpy"); }
TEST(python_data_frames) { run_class("Frames", "numpy, pandas"); }
