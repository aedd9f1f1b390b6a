/* names.h - included before all else where the emulator compiles src/kernels/cuda: beside the real files, these are other functions, and
 * the libraries that lt.c and dnn.c load are those of tests/emu/libraries.c. */
#define fts_cuda    fts_emu
#define cuda_device emu_device
#define lt_open     emu_lt_open
#define lt_close    emu_lt_close
#define lt_product  emu_lt_product
#define lt_text     emu_lt_text
#define lt_rounds   emu_lt_rounds
#define lt_wanted   emu_lt_wanted
#define lt_fastest  emu_lt_fastest
#define lt_tune_room emu_lt_tune_room
#define dnn_wanted  emu_dnn_wanted
#define dnn_open    emu_dnn_open
#define dnn_open_described emu_dnn_open_described
#define dnn_close   emu_dnn_close
#define dnn_room    emu_dnn_room
#define dnn_attention emu_dnn_attention
#define dnn_text    emu_dnn_text
#define dnn_make    emu_dnn_make
#define dnn_put     emu_dnn_put
#define dnn_finish  emu_dnn_finish
#define dnn_graph   emu_dnn_graph
#define dnn_graph_free emu_dnn_graph_free
#define dnn_pointers emu_dnn_pointers
#define dlopen      emu_dlopen
#define dlsym       emu_dlsym
#define dlclose     emu_dlclose
