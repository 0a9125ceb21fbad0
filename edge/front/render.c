/*
 * Rendered responses: what libmicrohttpd made of a reply, kept for the next
 * one that is the same to the last byte. The identity holds the Age in
 * seconds, so an entry is of use for a second; two ticks later it is dropped,
 * and with it the hold on the object.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "front_internal.h"

#define SLOTS 1024 /* a power of two */

struct render {
    struct slot {
        struct tx_identity identity;
        struct rendered rendered; /* response NULL: free */
        bool used;                /* since the last tick */
    } slots[SLOTS];
};

struct render *
render_new(void)
{
    return mem_zalloc(sizeof(struct render));
}

static void
drop(struct slot *slot)
{
    if (slot->rendered.response != NULL)
        MHD_destroy_response(slot->rendered.response);
    *slot = (struct slot){0};
}

void
render_free(struct render **renders)
{
    for (size_t i = 0; *renders != NULL && i < SLOTS; i++)
        drop(&(*renders)->slots[i]);
    free(*renders);
    *renders = NULL;
}

static struct slot *
slot_of(struct render *renders, struct tx_identity identity)
{
    uint64_t mixed = identity.object * UINT64_C(0x9e3779b97f4a7c15);

    return &renders->slots[(mixed >> 32 ^ (identity.form & 1)) & (SLOTS - 1)];
}

const struct rendered *
render_find(struct render *renders, struct tx_identity identity)
{
    struct slot *slot = slot_of(renders, identity);

    if (slot->rendered.response == NULL ||
        slot->identity.object != identity.object ||
        slot->identity.form != identity.form)
        return NULL;
    slot->used = true;
    return &slot->rendered;
}

void
render_keep(struct render *renders, struct tx_identity identity,
            const struct rendered *rendered)
{
    struct slot *slot = slot_of(renders, identity);

    drop(slot);
    slot->identity = identity;
    slot->rendered = *rendered;
    slot->used = true;
}

void
render_tick(struct render *renders)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &renders->slots[i];

        if (slot->rendered.response != NULL && !slot->used)
            drop(slot);
        slot->used = false;
    }
}
