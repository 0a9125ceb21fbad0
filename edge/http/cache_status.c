#include "http/cache_status.h"

#include "base/check.h"
#include "http/sf_internal.h"

#define KEY_SHOWN 256
/* RFC 9651 section 3.3.1: integers have at most 15 digits. */
#define INTEGER_MAX INT64_C(999999999999999)

const char *
cache_fwd_name(enum cache_fwd fwd)
{
    static const char *const names[CACHE_FWD_COUNT] = {
        [CACHE_FWD_NONE] = "",
        [CACHE_FWD_BYPASS] = "bypass",
        [CACHE_FWD_METHOD] = "method",
        [CACHE_FWD_URI_MISS] = "uri-miss",
        [CACHE_FWD_VARY_MISS] = "vary-miss",
        [CACHE_FWD_MISS] = "miss",
        [CACHE_FWD_REQUEST] = "request",
        [CACHE_FWD_STALE] = "stale",
        [CACHE_FWD_PARTIAL] = "partial",
    };

    CHECK(fwd < CACHE_FWD_COUNT);
    return names[fwd];
}

static void
add_ttl(struct buf *out, int64_t ttl_s)
{
    if (ttl_s > INTEGER_MAX)
        ttl_s = INTEGER_MAX;
    if (ttl_s < -INTEGER_MAX)
        ttl_s = -INTEGER_MAX;
    buf_add_text(out, "; ttl=");
    if (ttl_s < 0)
        buf_add_char(out, '-');
    buf_add_u64(out, (uint64_t)(ttl_s < 0 ? -ttl_s : ttl_s));
}

static void
add_forwarded(struct buf *out, const struct cache_status *status)
{
    buf_add_text(out, "; fwd=");
    buf_add_text(out, cache_fwd_name(status->fwd));
    if (status->fwd_status > 0) {
        buf_add_text(out, "; fwd-status=");
        buf_add_u64(out, (uint64_t)status->fwd_status);
    }
    if (status->stored)
        buf_add_text(out, "; stored");
    if (status->collapsed)
        buf_add_text(out, "; collapsed");
}

void
cache_status_format(const struct cache_status *status, struct buf *out)
{
    sf_add_name(out, status->node);
    if (status->hit)
        buf_add_text(out, "; hit");
    else if (status->fwd != CACHE_FWD_NONE)
        add_forwarded(out, status);
    if (status->has_ttl)
        add_ttl(out, status->ttl_s);
    if (status->key.len > 0) {
        buf_add_text(out, "; key=");
        sf_add_string(out, span_sub(status->key, 0, KEY_SHOWN));
    }
    if (status->detail != NULL) {
        buf_add_text(out, "; detail=");
        sf_add_name(out, span_of(status->detail));
    }
}

void
cache_status_append(const struct fields *response,
                    const struct cache_status *status, struct buf *out)
{
    sf_add_members(out, response, SPAN("Cache-Status"));
    cache_status_format(status, out);
}
