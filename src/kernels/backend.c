/* backend.c - the registry: which devices this build has, and how one is named. */
#include "kernels/backend.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/machine.h"

#define OP(name, args, call) #name,
const char *const op_names[] = {
#include "kernels/ops.def"
};
#undef OP
const int nops = (int)(sizeof op_names / sizeof *op_names);

/* In the order in which "auto" looks for one; the last is always there. */
#ifdef FTS_CUDA
extern const Device cuda_device;
#endif
static const Device *const devices[] = {
#ifdef FTS_CUDA
    &cuda_device,
#endif
    &cpu_device,
};
enum { NDEVICES = sizeof devices / sizeof *devices };

static const Device *automatic(void)
{
    int i = 0;
    while (i < NDEVICES - 1 && devices[i]->count() < 1) i++;
    return devices[i];
}

/* The number in ":1", 0 where nothing is said, -1 where it is none. */
static int number_of(const char *text)
{
    if (!*text) return 0;
    return text[0] == ':' && isdigit((unsigned char)text[1]) && strlen(text) < 5 && strspn(text + 1, "0123456789") == strlen(text + 1) ? atoi(text + 1) : -1;
}

const Device *backend_device(const char *device, int *number, Err *e)
{
    *number = 0;
    if (!strcmp(device, "auto")) return automatic();
    for (int i = 0; i < NDEVICES; i++) {
        size_t n = strlen(devices[i]->name);
        if (strncmp(device, devices[i]->name, n)) continue;
        *number = number_of(device + n);
        if (*number >= 0 && (!*number || !devices[i]->on_host)) return devices[i];
    }
    if (NDEVICES == 1 && !strncmp(device, "cuda", 4)) err_set(e, FTS_USAGE, "--device cuda: CUDA is not built in, use --device cpu");
    else err_set(e, FTS_USAGE, "--device %s: unknown device, use %s", device, NDEVICES == 1 ? "cpu" : "cpu, cuda or cuda:1");
    return NULL;
}

int backend_open(Backend **out, const char *device, Dtype dtype, int threads, Err *e)
{
    int number;
    *out = NULL;
    const Device *kind = backend_device(device, &number, e);
    if (!kind) return -1;
    Backend *b = calloc(1, sizeof *b);
    if (!b) return err_nomem(e, sizeof *b, "the device");
    *b = (Backend){.device = kind, .name = kind->name, .dtype = dtype};
    if (par_open(&b->par, threads ? threads : machine_threads(), e) || kind->open(b, number, e)) {
        par_close(b->par);
        free(b);
        return -1;
    }
    *out = b;
    return 0;
}

void backend_close(Backend *b)
{
    if (!b) return;
    backend_free(b, b->scratch, b->scratch_size);
    b->device->close(b);
    par_close(b->par);
    free(b);
}

int  backend_sync(Backend *b, Err *e) { return b->device->sync(b, e); }
int  backend_alloc(Backend *b, size_t bytes, void **p, const char *what, Err *e) { return b->device->alloc(b, bytes, p, what, e); }
void backend_free(Backend *b, void *p, size_t bytes) { b->device->free(b, p, bytes); }
void backend_upload(Backend *b, void *device, const void *host, size_t bytes) { b->device->upload(b, device, host, bytes); }
void backend_download(Backend *b, void *host, const void *device, size_t bytes) { b->device->download(b, host, device, bytes); }
void backend_input(Backend *b, Input *in) { b->device->input(b, in); }
void backend_sparse(Backend *b, void *p, size_t bytes) { if (b->device->sparse) b->device->sparse(p, bytes); }
int  backend_on_host(const Backend *b) { return b->device->on_host; }
size_t backend_cache_bytes(const Backend *b, const KvCache *kv) { return b->device->cache_bytes(b, kv); }
size_t backend_scratch_bytes(const Backend *b, const Dims *d) { return b->device->scratch_bytes(b, d); }
size_t backend_input_bytes(const Backend *b, const Dims *d) { return b->device->input_bytes(d); }
int  backend_end(Backend *b) { return b->device->end ? b->device->end(b) : 0; }
int64_t backend_replays(const Backend *b) { return b->device->replays ? b->device->replays(b) : 0; }
int64_t backend_memory(const Backend *b) { return b->device->memory(b); }
int64_t backend_unused(const Backend *b) { return b->device->unused(b); }
int64_t backend_used(const Backend *b) { return b->device->used(b); }
int  backend_copies(Backend *b, const float *p, const Range *r, int n, Err *e) { return b->device->copies ? b->device->copies(b, p, r, n, e) : 0; }
size_t backend_copies_bytes(const Backend *b, size_t dense, size_t all) { return b->device->copies_bytes ? b->device->copies_bytes(b, dense, all) : 0; }
int  backend_text(const Backend *b, char *text, size_t size) { return (b ? b->device : &cpu_device)->text(b, text, size); }

int backend_begin(Backend *b, const void *owner, Input *in, int n, int longest)
{
    if (b->device->begin) return b->device->begin(b, owner, in, n, longest);
    for (int i = 0; i < n; i++) backend_input(b, &in[i]);
    return 0;
}

int backend_reserve(Backend *b, const Dims *d, Err *e)
{
    size_t bytes = backend_scratch_bytes(b, d);
    if (b->device->reserve(b, d, e)) return -1;
    if (bytes <= b->scratch_size) return 0;
    backend_free(b, b->scratch, b->scratch_size);
    b->scratch = NULL;
    b->scratch_size = 0;
    if (backend_alloc(b, bytes, &b->scratch, "the scratch memory of operations", e)) return -1;
    b->scratch_size = bytes;
    return 0;
}
