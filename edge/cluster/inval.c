#include "inval_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"

/* At an overflow this part of the nodes is dropped, at most so many at once,
 * so that the control thread is not held up. */
#define DROP_PART 8
#define DROP_MAX 4096

/* ---- lengths of prefixes ---- */

static struct inval_lengths *
lengths_of(struct inval *inval)
{
    /* Only the control thread stores it, and calls this. */
    return atomic_load_explicit(&inval->lengths, memory_order_relaxed);
}

static void
free_lengths(struct grace_defer *defer)
{
    free(CONTAINER_OF(defer, struct inval_lengths, defer));
}

static void
publish_lengths(struct inval *inval, struct inval_lengths *lengths)
{
    struct inval_lengths *old = lengths_of(inval);

    atomic_store_explicit(&inval->lengths, lengths, memory_order_release);
    grace_defer(&old->defer, free_lengths);
}

/* Where `length` is, or would be put in. */
static size_t
length_slot(const struct inval_lengths *lengths, uint32_t length)
{
    size_t i = 0;

    while (i < lengths->count && lengths->length[i] < length)
        i++;
    return i;
}

/* The length under which a prefix is kept: its own, or when there are too many
 * different ones the longest known that is shorter; 0 for none, which is the
 * host. To invalidate more than was asked is safe. */
static uint32_t
length_for(struct inval *inval, uint32_t length)
{
    struct inval_lengths *old = lengths_of(inval);
    size_t slot = length_slot(old, length);

    if (slot < old->count && old->length[slot] == length)
        return length;
    if (old->count == INVAL_LENGTHS)
        return slot > 0 ? old->length[slot - 1] : 0;
    struct inval_lengths *new = mem_alloc(sizeof(*new));
    size_t after = old->count - slot;

    *new = *old;
    memmove(&new->length[slot + 1], &new->length[slot],
            after * sizeof(new->length[0]));
    memmove(&inval->uses[slot + 1], &inval->uses[slot],
            after * sizeof(inval->uses[0]));
    new->length[slot] = length;
    inval->uses[slot] = 0;
    new->count++;
    publish_lengths(inval, new);
    return length;
}

static void
length_used(struct inval *inval, uint32_t length)
{
    if (length > 0)
        inval->uses[length_slot(lengths_of(inval), length)]++;
}

static void
length_unused(struct inval *inval, uint32_t length)
{
    struct inval_lengths *old = lengths_of(inval);
    size_t slot = length_slot(old, length);

    if (length == 0 || --inval->uses[slot] > 0)
        return;
    struct inval_lengths *new = mem_alloc(sizeof(*new));
    size_t after = old->count - slot - 1;

    *new = *old;
    memmove(&new->length[slot], &new->length[slot + 1],
            after * sizeof(new->length[0]));
    memmove(&inval->uses[slot], &inval->uses[slot + 1],
            after * sizeof(inval->uses[0]));
    new->count--;
    publish_lengths(inval, new);
}

/* ---- nodes ---- */

static void
free_node(struct grace_defer *defer)
{
    free(CONTAINER_OF(defer, struct inval_node, u.defer));
}

/* The first one counts: what a peer has may be from before that. */
static void
local_since(struct inval_marks *marks, uint64_t seq)
{
    uint64_t first = atomic_load_explicit(&marks->local, memory_order_relaxed);

    if (first == 0 || seq < first)
        atomic_store_explicit(&marks->local, seq, memory_order_release);
}

/* What is held is barred as long as it was, and with it all else. */
static void
leave_held(struct inval *inval, const struct inval_marks *marks)
{
    uint32_t held = atomic_load_explicit(&marks->held, memory_order_relaxed);

    if (held == 0)
        return;
    local_since(&inval->all,
                atomic_load_explicit(&marks->local, memory_order_relaxed));
    atomic_fetch_add_explicit(&inval->all.held, held, memory_order_release);
}

static void
drop_oldest(struct inval *inval)
{
    struct inval_node *node =
        list_first(&inval->by_age, struct inval_node, u.by_age);

    /* What it matched is gone, and nobody knows any more what that was. */
    uint64_t hard =
        atomic_load_explicit(&node->marks.hard, memory_order_relaxed);

    if (hard > atomic_load_explicit(&inval->all.hard, memory_order_relaxed))
        atomic_store_explicit(&inval->all.hard, hard, memory_order_release);
    leave_held(inval, &node->marks);
    list_remove(&node->u.by_age);
    CHECK(table_remove(inval->table, &node->node));
    length_unused(inval, node->length);
    inval->nodes--;
    grace_defer(&node->u.defer, free_node);
}

/* Not for each of them: purges by the thousand overflow again and again. */
#define TELL_EVERY_NS (UINT64_C(10) * 1000000000)

static void
tell_overflow(struct inval *inval, size_t drop)
{
    uint64_t now = clock_boot_ns();

    if (inval->told_ns != 0 && now - inval->told_ns < TELL_EVERY_NS)
        return;
    inval->told_ns = now;
    LOG(LOG_WARN,
        "invalidations: the tables are full at %zu entries; the oldest %zu "
        "were dropped, and what is stored since before them, and was not "
        "looked at since, will be revalidated, or fetched anew where one of "
        "them was hard; raise `invalidation_memory` if this comes often",
        inval->nodes + drop, drop);
}

/* The floor is raised before anything is dropped (invariant 3). The numbers
 * need not go on: what was checked and found valid stays so. */
static void
make_room(struct inval *inval)
{
    size_t drop = inval->nodes / DROP_PART;
    const struct inval_node *node = NULL;
    struct list_link *link = &inval->by_age;

    drop = drop < 1 ? 1 : drop > DROP_MAX ? DROP_MAX : drop;
    for (size_t i = 0; i < drop; i++)
        link = link->next;
    node = CONTAINER_OF(link, struct inval_node, u.by_age);
    if (node->seq > atomic_load_explicit(&inval->floor, memory_order_relaxed))
        atomic_store_explicit(&inval->floor, node->seq, memory_order_release);
    for (size_t i = 0; i < drop; i++)
        drop_oldest(inval);
    counter_add(COUNTER_FLOOR_OVERFLOW, 1);
    tell_overflow(inval, drop);
}

static struct inval_node *
get_node(struct inval *inval, struct hash128 key, uint32_t length)
{
    struct inval_node *node = inval_lookup(inval, key);

    if (node != NULL) {
        list_remove(&node->u.by_age);
        return node;
    }
    node = mem_zalloc(sizeof(*node));
    node->key = key;
    node->length = length;
    inval->nodes++;
    return node;
}

/* Whose an entry is. */
enum owner {
    OWNER_SITE,  /* everybody hears of it */
    OWNER_LOCAL, /* only this node knows */
    OWNER_HELD   /* only this node, until it is published */
};

/* After the mark of what makes up for it, so that no copy slips through between
 * the two. */
static void
forget_local(struct inval_marks *marks)
{
    if (!marks->plain &&
        atomic_load_explicit(&marks->held, memory_order_relaxed) == 0)
        atomic_store_explicit(&marks->local, 0, memory_order_release);
}

static void
set_mark(struct inval_marks *marks, const struct inval_entry *entry,
         enum owner owner, uint64_t seq)
{
    atomic_store_explicit(entry->soft ? &marks->soft : &marks->hard, seq,
                          memory_order_release);
    switch (owner) {
    case OWNER_HELD:
        atomic_fetch_add_explicit(&marks->held, 1, memory_order_release);
        local_since(marks, seq);
        break;
    case OWNER_LOCAL:
        marks->plain = true;
        marks->plain_hard = marks->plain_hard || !entry->soft;
        local_since(marks, seq);
        break;
    case OWNER_SITE:
        /* Now everybody knows what only we knew. */
        if (!entry->soft || !marks->plain_hard) {
            marks->plain = false;
            marks->plain_hard = false;
            forget_local(marks);
        }
        break;
    }
}

static struct hash128
entry_host_key(const struct inval_entry *entry)
{
    char lower[INVAL_HOST_MAX];

    CHECK(entry->host.len <= sizeof(lower));
    for (size_t i = 0; i < entry->host.len; i++) {
        char c = entry->host.ptr[i];

        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return inval_host_key((struct span){lower, entry->host.len});
}

/* Where an entry stands in the table; *length is not 0 for a prefix. */
static struct hash128
key_of(struct inval *inval, const struct inval_entry *entry, uint32_t *length)
{
    *length = 0;
    if (entry->kind == INVAL_TAG)
        return inval_tag_hash(entry->value);
    struct hash128 host = entry_host_key(entry);

    if (entry->kind == INVAL_URL || entry->kind == INVAL_GROUP)
        return inval_value_key(host, entry->kind, entry->value);
    if (entry->kind == INVAL_PREFIX && entry->value.len > 0)
        *length = length_for(inval, (uint32_t)entry->value.len);
    if (*length == 0)
        return host;
    return inval_value_key(host, INVAL_PREFIX,
                           span_sub(entry->value, 0, *length));
}

static void
mark_key(struct inval *inval, const struct inval_entry *entry,
         struct hash128 key, uint32_t length, enum owner owner)
{
    struct inval_node *node = get_node(inval, key, length);
    bool fresh = node->seq == 0;

    node->seq = inval->next;
    set_mark(&node->marks, entry, owner, inval->next);
    atomic_fetch_add_explicit(&node->count, 1, memory_order_release);
    list_push_back(&inval->by_age, &node->u.by_age);
    if (!fresh)
        return;
    length_used(inval, length);
    table_add(inval->table, &node->node, key.lo);
}

static void
room_for_one(struct inval *inval)
{
    if (inval->nodes >= inval->nodes_max)
        make_room(inval);
}

static struct hash128
apply_key(struct inval *inval, const struct inval_entry *entry,
          enum owner owner)
{
    uint32_t length;

    CHECK(entry->value.len <= INVAL_VALUE_MAX);
    /* Room first: it may take a length of prefixes away. */
    room_for_one(inval);
    struct hash128 key = key_of(inval, entry, &length);

    mark_key(inval, entry, key, length, owner);
    return key;
}

/* The entry is about some queries of one path. */
static bool
within_path(const struct inval_entry *entry)
{
    return entry->kind == INVAL_URL ||
           (entry->kind == INVAL_PREFIX &&
            span_find(entry->value, '?', 0) < entry->value.len);
}

static struct hash128
apply_path(struct inval *inval, const struct inval_entry *entry,
           enum owner owner)
{
    struct hash128 key = inval_path_key(entry_host_key(entry), entry->value);

    room_for_one(inval);
    mark_key(inval, entry, key, 0, owner);
    return key;
}

void
inval_keep_paths(struct inval *inval)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    inval->paths = true;
}

/* Under the next number; says under which keys. */
static void
apply(struct inval *inval, const struct inval_entry *entry, enum owner owner,
      struct inval_hold *where)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    where->count = 0;
    inval->next++;
    inval->changed = true;
    if (entry->kind == INVAL_ALL)
        set_mark(&inval->all, entry, owner, inval->next);
    else
        where->keys[where->count++] = apply_key(inval, entry, owner);
    if (inval->paths && within_path(entry))
        where->keys[where->count++] = apply_path(inval, entry, owner);
    atomic_store_explicit(&inval->newest, inval->next, memory_order_release);
    if (!inval->redoing)
        counter_add(COUNTER_INVAL_APPLIED, 1);
}

static void
tell_entry(struct inval *inval, const struct inval_entry *entry, size_t site,
           uint64_t n)
{
    struct inval_event event = {.what = INVAL_EVENT_ENTRY,
                                .number = inval->next,
                                .entry = entry,
                                .n = n};

    if (site != INVAL_LOCAL)
        event.site = span_of(inval->sites[site].name);
    inval_tell(inval, &event);
}

void
inval_apply(struct inval *inval, const struct inval_entry *entry, size_t site,
            uint64_t n)
{
    struct inval_hold where;

    if (site == INVAL_LOCAL) {
        apply(inval, entry, OWNER_LOCAL, &where);
        tell_entry(inval, entry, site, 0);
        return;
    }
    apply(inval, entry, OWNER_SITE, &where);
    CHECK(site < inval->site_count && inval->sites[site].met);
    inval->sites[site].n = n;
    inval_ring_put(inval->sites[site].ring, n, inval->next);
    tell_entry(inval, entry, site, n);
}

/* ---- what is held ---- */

void
inval_hold(struct inval *inval, const struct inval_entry *entry,
           struct inval_hold *hold)
{
    apply(inval, entry, OWNER_HELD, hold);
    tell_entry(inval, entry, INVAL_LOCAL, 0);
    atomic_fetch_add_explicit(&inval->holds, hold->count > 0 ? hold->count : 1,
                              memory_order_release);
}

static void
release(struct inval *inval, struct inval_marks *marks)
{
    CHECK(atomic_fetch_sub_explicit(&marks->held, 1, memory_order_relaxed) > 0);
    atomic_fetch_sub_explicit(&inval->holds, 1, memory_order_release);
    forget_local(marks);
}

/* A node that was dropped has left what it held to all (drop_oldest): should
 * another be there by now, it is as good to let that go first, since as long as
 * all hold anything, so does it. */
void
inval_release(struct inval *inval, const struct inval_hold *hold)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    if (hold->count == 0)
        release(inval, &inval->all);
    for (unsigned i = 0; i < hold->count; i++) {
        struct inval_node *node = inval_lookup(inval, hold->keys[i]);
        bool own =
            node != NULL &&
            atomic_load_explicit(&node->marks.held, memory_order_relaxed) > 0;

        release(inval, own ? &node->marks : &inval->all);
    }
}

void
inval_raise_floor(struct inval *inval, enum floor_reason reason)
{
    static const enum counter counters[FLOOR_REASONS] = {
        [FLOOR_START] = COUNTER_COUNT,
        [FLOOR_HOLE] = COUNTER_FLOOR_HOLE,
        [FLOOR_TERM] = COUNTER_FLOOR_TERM,
        [FLOOR_REWIND] = COUNTER_FLOOR_REWIND,
        [FLOOR_OVERFLOW] = COUNTER_FLOOR_OVERFLOW,
        [FLOOR_FOREIGN] = COUNTER_FLOOR_FOREIGN,
        [FLOOR_LEVEL] = COUNTER_FLOOR_LEVEL,
    };

    TAG_CHECK(inval, INVAL_TAG_VALUE);
    CHECK(reason < FLOOR_REASONS);
    inval->next++;
    inval->changed = true;
    atomic_store_explicit(&inval->floor, inval->next, memory_order_release);
    if (counters[reason] != COUNTER_COUNT && !inval->redoing)
        counter_add(counters[reason], 1);
    inval_tell(inval, &(struct inval_event){.what = INVAL_EVENT_FLOOR,
                                            .number = inval->next,
                                            .reason = reason});
}

void
inval_publish(struct inval *inval)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    if (!inval->changed)
        return;
    inval->changed = false;
    atomic_store_explicit(&inval->seq, inval->next, memory_order_release);
    inval_view_publish(inval);
}

size_t
inval_entries(const struct inval *inval)
{
    return inval->nodes;
}

size_t
inval_bytes(const struct inval *inval)
{
    return inval->nodes * INVAL_NODE_COST;
}

/* ---- life ---- */

/* A bucket for each node there can be: a power of two, from above. */
static size_t
buckets_for(size_t nodes_max)
{
    size_t size = 1024;

    while (size < nodes_max)
        size *= 2;
    return size;
}

struct inval *
inval_new(size_t budget_bytes)
{
    struct inval *inval = mem_zalloc(sizeof(*inval));

    TAG_SET(inval, INVAL_TAG_VALUE);
    inval->nodes_max = budget_bytes / INVAL_NODE_COST;
    if (inval->nodes_max < INVAL_NODES_MIN)
        inval->nodes_max = INVAL_NODES_MIN;
    inval->next = 1;
    atomic_init(&inval->seq, 1);
    atomic_init(&inval->floor, 1);
    inval->table = table_new(buckets_for(inval->nodes_max));
    list_init(&inval->by_age);
    atomic_init(&inval->lengths, mem_zalloc(sizeof(struct inval_lengths)));
    inval_view_publish(inval);
    return inval;
}

void
inval_free(struct inval **inval)
{
    struct inval *i = *inval;

    *inval = NULL;
    if (i == NULL)
        return;
    TAG_CHECK(i, INVAL_TAG_VALUE);
    while (!list_empty(&i->by_age))
        drop_oldest(i);
    table_free(&i->table);
    grace_barrier();
    inval_view_free(i);
    free(lengths_of(i));
    TAG_CLEAR(i);
    free(i);
}
