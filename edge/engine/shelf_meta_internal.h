/*
 * What a record on disk says of its object, beside key and body: encoded and
 * decoded. Pure. Numbers are as this machine has them, as in the log itself.
 *
 * Times are of the clock that runs from the start of the machine, with the
 * machine's start (an id) and both clocks as it was written. Within one start
 * they count as they are; after another one the wall clock says how much time
 * has passed, and when it has gone back, nobody knows: then it is stale.
 */
#ifndef ENGINE_SHELF_META_INTERNAL_H
#define ENGINE_SHELF_META_INTERNAL_H

#include "base/buf.h"
#include "base/hash.h"
#include "http/caching.h"
#include "http/fields.h"
#include "http/vary.h"

#define SHELF_FIELDS_MAX 1024

struct shelf_clock {
    struct hash128 boot; /* which start of the machine */
    uint64_t boot_ns;    /* clock_boot_ns */
    int64_t wall_ms;
};

struct shelf_meta {
    struct hash128 journal; /* whose number it is */
    uint64_t number;        /* valid up to this */
    struct span position;   /* the same as a vector (cluster/position.h) */
    struct shelf_clock written;
    uint64_t sent_ns; /* as in struct object; sent, received, written: in
                       * this order */
    uint64_t received_ns;
    struct caching caching; /* why_not NULL */
    unsigned status;
    bool path_tag;            /* the path's hash is among its tags */
    struct fields fields;     /* spans are the text's */
    struct fields tag_fields; /* none, or some */
    struct field vary[VARY_NAMES_MAX];
    size_t vary_count;
};

void shelf_meta_print(const struct shelf_meta *meta, struct buf *out);
/* False, and nothing to free, for anything else than that prints. */
bool shelf_meta_parse(struct span text, struct shelf_meta *meta);
void shelf_meta_fini(struct shelf_meta *meta);

/* A number for the variant; 0: nothing selects it. */
uint64_t shelf_variant(const struct field *vary, size_t count);

/* When it was sent and received, as of now; and its caching by that. */
struct shelf_times {
    uint64_t sent_ns;
    uint64_t received_ns;
    struct caching caching;
};
void shelf_meta_times(const struct shelf_meta *meta,
                      const struct shelf_clock *now, struct shelf_times *times);

#endif
