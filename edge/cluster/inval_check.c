#include "inval_internal.h"

static const char *const kind_names[INVAL_KINDS] = {
    [INVAL_URL] = "url", [INVAL_PREFIX] = "prefix", [INVAL_HOST] = "host",
    [INVAL_TAG] = "tag", [INVAL_GROUP] = "group",   [INVAL_ALL] = "all",
};

const char *
inval_kind_name(enum inval_kind kind)
{
    CHECK(kind < INVAL_KINDS);
    return kind_names[kind];
}

bool
inval_kind_parse(struct span name, enum inval_kind *kind)
{
    for (size_t i = 0; i < INVAL_KINDS; i++) {
        if (span_eq(name, span_of(kind_names[i]))) {
            *kind = (enum inval_kind)i;
            return true;
        }
    }
    return false;
}

const char *
floor_reason_name(enum floor_reason reason)
{
    static const char *const names[FLOOR_REASONS] = {
        [FLOOR_START] = "start",       [FLOOR_HOLE] = "hole",
        [FLOOR_TERM] = "term",         [FLOOR_REWIND] = "rewind",
        [FLOOR_OVERFLOW] = "overflow", [FLOOR_FOREIGN] = "foreign",
        [FLOOR_LEVEL] = "level",
    };

    CHECK(reason < FLOOR_REASONS);
    return names[reason];
}

/* ---- keys ---- */

/* Odd constants, so that kinds never share a seed. */
static uint64_t
seed_of(enum inval_kind kind)
{
    return hash_seed() ^ (UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)kind + 1));
}

struct hash128
inval_tag_hash(struct span tag)
{
    return hash_bytes(tag, seed_of(INVAL_TAG));
}

struct hash128
inval_host_key(struct span host)
{
    return hash_bytes(host, seed_of(INVAL_HOST));
}

struct hash128
inval_value_key(struct hash128 host, enum inval_kind kind, struct span value)
{
    return hash_bytes(value, host.lo ^ (host.hi << 1) ^ seed_of(kind));
}

struct hash128
inval_group_hash(struct span host, struct span group)
{
    return inval_value_key(inval_host_key(host), INVAL_GROUP, group);
}

/* A kind that no entry has. */
#define PATH_KIND INVAL_KINDS

struct hash128
inval_path_key(struct hash128 host, struct span path)
{
    return inval_value_key(host, PATH_KIND,
                           span_sub(path, 0, span_find(path, '?', 0)));
}

struct hash128
inval_path_hash(struct span host, struct span path)
{
    return inval_path_key(inval_host_key(host), path);
}

struct inval_node *
inval_lookup(struct inval *inval, struct hash128 key)
{
    struct table_node *at = table_find(inval->table, key.lo);

    while (at != NULL) {
        struct inval_node *node = CONTAINER_OF(at, struct inval_node, node);

        if (hash_eq(node->key, key))
            return node;
        at = table_next(inval->table, at);
    }
    return NULL;
}

/* ---- checks ---- */

static void
take(const struct inval_marks *marks, struct inval_found *found)
{
    uint64_t hard = atomic_load_explicit(&marks->hard, memory_order_acquire);
    uint64_t soft = atomic_load_explicit(&marks->soft, memory_order_acquire);
    uint64_t local = atomic_load_explicit(&marks->local, memory_order_acquire);

    if (hard > found->hard)
        found->hard = hard;
    if (soft > found->soft)
        found->soft = soft;
    if (local != 0 && (found->local == 0 || local < found->local))
        found->local = local;
    if (atomic_load_explicit(&marks->held, memory_order_acquire) > 0)
        found->held = true;
}

static void
take_key(struct inval *inval, struct hash128 key, struct inval_found *found)
{
    const struct inval_node *node = inval_lookup(inval, key);

    if (node != NULL)
        take(&node->marks, found);
}

/* All that matches but the entries for the very URL. What counts for all comes
 * last: what is dropped meanwhile has left its marks there. */
static void
find_but_url(struct inval *inval, const struct inval_subject *subject,
             struct hash128 host, struct inval_found *found)
{
    take_key(inval, host, found);
    const struct inval_lengths *lengths =
        atomic_load_explicit(&inval->lengths, memory_order_acquire);

    for (size_t i = 0; i < lengths->count; i++) {
        if (lengths->length[i] > subject->path.len)
            break;
        struct span head = span_sub(subject->path, 0, lengths->length[i]);

        take_key(inval, inval_value_key(host, INVAL_PREFIX, head), found);
    }
    for (size_t i = 0; i < subject->tag_count; i++)
        take_key(inval, subject->tags[i], found);
    take(&inval->all, found);
}

void
inval_find(struct inval *inval, const struct inval_subject *subject,
           struct inval_found *found)
{
    struct hash128 host = inval_host_key(subject->host);

    grace_enter();
    *found = (struct inval_found){0};
    take_key(inval, inval_value_key(host, INVAL_URL, subject->path), found);
    find_but_url(inval, subject, host, found);
}

bool
inval_barred(struct inval *inval, const struct inval_subject *subject)
{
    struct inval_found found;

    TAG_CHECK(inval, INVAL_TAG_VALUE);
    if (atomic_load_explicit(&inval->holds, memory_order_acquire) == 0)
        return false;
    inval_find(inval, subject, &found);
    return found.held;
}

uint64_t
inval_seq(const struct inval *inval)
{
    return atomic_load_explicit(&inval->seq, memory_order_acquire);
}

uint64_t
inval_floor(const struct inval *inval)
{
    return atomic_load_explicit(&inval->floor, memory_order_acquire);
}

enum validity
inval_check(struct inval *inval, const struct inval_subject *subject,
            uint64_t position)
{
    struct inval_found found = {0};

    TAG_CHECK(inval, INVAL_TAG_VALUE);
    /* Tables before floor: an entry that is dropped between the two has
     * raised the floor before, and, a hard one, what counts for all. */
    if (atomic_load_explicit(&inval->newest, memory_order_acquire) > position)
        inval_find(inval, subject, &found);
    if (found.hard > position)
        return VALIDITY_HARD;
    if (inval_floor(inval) > position)
        return atomic_load_explicit(&inval->all.hard, memory_order_acquire) >
                       position
                   ? VALIDITY_HARD
                   : VALIDITY_FLOOR;
    return found.soft > position ? VALIDITY_SOFT : VALIDITY_VALID;
}

/* ---- own entries ---- */

static uint32_t
entries_for(struct inval *inval, struct hash128 host, struct span path)
{
    const struct inval_node *node =
        inval_lookup(inval, inval_value_key(host, INVAL_URL, path));

    return node == NULL
               ? 0
               : atomic_load_explicit(&node->count, memory_order_acquire);
}

bool
inval_own_begin(struct inval *inval, const struct inval_subject *subject,
                uint64_t position, struct inval_own *own)
{
    grace_enter();
    /* Before the check: what comes later than this is counted at the end. */
    own->floor = inval_floor(inval);
    own->urls =
        entries_for(inval, inval_host_key(subject->host), subject->path);
    return inval_check(inval, subject, position) == VALIDITY_VALID;
}

uint64_t
inval_own_end(struct inval *inval, const struct inval_subject *subject,
              uint64_t position, const struct inval_own *own, uint32_t count)
{
    struct hash128 host = inval_host_key(subject->host);
    struct inval_found found = {0};
    /* First: what comes from here on has a later number. */
    uint64_t seq = inval_seq(inval);

    grace_enter();
    find_but_url(inval, subject, host, &found);
    uint32_t urls = entries_for(inval, host, subject->path);

    /* While the floor stands nothing has been dropped, nor counted anew. */
    if (inval_floor(inval) != own->floor || urls - own->urls != count ||
        found.hard > position || found.soft > position)
        return 0;
    return seq;
}
