/* What is asked of the shelf's thread. */
#ifndef ENGINE_SHELF_QUEUE_INTERNAL_H
#define ENGINE_SHELF_QUEUE_INTERNAL_H

#include "shelf_internal.h"

struct shelf_item {
    struct list_link link;
    struct object *object; /* to be written; NULL: to be dropped */
    uint64_t variant;      /* or DISK_VARIANTS_ALL */
    size_t bytes;
    struct key key; /* with a text of its own */
    char *text;
};

/* It has been seen to. */
void shelf_item_free(struct shelf *shelf, struct shelf_item *item);
/* What selects the object, as pairs; how many. */
size_t shelf_vary_of(const struct object *object,
                     struct field vary[VARY_NAMES_MAX]);

#endif
