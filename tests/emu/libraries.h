/* libraries.h - libraries of the emulator, found by name as dlopen() and dlsym() find real ones. */
#ifndef EMU_LIBRARIES_H
#define EMU_LIBRARIES_H

typedef struct Function { const char *name; void (*f)(void); } Function;
typedef struct Library { const char *name; const Function *all; const int *missing; } Library;      /* all: to a row without a name; missing: it is not there */

extern const Library emu_cudnn, emu_cublaslt;

#endif
