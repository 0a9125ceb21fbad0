/* Memory that is freed all at once. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "conf/conf_internal.h"

struct block {
    struct block *next;
    size_t size;
    max_align_t bytes[];
};

struct conf_arena {
    struct block *blocks;
};

struct conf_arena *
conf_arena_new(void)
{
    return mem_zalloc(sizeof(struct conf_arena));
}

void
conf_arena_free(struct conf_arena **arena)
{
    if (*arena == NULL)
        return;
    struct block *next;

    for (struct block *block = (*arena)->blocks; block; block = next) {
        next = block->next;
        /* Some of it may be a secret. */
        explicit_bzero(block->bytes, block->size);
        free(block);
    }
    free(*arena);
    *arena = NULL;
}

void *
conf_arena_zalloc(struct conf_arena *arena, size_t size)
{
    struct block *block = mem_zalloc(sizeof(*block) + size);

    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return block->bytes;
}

const char *
conf_arena_strdup(struct conf_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(conf_arena_zalloc(arena, size), text, size);
}

const char *
conf_arena_printf(struct conf_arena *arena, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    CHECK(vasprintf(&text, format, args) >= 0);
    va_end(args);
    const char *copy = conf_arena_strdup(arena, text);

    free(text);
    return copy;
}
