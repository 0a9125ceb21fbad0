/* Asking other nodes: what is sent, and what of their answers counts here. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/auth.h"
#include "cluster/inval.h"
#include "cluster/position.h"
#include "fill_internal.h"
#include "http/tags.h"
#include "peer_fields_internal.h"

/* Tag fields before a body: 64 KiB of values, and their names. */
#define PREFACE_MAX (TAGS_BYTES_MAX + 8192)

/* A home node that must ask the origin itself gets the origin's time. */
static uint64_t
patience_ms(const struct fill *fill, const struct peer_choice *peer)
{
    uint64_t ms = fill->snapshot->conf->peers.timeout_ms;

    if (peer->kind == PEER_HOME)
        ms += fill->policy->route->origin->first_byte_timeout_ms;
    return ms;
}

static void
peer_fields(struct fill *fill, const struct peer_choice *peer,
            struct fields *fields, struct buf *value)
{
    fields_add_all(fields, pack_fields(fill->upstream));
    fields_remove(fields, SPAN("Cache-Control"));
    fields_remove(fields, SPAN("Pragma"));
    struct auth_request request = {
        .op =
            peer->kind == PEER_HOME && !fill->peer_stale ? AUTH_FILL : AUTH_GET,
        .to = span_of(peer->node),
        .method = SPAN("GET"),
        .host = fields_get(fields, SPAN("Host")),
        .target = span_of(fill->target),
    };

    auth_sign(fill->worker->engine->parts.auth, &request, clock_wall_ms(),
              value);
    fields_add(fields, SPAN(AUTH_FIELD), buf_span(value));
    if (fill->peer_stale)
        fields_add(fields, SPAN(PEER_STALE_FIELD), SPAN("1"));
}

/* A home may wait for the origin as long as it answers its probes; one that is
 * silent there as well keeps nobody waiting. */
static void
on_patience(void *arg)
{
    struct fill *fill = arg;
    const struct peer_choice *peer = &fill->peers[fill->peer_next - 1];

    TAG_CHECK(fill, FILL_TAG);
    if (fill->fetch == NULL || fill->received_ns != fill->attempt_ns)
        return; /* its head has come */
    if (peers_answers(fill->worker->engine->parts.peers, peer->node))
        timer_start(fill->patience, fill->snapshot->conf->peers.timeout_ms);
    else
        fill_peer_lost(fill);
}

static void
watch_home(struct fill *fill)
{
    if (fill->patience == NULL)
        fill->patience = timer_new(fill->worker->loop, on_patience, fill);
    timer_start(fill->patience, fill->snapshot->conf->peers.timeout_ms);
}

bool
fill_ask_peer(struct fill *fill)
{
    struct fields fields = {0};
    struct buf value = {0};

    fill_preface_free(fill);
    if (fill->peer_next >= fill->peer_count)
        return false;
    const struct peer_choice *peer = &fill->peers[fill->peer_next++];
    uint64_t patience = patience_ms(fill, peer);

    fill->attempt_ns = clock_boot_ns();
    fill->received_ns = fill->attempt_ns;
    fill_name_upstream(fill, SPAN("peer "), peer->node);
    peer_fields(fill, peer, &fields, &value);
    struct fetch_request request = {
        .method = SPAN("GET"),
        .url_base = span_of(peer->base_url),
        .target = span_of(fill->target),
        .fields = &fields,
        .connect_timeout_ms = fill->snapshot->conf->peers.timeout_ms,
        .first_byte_timeout_ms = patience,
        .idle_timeout_ms = patience,
        .idempotent = false, /* a nonce is good once */
    };
    fill->fetch =
        fetch_start(fill->worker->fetch, &request, fill_fetch_ops(), fill);
    fields_fini(&fields);
    buf_fini(&value);
    if (peer->kind == PEER_HOME)
        watch_home(fill);
    else if (fill->patience != NULL)
        timer_stop(fill->patience);
    return true;
}

/* Where the peer's copy stands among our invalidations (invariant L1: at most
 * where we stood when we asked). */
static bool
counts_here(struct fill *fill, const struct fetch_head *head)
{
    struct inval *inval = fill->worker->engine->parts.inval;
    struct position theirs;
    struct inval_subject subject = fill_subject(fill);

    /* None: it has met no stream, or the copy is below its floor. That is less
     * than any site we know, and enough as a last resort, unless we know that
     * it is gone. */
    if (position_parse(fields_get(head->fields, SPAN(PEER_POSITION_FIELD)),
                       &theirs))
        fill->answer_position =
            inval_localize(inval, &theirs, fill->position, &subject);
    else if (fill->peer_stale)
        fill->answer_position = 0;
    else
        return false;
    enum validity validity =
        inval_check(inval, &subject, fill->answer_position);

    if (validity == VALIDITY_VALID)
        return true;
    return fill->peer_stale && validity != VALIDITY_HARD;
}

bool
fill_judge_peer(struct fill *fill, const struct fetch_head *head)
{
    struct span result = fields_get(head->fields, SPAN(PEER_RESULT_FIELD));
    bool stale = span_eq(result, SPAN("stale"));

    if (!span_eq(result, SPAN("hit")) && !stale) {
        counter_add(COUNTER_PEER_ASKED_MISS, 1);
        return false;
    }
    if ((stale && !fill->peer_stale) || !counts_here(fill, head)) {
        counter_add(COUNTER_PEER_ASKED_MISS, 1);
        return false;
    }
    counter_add(COUNTER_PEER_ASKED_HIT, 1);
    fill->from_peer = true;
    fill->peer_is_stale = stale;
    return true;
}

/* ---- tags before a body ---- */

struct fill_preface {
    struct fetch_head head; /* its fields are in `fields` */
    struct pack *fields;
    struct buf text;
    size_t left; /* bytes to come */
};

bool
fill_preface_begin(struct fill *fill, const struct fetch_head *head)
{
    struct span value = fields_get(head->fields, SPAN(PEER_TAGS_FIELD));
    uint64_t bytes;

    if (value.ptr == NULL)
        return false;
    if (!span_u64(value, UINT64_MAX, &bytes) || bytes == 0 ||
        bytes > PREFACE_MAX || head->no_body ||
        (head->content_length >= 0 && (uint64_t)head->content_length < bytes)) {
        counter_add(COUNTER_PEER_ASKED_MISS, 1);
        return true;
    }
    fill->preface = mem_zalloc(sizeof(*fill->preface));
    fill->preface->head = *head;
    fill->preface->fields = pack_new(head->fields);
    fill->preface->left = (size_t)bytes;
    return true;
}

static void
judge_with_tags(struct fill *fill, struct fill_preface *preface)
{
    struct fetch_head head = preface->head;
    struct fields fields = {0};

    fields_add_all(&fields, pack_fields(preface->fields));
    head.fields = &fields;
    if (head.content_length >= 0)
        head.content_length -= (int64_t)preface->text.len;
    if (tags_read(buf_span(&preface->text), &fields))
        fill_judge(fill, &head);
    else
        counter_add(COUNTER_PEER_ASKED_MISS, 1);
    fields_fini(&fields);
}

static void
preface_free(struct fill_preface *preface)
{
    pack_unref(&preface->fields);
    buf_fini(&preface->text);
    free(preface);
}

/* What follows in the same piece is taken by the caller in any case: bytes
 * that were refused would come again, and these with them. No body is so full
 * before its first byte that it refuses. */
bool
fill_preface_take(struct fill *fill, const void **data, size_t *len)
{
    struct fill_preface *preface = fill->preface;

    if (preface == NULL)
        return true;
    size_t take = *len < preface->left ? *len : preface->left;

    buf_add(&preface->text, *data, take);
    preface->left -= take;
    *data = (const char *)*data + take;
    *len -= take;
    if (preface->left > 0)
        return false;
    fill->preface = NULL;
    judge_with_tags(fill, preface);
    preface_free(preface);
    return *len > 0;
}

void
fill_preface_free(struct fill *fill)
{
    if (fill->preface != NULL)
        preface_free(fill->preface);
    fill->preface = NULL;
}
