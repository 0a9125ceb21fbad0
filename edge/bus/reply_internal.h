/*
 * Answers of Redis as our structs. Pure: whatever the answer is, it is read or
 * refused.
 */
#ifndef BUS_REPLY_INTERNAL_H
#define BUS_REPLY_INTERNAL_H

#include <hiredis/hiredis.h>

#include "base/buf.h"
#include "bus/bus_lease.h"

#define REPLY_ITEMS_MAX 64 /* of a pushed entry */

/* An entry and where it stands, as the publishing script pushes it. */
struct reply_push {
    struct bus_era era;
    struct bus_entry entry;
    struct span items[REPLY_ITEMS_MAX];
};

/* A row of the node table as the script gives it. */
struct reply_row {
    struct span id;
    struct span payload;
    uint64_t beat;
    uint64_t age_ms;
};

/* Adds "LEN:bytes" for each item to "A1 EPOCH TERM N\n": what the publishing
 * script sends. push->entry.items points into *push, the spans into `text`. */
bool reply_push(struct span text, struct reply_push *push);

/* {epoch, term} */
bool reply_era(const redisReply *reply, struct bus_era *era);

bool reply_published(const redisReply *reply, struct bus_era *era, uint64_t *n);

/* sync->entries and all it points to, beside the texts of the reply, are in
 * one allocation, *memory, which the caller frees. */
bool reply_sync(const redisReply *reply, struct bus_sync *sync, void **memory);

/* The beginning of an answer of `elements`. */
bool reply_lease(const redisReply *reply, size_t elements,
                 struct bus_lease *lease);
/* *holders is allocated; the caller frees it. */
bool reply_watched(const redisReply *reply, struct bus_watched *watched,
                   struct bus_holder **holders);
/* "A1 TERM N ID" */
bool reply_ack(struct span text, struct bus_holder *holder);

/* *rows is allocated; the caller frees it. */
bool reply_rows(const redisReply *reply, struct reply_row **rows,
                size_t *count);

/* "12-0" */
bool reply_id(struct span text, struct bus_id *id);

#endif
