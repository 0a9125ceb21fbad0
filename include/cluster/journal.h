/*
 * The invalidations that this node has applied, on disk: what is stored there
 * outlives the process, and so must what is known against it.
 *
 * Every entry, every floor and every move in a site's stream is written down
 * under its local number, in order; a start does it all again, and goes on
 * reading the streams from there, so that nothing lies between. An object on
 * disk is then judged by its number as one in memory is. The oldest part is
 * dropped when it has grown to 16 MiB: what is numbered below counts as purged.
 *
 * What cannot be read (a fault of the disk) may have been anything: all before
 * it counts as purged. A torn end was never counted on: nobody claims a number
 * that is not synced. When the journal cannot be written it is removed, so that
 * nothing on the disk counts after the next start.
 *
 * All of this belongs to the control thread, but what says otherwise.
 */
#ifndef CLUSTER_JOURNAL_H
#define CLUSTER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "cluster/inval.h"
#include "cluster/inval_restore.h"

struct journal;
struct loop;

/* Reads the files of the folder into the tables, which are new, or begins; from
 * then on whatever is done there is written down. NULL, with the reason and the
 * remedy in why[size]. One process alone may have the folder: that is for the
 * caller to see to. */
struct journal *journal_open(struct loop *loop, const char *folder,
                             struct inval *inval, char *why, size_t size);
/* Waits until all is on the disk, or has failed; from then on nothing more is
 * written down, and nobody called back. */
void journal_finish(struct journal *journal);
/* That, and the end. */
void journal_close(struct journal **journal);

/* Random, of this journal for life: numbers mean something within it alone.
 * Any thread. */
struct hash128 journal_id(const struct journal *journal);

/* What the routes promise: a start under a configuration that differs raises
 * the floor, if the new one promises anything (print not 0). */
void journal_levels(struct journal *journal, uint64_t print, bool at_start);

/* Calls fn when all that was done so far is on the disk, or cannot be. Not from
 * inside; never after journal_close. */
typedef void (*journal_fn)(void *arg);
void journal_when_synced(struct journal *journal, journal_fn fn, void *arg);

/* ---- any thread ---- */

/* All numbers up to this are on the disk; 0: the journal is of no use any
 * more. */
uint64_t journal_synced(struct journal *journal);
/* Waits until a number is, for at most ms. */
void journal_await(struct journal *journal, uint64_t number, uint64_t ms);

#endif
