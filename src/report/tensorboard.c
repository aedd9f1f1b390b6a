/* tensorboard.c - see tensorboard.h. Framing: TFRecord; messages: tensorflow/core/util/event.proto and summary.proto. */
#include "report/tensorboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report/append.h"
#include "util/file.h"

/* Bit by bit: a record is some hundred bytes, so a table would not pay. Castagnoli's polynomial, reflected. */
uint32_t tb_crc32c(const void *p, size_t n)
{
    const unsigned char *b = p;
    uint32_t c = 0xFFFFFFFFu;
    for (size_t i = 0; i < n; i++) {
        c ^= b[i];
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0x82F63B78u : 0);
    }
    return ~c;
}

static void put_little(Str *out, uint64_t x, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++) b[i] = (unsigned char)(x >> 8 * i);
    str_add(out, b, (size_t)bytes);
}

static void put_varint(Str *out, uint64_t x)
{
    for (; x >= 0x80; x >>= 7) put_little(out, (x & 0x7F) | 0x80, 1);
    put_little(out, x, 1);
}

/* Wire types of protobuf. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
static void put_key(Str *out, int field, int wire) { put_varint(out, (uint64_t)(field << 3 | wire)); }

static void put_double(Str *out, int field, double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    put_key(out, field, FIXED64);
    put_little(out, u, 8);
}

static void put_float(Str *out, int field, double x)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, 4);
    put_key(out, field, FIXED32);
    put_little(out, u, 4);
}

static void put_bytes(Str *out, int field, const void *p, size_t n)
{
    put_key(out, field, BYTES);
    put_varint(out, n);
    str_add(out, p, n);
}

static void put_inner(Str *out, int field, Str *inner)
{
    if (inner->failed) out->failed = 1;
    put_bytes(out, field, inner->p, inner->n);
    str_free(inner);
}

/* The checksum of a checksum is a weak one, so the format stores it turned and shifted. */
static uint32_t masked(const void *p, size_t n)
{
    uint32_t c = tb_crc32c(p, n);
    return (c >> 15 | c << 17) + 0xA282EAD8u;
}

void tb_record(Str *out, const void *message, size_t n)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)n >> 8 * i);
    str_add(out, length, 8);
    put_little(out, masked(length, 8), 4);
    str_add(out, message, n);
    put_little(out, masked(message, n), 4);
}

static void begin_event(Str *out, double wall_time, int64_t step)
{
    put_double(out, 1, wall_time);
    if (!step) return;
    put_key(out, 2, VARINT);
    put_varint(out, (uint64_t)step);
}

/* A value of 0 is written too: simple_value is one of several, and none of them would be "no data". */
void tb_message(Str *out, double wall_time, int64_t step, const TbScalar *s, int n)
{
    Str summary = {0};
    for (int i = 0; i < n; i++) {
        Str value = {0};
        put_bytes(&value, 1, s[i].tag, strlen(s[i].tag));
        put_float(&value, 2, s[i].value);
        put_inner(&summary, 1, &value);
    }
    begin_event(out, wall_time, step);
    put_inner(out, 5, &summary);
}

/* Frames the message and writes it in one call, so that a reader never sees half a record unless the machine stops. */
static int write_message(const TensorBoard *t, Str *message, Err *e)
{
    Str record = {0};
    tb_record(&record, message->p, message->n);
    if (message->failed) record.failed = 1;
    int bad = str_ok(&record, e) || append_write(t->fd, t->path, record.p, record.n, e);
    str_free(&record);
    str_free(message);
    return bad ? -1 : 0;
}

/* The seconds in "events.out.tfevents.1700000000.host.1.0"; -1 if the name is another. */
static long long seconds_of(const char *name)
{
    static const char prefix[] = "events.out.tfevents.";
    return strncmp(name, prefix, sizeof prefix - 1) ? -1 : strtoll(name + sizeof prefix - 1, NULL, 10);
}

static int next_seconds(const char *dir, long long *seconds, Err *e)
{
    Names names;
    *seconds = (long long)time(NULL);
    if (dir_list(&names, dir, e)) return -1;
    for (int i = 0; i < names.n; i++)
        if (seconds_of(names.name[i]) >= *seconds) *seconds = seconds_of(names.name[i]) + 1;
    names_free(&names);
    return 0;
}

static int create(TensorBoard *t, const char *dir, Err *e)
{
    char name[256], host[128] = "localhost";
    long long seconds;
    if (dir_make(dir, e) || next_seconds(dir, &seconds, e)) return -1;
    gethostname(host, sizeof host - 1);
    for (int n = 0; n < 1000; n++) {
        snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%ld.%d", seconds, host, (long)getpid(), n);
        if (path_join(t->path, sizeof t->path, dir, name, e)) return -1;
        t->fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (t->fd >= 0) return 0;
        if (errno != EEXIST) break;
    }
    return err_errno(e, errno, t->path);
}

int tb_open(TensorBoard *t, const char *dir, Err *e)
{
    static const char version[] = "brain.Event:2";
    Str message = {0};
    *t = (TensorBoard){.fd = -1};
    if (create(t, dir, e)) return -1;
    begin_event(&message, append_time(), 0);
    put_bytes(&message, 3, version, sizeof version - 1);
    if (!write_message(t, &message, e)) return 0;
    tb_close(t);
    return -1;
}

int tb_resume(TensorBoard *t, int64_t step, Err *e)
{
    Str message = {0}, session = {0};
    put_key(&session, 1, VARINT);
    put_varint(&session, 1);                        /* START: what makes a reader drop the tail of a run that was cut off */
    begin_event(&message, append_time(), step);
    put_inner(&message, 7, &session);
    return write_message(t, &message, e);
}

int tb_scalars(TensorBoard *t, int64_t step, const TbScalar *s, int n, Err *e)
{
    Str message = {0};
    tb_message(&message, append_time(), step, s, n);
    return write_message(t, &message, e);
}

void tb_close(TensorBoard *t) { append_close(&t->fd); }

static int step_scalars(TensorBoard *t, const Event *ev, Err *e)
{
    TbScalar s[16] = {{"loss/train", ev->loss}, {"loss/pred", ev->pred}, {"loss/aux", ev->aux}, {"lr", ev->lr}, {"grad_norm", ev->norm},
                      {"throughput/tokens_per_s", ev->tokens_per_s}, {"throughput/points_per_s", ev->points_per_s}};
    int n = 7;
    if (ev->tflops > 0) s[n++] = (TbScalar){"throughput/tflops", ev->tflops};
    if (ev->mfu > 0) s[n++] = (TbScalar){"throughput/mfu", ev->mfu};
    if (ev->step_ms > 0) s[n++] = (TbScalar){"time/step_ms", ev->step_ms};
    if (ev->step_ms > 0) s[n++] = (TbScalar){"time/data_ms", ev->data_ms};
    if (ev->peak_mb > 0) s[n++] = (TbScalar){"memory/peak_mb", ev->peak_mb};
    return tb_scalars(t, ev->step, s, n, e);
}

static TbNaive *naive_of(TensorBoard *t, const char *name) { return &t->naive[strcmp(name, "val") != 0]; }

static int validation_scalars(TensorBoard *t, const Event *ev, Err *e)
{
    const char *what[] = {"pred", "aux", "mae", "mse", "repeat_last_mae", "repeat_last_mse"};
    const TbNaive *naive = naive_of(t, ev->name);
    double value[] = {ev->pred, ev->aux, ev->mae, ev->mse, naive->mae, naive->mse};
    char tag[6][64];
    TbScalar s[6];
    int n = naive->known ? 6 : 4;
    for (int i = 0; i < n; i++) {
        snprintf(tag[i], sizeof tag[i], "%.32s/%s", ev->name, what[i]);
        s[i] = (TbScalar){tag[i], value[i]};
    }
    return tb_scalars(t, ev->step, s, n, e);
}

/* The busiest and the idlest expert of all routers: 1/experts each when balanced. */
static int expert_scalars(TensorBoard *t, const Event *ev, Err *e)
{
    double most = 0, least = 1;
    for (int i = 0; i < ev->routers * ev->experts; i++) {
        if (ev->share[i] > most) most = ev->share[i];
        if (ev->share[i] < least) least = ev->share[i];
    }
    if (ev->routers * ev->experts == 0) return 0;
    return tb_scalars(t, ev->step, (TbScalar[]){{"experts/busiest_share", most}, {"experts/idlest_share", least}}, 2, e);
}

int tb_event(TensorBoard *t, const Event *ev, Err *e)
{
    switch (ev->kind) {
    case FTS_EVENT_START:      return ev->step > 0 ? tb_resume(t, ev->step + 1, e) : 0;
    case FTS_EVENT_STEP:       return ev->due ? step_scalars(t, ev, e) : 0;
    case FTS_EVENT_VALIDATION: return validation_scalars(t, ev, e);
    case FTS_EVENT_EXPERTS:    return expert_scalars(t, ev, e);
    case FTS_EVENT_BASELINE:   *naive_of(t, ev->name) = (TbNaive){ev->mae, ev->mse, 1}; return 0;
    default:                   return 0;
    }
}
