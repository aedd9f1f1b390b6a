/* digits.c - see digits.h */
#include "cli/digits.h"

#include <math.h>
#include <stdio.h>

Grouped digits(double x)
{
    char plain[24];
    Grouped g = {"0"};
    if (!(fabs(x) < 1e18)) return g;
    int n = snprintf(plain, sizeof plain, "%.0f", fabs(x)), to = 0;
    if (x < -0.5) g.text[to++] = '-';
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) g.text[to++] = ',';
        g.text[to++] = plain[i];
    }
    g.text[to] = 0;
    return g;
}
