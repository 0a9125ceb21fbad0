/*
 * Objects for the tests of the disk store. Each byte of a body tells of which
 * key, version and place it is, so that nothing wrong can pass for right.
 */
#ifndef TEST_STORE_DISK_BODIES_H
#define TEST_STORE_DISK_BODIES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/disk_stats.h"

#define BODY_SEGMENT ((uint64_t)64 * 1024)
#define BODY_OVERHEAD                                                          \
    ((uint64_t)8 * 1024) /* of a store beside its segments                     \
                          */

struct body_key {
    char text[48];
    struct span span;
};

static inline struct span
body_key(struct body_key *key, unsigned number)
{
    snprintf(key->text, sizeof(key->text), "http://h.test/object/%u", number);
    key->span = span_of(key->text);
    return key->span;
}

static inline void
body_fill(char *bytes, size_t len, uint64_t offset, unsigned key,
          unsigned version)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t at = offset + i;
        uint64_t x =
            (at / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
            ((uint64_t)key << 32 | version) * UINT64_C(0xbf58476d1ce4e5b9);

        x ^= x >> 29;
        bytes[i] = (char)(x >> (at % 8 * 8));
    }
}

/* What meta says of an object, and how long its body is. */
struct body_meta {
    unsigned key;
    unsigned version;
    uint64_t length;
};

static inline struct disk *
body_open(struct disk_io *io, const char *path, unsigned segments)
{
    struct disk_options options = {
        .path = path,
        .budget = segments * BODY_SEGMENT + BODY_OVERHEAD,
        .segment_size = BODY_SEGMENT,
        .io = io,
    };
    struct buf problem = {0};
    struct disk *disk;

    if (disk_open(&options, &disk, &problem) != ERR_OK)
        fprintf(stderr, "not opened: %s\n", problem.data);
    buf_fini(&problem);
    return disk;
}

/* Writes a version of an object, in pieces. */
static inline enum err
body_put(struct disk *disk, unsigned key, unsigned version, uint64_t length)
{
    struct body_meta meta = {key, version, length};
    struct disk_write *write;
    struct body_key k;
    char piece[3000];
    enum err err =
        disk_write_begin(disk, body_key(&k, key), 0,
                         version % 2 ? length : DISK_LENGTH_UNKNOWN, &write);

    for (uint64_t at = 0; err == ERR_OK && at < length;) {
        size_t n =
            length - at < sizeof(piece) ? (size_t)(length - at) : sizeof(piece);

        body_fill(piece, n, at, key, version);
        err = disk_write_append(write, piece, n);
        at += n;
    }
    if (err != ERR_OK) {
        disk_write_abort(&write);
        return err;
    }
    return disk_write_commit(&write,
                             (struct span){(const char *)&meta, sizeof(meta)});
}

/* Whether bytes of a body are what they must be. */
static inline bool
body_holds(const char *bytes, size_t len, uint64_t offset, unsigned key,
           unsigned version)
{
    char *want = mem_alloc(len);

    body_fill(want, len, offset, key, version);
    bool same = len == 0 || memcmp(want, bytes, len) == 0;

    free(want);
    return same;
}

/* The version of an object that is there, 0: none. Stops when anything of it
 * is wrong; a body that cannot be read is as good as none. */
static inline unsigned
body_get(struct disk *disk, unsigned key)
{
    struct disk_record *record;
    struct body_meta meta;
    struct body_key k;

    if (disk_find(disk, body_key(&k, key), 0, DISK_WAIT, &record) != ERR_OK)
        return 0;
    struct span bytes = disk_record_meta(record);

    CHECK(bytes.len == sizeof(meta));
    memcpy(&meta, bytes.ptr, sizeof(meta));
    CHECK(meta.key == key && meta.version != 0);
    CHECK(disk_record_length(record) == meta.length);
    size_t length = (size_t)meta.length;
    char *body = mem_alloc(length);
    enum err err = disk_read(record, 0, body, length, DISK_WAIT);

    if (err == ERR_OK)
        CHECK(body_holds(body, length, 0, key, meta.version));
    else
        CHECK(err == ERR_IO);
    free(body);
    disk_record_unref(&record);
    return err == ERR_OK ? meta.version : 0;
}

#endif
