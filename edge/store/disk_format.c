#include "disk_format_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define RECORD_MAGIC UINT32_C(0x52745461)

static const char super_magic[8] = "\x89"
                                   "ATLAS\n";
static const char segment_magic[8] = "\x89"
                                     "ATSEG\n";
static const char trailer_magic[8] = "\x89"
                                     "ATEND\n";

_Static_assert(sizeof(struct disk_super) == 48, "no padding");
_Static_assert(sizeof(struct disk_segment_head) == 56, "no padding");
_Static_assert(sizeof(struct disk_segment_head) <= DISK_UNIT, "one unit");
_Static_assert(sizeof(struct disk_head) == 72, "no padding");
_Static_assert(sizeof(struct disk_ref) == 24, "no padding");
_Static_assert(sizeof(struct disk_entry) == 24, "no padding");
_Static_assert(sizeof(struct disk_trailer) == 32, "no padding");

static uint64_t
sum(const void *bytes, size_t len, uint64_t seed)
{
    return hash_bytes((struct span){bytes, len}, seed).lo;
}

static uint64_t
round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

void
disk_super_seal(struct disk_super *super)
{
    memcpy(super->magic, super_magic, sizeof(super->magic));
    super->version = DISK_VERSION;
    super->zero = 0;
    super->checksum = sum(super, offsetof(struct disk_super, checksum), 0);
}

enum disk_verdict
disk_super_check(const void *bytes, size_t len)
{
    struct disk_super super;

    if (len < sizeof(super.magic) ||
        memcmp(bytes, super_magic, sizeof(super.magic)) != 0)
        return DISK_FOREIGN;
    if (len < sizeof(super))
        return DISK_DAMAGED;
    memcpy(&super, bytes, sizeof(super));
    /* Another version may have its checksum elsewhere. */
    if (super.version != DISK_VERSION)
        return DISK_OTHER_VERSION;
    if (super.checksum != sum(&super, offsetof(struct disk_super, checksum), 0))
        return DISK_DAMAGED;
    return DISK_OURS;
}

void
disk_segment_head_seal(struct disk_segment_head *head)
{
    memcpy(head->magic, segment_magic, sizeof(head->magic));
    head->version = DISK_VERSION;
    head->zero = 0;
    head->checksum =
        sum(head, offsetof(struct disk_segment_head, checksum), head->salt);
}

enum disk_verdict
disk_segment_head_check(const struct disk_segment_head *head, struct hash128 id,
                        uint32_t number)
{
    static const struct disk_segment_head nothing;

    /* What a crash leaves of a new file. */
    if (memcmp(head, &nothing, sizeof(*head)) == 0)
        return DISK_DAMAGED;
    if (memcmp(head->magic, segment_magic, sizeof(head->magic)) != 0 ||
        !hash_eq(head->id, id))
        return DISK_FOREIGN;
    if (head->version != DISK_VERSION)
        return DISK_OTHER_VERSION;
    if (head->number != number ||
        head->checksum !=
            sum(head, offsetof(struct disk_segment_head, checksum), head->salt))
        return DISK_DAMAGED;
    return DISK_OURS;
}

void
disk_segment_name(uint32_t number, char name[DISK_NAME_LEN])
{
    snprintf(name, DISK_NAME_LEN, "segment-%08x", number);
}

bool
disk_segment_number(const char *name, uint32_t *number)
{
    char same[DISK_NAME_LEN];
    unsigned value;

    if (sscanf(name, "segment-%8x", &value) != 1)
        return false;
    disk_segment_name(value, same);
    *number = value;
    return strcmp(name, same) == 0;
}

uint64_t
disk_record_seed(uint64_t salt, uint64_t offset)
{
    return salt + offset;
}

uint64_t
disk_slice_sum(const void *bytes, size_t len, uint64_t seed, size_t index)
{
    return sum(bytes, len, seed + 1 + index);
}

uint64_t
disk_head_inline(const struct disk_head *head)
{
    return head->ref_count > 0 ? 0 : head->body_len;
}

static size_t
slices(const struct disk_head *head)
{
    return (size_t)((disk_head_inline(head) + DISK_SLICE - 1) / DISK_SLICE);
}

static uint64_t
front_len(const struct disk_head *head)
{
    return round_up(sizeof(*head) + slices(head) * sizeof(uint64_t) +
                        head->ref_count * sizeof(struct disk_ref) +
                        head->key_len + head->meta_len,
                    8);
}

void
disk_head_init(struct disk_head *head)
{
    head->magic = RECORD_MAGIC;
    head->zero = 0;
    head->units = (uint32_t)(round_up(front_len(head) + disk_head_inline(head),
                                      DISK_UNIT) /
                             DISK_UNIT);
}

/* Whether the numbers of a head can be true together. */
static bool
plausible(const struct disk_head *head)
{
    if (head->magic != RECORD_MAGIC || head->zero != 0 ||
        head->key_len > DISK_KEY_MAX || head->meta_len > DISK_META_MAX ||
        head->ref_count > DISK_SEGMENT_MAX / sizeof(struct disk_ref) ||
        disk_head_inline(head) > DISK_EXTENT_MAX)
        return false;
    switch (head->kind) {
    case DISK_RECORD:
        return head->body_offset == 0;
    case DISK_EXTENT:
        return head->body_len > 0 && head->ref_count == 0 &&
               head->key_len == 0 && head->meta_len == 0;
    case DISK_TOMBSTONE:
    case DISK_TOMBSTONE_ALL:
        return head->body_len == 0 && head->ref_count == 0 &&
               head->meta_len == 0;
    default:
        return false;
    }
}

size_t
disk_front_len(const struct disk_head *head, uint64_t room)
{
    if (!plausible(head))
        return 0;
    uint64_t front = front_len(head);
    uint64_t all = round_up(front + disk_head_inline(head), DISK_UNIT);

    return all <= room && all / DISK_UNIT == head->units ? (size_t)front : 0;
}

void
disk_front_seal(void *front, const void *body, uint64_t seed)
{
    struct disk_head head;
    char *bytes = front;
    const char *slice = body;

    memcpy(&head, front, sizeof(head));
    for (size_t i = 0; i < slices(&head); i++) {
        size_t left = (size_t)disk_head_inline(&head) - i * DISK_SLICE;
        size_t len = left < DISK_SLICE ? left : DISK_SLICE;
        uint64_t s = disk_slice_sum(slice + i * DISK_SLICE, len, seed, i);

        memcpy(bytes + sizeof(head) + i * sizeof(s), &s, sizeof(s));
    }
    head.checksum = sum(bytes + sizeof(head.checksum),
                        (size_t)front_len(&head) - sizeof(head.checksum), seed);
    memcpy(front, &head.checksum, sizeof(head.checksum));
}

bool
disk_front_check(const void *front, size_t len, uint64_t seed)
{
    const char *bytes = front;
    uint64_t checksum;

    memcpy(&checksum, front, sizeof(checksum));
    if (checksum != sum(bytes + sizeof(checksum), len - sizeof(checksum), seed))
        return false;
    const struct disk_head *head = front;
    const struct disk_ref *refs =
        (const void *)(bytes + sizeof(*head) + slices(head) * sizeof(uint64_t));
    uint64_t body_len = 0;

    for (uint32_t i = 0; i < head->ref_count; i++) {
        if (refs[i].length == 0 || refs[i].length > DISK_EXTENT_MAX)
            return false;
        body_len += refs[i].length;
    }
    return head->ref_count == 0 || body_len == head->body_len;
}

const uint64_t *
disk_front_sums(const void *front)
{
    return (const void *)((const char *)front + sizeof(struct disk_head));
}

struct disk_ref *
disk_front_refs(void *front)
{
    const struct disk_head *head = front;

    return (void *)((char *)front + sizeof(*head) +
                    slices(head) * sizeof(uint64_t));
}

char *
disk_front_key(void *front)
{
    const struct disk_head *head = front;

    return (char *)(disk_front_refs(front) + head->ref_count);
}

struct disk_entry
disk_entry_of(const struct disk_head *head, uint64_t offset)
{
    return (struct disk_entry){
        .print = head->hash.hi,
        .variant = (uint32_t)head->variant,
        .offset = (uint32_t)(offset / DISK_UNIT),
        .units = head->units,
        .kind = head->kind,
        .spread = head->ref_count > 0,
    };
}

size_t
disk_footer_len(size_t count)
{
    return count * sizeof(struct disk_entry) + sizeof(struct disk_trailer);
}

static uint64_t
trailer_sum(const struct disk_trailer *trailer, uint64_t salt)
{
    return sum(trailer, offsetof(struct disk_trailer, checksum), salt);
}

void
disk_footer_seal(void *footer, const struct disk_entry *entries, uint32_t count,
                 uint32_t number, uint64_t salt)
{
    size_t len = count * sizeof(*entries);
    struct disk_trailer trailer = {.number = number, .count = count};

    memcpy(trailer.magic, trailer_magic, sizeof(trailer.magic));
    trailer.entries_checksum = sum(entries, len, salt);
    trailer.checksum = trailer_sum(&trailer, salt);
    if (len > 0)
        memcpy(footer, entries, len);
    memcpy((char *)footer + len, &trailer, sizeof(trailer));
}

bool
disk_trailer_check(const struct disk_trailer *trailer, uint32_t number,
                   uint64_t salt, uint64_t room, uint32_t *count)
{
    *count = trailer->count;
    return memcmp(trailer->magic, trailer_magic, sizeof(trailer->magic)) == 0 &&
           trailer->number == number &&
           trailer->checksum == trailer_sum(trailer, salt) &&
           disk_footer_len(trailer->count) <= room;
}

bool
disk_entries_check(const struct disk_entry *entries,
                   const struct disk_trailer *trailer, uint64_t salt,
                   uint64_t end)
{
    uint64_t at = DISK_UNIT;

    if (sum(entries, trailer->count * sizeof(*entries), salt) !=
        trailer->entries_checksum)
        return false;
    for (uint32_t i = 0; i < trailer->count; i++) {
        uint64_t offset = (uint64_t)entries[i].offset * DISK_UNIT;

        if (offset < at || entries[i].units == 0 ||
            entries[i].kind < DISK_RECORD ||
            entries[i].kind > DISK_TOMBSTONE_ALL)
            return false;
        at = offset + (uint64_t)entries[i].units * DISK_UNIT;
    }
    return at <= end;
}
