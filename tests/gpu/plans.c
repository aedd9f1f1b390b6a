/* plans.c - whether cuDNN has plans for our graphs, and what room they want, on a device that is only described.
 * Usage: plans.exe DESCRIPTION, with the driver of driver.c. Prints a line per plan; 77: the library is not there, and why. */
#include <stdio.h>

#include "kernels/cuda/dnn.h"

/* segments, longest, heads, numbers of a head */
static const int shapes[][4] = {{128, 512, 12, 32}, {128, 512, 12, 64}, {3, 128, 12, 32}, {1, 64, 4, 64}, {160, 320, 16, 64}, {20, 448, 12, 32}, {1, 64, 1, 32}, {16, 4096, 12, 32}};

/* As ops_attention_dnn.cu lays them out. */
static DnnAttention attention(const int *s, int backward)
{
    DnnAttention a = {.segs = s[0], .longest = s[1], .H = s[2], .d = s[3], .backward = backward};
    for (int i = 0; i < DNN_PARTS; i++) a.part[i].row = i == DNN_LSE || i == DNN_DELTA ? s[2] : (i == DNN_O || i == DNN_DO ? 1 : 3) * s[2] * s[3];
    return a;
}

int main(int n, char **word)
{
    char json[4096] = {0};
    Err e;
    FILE *f = n == 2 ? fopen(word[1], "r") : NULL;
    if (!f || !fread(json, 1, sizeof json - 1, f)) return 1;
    fclose(f);
    Dnn *d = dnn_open_described(json, &e);
    if (!d) { printf("%s\n", e.message); return 77; }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int backward = 0; backward < 2; backward++) {
            const DnnAttention a = attention(shapes[i], backward);
            printf("%d %d %d %d %d %lld\n", a.segs, a.longest, a.H, a.d, backward, (long long)dnn_room(d, &a));
            fflush(stdout);
        }
    dnn_close(d);
    return 0;
}
