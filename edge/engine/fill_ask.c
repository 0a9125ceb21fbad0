/* What a fill asks: the request to an origin, and the moment it is sent. */
#include <stdio.h>

#include "base/clock.h"
#include "cluster/inval.h"
#include "fill_internal.h"
#include "http/conditional.h"

/* What the fields of the client become when the cache itself asks. */
static void
add_own_fields(struct fill *fill, struct fields *fields)
{
    fields_add_all(fields, pack_fields(fill->upstream));
    if (fill->strict) {
        fields_remove(fields, SPAN("Cache-Control"));
        fields_remove(fields, SPAN("Pragma"));
        fields_add(fields, SPAN("Cache-Control"), SPAN("no-cache"));
    }
    if (fill->base != NULL)
        conditional_for_validation(pack_fields(fill->base->fields), fill->cp,
                                   fields);
}

/* Adds what asks only for the rest of a body: see tx_resume. The two values
 * live in `range` and the fill. */
static void
add_resume_fields(struct fill *fill, struct fields *fields, struct buf *range)
{
    if (!fill->resuming)
        return;
    fields_remove(fields, SPAN("Range"));
    fields_remove(fields, SPAN("If-Range"));
    buf_printf(range, "bytes=%llu-", (unsigned long long)fill->resume_at);
    fields_add(fields, SPAN("Range"), buf_span(range));
    fields_add(fields, SPAN("If-Range"), span_of(fill->resume_etag));
}

static void
no_server_left(struct fill *fill)
{
    fill->never_sent = fill->attempts == 0;
    fill_fail(fill, ERR_REFUSED, "destination_unavailable",
              "no server of the origin group could be reached");
    fill_over(fill);
}

void
fill_name_upstream(struct fill *fill, struct span kind, const char *name)
{
    char *text = fill->upstream_name;
    size_t len = span_put(text, sizeof(fill->upstream_name), 0, kind);

    (void)span_put(text, sizeof(fill->upstream_name), len, span_of(name));
}

void
fill_ask_again(struct fill *fill)
{
    const struct conf_origin *conf = fill->policy->route->origin;
    struct fields fields = {0};
    struct buf range = {0};
    struct span url;

    fill->attempt_ns = clock_boot_ns();
    if (!origin_pick(fill->policy->origin, fill->attempt_ns, &fill->tried,
                     &fill->server, &url)) {
        no_server_left(fill);
        return;
    }
    fill->attempts++;
    fill_name_upstream(fill, SPAN("origin "), conf->name);
    add_own_fields(fill, &fields);
    add_resume_fields(fill, &fields, &range);
    fill_prefix_fields(fill, &fields, &range);
    struct fetch_request request = {
        .method = span_of(fill->method),
        .url_base = url,
        .target = span_of(fill->target),
        .fields = &fields,
        .has_body = fill->has_body,
        .body_len = fill->body_len,
        .connect_timeout_ms = conf->connect_timeout_ms,
        .first_byte_timeout_ms = conf->first_byte_timeout_ms,
        .idle_timeout_ms = conf->idle_timeout_ms,
        .tls_verify = conf->tls_verify,
        .ca_file = conf->ca_file[0] != '\0' ? conf->ca_file : NULL,
        .idempotent = fill->safe && !fill->has_body,
    };
    fill->fetch =
        fetch_start(fill->worker->fetch, &request, fill_fetch_ops(), fill);
    fields_fini(&fields);
    buf_fini(&range);
}

static bool
is_gone(struct inval *inval, const struct object *object)
{
    struct inval_subject subject = {
        .host = object->key.host,
        .path = object->key.path_query,
        .tags = object->tags,
        .tag_count = object->tag_count,
    };

    return inval_check(inval, &subject, object_checked(object)) ==
           VALIDITY_HARD;
}

void
fill_send(struct fill *fill)
{
    struct inval *inval = fill->worker->engine->parts.inval;

    fill->position = inval_seq(inval);
    fill->sent_ns = clock_boot_ns();
    fill->answer_position = fill->position;
    flight_sent(&fill->flight);
    /* A hard purge came since: a 304 must not bring the copy back, nor the rest
     * of it. */
    if (fill->base != NULL && is_gone(inval, fill->base))
        object_unref(&fill->base);
    if (fill->prefix != NULL && is_gone(inval, fill->prefix))
        object_unref(&fill->prefix);
    /* Who seeks a peer's stale copy has been to the origin. */
    if (fill->peer_count == 0 && !fill->peer_stale) {
        fill_ask_again(fill);
    } else if (!fill_ask_peer(fill)) {
        fill_publish(fill, FILL_NO_PEER);
        fill_over(fill);
    }
}
