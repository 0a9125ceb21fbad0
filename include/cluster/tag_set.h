/*
 * The tags and groups of a response, as invalidations see them: hashes, in
 * order, each once. Everything here is linear, or sorts, in their number: an
 * origin may send tens of thousands.
 */
#ifndef CLUSTER_TAG_SET_H
#define CLUSTER_TAG_SET_H

#include <stddef.h>

#include "base/hash.h"
#include "http/fields.h"

/* Zero-initialise to begin; tag_set_fini to end. */
struct tag_set {
    struct hash128 *list;
    size_t count;
    size_t cap;
};

/* Adds what the tag fields (http/tags.h) among `fields` say, for a response of
 * `host`, as its key has it. A group counts twice: as one of its host, and as
 * the tag of that name, for operators. Then call tag_set_sort. */
void tag_set_add(struct tag_set *set, struct span host,
                 const struct fields *fields);
void tag_set_sort(struct tag_set *set);
/* Adds `count` hashes that are in order, each there once. */
void tag_set_merge(struct tag_set *set, const struct hash128 *more,
                   size_t count);
void tag_set_fini(struct tag_set *set);

#endif
