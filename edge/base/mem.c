#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void *
mem_alloc(size_t size)
{
    void *memory = malloc(size ? size : 1);

    CHECK(memory != NULL);
    return memory;
}

void *
mem_zalloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);

    CHECK(memory != NULL);
    return memory;
}

void *
mem_realloc(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);

    CHECK(memory != NULL);
    return memory;
}

size_t
mem_size(const void *block)
{
    /* It takes no pointer to const, but does not write. */
    return malloc_usable_size((void *)(uintptr_t)block) + sizeof(size_t);
}

char *
mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *
mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *
mem_printf(const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    CHECK(len >= 0);
    return text;
}
