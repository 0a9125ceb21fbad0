/* An error of the origin, and the copy that may stand in for it. */
#include "base/log.h"
#include "cluster/inval.h"
#include "fill_internal.h"

void
fill_end_body(struct fill *fill, const struct fetch_result *result)
{
    if (result->err != ERR_OK && result->err != ERR_CANCELLED) {
        LOG(LOG_WARN, "%s: %s %.*s%.*s: the body broke off: %s",
            fill->upstream_name, fill->method, SPAN_FMT(fill->key.host),
            SPAN_FMT(fill->key.path_query), result->detail);
        /* Readers look at it once they have seen the end. */
        fill->proxy_error = result->proxy_error;
    }
    blob_finish(fill->body, result->err);
}

static bool
purged(const struct fill *fill, const struct object *object)
{
    struct inval_subject subject = {
        .host = object->key.host,
        .path = object->key.path_query,
        .tags = object->tags,
        .tag_count = object->tag_count,
    };

    return inval_check(fill->worker->engine->parts.inval, &subject,
                       object_checked(object)) == VALIDITY_HARD;
}

bool
fill_would_hide(const struct fill *fill)
{
    if (fill->status < 500)
        return false;
    struct object *stored = fill_search_find(fill);

    if (stored == NULL || stored->status >= 500 || purged(fill, stored))
        return false;
    uint64_t age_s =
        caching_age_s(&stored->caching, stored->received_ns, fill->received_ns);

    return caching_stale_usable(&stored->caching, age_s, 0, true, NULL);
}
