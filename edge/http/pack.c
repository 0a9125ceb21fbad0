/* The packs of http/fields.h. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/fields.h"

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

#define PACK_TAG 0x5041434bu

struct pack {
    TAG_FIELD;
    _Atomic uint32_t refs;
    struct fields fields; /* list points just behind this struct */
    struct field list[];
};

/* Names that nearly every response has are not copied into each pack: at a
 * million objects that saves about 80 bytes each. The two usual spellings, by
 * length. */
#define BOTH(upper, lower) NAME(upper), NAME(lower)
#define SHARED_LENGTH_MAX 16
#define SHARED_MAX 8

static const struct span shared_names[SHARED_LENGTH_MAX + 1][SHARED_MAX] = {
    [3] = {BOTH("Age", "age"), BOTH("Via", "via")},
    [4] = {BOTH("Date", "date"), BOTH("ETag", "etag"), BOTH("Vary", "vary")},
    [6] = {BOTH("Server", "server")},
    [7] = {BOTH("Expires", "expires")},
    [8] = {BOTH("Location", "location")},
    [10] = {BOTH("Set-Cookie", "set-cookie")},
    [12] = {BOTH("Content-Type", "content-type")},
    [13] = {BOTH("Accept-Ranges", "accept-ranges"),
            BOTH("Cache-Control", "cache-control"),
            BOTH("Last-Modified", "last-modified"),
            BOTH("Surrogate-Key", "surrogate-key")},
    [14] = {BOTH("Content-Length", "content-length")},
    [16] = {BOTH("Content-Encoding", "content-encoding"),
            BOTH("Content-Language", "content-language")},
};

static const struct span *
shared_name(struct span name)
{
    if (name.len == 0 || name.len > SHARED_LENGTH_MAX)
        return NULL;
    const struct span *shared = shared_names[name.len];

    for (size_t i = 0; i < SHARED_MAX && shared[i].len > 0; i++) {
        if (shared[i].ptr[0] == name.ptr[0] && span_eq(name, shared[i]))
            return &shared[i];
    }
    return NULL;
}

static struct span
put_text(char **at, struct span s)
{
    char *copy = *at;

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    *at += s.len + 1;
    return (struct span){copy, s.len};
}

struct pack *
pack_new(const struct fields *fields)
{
    size_t size = sizeof(struct pack) + fields->count * sizeof(struct field);

    for (size_t i = 0; i < fields->count; i++) {
        size += fields->list[i].value.len + 1;
        if (shared_name(fields->list[i].name) == NULL)
            size += fields->list[i].name.len + 1;
    }
    struct pack *pack = mem_alloc(size);
    char *text = (char *)(pack->list + fields->count);

    TAG_SET(pack, PACK_TAG);
    atomic_init(&pack->refs, 1);
    pack->fields = (struct fields){pack->list, fields->count, 0};
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *from = &fields->list[i];
        const struct span *shared = shared_name(from->name);

        pack->list[i].name = shared ? *shared : put_text(&text, from->name);
        pack->list[i].value = put_text(&text, from->value);
    }
    return pack;
}

struct pack *
pack_ref(struct pack *pack)
{
    TAG_CHECK(pack, PACK_TAG);
    atomic_fetch_add_explicit(&pack->refs, 1, memory_order_relaxed);
    return pack;
}

void
pack_unref(struct pack **pack)
{
    struct pack *gone = *pack;

    *pack = NULL;
    if (gone == NULL)
        return;
    TAG_CHECK(gone, PACK_TAG);
    if (atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) > 1)
        return;
    TAG_CLEAR(gone);
    free(gone);
}

const struct fields *
pack_fields(const struct pack *pack)
{
    TAG_CHECK(pack, PACK_TAG);
    return &pack->fields;
}

size_t
pack_cost(const struct pack *pack)
{
    TAG_CHECK(pack, PACK_TAG);
    return mem_size(pack);
}
