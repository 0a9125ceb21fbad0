/* The tags of a response, by which it can be purged. */
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/inval.h"
#include "fill_internal.h"
#include "http/tags.h"

struct hash128 *
fill_tags(const struct fields *fields, size_t *count)
{
    struct tags_cursor cursor = {0};
    struct hash128 *tags = NULL;
    struct span tag;
    size_t cap = 0;

    *count = 0;
    while (tags_next(fields, &cursor, &tag)) {
        MEM_GROW(tags, *count, cap);
        tags[(*count)++] = inval_tag_hash(tag);
    }
    return tags;
}

struct hash128 *
fill_tags_both(const struct object *base, const struct fields *fields,
               size_t *count)
{
    struct hash128 *tags = fill_tags(fields, count);
    size_t cap = *count;

    for (size_t i = 0; i < base->tag_count; i++) {
        bool there = false;

        for (size_t j = 0; j < cap && !there; j++)
            there = hash_eq(tags[j], base->tags[i]);
        if (there)
            continue;
        tags = mem_realloc(tags, (*count + 1) * sizeof(*tags));
        tags[(*count)++] = base->tags[i];
    }
    return tags;
}
