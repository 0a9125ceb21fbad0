/*
 * /_test: answers made to order for tests, where the settings allow it. Each
 * takes these in its query, besides its own: cc (Cache-Control), tags
 * (Cache-Tag), vary, h=Name:value (any field, may be repeated), delay (ms
 * before the answer).
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "answer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/conditional.h"
#include "http/range.h"
#include "http/status.h"
#include "origin.h"
#include "scripted_internal.h"

#define PREFIX "/_test/"
#define DELAY_MAX_MS 3600000
#define LEN_MAX (UINT64_C(1) << 50)

/* Where a request's body goes. */
struct sink {
    XXH64_state_t *hash;
    uint64_t start_ns;
};

bool
scripted_path(struct span path)
{
    return span_starts(path, SPAN(PREFIX));
}

static bool
query_is(const struct exchange *x, const char *name, const char *value)
{
    struct buf text = {0};
    bool is = exchange_query(x, name, 0, &text) &&
              span_eq(buf_span(&text), span_of(value));

    buf_fini(&text);
    return is;
}

/* The rest of the path as a number; answers 400 when it is none. */
static bool
number(struct exchange *x, struct span rest, uint64_t max, uint64_t *value)
{
    if (span_u64(rest, max + 1, value) && *value <= max)
        return true;
    answer_error(x, 400, "expected a number at the end of the path");
    return false;
}

static void
answer_serial(struct exchange *x, const char *what)
{
    struct origin *origin = x->app;
    struct buf text = {0};

    buf_printf(&text, "%s %llu\n", what, (unsigned long long)++origin->serial);
    answer_text(x, 200, "text/plain", buf_span(&text));
    buf_fini(&text);
}

/* ---- bodies ---- */

static struct body *
pattern_body(const struct exchange *x, uint64_t from, uint64_t len)
{
    struct body *body = body_new();
    uint64_t rate = exchange_query_u64(x, "rate", LEN_MAX, 0);

    body_add_pattern(body, exchange_query_u64(x, "version", UINT64_MAX, 0),
                     from, len);
    body->chunked = query_is(x, "chunked", "1");
    if (rate > 0)
        body_set_rate(body, rate);
    return body;
}

static void
answer_range(struct exchange *x, uint64_t len, struct range r)
{
    struct buf text = {0};

    content_range_format(r, len, &text);
    answer_header(x, "Content-Range", text.data);
    buf_fini(&text);
    struct body *body = pattern_body(x, r.first, r.last - r.first + 1);

    answer_body(x, 206, &body);
}

/* Ranges and conditions as an origin does them. Several ranges: the whole. */
static void
answer_bytes(struct exchange *x, uint64_t len, const struct fields *current)
{
    struct range_set set = {0};
    enum range_result result = RANGE_NONE;
    enum condition condition = conditional_evaluate_origin(
        span_of(x->method), &x->request, current, clock_wall_ms() / 1000);
    struct buf text = {0};
    struct body *body;

    if (condition == CONDITION_NOT_MODIFIED) {
        answer_not_modified(x, len);
        return;
    }
    if (condition == CONDITION_FAILED) {
        answer_error(x, 412, "the condition does not hold");
        return;
    }
    if (!x->is_head)
        result = range_evaluate(&x->request, len, current, &set);
    if (result == RANGE_UNSATISFIABLE) {
        content_range_format_unsatisfied(len, &text);
        answer_header(x, "Content-Range", text.data);
        buf_fini(&text);
        answer_error(x, 416, "no byte is in this range");
    } else if (result == RANGE_OK && set.count == 1) {
        answer_range(x, len, set.list[0]);
    } else {
        body = pattern_body(x, 0, len);
        answer_body(x, 200, &body);
    }
}

static void
run_bytes(struct exchange *x, struct span rest)
{
    struct field list[1];
    struct fields current = {list, 0, 0};
    char etag[64];
    uint64_t len;

    if (!number(x, rest, LEN_MAX, &len))
        return;
    snprintf(
        etag, sizeof(etag), "\"bytes-%llu-%llu\"", (unsigned long long)len,
        (unsigned long long)exchange_query_u64(x, "version", UINT64_MAX, 0));
    if (!query_is(x, "etag", "none")) {
        list[current.count++] = (struct field){SPAN("ETag"), span_of(etag)};
        answer_header(x, "ETag", etag);
    }
    answer_header(x, "Accept-Ranges", "bytes");
    answer_header(x, "Content-Type", "application/octet-stream");
    answer_bytes(x, len, &current);
}

static void
run_trickle(struct exchange *x, struct span rest)
{
    uint64_t every = exchange_query_u64(x, "every", DELAY_MAX_MS, 100);
    uint64_t len = 20;
    struct body *body;

    if (rest.len > 0 && !number(x, rest, LEN_MAX, &len))
        return;
    if (query_is(x, "part", "head")) {
        trickle_head(x, every == 0 ? 1 : every);
        return;
    }
    body = pattern_body(x, 0, len);
    body->step = 1;
    body->every_ms = every == 0 ? 1 : every;
    answer_body(x, 200, &body);
}

/* Half of the body, or what `at` says, then the end of the connection. */
static void
run_truncate(struct exchange *x, struct span rest)
{
    uint64_t len = 100000;
    struct body *body;

    if (rest.len > 0 && !number(x, rest, LEN_MAX, &len))
        return;
    body = pattern_body(x, 0, len);
    body->fail_at = exchange_query_u64(x, "at", LEN_MAX, len / 2);
    body->fail_reset = query_is(x, "reset", "1");
    answer_body(x, 200, &body);
}

/* ---- what is different each time ---- */

static void
run_private(struct exchange *x, struct span rest)
{
    (void)rest;
    answer_header(x, "Cache-Control", "private");
    answer_serial(x, "private");
}

static void
run_unique(struct exchange *x, struct span rest)
{
    (void)rest;
    answer_serial(x, "unique");
}

static void
run_count(struct exchange *x, struct span rest)
{
    struct origin *origin = x->app;
    struct buf text = {0};

    buf_printf(&text, "%llu\n",
               (unsigned long long)counts_add(origin->named, rest));
    answer_text(x, 200, "text/plain", buf_span(&text));
    buf_fini(&text);
}

static void
run_status(struct exchange *x, struct span rest)
{
    uint64_t status;

    if (!number(x, rest, 599, &status))
        return;
    if (status < 200)
        answer_error(x, 400, "expected a status from 200 to 599");
    else if (!status_has_body((int)status))
        answer_empty(x, (int)status);
    else
        answer_error(x, (int)status, "as you asked");
}

static void
after_delay(struct exchange *x)
{
    answer_serial(x, "delayed");
}

static void
run_delay(struct exchange *x, struct span rest)
{
    uint64_t ms;

    if (!number(x, rest, DELAY_MAX_MS, &ms))
        return;
    if (ms == 0)
        answer_serial(x, "delayed");
    else
        exchange_after(x, ms, after_delay);
}

static void
run_headers(struct exchange *x, struct span rest)
{
    static const char *const own[] = {"cc", "tags", "vary", "h", "delay"};
    struct span query = x->target.query;
    struct span part;

    (void)rest;
    while (query.ptr != NULL && span_split(&query, '&', &part)) {
        size_t equal = span_find(part, '=', 0);
        char *name = mem_strndup(part.ptr, equal);
        struct buf value = {0};
        bool common = equal == part.len;

        for (size_t i = 0; i < ARRAY_LEN(own); i++)
            common |= strcmp(name, own[i]) == 0;
        if (!common && exchange_query(x, name, 0, &value))
            answer_header(x, name, value.data);
        buf_fini(&value);
        free(name);
    }
    answer_serial(x, "headers");
}

/* ---- what came ---- */

static json_t *
json_text(struct span s)
{
    json_t *text = json_stringn(s.ptr == NULL ? "" : s.ptr, s.len);

    return text == NULL ? json_string("(not UTF-8)") : text;
}

static json_t *
received_json(struct exchange *x)
{
    const struct sink *sink = x->state;
    char hash[17];

    snprintf(hash, sizeof(hash), "%016llx",
             (unsigned long long)XXH64_digest(sink->hash));
    return json_pack("{s:I, s:s}", "body_len", (json_int_t)x->received,
                     "body_xxh64", hash);
}

static void
run_echo(struct exchange *x, struct span rest)
{
    json_t *json = received_json(x);
    json_t *fields = json_array();

    (void)rest;
    for (size_t i = 0; i < x->request.count; i++) {
        json_t *pair = json_array();

        json_array_append_new(pair, json_text(x->request.list[i].name));
        json_array_append_new(pair, json_text(x->request.list[i].value));
        json_array_append_new(fields, pair);
    }
    json_object_set_new(json, "fields", fields);
    json_object_set_new(json, "method", json_text(span_of(x->method)));
    json_object_set_new(json, "target", json_text(span_of(x->raw_target)));
    json_object_set_new(json, "version",
                        json_string(x->http11 ? "HTTP/1.1" : "HTTP/1.0"));
    json_object_set_new(json, "listener", json_string(exchange_listener(x)));
    answer_json(x, 200, json);
}

static void
run_sink(struct exchange *x, struct span rest)
{
    (void)rest;
    answer_json(x, 200, received_json(x));
}

/* Reading slowly: a pause until so many bytes may have come. More pieces of
 * what the server read already may be given while the connection is
 * suspended. */
static void
pace(struct exchange *x, const struct sink *sink)
{
    uint64_t rate = exchange_query_u64(x, "rate", LEN_MAX, 0);
    uint64_t elapsed_ms = (clock_boot_ns() - sink->start_ns) / NS_PER_MS;

    if (rate == 0 || x->suspended)
        return;
    double due_ms = (double)x->received * 1000 / (double)rate;

    if (due_ms >= (double)elapsed_ms + 1 && due_ms < DELAY_MAX_MS)
        exchange_after(x, (uint64_t)due_ms - elapsed_ms, exchange_resume);
}

static void
on_data(struct exchange *x, const void *data, size_t len)
{
    struct sink *sink = x->state;

    XXH64_update(sink->hash, data, len);
    pace(x, sink);
}

static void
on_free(struct exchange *x)
{
    struct sink *sink = x->state;

    XXH64_freeState(sink->hash);
    free(sink);
}

/* ---- choosing ---- */

static const struct {
    const char *name;
    bool takes_rest; /* more of the path may follow */
    void (*run)(struct exchange *x, struct span rest);
} scripts[] = {
    {"bytes", true, run_bytes},     {"count", true, run_count},
    {"delay", true, run_delay},     {"echo", true, run_echo},
    {"garbage", true, run_garbage}, {"headers", false, run_headers},
    {"private", true, run_private}, {"reset", true, run_reset},
    {"sink", true, run_sink},       {"status", true, run_status},
    {"trickle", true, run_trickle}, {"truncate", true, run_truncate},
    {"unique", true, run_unique},
};

static void
add_common(struct exchange *x)
{
    static const struct {
        const char *query;
        const char *field;
    } common[] = {
        {"cc", "Cache-Control"}, {"tags", "Cache-Tag"}, {"vary", "Vary"}};
    struct buf text = {0};

    for (size_t i = 0; i < ARRAY_LEN(common); i++) {
        buf_clear(&text);
        if (exchange_query(x, common[i].query, 0, &text))
            answer_header(x, common[i].field, text.data);
    }
    for (size_t n = 0; n < 64; n++) {
        buf_clear(&text);
        if (!exchange_query(x, "h", n, &text))
            break;
        char *colon = memchr(text.data, ':', text.len);

        if (colon == NULL)
            continue;
        *colon = '\0';
        answer_header(x, text.data, colon + 1);
    }
    buf_fini(&text);
}

static void
run(struct exchange *x)
{
    struct span rest =
        span_sub(x->target.path, sizeof(PREFIX) - 1, x->target.path.len);
    struct span name;

    CHECK(span_split(&rest, '/', &name));
    if (rest.ptr == NULL)
        rest = SPAN("");
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        if (!span_eq(name, span_of(scripts[i].name)) ||
            (rest.len > 0 && !scripts[i].takes_rest))
            continue;
        add_common(x);
        scripts[i].run(x, rest);
        return;
    }
    answer_error(x, 404, "there is no such test path");
}

static void
on_end(struct exchange *x)
{
    uint64_t delay = exchange_query_u64(x, "delay", DELAY_MAX_MS, 0);

    if (delay > 0)
        exchange_after(x, delay, run);
    else
        run(x);
}

void
scripted_begin(struct exchange *x)
{
    struct sink *sink = mem_zalloc(sizeof(*sink));

    sink->hash = XXH64_createState();
    CHECK(sink->hash != NULL);
    XXH64_reset(sink->hash, 0);
    sink->start_ns = clock_boot_ns();
    x->state = sink;
    x->on_data = on_data;
    x->on_end = on_end;
    x->on_free = on_free;
}
