/*
 * Small allocations: they abort on failure, so that callers need no error path
 * for what cannot be handled anyway. Bodies, disk and network buffers use
 * plain malloc and report ERR_NOMEM.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *old, size_t size);
/* Copies `len` bytes and adds a NUL. The caller frees. */
char *mem_strndup(const char *text, size_t len);
char *mem_strdup(const char *text);
/* printf into a new string, which the caller frees. */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Bytes that a block of the heap costs: what the allocator rounded it up to,
 * and its own word before it (jemalloc has none; better a word too many). */
size_t mem_size(const void *block);
/* Makes room for one more element in a growing array. */
#define MEM_GROW(array, count, capacity)                                       \
    do {                                                                       \
        if ((count) == (capacity)) {                                           \
            (capacity) = (capacity) ? (capacity)*2 : 8;                        \
            (array) =                                                          \
                mem_realloc((array), (size_t)(capacity) * sizeof(*(array)));   \
        }                                                                      \
    } while (0)

#endif
