/*
 * The digest that another node sends: a head, as lines "Name: value", an empty
 * line, and a body, which comes in pieces. It never grows beyond what the head
 * has announced.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cluster/peers_internal.h"
#include "fetch/fetch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECE 7

static void
take_fields(struct span *rest, struct fields *out)
{
    struct span line;

    while (span_split(rest, '\n', &line) && line.len > 0) {
        size_t colon = span_find(line, ':', 0);

        fields_add(out, span_sub(line, 0, colon),
                   span_trim(span_sub(line, colon + 1, line.len)));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fetch_ops *ops = peers_digest_ops();
    struct peer peer = {.refused_logged = true};
    struct fields fields = {0};
    char *copy = malloc(size + 1);
    struct span rest = {copy, size};

    CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    take_fields(&rest, &fields);
    struct fetch_head head = {.status = 200, .minor = 1, .fields = &fields};

    ops->on_head(&peer, &head);
    CHECK(peer.coming == NULL || peer.coming->slots >= 64);
    CHECK(strlen(peer.coming_etag) < sizeof(peer.coming_etag));
    while (rest.len > 0) {
        size_t len = rest.len < PIECE ? rest.len : PIECE;

        if (ops->on_body(&peer, rest.ptr, len) != ERR_OK)
            break;
        CHECK(peer.coming == NULL || peer.coming_len <= peer.coming->slots / 8);
        rest = span_sub(rest, len, rest.len);
    }
    peers_bits_unref(&peer.coming);
    fields_fini(&fields);
    free(copy);
    return 0;
}
