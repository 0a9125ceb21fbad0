/* A stored object, as the verdict sees it. */
#include "engine_internal.h"
#include "store/object.h"

void
found_of_object(struct plan_found *found, const struct object *object,
                const struct found_ask *ask)
{
    const struct caching *caching = &object->caching;
    uint64_t age_s = caching_age_s(caching, object->received_ns, ask->now_ns);

    found->object = true;
    found->validity = ask->validity;
    found->freshness = caching_freshness(caching, age_s, ask->cc);
    found->revalidate_always = caching->revalidate_always;
    found->may_swr = !caching->forbids_stale && caching->swr_s > 0 &&
                     caching_staleness_s(caching, age_s) <= caching->swr_s;
    found->stale_usable = caching_stale_usable(
        caching, age_s, ask->policy->max_stale_s, ask->on_error, ask->cc);
    found->validator = caching->has_etag || caching->has_last_modified;
    found->strong_validator = caching->etag_strong;
}
