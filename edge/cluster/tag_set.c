#include "cluster/tag_set.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cluster/inval.h"
#include "http/tags.h"

static int
compare(const void *a, const void *b)
{
    const struct hash128 *x = a;
    const struct hash128 *y = b;

    if (x->hi != y->hi)
        return x->hi < y->hi ? -1 : 1;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static void
add(struct tag_set *set, struct hash128 hash)
{
    MEM_GROW(set->list, set->count, set->cap);
    set->list[set->count++] = hash;
}

void
tag_set_add(struct tag_set *set, struct span host, const struct fields *fields)
{
    struct tags_cursor cursor = {0};
    struct span tag;

    while (tags_next(fields, &cursor, &tag)) {
        add(set, inval_tag_hash(tag));
        if (cursor.kind == TAGS_CACHE_GROUPS)
            add(set, inval_group_hash(host, tag));
    }
}

void
tag_set_sort(struct tag_set *set)
{
    size_t kept = 0;

    if (set->count == 0)
        return;
    qsort(set->list, set->count, sizeof(*set->list), compare);
    for (size_t i = 1; i < set->count; i++) {
        if (!hash_eq(set->list[kept], set->list[i]))
            set->list[++kept] = set->list[i];
    }
    set->count = kept + 1;
}

void
tag_set_merge(struct tag_set *set, const struct hash128 *more, size_t count)
{
    struct tag_set both = {0};
    size_t i = 0;
    size_t j = 0;

    if (count == 0)
        return;
    while (i < set->count || j < count) {
        int order = i == set->count ? 1
                    : j == count    ? -1
                                    : compare(&set->list[i], &more[j]);

        add(&both, order <= 0 ? set->list[i] : more[j]);
        i += order <= 0;
        j += order >= 0;
    }
    free(set->list);
    *set = both;
}

void
tag_set_fini(struct tag_set *set)
{
    free(set->list);
    *set = (struct tag_set){0};
}
