/* env.c - see env.h. The names and their order are those of huggingface_hub; HUGGINGFACE_HUB_TOKEN comes after them, because
 * scripts set it although that library never read it. */
#include "hub/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/file.h"

static const char *set(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static int truth(const char *name)
{
    static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
    const char *text = set(name);
    for (int i = 0; text && i < 4; i++)
        if (!strcasecmp(text, yes[i])) return 1;
    return 0;
}

/* Whole seconds; 0, nothing and nonsense are the default. */
static long seconds(const char *name, long normal)
{
    const char *text = set(name);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 ? n : normal;
}

/* Line ends would let a token add headers of its own. */
static void clean_token(HubEnv *v, const char *text, size_t n)
{
    size_t to = 0;
    while (n && strchr(" \t\r\n", text[n - 1])) n--;
    for (size_t i = strspn(text, " \t\r\n"); i < n && to + 1 < sizeof v->token; i++)
        if (text[i] != '\r' && text[i] != '\n') v->token[to++] = text[i];
    v->token[to] = 0;
}

static int token_path(char *path, size_t size)
{
    const char *at = set("HF_TOKEN_PATH"), *home = set("HF_HOME"), *cache = set("XDG_CACHE_HOME"), *user = set("HOME");
    int n = at    ? snprintf(path, size, "%s", at)
          : home  ? snprintf(path, size, "%s/token", home)
          : cache ? snprintf(path, size, "%s/huggingface/token", cache)
          : user  ? snprintf(path, size, "%s/.cache/huggingface/token", user) : -1;
    return n > 0 && (size_t)n < size;
}

static void read_token(HubEnv *v)
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"};
    char path[4096];
    Map m;
    Err ignored;
    for (int i = 0; i < 3; i++) {
        const char *text = set(names[i]);
        if (text) clean_token(v, text, strlen(text));
        if (*v->token) return;
    }
    if (truth("HF_HUB_DISABLE_IMPLICIT_TOKEN") || !token_path(path, sizeof path) || map_open(&m, path, &ignored)) return;
    if (m.n) clean_token(v, (const char *)m.p, m.n);
    map_close(&m);
}

int env_read(HubEnv *v, Err *e)
{
    const char *endpoint = set("HF_ENDPOINT");
    *v = (HubEnv){.offline = truth("HF_HUB_OFFLINE") || truth("TRANSFORMERS_OFFLINE"),
                  .connect_s = seconds("HF_HUB_ETAG_TIMEOUT", 10), .stall_s = seconds("HF_HUB_DOWNLOAD_TIMEOUT", 30)};
    int n = snprintf(v->endpoint, sizeof v->endpoint, "%s", endpoint ? endpoint : "https://huggingface.co");
    if ((size_t)n >= sizeof v->endpoint) return err_set(e, FTS_USAGE, "HF_ENDPOINT is too long");
    while (n && v->endpoint[n - 1] == '/') v->endpoint[--n] = 0;
    if (strncmp(v->endpoint, "https://", 8) && strncmp(v->endpoint, "http://", 7))
        return err_set(e, FTS_USAGE, "HF_ENDPOINT is '%s', but must begin with https:// or http://", v->endpoint);
    read_token(v);
    return 0;
}
