#include "store/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store_internal.h"

#define OBJECT_TAG 0x6f626a31 /* "obj1" */

static _Atomic uint64_t last_serial;

/* The key's spans, moved to where its text is now. */
static struct key
key_at(const struct key *key, const char *text)
{
    struct key copy = *key;

    copy.text.ptr = text;
    copy.host.ptr = text + (key->host.ptr - key->text.ptr);
    copy.path_query.ptr = text + (key->path_query.ptr - key->text.ptr);
    return copy;
}

struct object *
object_new(const struct object_spec *spec)
{
    size_t tags = spec->tag_count * sizeof(struct hash128);
    size_t part = spec->part != NULL ? sizeof(*spec->part) : 0;
    size_t text = spec->key->text.len;
    /* One block: the object, its tags, its part, the text of its key. */
    struct object *object = mem_alloc(sizeof(*object) + tags + part + text);
    char *end = (char *)(object + 1);

    memset(object, 0, sizeof(*object));
    TAG_SET(object, OBJECT_TAG);
    atomic_init(&object->refs, 1);
    object->serial = atomic_fetch_add(&last_serial, 1) + 1;
    object->tags = (struct hash128 *)(void *)end;
    object->tag_count = (uint32_t)spec->tag_count;
    if (tags > 0)
        memcpy(end, spec->tags, tags);
    end += tags;
    if (part > 0) {
        memcpy(end, spec->part, part);
        object->part = (const struct range_part *)(const void *)end;
    }
    end += part;
    memcpy(end, spec->key->text.ptr, text);
    object->key = key_at(spec->key, end);
    object->fields = pack_ref(spec->fields);
    if (spec->tag_fields != NULL)
        object->tag_fields = pack_ref(spec->tag_fields);
    if (spec->vary != NULL) {
        object->vary = *spec->vary;
        *spec->vary = NULL;
    }
    object->body = spec->body ? blob_ref(spec->body) : NULL;
    object->length = spec->length;
    object->caching = *spec->caching;
    object->status = (uint16_t)spec->status;
    object->position = spec->position;
    atomic_init(&object->checked, spec->position);
    object->sent_ns = spec->sent_ns;
    object->received_ns = spec->received_ns;
    return object;
}

struct vary *
object_vary_copy(const struct object *object)
{
    struct field pairs[VARY_NAMES_MAX];
    size_t count = 0;
    size_t at = 0;

    if (object->vary == NULL)
        return NULL;
    while (
        count < VARY_NAMES_MAX &&
        vary_next(object->vary, &at, &pairs[count].name, &pairs[count].value))
        count++;
    return vary_of_pairs(pairs, count);
}

struct object *
object_ref(struct object *object)
{
    TAG_CHECK(object, OBJECT_TAG);
    uint32_t before =
        atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);

    CHECK(before > 0 && before < UINT32_MAX);
    return object;
}

bool
object_try_ref(struct object *object)
{
    TAG_CHECK(object, OBJECT_TAG);
    uint32_t refs = atomic_load_explicit(&object->refs, memory_order_relaxed);

    while (refs > 0) {
        if (atomic_compare_exchange_weak(&object->refs, &refs, refs + 1))
            return true;
    }
    return false;
}

static void
destroy(struct object *object)
{
    TAG_CHECK(object, OBJECT_TAG);
    TAG_CLEAR(object);
    pack_unref(&object->fields);
    pack_unref(&object->tag_fields);
    vary_free(&object->vary);
    blob_unref(&object->body);
    free(object);
}

void
account_drop(struct store_account *account)
{
    if (atomic_fetch_sub(&account->holders, 1) == 1)
        free(account);
}

/* After the grace period. Memory first, then the charge for it. */
static void
destroy_charged(struct grace_defer *defer)
{
    struct object *object = CONTAINER_OF(defer, struct object, defer);
    struct store_account *account = object->account;
    size_t cost = object->cost;

    destroy(object);
    atomic_fetch_sub(&account->waiting, cost);
    atomic_fetch_sub(&account->used, cost);
    account_drop(account);
}

void
object_unref(struct object **object)
{
    struct object *gone = *object;

    *object = NULL;
    if (gone == NULL)
        return;
    TAG_CHECK(gone, OBJECT_TAG);
    if (atomic_fetch_sub(&gone->refs, 1) != 1)
        return;
    if (gone->account == NULL) {
        destroy(gone); /* no reader of a table can have seen it */
        return;
    }
    CHECK(atomic_load(&gone->dead));
    atomic_fetch_add(&gone->account->waiting, gone->cost);
    grace_defer(&gone->defer, destroy_charged);
}

size_t
object_cost(const struct object *object)
{
    size_t cost = mem_size(object) + pack_cost(object->fields);

    if (object->tag_fields != NULL)
        cost += pack_cost(object->tag_fields);
    return cost + vary_cost(object->vary) + object_body_cost(object);
}

size_t
object_body_cost(const struct object *object)
{
    return object->body ? blob_cost(object->body) : 0;
}
