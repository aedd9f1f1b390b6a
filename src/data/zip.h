/* zip.h - the members of a zip archive in memory. Names, sizes and places come from the central directory alone:
 * writers that stream, and numpy always, leave them out of the local headers. */
#ifndef DATA_ZIP_H
#define DATA_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

typedef struct ZipMember {
    const char *name;                    /* (name_size) in the archive, not terminated */
    size_t      name_size;
    int         deflated;
    uint32_t    crc;
    size_t      at, packed, size;        /* of the data: where in the archive, how many bytes there, how many unpacked */
} ZipMember;

typedef struct Zip {
    const unsigned char *p;              /* (n) the archive, of the caller */
    size_t      n, next, end;            /* the central directory: what is left of it is [next, end) */
    uint64_t    left;                    /* members still to come */
    size_t      used;                    /* archive bytes of the members so far: more than there are, and members overlap */
} Zip;

int zip_open(Zip *z, const void *bytes, size_t n, Err *e);
int zip_next(Zip *z, ZipMember *m, Err *e);                                      /* 1: a member; 0: no more; -1 */
int zip_unpack(const Zip *z, const ZipMember *m, unsigned char *out, Err *e);    /* out: m->size bytes; checked by CRC-32 */

#endif
