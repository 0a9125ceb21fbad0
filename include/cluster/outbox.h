/*
 * Invalidations that are not published yet, kept on disk: a purge that reached
 * no stream, and what a write through this node will invalidate whatever
 * becomes of it (an intent, written before the write is forwarded).
 *
 * One file, only added to; what is added counts once it is on the disk
 * (fdatasync), in groups, off the loop. A record is a line with a checksum: a
 * torn or damaged tail is dropped, and said. Whoever opens it has it alone.
 *
 * All of this belongs to the control thread.
 */
#ifndef CLUSTER_OUTBOX_H
#define CLUSTER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cluster/purge.h"

struct loop;
struct outbox;

/* Makes the folder's file or reads it. NULL, with the reason and the remedy in
 * why[size]: it cannot be written, or another process has it. */
struct outbox *outbox_open(struct loop *loop, const char *folder, char *why,
                           size_t size);
/* Waits until what was added is on the disk or has failed; calls back no
 * more. */
void outbox_close(struct outbox **outbox);

enum outbox_kind {
    OUTBOX_PURGE, /* to be published */
    OUTBOX_INTENT /* a write is under way */
};

/* One of them, as long as it is in the outbox. */
struct outbox_entry {
    uint64_t id; /* grows in the order of adding, also over restarts */
    enum outbox_kind kind;
    bool inherited; /* from before this start */
    struct purge purge;
    /* Its owner's (stream_outbox.c), and not on the disk. */
    enum {
        OUTBOX_WAITS, /* an intent: for its write, or for due_ns */
        OUTBOX_DUE,   /* to be published */
        OUTBOX_SENT   /* on its way */
    } state;
    bool again;      /* to be published once more, after that */
    uint64_t due_ns; /* 0: not known yet */
    bool held;
    struct inval_hold hold; /* what it bars, if it is held */
};

/* From the loop, once: it is on the disk, or could not be written (and is not
 * in the outbox any more). */
typedef void (*outbox_fn)(void *arg, enum err err, uint64_t id);
/* `purge` is copied. Gives the id; 0, and `fn` is not called, when it is full.
 */
#define OUTBOX_MAX 100000 /* entries */
uint64_t outbox_add(struct outbox *outbox, enum outbox_kind kind,
                    const struct purge *purge, outbox_fn fn, void *arg);
/* NULL: it is not there, or no more. */
struct outbox_entry *outbox_find(struct outbox *outbox, uint64_t id);
/* It need not be kept any more (when its outbox_fn has not fired yet, it will
 * not). That is written with the next group: after a
 * crash it may be there once more. */
void outbox_done(struct outbox *outbox, uint64_t id);

/* No outbox_fn fires any more for what was added so far. */
void outbox_silence(struct outbox *outbox);

/* The first with an id over `after`, that is on the disk; NULL: none. Valid
 * until it is done. */
struct outbox_entry *outbox_next(const struct outbox *outbox, uint64_t after);
size_t outbox_count(const struct outbox *outbox);
/* Random, of this file: with an id it names an entry for ever. */
const char *outbox_name(const struct outbox *outbox);

#endif
