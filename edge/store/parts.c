/* Parts of bodies: what is stored of a variant that is not stored whole. */
#include "http/conditional.h"
#include "store_internal.h"

size_t
store_parts(struct store *store, const struct key *key,
            const struct fields *request, struct object *parts[STORE_PARTS_MAX])
{
    struct table_node *node = table_find(store->table, key->hash.lo);
    size_t count = 0;

    for (; node != NULL && count < STORE_PARTS_MAX;
         node = table_next(store->table, node)) {
        struct object *object = store_object_of(node);

        if (object->part != NULL && store_same_key(object, key) &&
            (object->vary == NULL || vary_match(object->vary, request)))
            parts[count++] = object;
    }
    return count;
}

/* What is stored under the key of a new part, as its insertion needs it. */
struct neighbours {
    bool refuse; /* the new one is not needed, or is too late */
    size_t count;
    struct object *oldest;
    struct object *outdone[STORE_PARTS_MAX]; /* by the new one */
    size_t outdone_count;
};

static bool
same_representation(const struct object *a, const struct object *b)
{
    struct span tag_a = fields_get(pack_fields(a->fields), SPAN("ETag"));
    struct span tag_b = fields_get(pack_fields(b->fields), SPAN("ETag"));

    return tag_a.len == 0 || tag_b.len == 0 || span_eq(tag_a, tag_b);
}

/* Another part of the same variant. */
static void
meet(struct neighbours *near, const struct object *part, struct object *other)
{
    bool later = other->sent_ns > part->sent_ns;
    bool same = same_representation(part, other);

    if (later && (!same || range_part_covers(other->part, part->part)))
        near->refuse = true;
    else if (!later && (!same || range_part_covers(part->part, other->part)))
        near->outdone[near->outdone_count++] = other;
    CHECK(near->outdone_count <= near->count);
}

static struct neighbours
neighbours_of(struct store *store, const struct object *part,
              const struct object *target)
{
    struct table_node *node = table_find(store->table, part->key.hash.lo);
    struct neighbours near = {0};

    for (; node != NULL; node = table_next(store->table, node)) {
        struct object *other = store_object_of(node);
        bool variant = store_same_variant(other, part);

        if (other == target || !store_same_key(other, &part->key))
            continue;
        if (other->part == NULL) {
            near.refuse |= variant;
            continue;
        }
        CHECK(++near.count <= STORE_PARTS_MAX);
        if (near.oldest == NULL || other->sent_ns < near.oldest->sent_ns)
            near.oldest = other;
        if (variant)
            meet(&near, part, other);
    }
    return near;
}

bool
parts_insert(struct store *store, struct object *part, struct object *target)
{
    struct neighbours near = neighbours_of(store, part, target);

    if (near.refuse || (target != NULL && target->sent_ns > part->sent_ns) ||
        !store_admit(store, part, target))
        return false;
    for (size_t i = 0; i < near.outdone_count; i++) {
        if (object_alive(near.outdone[i]))
            store_evict(store, near.outdone[i]);
    }
    if (target == NULL && near.count - near.outdone_count >= STORE_PARTS_MAX &&
        object_alive(near.oldest))
        store_evict(store, near.oldest);
    return true;
}

bool
parts_outdate(struct store *store, const struct object *whole)
{
    struct table_node *node = table_find(store->table, whole->key.hash.lo);

    for (; node != NULL; node = table_next(store->table, node)) {
        const struct object *object = store_object_of(node);

        if (object->part != NULL && object->sent_ns > whole->sent_ns &&
            store_same_key(object, &whole->key) &&
            store_same_variant(object, whole) &&
            !same_representation(object, whole))
            return true;
    }
    return false;
}

void
parts_evict(struct store *store, const struct object *whole)
{
    struct table_node *node = table_find(store->table, whole->key.hash.lo);

    while (node != NULL) {
        struct object *object = store_object_of(node);

        node = table_next(store->table, node);
        if (object->part != NULL && store_same_key(object, &whole->key) &&
            store_same_variant(object, whole))
            store_evict(store, object);
    }
}
