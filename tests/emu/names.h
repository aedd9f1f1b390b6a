/* names.h - included before all else where the emulator compiles src/kernels/cuda: beside the real files, these are other functions. */
#define fts_cuda    fts_emu
#define cuda_device emu_device
#define lt_open     emu_lt_open
#define lt_close    emu_lt_close
#define lt_product  emu_lt_product
#define lt_text     emu_lt_text
#define lt_wanted   emu_lt_wanted
