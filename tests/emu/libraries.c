/* libraries.c - see libraries.h */
#include "libraries.h"

#include <stddef.h>
#include <string.h>

void *emu_dlopen(const char *name, int how);
void *emu_dlsym(void *library, const char *name);
int   emu_dlclose(void *library);

static const Library *const libraries[] = {&emu_cudnn, &emu_cublaslt};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

void *emu_dlopen(const char *name, int how)
{
    void *found = NULL;
    (void)how;
    for (int i = 0; i < LIBRARIES; i++)
        if (!strcmp(libraries[i]->name, name) && !*libraries[i]->missing) memcpy(&found, &libraries[i], sizeof found);
    return found;
}

int emu_dlclose(void *library) { return !library; }

void *emu_dlsym(void *library, const char *name)
{
    const Library *l = library;
    void *p = NULL;
    for (const Function *f = l->all; f->name; f++)
        if (!strcmp(f->name, name)) memcpy(&p, &f->f, sizeof p);
    return p;
}
