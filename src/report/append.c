/* append.c - see append.h */
#include "report/append.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

int append_write(int fd, const char *path, const void *p, size_t n, Err *e)
{
    const char *at = p;
    while (n) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return err_errno(e, errno, path);
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

void append_close(int *fd)
{
    if (*fd > 0) close(*fd);
    *fd = -1;
}

double append_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
