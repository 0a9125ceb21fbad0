#include "http/caching.h"

#include "http/conditional.h"
#include "http/date.h"
#include "http/status.h"
#include "http/target.h"
#include "http/vary.h"

/* What the checks below look at. */
struct facts {
    const struct caching_request *request;
    int status;
    const struct fields *response;
    const struct caching_policy *policy;
    struct cache_control directives; /* the field that counts */
    bool targeted;                   /* so Expires does not count */
    int64_t date_s; /* the response's, else its time of arrival */
    int64_t wall_s; /* that time of arrival */
};

struct caching_policy
caching_policy_standard(void)
{
    return (struct caching_policy){
        .max_s = CACHING_UNSET,
        .override_s = CACHING_UNSET,
        .heuristic_percent = 10,
        .heuristic_max_s = UINT64_C(7) * 86400,
        .store_set_cookie = true,
    };
}

/* ---- what the fields say ---- */

/* True: a targeted field, which stands for Cache-Control and Expires. */
static bool
read_directives(const struct fields *response,
                const struct caching_policy *policy, struct cache_control *out)
{
    for (size_t i = 0; i < policy->target_count; i++) {
        if (cache_control_targeted(response, policy->targets[i], out))
            return true;
    }
    if (policy->surrogate_device.ptr != NULL &&
        cache_control_surrogate(response, policy->surrogate_device, out))
        return true;
    cache_control_parse(response, out);
    return false;
}

/* A date field that is there once and well-formed. */
static bool
read_date(const struct fields *fields, struct span name, int64_t now_s,
          int64_t *seconds)
{
    return fields_count(fields, name) == 1 &&
           date_parse(fields_get(fields, name), now_s, seconds);
}

/* The first member of the first line (RFC 9111 section 5.1); what is no
 * number is as good as absent. */
static uint64_t
read_age(const struct fields *response)
{
    struct member_cursor cursor = {0};
    struct span member;
    uint64_t age = 0;

    if (fields_next_member(response, SPAN("Age"), &cursor, &member) &&
        span_u64(member, CC_SECONDS_MAX, &age))
        return age;
    return 0;
}

static void
gather(struct facts *facts, const struct caching_request *request, int status,
       const struct fields *response, const struct caching_policy *policy,
       int64_t wall_s)
{
    facts->request = request;
    facts->status = status;
    facts->response = response;
    facts->policy = policy;
    facts->wall_s = wall_s;
    facts->targeted = read_directives(response, policy, &facts->directives);
    if (!read_date(response, SPAN("Date"), wall_s, &facts->date_s))
        facts->date_s = wall_s;
}

/* ---- lifetime (RFC 9111 section 4.2.1) ---- */

static uint64_t
seconds_between(int64_t from, int64_t to)
{
    return to > from ? (uint64_t)to - (uint64_t)from : 0;
}

/* An Expires that cannot be read, or comes twice, has passed. */
static uint64_t
expires_lifetime(const struct facts *facts)
{
    int64_t expires;

    if (!read_date(facts->response, SPAN("Expires"), facts->wall_s, &expires))
        return 0;
    return seconds_between(facts->date_s, expires);
}

static bool
said_lifetime(const struct facts *facts, uint64_t *lifetime_s)
{
    const struct cache_control *cc = &facts->directives;

    if (cc->s_maxage != CC_UNSET)
        *lifetime_s = cc->s_maxage;
    else if (cc->max_age != CC_UNSET)
        *lifetime_s = cc->max_age;
    else if (!facts->targeted && fields_has(facts->response, SPAN("Expires")))
        *lifetime_s = expires_lifetime(facts);
    else
        return false;
    return true;
}

/* A range leaves out what is about one request: that must be named. */
static bool
status_lifetime(const struct facts *facts, uint64_t *lifetime_s)
{
    const struct caching_policy *policy = facts->policy;
    bool about_request = status_about_request(facts->status);

    for (size_t i = 0; i < policy->status_ttl_count; i++) {
        const struct caching_status_ttl *row = &policy->status_ttl[i];

        if (about_request && row->first < row->last)
            continue;
        if (facts->status >= row->first && facts->status <= row->last) {
            *lifetime_s = row->ttl_s;
            return true;
        }
    }
    return false;
}

/* May a lifetime be guessed, or given by the route, to what says none? */
static bool
cacheable_by_default(const struct facts *facts)
{
    return facts->directives.is_public ||
           status_heuristically_cacheable(facts->status);
}

static bool
heuristic_lifetime(const struct facts *facts, uint64_t *lifetime_s)
{
    const struct caching_policy *policy = facts->policy;
    int64_t modified;

    if (policy->heuristic_percent == 0 ||
        !read_date(facts->response, SPAN("Last-Modified"), facts->wall_s,
                   &modified))
        return false;
    uint64_t old = seconds_between(modified, facts->date_s);
    uint64_t guess = old / 100 * policy->heuristic_percent +
                     old % 100 * policy->heuristic_percent / 100;

    *lifetime_s =
        guess < policy->heuristic_max_s ? guess : policy->heuristic_max_s;
    return true;
}

static void
bound_lifetime(const struct caching_policy *policy, uint64_t *lifetime_s)
{
    if (*lifetime_s < policy->min_s)
        *lifetime_s = policy->min_s;
    if (*lifetime_s > policy->max_s)
        *lifetime_s = policy->max_s;
    if (*lifetime_s > CC_SECONDS_MAX)
        *lifetime_s = CC_SECONDS_MAX;
}

static void
decide_lifetime(const struct facts *facts, struct caching *out)
{
    const struct caching_policy *policy = facts->policy;
    bool said = said_lifetime(facts, &out->lifetime_s);
    bool by_default = cacheable_by_default(facts);
    bool overrides = policy->override_s != CACHING_UNSET;

    /* The most exact thing that a route can say: nothing else bounds it. */
    if ((!said || overrides) && status_lifetime(facts, &out->lifetime_s)) {
        out->explicit_lifetime = true;
        out->by_status = true;
        return;
    }
    if (overrides && (said || by_default)) {
        out->lifetime_s = policy->override_s;
        out->explicit_lifetime = true;
        return;
    }
    out->explicit_lifetime = said;
    if (!out->explicit_lifetime) {
        if (!by_default)
            return;
        out->heuristic = heuristic_lifetime(facts, &out->lifetime_s);
        if (!out->heuristic && policy->default_s == 0)
            return;
        if (!out->heuristic)
            out->lifetime_s = policy->default_s;
    }
    bound_lifetime(policy, &out->lifetime_s);
}

/* ---- stale copies (RFC 9111 section 4.2.4, RFC 5861) ---- */

static void
decide_staleness(const struct facts *facts, struct caching *out)
{
    const struct cache_control *cc = &facts->directives;
    const struct caching_policy *policy = facts->policy;

    out->revalidate_always = cc->no_cache;
    out->forbids_stale = cc->must_revalidate || cc->proxy_revalidate ||
                         cc->no_cache || cc->s_maxage != CC_UNSET;
    if (out->forbids_stale)
        return;
    /* The route's windows are for answers, not for the errors that it keeps
     * for a moment: those would be served for longer than it says. Nor for
     * what no one else may have without the origin's word. */
    bool by_route = !out->by_status && out->lifetime_s > 0;

    out->swr_s = cc->stale_while_revalidate != CC_UNSET
                     ? cc->stale_while_revalidate
                 : by_route ? policy->stale_while_revalidate_s
                            : 0;
    out->sie_s = cc->stale_if_error != CC_UNSET ? cc->stale_if_error
                 : by_route                     ? policy->stale_if_error_s
                                                : 0;
}

/* ---- storability (RFC 9111 section 3) ---- */

static void
add_own_url(const struct caching_request *request, struct buf *out)
{
    buf_add_span(out, request->scheme);
    buf_add_text(out, "://");
    buf_add_span(out, request->authority);
    buf_add_span(out, request->target);
}

/* Content-Location is the request's own URL, in full or in part. */
static bool
located_at_target(const struct facts *facts)
{
    struct span reference =
        fields_get(facts->response, SPAN("Content-Location"));
    struct buf own = {0};
    struct buf at = {0};
    struct target base;
    struct target named;

    add_own_url(facts->request, &own);
    bool same = fields_count(facts->response, SPAN("Content-Location")) == 1 &&
                reference.len > 0 &&
                target_parse_url(buf_span(&own), &base) == NULL &&
                target_resolve(&base, reference, &at) &&
                target_parse_url(buf_span(&at), &named) == NULL &&
                target_same(&base, &named);

    buf_fini(&own);
    buf_fini(&at);
    return same;
}

/* GET, or a POST whose answer is what a GET would give (RFC 9110 section
 * 9.3.3). A cookie set by a POST is what that very client has got by it. */
static bool
method_storable(const struct facts *facts, const struct caching *out)
{
    struct span method = facts->request->method;

    if (span_eq(method, SPAN("GET")))
        return true;
    return span_eq(method, SPAN("POST")) && facts->status == 200 &&
           out->explicit_lifetime && located_at_target(facts) &&
           !fields_has(facts->response, SPAN("Set-Cookie"));
}

/* Of the parts that we are sent, none is stored as a whole; a 304 is about
 * another response; a 416 is about the request's Range. */
static const char *
status_refusal(const struct facts *facts)
{
    switch (facts->status) {
    case 206:
        return "partial-content";
    case 304:
        return "not-modified";
    case 416:
        return "range-not-satisfiable";
    default:
        return facts->status < 200 || facts->status > 599 ? "status" : NULL;
    }
}

/* must-understand takes the place of no-store where it is understood, and
 * forbids the rest (RFC 9111 section 5.2.2.3). */
static const char *
response_refusal(const struct facts *facts)
{
    const struct cache_control *cc = &facts->directives;

    if (cc->must_understand && !status_understood(facts->status))
        return "must-understand";
    if (cc->no_store && !cc->must_understand)
        return "no-store";
    return cc->is_private ? "private" : NULL;
}

static const char *
directive_refusal(const struct facts *facts)
{
    const char *why = response_refusal(facts);
    struct cache_control asked;

    if (why != NULL)
        return why;
    cache_control_parse(facts->request->fields, &asked);
    return asked.no_store ? "request-no-store" : NULL;
}

/* A cookie that private="Set-Cookie" or no-cache="Set-Cookie" keeps out of what
 * is stored is nobody else's to see. */
static bool
keeps_cookie(const struct facts *facts)
{
    static const struct span name = {"Set-Cookie", 10};
    const struct cache_control *cc = &facts->directives;

    return fields_has(facts->response, name) &&
           !cache_control_names(&cc->private_fields, name) &&
           !cache_control_names(&cc->no_cache_fields, name);
}

static const char *
sharing_refusal(const struct facts *facts, const struct caching *out)
{
    if (fields_has(facts->request->fields, SPAN("Authorization")) &&
        !out->shareable_with_auth)
        return "authorization";
    if (keeps_cookie(facts) &&
        (!facts->policy->store_set_cookie || !out->explicit_lifetime))
        return "set-cookie";
    if (vary_kind(facts->response) == VARY_ANY)
        return "vary-any";
    return NULL;
}

/* Something must say that it may be stored, and there must be a way in which
 * it could ever be used. */
static const char *
use_refusal(const struct facts *facts, const struct caching *out)
{
    bool fresh =
        !out->revalidate_always && out->initial_age_s < out->lifetime_s;

    if (!out->explicit_lifetime && !cacheable_by_default(facts))
        return "status-without-freshness";
    if (fresh || out->has_etag || out->has_last_modified ||
        (out->explicit_lifetime && (out->swr_s > 0 || out->sie_s > 0)))
        return NULL;
    return out->explicit_lifetime ? "not-fresh-and-no-validator"
                                  : "no-freshness-and-no-validator";
}

static const char *
refusal(const struct facts *facts, const struct caching *out)
{
    const char *why = status_refusal(facts);

    if (why == NULL && !method_storable(facts, out))
        why = "method";
    if (why == NULL)
        why = directive_refusal(facts);
    if (why == NULL)
        why = sharing_refusal(facts, out);
    if (why == NULL)
        why = use_refusal(facts, out);
    return why;
}

/* ---- all of it ---- */

static void
note_validators(const struct facts *facts, struct caching *out)
{
    struct span etag = fields_get(facts->response, SPAN("ETag"));
    int64_t modified;

    out->has_etag = etag.len > 0;
    out->etag_strong = etag_is_strong(etag);
    out->has_last_modified = read_date(facts->response, SPAN("Last-Modified"),
                                       facts->wall_s, &modified);
}

void
caching_of(const struct caching_request *request, int status,
           const struct fields *response, const struct caching_policy *policy,
           int64_t response_wall_s, uint64_t delay_ms, struct caching *out)
{
    struct facts facts;
    const struct cache_control *cc = &facts.directives;

    *out = (struct caching){0};
    gather(&facts, request, status, response, policy, response_wall_s);
    out->initial_age_s = read_age(response) + delay_ms / 1000;
    out->immutable = cc->immutable;
    out->shareable_with_auth =
        cc->is_public || cc->must_revalidate || cc->s_maxage != CC_UNSET;
    out->omits_fields =
        cc->no_cache_fields.count > 0 || cc->private_fields.count > 0;
    note_validators(&facts, out);
    decide_lifetime(&facts, out);
    decide_staleness(&facts, out);
    out->why_not = refusal(&facts, out);
    out->forbidden = response_refusal(&facts) != NULL;
    out->storable = out->why_not == NULL;
}

void
caching_stored_fields(const struct fields *response,
                      const struct caching_policy *policy, struct fields *out)
{
    struct cache_control cc;

    read_directives(response, policy, &cc);
    for (size_t i = 0; i < response->count; i++) {
        const struct field *field = &response->list[i];

        if (!cache_control_names(&cc.no_cache_fields, field->name) &&
            !cache_control_names(&cc.private_fields, field->name))
            fields_add(out, field->name, field->value);
    }
}

/* ---- of a stored response ---- */

uint64_t
caching_age_s(const struct caching *caching, uint64_t received_ns,
              uint64_t now_ns)
{
    uint64_t here_ns = now_ns > received_ns ? now_ns - received_ns : 0;

    return caching->initial_age_s + here_ns / UINT64_C(1000000000);
}

uint64_t
caching_staleness_s(const struct caching *caching, uint64_t age_s)
{
    return age_s > caching->lifetime_s ? age_s - caching->lifetime_s : 0;
}

int64_t
caching_ttl_s(const struct caching *caching, uint64_t age_s)
{
    return (int64_t)(caching->lifetime_s - age_s);
}

bool
caching_reusable(const struct caching *caching)
{
    return !caching->revalidate_always &&
           (caching->lifetime_s > 0 || caching->swr_s > 0);
}

/* What a reload asks (max-age=0), and what it was told that it need not (RFC
 * 8246 section 2). */
static bool
needless_reload(const struct caching *caching, uint64_t age_s,
                const struct cache_control *request)
{
    return caching->immutable && request->max_age == 0 &&
           age_s < caching->lifetime_s;
}

/* Older, or with less freshness ahead, than this request will have. */
static bool
request_declines(const struct caching *caching, uint64_t age_s,
                 const struct cache_control *request)
{
    if (request->max_age != CC_UNSET && age_s > request->max_age &&
        !needless_reload(caching, age_s, request))
        return true;
    return request->min_fresh != CC_UNSET &&
           (age_s >= caching->lifetime_s ||
            caching->lifetime_s - age_s < request->min_fresh);
}

static bool
request_accepts_stale(const struct caching *caching, uint64_t age_s,
                      const struct cache_control *request)
{
    if (caching->forbids_stale || caching->lifetime_s == 0)
        return false;
    return request->max_stale_any ||
           (request->max_stale != CC_UNSET &&
            caching_staleness_s(caching, age_s) <= request->max_stale);
}

enum freshness
caching_freshness(const struct caching *caching, uint64_t age_s,
                  const struct cache_control *request)
{
    if (caching->revalidate_always ||
        (request != NULL && request_declines(caching, age_s, request)))
        return FRESHNESS_STALE;
    if (age_s < caching->lifetime_s)
        return FRESHNESS_FRESH;
    if (caching->swr_s > 0 &&
        caching_staleness_s(caching, age_s) <= caching->swr_s)
        return FRESHNESS_STALE_WHILE_REVALIDATE;
    if (request != NULL && request_accepts_stale(caching, age_s, request))
        return FRESHNESS_STALE_ACCEPTED;
    return FRESHNESS_STALE;
}

/* How stale a copy may be that stands in for an error: by the response or the
 * route, or by the request. */
static uint64_t
error_window_s(const struct caching *caching,
               const struct cache_control *request)
{
    uint64_t asked_s = request != NULL && caching->lifetime_s > 0 &&
                               request->stale_if_error != CC_UNSET
                           ? request->stale_if_error
                           : 0;

    return asked_s > caching->sie_s ? asked_s : caching->sie_s;
}

static bool
stale_within(const struct caching *caching, uint64_t age_s, uint64_t window_s)
{
    return !caching->forbids_stale && window_s > 0 &&
           caching_staleness_s(caching, age_s) <= window_s;
}

bool
caching_stale_if_error(const struct caching *caching, uint64_t age_s,
                       const struct cache_control *request)
{
    return stale_within(caching, age_s, error_window_s(caching, request));
}

bool
caching_stale_usable(const struct caching *caching, uint64_t age_s,
                     uint64_t max_stale_s, bool on_error,
                     const struct cache_control *request)
{
    if (caching->revalidate_always)
        return false;
    if (age_s < caching->lifetime_s)
        return true;
    return (caching->lifetime_s > 0 &&
            stale_within(caching, age_s, max_stale_s)) ||
           stale_within(caching, age_s, caching->swr_s) ||
           (on_error && caching_stale_if_error(caching, age_s, request));
}

const char *
caching_freshness_name(enum freshness freshness)
{
    switch (freshness) {
    case FRESHNESS_FRESH:
        return "fresh";
    case FRESHNESS_STALE_ACCEPTED:
        return "stale-accepted";
    case FRESHNESS_STALE_WHILE_REVALIDATE:
        return "stale-while-revalidate";
    case FRESHNESS_STALE:
        break;
    }
    return "stale";
}
