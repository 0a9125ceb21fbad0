#include "disk_index_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SHARDS 64
#define SLAB 64
#define BUCKETS_MIN 64
#define PER_BUCKET 3 /* slots, when the buckets are doubled */
#define HITS_MAX 3
#define NONE 0 /* slots are numbered from 1 on */

/* Of 28 bytes: nothing in it may be longer than 4. */
struct slot {
    uint32_t print_low;
    uint32_t print_high;
    uint32_t variant;
    uint32_t segment;
    uint32_t offset : 24;
    uint32_t spread : 1;
    uint32_t hits : 2;
    uint32_t units;
    uint32_t next;
};

_Static_assert(sizeof(struct slot) == 28, "what the header promises");
_Static_assert(DISK_SEGMENT_MAX / DISK_UNIT <= 1 << 24, "offset has 24 bits");

struct shard {
    pthread_mutex_t lock;
    struct slot **slabs;
    size_t slab_count;
    size_t slab_capacity;
    uint32_t *buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    uint32_t used; /* slots that were ever used */
    uint32_t free; /* the first of those that are free now */
};

struct disk_index {
    struct shard shards[SHARDS];
};

struct disk_index *
disk_index_new(void)
{
    struct disk_index *index = mem_zalloc(sizeof(*index));

    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &index->shards[i];

        CHECK(pthread_mutex_init(&shard->lock, NULL) == 0);
        shard->bucket_count = BUCKETS_MIN;
        shard->buckets = mem_zalloc(BUCKETS_MIN * sizeof(*shard->buckets));
    }
    return index;
}

void
disk_index_free(struct disk_index **index)
{
    if (*index == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &(*index)->shards[i];

        for (size_t s = 0; s < shard->slab_count; s++)
            free(shard->slabs[s]);
        free(shard->slabs);
        free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
    free(*index);
    *index = NULL;
}

static struct shard *
lock_shard(struct disk_index *index, uint64_t print)
{
    struct shard *shard = &index->shards[print >> 58];

    pthread_mutex_lock(&shard->lock);
    return shard;
}

static struct slot *
slot_at(const struct shard *shard, uint32_t number)
{
    return &shard->slabs[(number - 1) / SLAB][(number - 1) % SLAB];
}

static uint64_t
print_of(const struct slot *slot)
{
    return (uint64_t)slot->print_high << 32 | slot->print_low;
}

static uint32_t *
bucket_of(const struct shard *shard, uint64_t print)
{
    return &shard->buckets[print & (shard->bucket_count - 1)];
}

static struct disk_place
place_of(const struct slot *slot)
{
    return (struct disk_place){slot->segment, slot->offset};
}

static void
grow(struct shard *shard)
{
    size_t count = shard->bucket_count;
    uint32_t *old = shard->buckets;

    shard->bucket_count = 2 * count;
    shard->buckets = mem_zalloc(2 * count * sizeof(*old));
    for (size_t i = 0; i < count; i++) {
        for (uint32_t number = old[i]; number != NONE;) {
            struct slot *slot = slot_at(shard, number);
            uint32_t next = slot->next;
            uint32_t *bucket = bucket_of(shard, print_of(slot));

            slot->next = *bucket;
            *bucket = number;
            number = next;
        }
    }
    free(old);
}

static uint32_t
slot_new(struct shard *shard)
{
    uint32_t number = shard->free;

    if (number != NONE) {
        shard->free = slot_at(shard, number)->next;
        return number;
    }
    if (shard->used == shard->slab_count * SLAB) {
        MEM_GROW(shard->slabs, shard->slab_count, shard->slab_capacity);
        shard->slabs[shard->slab_count++] =
            mem_zalloc(SLAB * sizeof(struct slot));
    }
    return ++shard->used;
}

/* Takes the slot that *link names out of its chain. */
static void
slot_free(struct shard *shard, uint32_t *link)
{
    uint32_t number = *link;
    struct slot *slot = slot_at(shard, number);

    *link = slot->next;
    slot->next = shard->free;
    shard->free = number;
    shard->count--;
}

/* What names the slot of a key and variant; it names NONE when there is no
 * such slot. */
static uint32_t *
link_of(const struct shard *shard, uint64_t print, uint32_t variant)
{
    uint32_t *link = bucket_of(shard, print);

    while (*link != NONE) {
        struct slot *slot = slot_at(shard, *link);

        if (print_of(slot) == print && slot->variant == variant)
            break;
        link = &slot->next;
    }
    return link;
}

bool
disk_index_put(struct disk_index *index, const struct disk_entry *entry,
               uint32_t segment, bool *replaced)
{
    struct shard *shard = lock_shard(index, entry->print);
    uint32_t number = *link_of(shard, entry->print, entry->variant);
    struct disk_place place = {segment, entry->offset};
    bool earlier = false;

    *replaced = number != NONE;
    if (number == NONE) {
        if (shard->count == PER_BUCKET * shard->bucket_count)
            grow(shard);
        uint32_t *bucket = bucket_of(shard, entry->print);

        number = slot_new(shard);
        slot_at(shard, number)->next = *bucket;
        *bucket = number;
        shard->count++;
    } else {
        earlier = disk_place_before(place, place_of(slot_at(shard, number)));
    }
    if (!earlier) {
        struct slot *slot = slot_at(shard, number);

        *slot = (struct slot){
            .print_low = (uint32_t)entry->print,
            .print_high = (uint32_t)(entry->print >> 32),
            .variant = entry->variant,
            .segment = segment,
            .offset = entry->offset & 0xffffff,
            .spread = entry->spread != 0,
            .units = entry->units,
            .next = slot->next,
        };
    }
    pthread_mutex_unlock(&shard->lock);
    return !earlier;
}

/* What names the slot of what is at a place; NULL: that is not there. */
static uint32_t *
link_at(const struct shard *shard, uint64_t print, uint32_t variant,
        struct disk_place place)
{
    uint32_t *link = link_of(shard, print, variant);

    if (*link == NONE || !disk_place_eq(place_of(slot_at(shard, *link)), place))
        return NULL;
    return link;
}

bool
disk_index_move(struct disk_index *index, const struct disk_slot *slot,
                struct disk_place to, uint32_t units)
{
    struct shard *shard = lock_shard(index, slot->print);
    uint32_t *link = link_at(shard, slot->print, slot->variant, slot->place);

    if (link != NULL) {
        struct slot *there = slot_at(shard, *link);

        there->segment = to.segment;
        there->offset = to.offset & 0xffffff;
        there->units = units;
        if (there->hits > 0)
            there->hits--;
    }
    pthread_mutex_unlock(&shard->lock);
    return link != NULL;
}

bool
disk_index_take(struct disk_index *index, uint64_t print, uint32_t variant,
                struct disk_place place)
{
    struct shard *shard = lock_shard(index, print);
    uint32_t *link = link_at(shard, print, variant, place);

    if (link != NULL)
        slot_free(shard, link);
    pthread_mutex_unlock(&shard->lock);
    return link != NULL;
}

size_t
disk_index_remove(struct disk_index *index, uint64_t print, uint32_t variant,
                  bool all)
{
    struct shard *shard = lock_shard(index, print);
    size_t count = 0;

    for (uint32_t *link = bucket_of(shard, print); *link != NONE;) {
        struct slot *slot = slot_at(shard, *link);

        if (print_of(slot) == print && (all || slot->variant == variant)) {
            slot_free(shard, link);
            count++;
        } else {
            link = &slot->next;
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return count;
}

static size_t
sweep_shard(struct shard *shard, uint32_t segment)
{
    size_t count = 0;

    for (size_t i = 0; i < shard->bucket_count; i++) {
        for (uint32_t *link = &shard->buckets[i]; *link != NONE;) {
            struct slot *slot = slot_at(shard, *link);

            if (slot->segment == segment) {
                slot_free(shard, link);
                count++;
            } else {
                link = &slot->next;
            }
        }
    }
    return count;
}

size_t
disk_index_sweep(struct disk_index *index, uint32_t segment)
{
    size_t count = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &index->shards[i];

        pthread_mutex_lock(&shard->lock);
        count += sweep_shard(shard, segment);
        pthread_mutex_unlock(&shard->lock);
    }
    return count;
}

static struct disk_slot
copy_of(const struct slot *slot)
{
    return (struct disk_slot){
        .print = print_of(slot),
        .variant = slot->variant,
        .units = slot->units,
        .place = place_of(slot),
        .spread = slot->spread,
        .hits = slot->hits,
    };
}

/* Into its place among `count` that are in order; the earliest falls out when
 * there is no room. */
static size_t
insert(struct disk_slot *slots, size_t count, size_t max,
       const struct disk_slot *slot)
{
    size_t at = count;

    while (at > 0 && disk_place_before(slots[at - 1].place, slot->place))
        at--;
    if (at == max)
        return count;
    if (count == max)
        count--;
    memmove(slots + at + 1, slots + at, (count - at) * sizeof(*slots));
    slots[at] = *slot;
    return count + 1;
}

size_t
disk_index_find(struct disk_index *index, uint64_t print,
                struct disk_slot *slots, size_t max)
{
    struct shard *shard = lock_shard(index, print);
    size_t count = 0;

    for (uint32_t number = *bucket_of(shard, print); number != NONE;) {
        const struct slot *slot = slot_at(shard, number);

        if (print_of(slot) == print) {
            struct disk_slot copy = copy_of(slot);

            count = insert(slots, count, max, &copy);
        }
        number = slot->next;
    }
    pthread_mutex_unlock(&shard->lock);
    return count;
}

bool
disk_index_get(struct disk_index *index, uint64_t print, uint32_t variant,
               struct disk_slot *slot)
{
    struct shard *shard = lock_shard(index, print);
    uint32_t number = *link_of(shard, print, variant);

    if (number != NONE)
        *slot = copy_of(slot_at(shard, number));
    pthread_mutex_unlock(&shard->lock);
    return number != NONE;
}

void
disk_index_hit(struct disk_index *index, const struct disk_slot *slot)
{
    struct shard *shard = lock_shard(index, slot->print);
    uint32_t *link = link_at(shard, slot->print, slot->variant, slot->place);

    if (link != NULL && slot_at(shard, *link)->hits < HITS_MAX)
        slot_at(shard, *link)->hits++;
    pthread_mutex_unlock(&shard->lock);
}

size_t
disk_index_count(struct disk_index *index)
{
    size_t count = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&index->shards[i].lock);
        count += index->shards[i].count;
        pthread_mutex_unlock(&index->shards[i].lock);
    }
    return count;
}

size_t
disk_index_bytes(struct disk_index *index)
{
    size_t bytes = sizeof(*index);

    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &index->shards[i];

        pthread_mutex_lock(&shard->lock);
        bytes += shard->slab_count * SLAB * sizeof(struct slot) +
                 shard->slab_capacity * sizeof(*shard->slabs) +
                 shard->bucket_count * sizeof(*shard->buckets);
        pthread_mutex_unlock(&shard->lock);
    }
    return bytes;
}
