#include "counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define BUCKETS 4096 /* a power of two */

struct count {
    struct count *next;
    uint64_t value;
    size_t len;
    char name[];
};

struct counts {
    size_t size;
    struct count *buckets[BUCKETS];
};

struct counts *
counts_new(void)
{
    return mem_zalloc(sizeof(struct counts));
}

void
counts_clear(struct counts *counts)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (counts->buckets[i] != NULL) {
            struct count *count = counts->buckets[i];

            counts->buckets[i] = count->next;
            free(count);
        }
    }
    counts->size = 0;
}

void
counts_free(struct counts **counts)
{
    if (*counts == NULL)
        return;
    counts_clear(*counts);
    free(*counts);
    *counts = NULL;
}

static size_t
bucket_of(struct span name)
{
    return (size_t)hash_bytes(name, hash_seed()).lo & (BUCKETS - 1);
}

static struct count *
find(const struct counts *counts, struct span name)
{
    struct count *count = counts->buckets[bucket_of(name)];

    while (count != NULL &&
           !span_eq((struct span){count->name, count->len}, name))
        count = count->next;
    return count;
}

static struct count *
insert(struct counts *counts, struct span name)
{
    struct count *count = mem_alloc(sizeof(*count) + name.len + 1);
    size_t bucket = bucket_of(name);

    memcpy(count->name, name.ptr, name.len);
    count->name[name.len] = '\0';
    count->len = name.len;
    count->value = 0;
    count->next = counts->buckets[bucket];
    counts->buckets[bucket] = count;
    counts->size++;
    return count;
}

uint64_t
counts_add(struct counts *counts, struct span name)
{
    if (name.len > COUNTS_NAME_MAX)
        name.len = COUNTS_NAME_MAX;
    struct count *count = find(counts, name);

    if (count == NULL && counts->size >= COUNTS_MAX) {
        name = SPAN("(other)");
        count = find(counts, name);
    }
    if (count == NULL)
        count = insert(counts, name);
    return ++count->value;
}

uint64_t
counts_get(const struct counts *counts, struct span name)
{
    const struct count *count = find(counts, name);

    return count == NULL ? 0 : count->value;
}

static void
add_json(json_t *object, const struct count *count)
{
    json_t *value = json_integer((json_int_t)count->value);

    if (json_object_set(object, count->name, value) != 0) {
        char *name = mem_strndup(count->name, count->len);

        for (size_t i = 0; i < count->len; i++) {
            if ((unsigned char)name[i] >= 0x80)
                name[i] = '?';
        }
        json_object_set(object, name, value);
        free(name);
    }
    json_decref(value);
}

json_t *
counts_json(const struct counts *counts)
{
    json_t *object = json_object();

    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct count *c = counts->buckets[i]; c != NULL; c = c->next)
            add_json(object, c);
    }
    return object;
}
