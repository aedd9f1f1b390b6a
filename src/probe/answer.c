/* answer.c - a probe for people and for programs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "probe/probe.h"
#include "train/lines.h"
#include "util/json.h"

enum { MB = 1000000 };

static int widest_name(const Probe *p)
{
    size_t most = strlen("repeat-last");
    for (int i = 0; i < p->n; i++)
        if (strlen(p->candidate[i].name) > most) most = strlen(p->candidate[i].name);
    return (int)most;
}

static Digits mb(int64_t bytes) { return digits_of(bytes / MB); }

static const char *seconds_text(double s, char room[32])
{
    snprintf(room, 32, s < 9.9995 ? "%.3f" : "%.1f", s);
    return room;
}

static void put_largest(Str *out, const Probe *p, int width)
{
    char room[32];
    str_addf(out, "%-*s   parameters       active   windows  MB planned   windows   measured MB    step s    10 %% more  micro-batches\n", width, "largest batch");
    for (int i = 0; i < p->n; i++) {
        const Candidate *c = &p->candidate[i];
        const Largest *l = &c->largest;
        str_addf(out, "%-*s  %11s  %11s  %8s  %10s", width, c->name, digits_of(config_params(&c->c)).text, digits_of(config_active(&c->c)).text, digits_of(l->windows).text, mb(l->planned).text);
        if (l->ran.steps) str_addf(out, "  %8s  %12s  %8s", digits_of(l->ran.windows).text, mb(l->ran.peak).text, seconds_text(l->ran.step_s, room));
        else str_addf(out, "  %8s  %12s  %8s", "-", "-", "-");
        str_addf(out, "  %11s  %13d\n", digits_of(l->more).text, l->more_micro_batches);
    }
}

static void put_speeds(Str *out, const Probe *p, int width)
{
    char room[32];
    int n = 0;
    for (int i = 0; i < p->n; i++) n += p->candidate[i].nspeed;
    if (!n) return;
    str_addf(out, "\n%-*s   windows  micro-batches    step s    tokens/s      points/s  MB planned  measured MB\n", width, "speed");
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < p->candidate[i].nspeed; k++) {
            const Speed *s = &p->candidate[i].speed[k];
            str_addf(out, "%-*s  %8s  %13d  %8s  %10s  %12s  %10s  %11s\n", width, p->candidate[i].name, digits_of(s->windows).text, s->micro_batches, seconds_text(s->step_s, room),
                     digits_of((int64_t)s->tokens_per_s).text, digits_of((int64_t)s->points_per_s).text, mb(s->planned).text, mb(s->peak).text);
        }
}

static void put_scores(Str *out, const Probe *p, const Score *val, const Score *ood)
{
    str_addf(out, "  %8.4f  %8.4f", val->mae, val->mse);
    if (p->has_ood) str_addf(out, "  %8.4f", ood->mae);
}

static void put_learned(Str *out, const Probe *p, const Candidate *c, int width)
{
    const Mark *m = &c->mark[c->nmark - 1];
    str_addf(out, "%-*s  %12s  %8.1f  %8.4f", width, c->name, digits_of(m->points).text, m->seconds, m->val.pred);
    if (p->has_ood) str_addf(out, "  %8.4f", m->ood.pred);
    put_scores(out, p, &m->val, &m->ood);
    str_addf(out, "\n");
}

static void put_learning(Str *out, const Probe *p, int width)
{
    int n = 0;
    char every[32];
    for (int i = 0; i < p->n; i++) n += p->candidate[i].nmark > 0;
    if (!n) return;
    if (p->origins.every == 1) snprintf(every, sizeof every, "one");
    else snprintf(every, sizeof every, "%d points", p->origins.every);
    str_addf(out, "\n%-*s        points   seconds      loss%s       mae       mse%s\n", width, "learning", p->has_ood ? "  ood loss" : "", p->has_ood ? "   ood mae" : "");
    for (int i = 0; i < p->n; i++)
        if (p->candidate[i].nmark) put_learned(out, p, &p->candidate[i], width);
    str_addf(out, "%-*s  %12s  %8s  %8s", width, "repeat-last", "-", "-", "-");
    if (p->has_ood) str_addf(out, "  %8s", "-");
    put_scores(out, p, &p->naive, &p->naive_ood);
    str_addf(out, "\nloss, mae, mse: of the same %s predictions of validation windows, from point %d and every %s after it, where a token of each model ends\n",
             digits_of(p->naive.targets).text, p->origins.first + 1, every);
}

void probe_text(Str *out, const Probe *p)
{
    int width = widest_name(p);
    str_addf(out, "limit %s MB, %s MB of it free now; windows of up to %s points\n\n", mb(p->limit).text, mb(p->usable).text, digits_of(p->window_points).text);
    put_largest(out, p, width);
    put_speeds(out, p, width);
    put_learning(out, p, width);
    str_addf(out, "\n");
    probe_verdict(out, p);
    str_addf(out, "\n");
}

static void key_number(Str *out, const char *key, double x)
{
    str_addf(out, ", \"%s\": ", key);
    json_put_number(out, x);
}

static void key_whole(Str *out, const char *key, int64_t x) { str_addf(out, ", \"%s\": %lld", key, (long long)x); }

static void json_speed(Str *out, const Speed *s)
{
    str_addf(out, "{\"windows\": %lld", (long long)s->windows);
    key_whole(out, "steps", s->steps);
    key_whole(out, "micro_batches", s->micro_batches);
    key_number(out, "step_s", s->step_s);
    key_number(out, "tokens_per_s", s->tokens_per_s);
    key_number(out, "points_per_s", s->points_per_s);
    key_whole(out, "planned_bytes", s->planned);
    key_whole(out, "peak_bytes", s->peak);
    str_addf(out, "}");
}

static void json_score(Str *out, const char *key, const Score *s, int with_loss)
{
    str_addf(out, ", \"%s\": {\"mae\": ", key);
    json_put_number(out, s->mae);
    key_number(out, "mse", s->mse);
    key_whole(out, "predictions", s->targets);
    if (with_loss) {
        key_number(out, "loss", s->pred);
        key_number(out, "aux", s->aux);
    }
    str_addf(out, "}");
}

static void json_mark(Str *out, const Probe *p, const Mark *m)
{
    str_addf(out, "{\"step\": %lld", (long long)m->step);
    key_whole(out, "points", m->points);
    key_whole(out, "tokens", m->tokens);
    key_number(out, "seconds", m->seconds);
    if (p->has_val) json_score(out, "val", &m->val, 1);
    if (p->has_ood) json_score(out, "val_ood", &m->ood, 1);
    str_addf(out, "}");
}

static void json_largest(Str *out, const Largest *l)
{
    str_addf(out, ",\n  \"largest_batch\": {\"windows\": %lld, \"planned_bytes\": %lld, \"larger\": {\"windows\": %lld, \"micro_batches\": %d}, \"ran\": ", (long long)l->windows, (long long)l->planned,
             (long long)l->more, l->more_micro_batches);
    if (l->ran.steps) json_speed(out, &l->ran);
    else str_addf(out, "null");
    str_addf(out, "}");
}

static void json_candidate(Str *out, const Probe *p, const Candidate *c)
{
    static const char *const preset[] = {"none", "base", "large", "ultra"};
    str_addf(out, " {\"model\": \"%s\", \"preset\": \"%s\", \"patch\": %s", c->name, preset[c->preset], c->opts.patch ? "true" : "false");
    key_whole(out, "patch_len", c->c.P);
    key_whole(out, "patch_stride", c->c.S);
    key_whole(out, "hidden_size", c->c.D);
    key_whole(out, "parameters", config_params(&c->c));
    key_whole(out, "active_parameters", config_active(&c->c));
    json_largest(out, &c->largest);
    str_addf(out, ",\n  \"speed\": [");
    for (int i = 0; i < c->nspeed; i++) {
        str_addf(out, "%s", i ? ", " : "");
        json_speed(out, &c->speed[i]);
    }
    str_addf(out, "],\n  \"learning\": [");
    for (int i = 0; i < c->nmark; i++) {
        str_addf(out, "%s", i ? ", " : "");
        json_mark(out, p, &c->mark[i]);
    }
    str_addf(out, "]}");
}

void probe_json(Str *out, const Probe *p)
{
    Str verdict = {0};
    probe_verdict(&verdict, p);
    str_addf(out, "{\"memory_limit\": %lld, \"memory_free\": %lld, \"window_points\": %lld, \"stopped\": %s", (long long)p->limit, (long long)p->usable, (long long)p->window_points,
             p->stopped ? "true" : "false");
    if (p->steps) str_addf(out, ", \"train_points\": %lld, \"train_steps\": %lld, \"origins\": {\"first\": %d, \"every\": %d}", (long long)p->points, (long long)p->steps, p->origins.first, p->origins.every);
    if (p->has_val) json_score(out, "repeat_last", &p->naive, 0);
    if (p->has_ood) json_score(out, "repeat_last_ood", &p->naive_ood, 0);
    str_addf(out, ",\n\"models\": [\n");
    for (int i = 0; i < p->n; i++) {
        str_addf(out, "%s", i ? ",\n" : "");
        json_candidate(out, p, &p->candidate[i]);
    }
    str_addf(out, "],\n\"verdict\": ");
    json_put_string(out, verdict.failed ? "" : verdict.p);
    str_addf(out, "}\n");
    out->failed |= verdict.failed;
    str_free(&verdict);
}
