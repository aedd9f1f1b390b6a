/* pickle_vm.h - the stack machine that a pickle is a program for, cut down to what makes numbers, texts, containers and numpy
 * arrays: no import and no call leaves the table in pickle_numpy.c. Time and memory are bounded by the bytes read. */
#ifndef DATA_PICKLE_VM_H
#define DATA_PICKLE_VM_H

#include "data/pickle_value.h"

typedef struct Vm {
    const unsigned char *start, *p, *end;    /* the file; what is still to be read */
    const unsigned char *at;                 /* the opcode at work: errors name its place */
    const char *name;                        /* its name */
    Pool   pool;
    Value *stack, *memo;                     /* (n), (nmemo): UNSET where nothing was put; owned */
    size_t n, stack_cap, nmemo, memo_cap;
    size_t put, opcodes;                     /* places of the memo in use; opcodes read */
} Vm;

int  vm_run(Vm *vm, Value *top, Err *e);     /* one pickle from p on; forgets the values of the one before */
void vm_free(Vm *vm);                        /* zeroed is fine */

int  vm_error(const Vm *vm, Err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));      /* "byte 12: ..."; always -1 */
int  vm_push(Vm *vm, Value v, Err *e);
const unsigned char *vm_take(Vm *vm, uint64_t n, Err *e);                             /* the next n bytes of the file; NULL: there are fewer */
int  vm_number(Vm *vm, int width, uint64_t *x, Err *e);                               /* little-endian, without sign */
int  vm_line(Vm *vm, const char **line, size_t *n, Err *e);                           /* up to a line feed, which is left out */
int  line_whole(Vm *vm, const char *line, size_t n, double *x, Err *e);               /* digits, perhaps behind a minus */

/* pickle_literal.c: opcodes that push a number or a text. `width` is the size in bytes of the number or of the length before the bytes. */
int  op_constant(Vm *vm, int which, Err *e);           /* -1: None; 0, 1 */
int  op_uint(Vm *vm, int width, Err *e);
int  op_int4(Vm *vm, int unused, Err *e);
int  op_long(Vm *vm, int width, Err *e);
int  op_double(Vm *vm, int unused, Err *e);
int  op_int_line(Vm *vm, int unused, Err *e);
int  op_float_line(Vm *vm, int unused, Err *e);
int  op_bytes(Vm *vm, int width, Err *e);
int  op_text(Vm *vm, int width, Err *e);
int  op_string_line(Vm *vm, int unused, Err *e);
int  op_text_line(Vm *vm, int unused, Err *e);

/* pickle_numpy.c: the functions a pickle may name, and the state that objects are given after they were made. */
int  global_find(Vm *vm, const char *module, size_t nmodule, const char *name, size_t nname, Value *v, Err *e);
int  global_call(Vm *vm, Value global, Value args, Value *made, Err *e);
int  object_build(Vm *vm, Value object, Value state, Err *e);

#endif
