/* fuzz_safetensors.c - a libFuzzer target: any bytes as a safetensors file. Start it with tests/corpus/safetensors.
 * Build: clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iinclude -Isrc tests/fuzz/fuzz_safetensors.c src/model/safetensors.c src/util/{err,file,json,num,str}.c */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);

/* Every byte of every tensor is read, so that a wrong length shows. */
static void use(const St *s)
{
    static volatile unsigned sum;
    for (int i = 0; i < s->n; i++) {
        Err e;
        const StTensor *t = st_find(s, s->tensor[i].name);
        float *x = malloc(t->bytes * 2 + 4);
        if (!t || !x) abort();
        if (st_floats(t, x, &e)) for (size_t k = 0; k < t->bytes; k++) sum += t->data[k];
        free(x);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    Err e;
    St s;
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!st_open(&s, path, &e)) {
        use(&s);
        st_close(&s);
    }
    close(fd);
    return 0;
}
