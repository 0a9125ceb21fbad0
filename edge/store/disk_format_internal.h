/*
 * What is in the files of a disk store, and whether it is what was written.
 * Pure functions.
 *
 *   format             struct disk_super
 *   lock               empty; who has it locked has the store
 *   segment-0000002a   a head, records one behind the other, a footer
 *
 * A segment's records begin at multiples of DISK_UNIT. A record is a *front*
 * and, behind it, the bytes of a body:
 *
 *   struct disk_head
 *   uint64_t sums[]           of each DISK_SLICE bytes of body in this record
 *   struct disk_ref refs[]    a RECORD whose body is elsewhere: where
 *   key, meta
 *   zeros to a multiple of 8
 *
 * Checksums are XXH3 with a seed made of the segment's salt, a secret, and of
 * the place: nothing is taken for a record but what was written as one, there;
 * not even a copy of a segment that somebody had served to him.
 *
 * Numbers are as this machine has them. One of another byte order does not
 * know the magic, and refuses.
 */
#ifndef STORE_DISK_FORMAT_INTERNAL_H
#define STORE_DISK_FORMAT_INTERNAL_H

#include "base/hash.h"
#include "store/disk.h"

#define DISK_VERSION 1
#define DISK_UNIT 64
#define DISK_SLICES_MAX 64 /* of one record */
#define DISK_EXTENT_MAX (DISK_SLICE * DISK_SLICES_MAX)
#define DISK_NAME_LEN 17 /* of a segment's file, with the NUL */

struct disk_super {
    char magic[8];
    uint32_t version;
    uint32_t zero;
    struct hash128 id; /* random: which store this is */
    uint64_t seed;     /* of the hashes of keys */
    uint64_t checksum;
};

struct disk_segment_head {
    char magic[8];
    uint32_t version;
    uint32_t number;
    struct hash128 id; /* of the store */
    uint64_t salt;     /* random */
    uint64_t zero;
    uint64_t checksum;
};

enum disk_kind {
    DISK_RECORD = 1,    /* a whole object, or one whose body is in extents */
    DISK_EXTENT,        /* a part of a body; of none, before the RECORD */
    DISK_TOMBSTONE,     /* no record of the key and variant before this */
    DISK_TOMBSTONE_ALL, /* nor of any variant of the key */
};

struct disk_head {
    uint64_t checksum; /* of the rest of the front */
    uint32_t magic;
    uint16_t kind;
    uint16_t zero;
    struct hash128 hash; /* of the key */
    uint64_t variant;
    uint64_t body_len;    /* EXTENT: of this part */
    uint64_t body_offset; /* EXTENT: where in the body it begins */
    uint32_t key_len;
    uint32_t meta_len;
    uint32_t ref_count;
    uint32_t units; /* length of all of it */
};

/* An extent; they stand in the order of the body. */
struct disk_ref {
    uint32_t segment;
    uint32_t offset; /* in units */
    uint32_t length; /* of the body */
    uint32_t zero;
    uint64_t checksum; /* that of its head */
};

/* A record, in the footer of its segment. */
struct disk_entry {
    uint64_t print; /* of the key: hash.hi */
    uint32_t variant;
    uint32_t offset; /* in units */
    uint32_t units;
    uint16_t kind;
    uint16_t spread; /* the body is in extents */
};

/* The last bytes of a sealed segment; its entries are right before it. */
struct disk_trailer {
    char magic[8];
    uint32_t number;
    uint32_t count;
    uint64_t entries_checksum;
    uint64_t checksum;
};

void disk_super_seal(struct disk_super *super);
enum disk_verdict {
    DISK_OURS,
    DISK_DAMAGED,
    DISK_OTHER_VERSION,
    DISK_FOREIGN,
};
enum disk_verdict disk_super_check(const void *bytes, size_t len);

void disk_segment_head_seal(struct disk_segment_head *head);
/* DISK_DAMAGED: ours by its magic, but not whole, or another's by its id. */
enum disk_verdict disk_segment_head_check(const struct disk_segment_head *head,
                                          struct hash128 id, uint32_t number);

/* "segment-%08x", and back; false when it is no such name. */
void disk_segment_name(uint32_t number, char name[DISK_NAME_LEN]);
bool disk_segment_number(const char *name, uint32_t *number);

/* The seed of a record's checksums. */
uint64_t disk_record_seed(uint64_t salt, uint64_t offset);
/* Of a slice's checksum, and that itself. */
uint64_t disk_slice_sum(const void *bytes, size_t len, uint64_t seed,
                        size_t index);

/* Bytes of the body that are in the record itself. */
uint64_t disk_head_inline(const struct disk_head *head);
/* Makes a head consistent: its magic and units. */
void disk_head_init(struct disk_head *head);
/* How long the front is. 0: this is no head of a record that ends within
 * `room` bytes. */
size_t disk_front_len(const struct disk_head *head, uint64_t room);
/* Fills in what disk_head_init left: sums of the body, and the checksum. */
void disk_front_seal(void *front, const void *body, uint64_t seed);
/* Whether a front of disk_front_len bytes is what was sealed. */
bool disk_front_check(const void *front, size_t front_len, uint64_t seed);
/* What is in a checked front. */
const uint64_t *disk_front_sums(const void *front);
struct disk_ref *disk_front_refs(void *front);
char *disk_front_key(void *front); /* and meta behind it */

/* The entry of a record at `offset`, for a footer. */
struct disk_entry disk_entry_of(const struct disk_head *head, uint64_t offset);

size_t disk_footer_len(size_t count);
/* Writes disk_footer_len(count) bytes; `entries` in the order of offsets. */
void disk_footer_seal(void *footer, const struct disk_entry *entries,
                      uint32_t count, uint32_t number, uint64_t salt);
/* How many entries the footer has. False: this is not the trailer of this
 * segment, or they do not fit into `room` bytes. */
bool disk_trailer_check(const struct disk_trailer *trailer, uint32_t number,
                        uint64_t salt, uint64_t room, uint32_t *count);
/* Whether the entries are what was sealed, and lie in [0, end), in order. */
bool disk_entries_check(const struct disk_entry *entries,
                        const struct disk_trailer *trailer, uint64_t salt,
                        uint64_t end);

#endif
