/*
 * The disk store: one directory that keeps more objects than memory does, and
 * keeps them over a restart. A log of segments, each a file that is written
 * from front to back and never again; an index in memory of 32 bytes a record;
 * the oldest segment makes room for the next one, and what of it was asked for
 * since is written anew (FIFO with reinsertion: Yang and others, "FIFO queues
 * are all you need for cache eviction", SOSP 2023. The log: Rosenblum and
 * Ousterhout, "The design and implementation of a log-structured file system",
 * SOSP 1991).
 *
 * A record is a key, a variant of it (a number of the caller's), what the
 * caller says of it (`meta`) and a body of any length. All of it has checksums;
 * a body has one for each DISK_SLICE bytes, so that a part of it is verified
 * without the rest. What fails its checksum is dropped, never served.
 *
 * Any thread. What may wait for the disk belongs on a pool's thread: all but
 * disk_admit, disk_remove without `lasting`, disk_stats, disk_record_*, and
 * what is asked with DISK_NOW. Those take a mutex for a short time, and none
 * that is held during I/O.
 *
 * What it does not do: decide what is fresh or valid. What is invalidated
 * while a record lies here, or while the node is down, is found by the
 * positions that the caller puts in meta. It syncs when a segment is full and
 * when asked: a record that was committed after the last disk_sync may be gone
 * after a power failure, and one that it replaced be back; and so it is when a
 * disk damages what was synced.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct disk;
struct disk_io;
struct disk_record;
struct disk_write;

#define DISK_SLICE ((size_t)64 * 1024)
#define DISK_SEGMENT_MIN ((uint64_t)64 * 1024)
#define DISK_SEGMENT_MAX ((uint64_t)1024 * 1024 * 1024)
/* An open file each. */
#define DISK_SEGMENTS_MAX 4096
#define DISK_KEY_MAX ((size_t)64 * 1024)
#define DISK_META_MAX ((size_t)1024 * 1024)
#define DISK_LENGTH_UNKNOWN UINT64_MAX

struct disk_options {
    const char *path;      /* of the directory; made when it is missing */
    uint64_t budget;       /* bytes of all its files; four segments at least */
    uint64_t segment_size; /* 0: by the budget, 16 MiB to 1 GiB */
    struct disk_io *io;    /* NULL: the system's */
};

/*
 * Locks the directory, makes it a store when it is empty, and reads the index:
 * from the footers of segments, or record by record where a crash left none.
 * Segments that are not this store's are removed, and counted. On an error
 * *problem names the path, what is wrong with it and the remedy: ERR_CONFIG
 * (the options, a directory of something else, another version), ERR_REFUSED
 * (another process has it open), ERR_IO.
 */
enum err disk_open(const struct disk_options *options, struct disk **disk,
                   struct buf *problem);
/* How many files a store of these options may have open. */
size_t disk_files(const struct disk_options *options);
/* Syncs and seals what is open. No record and no write may be left. */
void disk_close(struct disk **disk);

/* A random number that belongs to the store for life: a node without a secret
 * of its own may seed what it keeps here by it (base/hash.h). */
uint64_t disk_seed(const struct disk *disk);

/*
 * Whether an object of this key and size is worth writing: at once when it was
 * hit in memory; else when it was refused before, and not long ago ("reject
 * first": Berg and others, "The CacheLib caching engine", OSDI 2020; the
 * window is as many bytes of refusals as the budget has). Most objects are
 * asked for once, and flash wears by what is written.
 */
bool disk_admit(struct disk *disk, struct span key, uint64_t size,
                bool was_hit);

/* ---- writing: one thread at a time for each disk_write ---- */

/*
 * Begins a record; `length` is that of its body, DISK_LENGTH_UNKNOWN when only
 * the end will tell. Nobody finds it before the commit. It costs memory for at
 * most 1 MiB of body. ERR_LIMIT: too large for this store (half of it), or it
 * takes no writes now.
 */
enum err disk_write_begin(struct disk *disk, struct span key, uint64_t variant,
                          uint64_t length, struct disk_write **write);
/* After an error (ERR_IO, ERR_LIMIT: no room, ERR_NOMEM) only the abort is
 * left. */
enum err disk_write_append(struct disk_write *write, const void *bytes,
                           size_t len);
/* Ends it, whatever it says, and puts the record in the place of an older one
 * of its key and variant. ERR_PROTOCOL: the body has another length. */
enum err disk_write_commit(struct disk_write **write, struct span meta);
/* NULL is ignored. */
void disk_write_abort(struct disk_write **write);

/* Takes the record of a variant out; DISK_VARIANTS_ALL: of all of the key.
 * `lasting`: it stays out after a restart, which takes a record of its own, as
 * durable as any (disk_sync); on an error it is out, but may come back. */
#define DISK_VARIANTS_ALL UINT64_MAX
enum err disk_remove(struct disk *disk, struct span key, uint64_t variant,
                     bool lasting);

/* What was committed or removed between disk_mark and this call survives what
 * may come. ERR_IO: a sync has failed since the mark, whoever asked for it, and
 * it may be lost: do it again, under a new mark. */
uint64_t disk_mark(struct disk *disk);
enum err disk_sync(struct disk *disk, uint64_t mark);

/* ---- reading ---- */

/* DISK_NOW: ERR_AGAIN rather than wait for the disk. */
enum disk_wait { DISK_WAIT, DISK_NOW };

/*
 * The latest record of the key for which `fits` says so (of 64 variants), with
 * a reference, which keeps its segments: hold it no longer than it is read.
 * Counts as a hit. ERR_NOT_FOUND; ERR_AGAIN; ERR_NOMEM.
 */
enum err disk_find_by(struct disk *disk, struct span key, enum disk_wait wait,
                      bool (*fits)(const struct disk_record *record, void *arg),
                      void *arg, struct disk_record **record);
enum err disk_find(struct disk *disk, struct span key, uint64_t variant,
                   enum disk_wait wait, struct disk_record **record);

/* Whether the index has anything for the key and variant: no I/O, and it may
 * be another key's once in 2^64. */
bool disk_may_have(struct disk *disk, struct span key, uint64_t variant);

struct disk_record *disk_record_ref(struct disk_record *record);
void disk_record_unref(struct disk_record **record);
uint64_t disk_record_variant(const struct disk_record *record);
uint64_t disk_record_length(const struct disk_record *record);
struct span disk_record_meta(const struct disk_record *record); /* borrowed */

/* Reads all of [offset, offset + len), verified; `bytes` NULL: verifies only.
 * ERR_IO: unreadable or wrong, and the record is dropped. ERR_AGAIN, ERR_NOMEM:
 * nothing is said of `bytes`. */
enum err disk_read(struct disk_record *record, uint64_t offset, void *bytes,
                   size_t len, enum disk_wait wait);

/* Where in which file the body goes on at `offset`, for *run bytes: for
 * sendfile, which verifies nothing (disk_read with NULL does, and warms the
 * pages). The descriptor lives as long as the record. */
enum err disk_body_at(struct disk_record *record, uint64_t offset,
                      enum disk_wait wait, int *fd, uint64_t *file_offset,
                      uint64_t *run);

/* Numbers: store/disk_stats.h. */

#endif
