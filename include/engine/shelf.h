/*
 * The shelf: what this node keeps on disk, above the log of store/disk.h. It
 * knows what an object's record is, when one is worth writing, and under what
 * it still counts.
 *
 * A record keeps the local invalidation number up to which its object was found
 * valid, and a journal keeps what has which number (cluster/journal.h): so an
 * object that is read from disk, after a restart, too, is judged by the one
 * rule that all objects are judged by. The position in the sites' streams is
 * there as well, for when the journal is another one.
 *
 * Objects are written by a thread of their own, when they are hit in memory for
 * the first time, or come back soon; read by the worker when their pages are in
 * memory, else by the pool. What takes an object's place in memory takes it on
 * disk, too, or the record goes.
 *
 * One is made by main before the threads start, and closed after they ended.
 */
#ifndef ENGINE_SHELF_H
#define ENGINE_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/disk_stats.h"

struct buf;
struct conf;
struct inval;
struct journal;
struct loop;
struct object;
struct shelf;
struct streams;

/* Opens what is in conf->disk (whose size is not 0), and brings `inval`, which
 * is new, to where it was. On the control thread; waits for the disk. On an
 * error *problem says where, what and the remedy. */
enum err shelf_open(struct loop *control, const struct conf *conf,
                    struct inval *inval, struct shelf **shelf,
                    struct buf *problem);
/* Nobody uses it any more. Writes what waits, syncs, and seals. */
void shelf_close(struct shelf **shelf);

/* How many files it may have open. */
size_t shelf_files(const struct conf *conf);

/* What the streams go on by, after it was opened. */
struct journal *shelf_journal(struct shelf *shelf);

/* From here on it answers: once the streams have been read to their end, or
 * two seconds later when they cannot be. On the control thread. */
void shelf_begin(struct shelf *shelf, struct loop *control,
                 const struct streams *streams);

/* A reload: what the routes promise now. On the control thread. */
void shelf_configure(struct shelf *shelf, const struct conf *conf);

/* ---- for the operator ---- */

struct shelf_status {
    struct disk_stats disk;
    uint64_t waiting;       /* objects to be written, or taken out */
    uint64_t waiting_bytes; /* of their bodies */
    bool answers;           /* false: it waits for the streams at a start */
    bool journal;           /* false: the journal could not be written */
};
/* Any thread. */
void shelf_status(struct shelf *shelf, struct shelf_status *status);

#endif
