/* Tags of a response (http/tags.h), which are kept apart from its fields, on
 * their way out: to another node, or to a client that may see them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/forward.h"
#include "http/tags.h"
#include "peer_fields_internal.h"
#include "tx_internal.h"

struct tx_preface {
    struct buf text;
    size_t sent;
    char size[24]; /* of the text, for the head */
};

/* What is sent of them at all is all of them, or none. */
static bool
fits(const struct fields *fields, const struct fields *tags)
{
    return forward_size(fields) + forward_size(tags) <= FILL_HEAD_MAX;
}

bool
tx_add_tags(struct tx *tx, unsigned status, const struct pack *tags,
            struct fields *fields)
{
    bool peer = tx->ask.source != PLAN_CLIENT;

    tx_preface_free(tx);
    if (tags == NULL || (!peer && !tx->policy->route->tags_to_client))
        return true;
    if (fits(fields, pack_fields(tags))) {
        fields_add_all(fields, pack_fields(tags));
        return true;
    }
    if (!peer)
        return true;
    if (status == 204 || status == 205 || status == 304 || tx->ask.head)
        return false; /* nothing may stand before no body */
    tx->preface = mem_zalloc(sizeof(*tx->preface));
    tags_write(pack_fields(tags), &tx->preface->text);
    snprintf(tx->preface->size, sizeof(tx->preface->size), "%zu",
             tx->preface->text.len);
    return true;
}

size_t
tx_preface_len(const struct tx *tx)
{
    return tx->preface ? tx->preface->text.len : 0;
}

void
tx_preface_field(const struct tx *tx, struct fields *fields)
{
    if (tx->preface != NULL)
        fields_add(fields, SPAN(PEER_TAGS_FIELD), span_of(tx->preface->size));
}

size_t
tx_preface_read(struct tx *tx, void *buffer, size_t max)
{
    struct tx_preface *preface = tx->preface;

    if (preface == NULL)
        return 0;
    size_t left = preface->text.len - preface->sent;
    size_t len = left < max ? left : max;

    memcpy(buffer, preface->text.data + preface->sent, len);
    preface->sent += len;
    return len;
}

void
tx_preface_free(struct tx *tx)
{
    if (tx->preface != NULL)
        buf_fini(&tx->preface->text);
    free(tx->preface);
    tx->preface = NULL;
}
