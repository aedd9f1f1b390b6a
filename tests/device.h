/* device.h - the device that tests of CUDA run on: the emulator, or the one that FTS_TEST_DEVICE names, such as cuda:0. */
#ifndef TESTS_DEVICE_H
#define TESTS_DEVICE_H

#include "kernels/backend.h"

/* -1 if the tests were built without the emulator and FTS_TEST_DEVICE is not set. descending: the emulator runs threads in the opposite order, and where
 * one width of tiles is asked for, the device has the other. */
int   test_device_open(Backend **b, Dtype type, int descending, Err *e);
int   test_device_is_real(void);
int   test_device_is_there(void);       /* 0: and the test is skipped */
/* Memory that host and device both see where the device is real; else malloc'ed. */
void *test_device_memory(size_t bytes);
void  test_device_free(void *p);

/* Products by Hopper's instructions, which FTS_WGMMA=yes, wide and narrow ask for: a test does for a while (how 1, 2 or 3, then 0). */
int   test_wgmma_asked(void);
void  test_wgmma_ask(int how);
int   test_wgmma_width(size_t wide, size_t narrow, size_t processors);       /* that is taken for so many tiles of each; -1: the emulator is not built in */
int   test_wgmma_count(int wide);        /* of them so far, by tiles of 256 columns (1) or of 128 (0); -1: nobody counts */

#endif
