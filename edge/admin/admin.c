/* The endpoints, and who answers them. */
#include "admin_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/stream.h"
#include "conf/conf.h"
#include "http/error.h"
#include "report/metrics.h"
#include "version.h"

/* ---- answers ---- */

void
admin_answer(struct server_request *request, unsigned status, const char *type,
             struct span body)
{
    server_reply(request, &(struct server_reply){
                              .status = status, .type = type, .body = body});
}

static bool
wants_problem(const struct server_request *request)
{
    return span_starts(request->path, SPAN("/v1/")) ||
           error_wants_problem(&request->fields);
}

static void
fail(struct server_request *request, struct server_reply *reply,
     const char *detail)
{
    bool problem = wants_problem(request);
    struct error_page page = {.status = (int)reply->status, .detail = detail};
    struct buf body = {0};

    error_body(&page, problem, &body);
    reply->type = error_content_type(problem).ptr;
    reply->body = buf_span(&body);
    server_reply(request, reply);
    buf_fini(&body);
}

void
admin_fail(struct server_request *request, unsigned status, const char *detail)
{
    fail(request, &(struct server_reply){.status = status}, detail);
}

/* ---- the endpoints ---- */

static void
get_metrics(struct admin *admin, struct server_request *request)
{
    struct buf out = {0};

    admin_metrics(admin, &out);
    admin_answer(request, 200, METRICS_TYPE, buf_span(&out));
    buf_fini(&out);
}

static void
get_live(struct admin *admin, struct server_request *request)
{
    (void)admin;
    admin_answer(request, 200, ADMIN_TEXT, SPAN("live\n"));
}

static void
get_routable(struct admin *admin, struct server_request *request)
{
    if (admin->draining)
        admin_answer(request, 503, ADMIN_TEXT,
                     SPAN("draining: send users elsewhere\n"));
    else
        admin_answer(request, 200, ADMIN_TEXT, SPAN("routable\n"));
}

static void
get_sync(struct admin *admin, struct server_request *request)
{
    const struct streams *streams = admin->parts.streams;
    struct stream_status s;
    struct buf out = {0};

    if (streams_in_sync(streams)) {
        admin_answer(request, 200, ADMIN_TEXT,
                     streams_configured(streams)
                         ? SPAN("in sync\n")
                         : SPAN("in sync: this node works alone\n"));
        return;
    }
    buf_add_text(&out, "not in sync\n");
    for (size_t i = 0; streams_status(streams, i, &s); i++) {
        buf_printf(&out, "site %s: ", s.site);
        if (!s.met)
            buf_add_text(&out, "not read yet");
        else
            buf_printf(&out, "%llu behind, read %llu ms ago",
                       (unsigned long long)s.lag,
                       (unsigned long long)s.synced_ago_ms);
        buf_printf(&out, "%s%s\n", s.error[0] ? "; " : "", s.error);
    }
    admin_answer(request, 503, ADMIN_TEXT, buf_span(&out));
    buf_fini(&out);
}

static void
get_status(struct admin *admin, struct server_request *request)
{
    struct buf out = {0};

    admin_overview(admin, &out);
    admin_answer(request, 200, ADMIN_JSON, buf_span(&out));
    buf_fini(&out);
}

static void
get_explain(struct admin *admin, struct server_request *request)
{
    struct buf out = {0};

    if (admin_explain(admin, request->query, &out))
        admin_answer(request, 200, ADMIN_JSON, buf_span(&out));
    else
        admin_fail(request, 400, out.data);
    buf_fini(&out);
}

static void get_index(struct admin *admin, struct server_request *request);

/* ---- which one ---- */

struct endpoint {
    const char *path;
    bool post;  /* POST, else GET and HEAD */
    bool token; /* needs the bearer token */
    void (*answer)(struct admin *admin, struct server_request *request);
    const char *what;
};

static const struct endpoint endpoints[] = {
    {"/", false, false, get_index, "this page"},
    {"/metrics", false, false, get_metrics,
     "counters and gauges for Prometheus"},
    {"/health/live", false, false, get_live, "200 while the process runs"},
    {"/health/routable", false, false, get_routable,
     "200 while users may be sent here; 503 while draining"},
    {"/health/sync", false, false, get_sync,
     "200 while every site's stream is read; else 503"},
    {"/v1/status", false, false, get_status,
     "the node, its streams, peers, store and origins, as JSON"},
    {"/v1/explain", false, false, get_explain,
     "?url=http://host/path[&method=M][&header=Name:value]: what would be "
     "decided, and why"},
    {"/v1/purge", true, true, admin_purge,
     "{\"kind\": \"url|prefix|host|tag|group|all\", \"url\": ..., \"soft\": "
     "bool}, "
     "with the admin token"},
};

static void
add_endpoints(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
        buf_printf(out, "%-4s %-17s %s\n", endpoints[i].post ? "POST" : "GET",
                   endpoints[i].path, endpoints[i].what);
}

static void
get_index(struct admin *admin, struct server_request *request)
{
    struct buf out = {0};

    buf_printf(&out, "atlas-edge %s, node %s of site %s\n\n", ATLAS_VERSION,
               admin->conf->node, admin->conf->site);
    add_endpoints(&out);
    admin_answer(request, 200, ADMIN_TEXT, buf_span(&out));
    buf_fini(&out);
}

static void
not_found(struct server_request *request)
{
    struct buf detail = {0};

    buf_add_text(&detail, "there is no such endpoint; there are:");
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
        buf_printf(&detail, "%s %s %s", i > 0 ? "," : "",
                   endpoints[i].post ? "POST" : "GET", endpoints[i].path);
    admin_fail(request, 404, detail.data);
    buf_fini(&detail);
}

static const struct endpoint *
find(const struct server_request *request)
{
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        if (span_eq(request->path, span_of(endpoints[i].path)))
            return &endpoints[i];
    }
    return NULL;
}

static bool
takes(const struct endpoint *endpoint, struct span method)
{
    if (endpoint->post)
        return span_eq(method, SPAN("POST"));
    return span_eq(method, SPAN("GET")) || span_eq(method, SPAN("HEAD"));
}

/* ---- the token ---- */

bool
admin_authorised(const struct admin *admin,
                 const struct server_request *request)
{
    struct span given = fields_get(&request->fields, SPAN("Authorization"));
    struct span token = span_of(admin->conf->admin.token);

    return token.len > 0 && given.len > 7 &&
           fields_count(&request->fields, SPAN("Authorization")) == 1 &&
           span_eq_nocase(span_sub(given, 0, 7), SPAN("Bearer ")) &&
           secret_eq(span_trim(span_sub(given, 7, given.len)), token);
}

static void
unauthorised(const struct admin *admin, struct server_request *request)
{
    if (admin->conf->admin.token[0] == '\0')
        fail(request, &(struct server_reply){.status = 403},
             "this node takes no purges: its configuration has no token; set "
             "admin.token_file (or admin.token) and reload (SIGHUP)");
    else
        fail(request,
             &(struct server_reply){.status = 401,
                                    .authenticate = "Bearer realm=\"atlas\""},
             "this needs the header \"Authorization: Bearer TOKEN\", with the "
             "token of admin.token or admin.token_file in the node's "
             "configuration");
}

/* ---- requests ---- */

static bool
wants_body(void *arg, const struct server_request *request)
{
    const struct admin *admin = arg;
    const struct endpoint *endpoint = find(request);

    return endpoint != NULL && endpoint->post &&
           takes(endpoint, request->method) && admin_authorised(admin, request);
}

static void
handle(void *arg, struct server_request *request)
{
    struct admin *admin = arg;
    const struct endpoint *endpoint = find(request);

    if (endpoint == NULL)
        not_found(request);
    else if (!takes(endpoint, request->method))
        fail(request,
             &(struct server_reply){
                 .status = 405, .allow = endpoint->post ? "POST" : "GET, HEAD"},
             endpoint->post ? "this endpoint takes POST"
                            : "this endpoint takes GET");
    else if (endpoint->token && !admin_authorised(admin, request))
        unauthorised(admin, request);
    else
        endpoint->answer(admin, request);
}

static void
gone(void *arg, struct server_request *request)
{
    (void)arg;
    admin_purge_gone(request);
}

static const struct server_ops ops = {wants_body, handle, gone};

/* ---- begin and end ---- */

struct admin *
admin_new(const struct admin_parts *parts, struct conf *conf, char *why,
          size_t size)
{
    struct admin *admin = mem_zalloc(sizeof(*admin));

    admin->parts = *parts;
    admin->started_ns = clock_boot_ns();
    admin->started_wall_ms = clock_wall_ms();
    admin->server =
        server_new(parts->loop, conf->admin.listen, &ops, admin, why, size);
    if (admin->server == NULL) {
        free(admin);
        return NULL;
    }
    admin->conf = conf_ref(conf);
    return admin;
}

void
admin_free(struct admin **admin)
{
    struct admin *a = *admin;

    *admin = NULL;
    if (a == NULL)
        return;
    server_free(&a->server);
    conf_unref(&a->conf);
    free(a);
}

void
admin_configure(struct admin *admin, struct conf *conf)
{
    conf_unref(&admin->conf);
    admin->conf = conf_ref(conf);
}

void
admin_set_draining(struct admin *admin, bool draining)
{
    admin->draining = draining;
}

const char *
admin_address(const struct admin *admin)
{
    return server_address(admin->server);
}
