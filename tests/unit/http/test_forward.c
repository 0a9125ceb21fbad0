#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/check.h"
#include "http/forward.h"

static const struct forward_context context = {
    .client = {"192.0.2.1", 9},
    .scheme = {"http", 4},
    .host = {"www.example", 11},
    .pseudonym = {"edge1", 5},
    .http11 = true,
    .shared = true,
    .codings = &vary_codings_default,
};

static void
add(struct fields *fields, const char *name, const char *value)
{
    fields_add(fields, span_of(name), span_of(value));
}

/* Exactly one field of this name, with this value. */
static void
assert_field(const struct fields *fields, const char *name, const char *want)
{
    struct span got = fields_get(fields, span_of(name));

    assert_int_equal(fields_count(fields, span_of(name)), 1);
    if (!span_eq(got, span_of(want)))
        fail_msg("%s: got '%.*s', want '%s'", name, SPAN_FMT(got), want);
}

static void
test_plain(void **state)
{
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    add(&in, "Host", "other.example");
    add(&in, "Req-Num", "1");
    add(&in, "Cookie", "a=b");
    add(&in, "Range", "bytes=0-1");
    forward_request(&in, &context, &out, &scratch);
    assert_int_equal(out.count, 9);
    assert_field(&out, "Req-Num", "1");
    assert_field(&out, "Cookie", "a=b");
    assert_field(&out, "Range", "bytes=0-1");
    assert_field(&out, "Host", "www.example");
    assert_field(&out, "Via", "1.1 edge1");
    assert_field(&out, "X-Forwarded-For", "192.0.2.1");
    assert_field(&out, "X-Forwarded-Proto", "http");
    assert_field(&out, "Forwarded",
                 "for=192.0.2.1;host=www.example;proto=http");
    assert_field(&out, "CDN-Loop", "edge1");
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

static void
test_dropped(void **state)
{
    static const char *const names[] = {"Connection",
                                        "X-Nominated",
                                        "Keep-Alive",
                                        "TE",
                                        "Trailer",
                                        "Upgrade",
                                        "Transfer-Encoding",
                                        "Transfer_Encoding",
                                        "Content-Length",
                                        "content_length",
                                        "Expect",
                                        "Proxy-Authorization",
                                        "Proxy-Connection",
                                        "Atlas-Session",
                                        "atlas_peer",
                                        "ATLAS-X",
                                        "X-Forwarded-Host",
                                        "x_forwarded_host",
                                        "X-Original-URL",
                                        "X-Rewrite-Url",
                                        "X-HTTP-Method-Override",
                                        "X-Forwarded-Port",
                                        "X_Forwarded_For",
                                        "X-Forwarded-Scheme",
                                        "HTTP2-Settings"};
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add(&in, names[i], i ? "v" : "X-Nominated, close");
    forward_request(&in, &context, &out, &scratch);
    assert_int_equal(out.count, 6);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_false(fields_has(&out, span_of(names[i])));

    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

/* What a client could change a shared answer by. */
static const char *const unkeyed[] = {
    "X-Forwarded-Host",
    "x-forwarded-port",
    "X-Forwarded-Prefix",
    "X-Forwarded-By",
    "X-Forwarded-Protocol",
    "X-Forwarded-Protocol-Name",
    "X-Forwarded-Client-IP",
    "X-Forwarded",
    "X-Forward-For",
    "X-Forward-Proto",
    "X-Original-URL",
    "X-Original-Path",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-Override-URL",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-HTTP-Host-Override",
    "X-HTTP-Scheme",
    "X-Method-Override",
    "X-Host",
    "X-Backend-Host",
    "X-Proxy-Host",
    "X-Proxy-URL",
    "X-Scheme",
    "X-Url-Scheme",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-ProxyUser-Ip",
    "X-Remote-Addr",
    "X-Originating-IP",
    "True-Client-IP",
    "Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "Front-End-Https",
    "Base-Url",
    "Request-Uri",
    "Destination",
    "X-Amz-Website-Redirect-Location",
    "X-Sendfile-Type",
    "X-Accel-Mapping",
    "X-Middleware-Prefetch",
    "X-Invoke-Path",
    "X-Script-Name",
    "X-Matched-Path",
    "X-Now-Route-Matches",
    "X-Envoy-Original-Path",
    "X-ARR-SSL",
    "WL-Proxy-SSL",
    "CloudFront-Forwarded-Proto",
    "CF-Visitor",
    "Fastly-SSL",
    "Proxy-Host",
    "Surrogate-Capability",
    "X_Forwarded_Host",
    "x_device",
    "X-Device_",
};

static void
test_unkeyed(void **state)
{
    struct forward_context alone = context;
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    alone.shared = false;
    for (size_t i = 0; i < ARRAY_LEN(unkeyed); i++) {
        struct span name = span_of(unkeyed[i]);
        struct forward_context passes = context;

        fields_clear(&in);
        add(&in, "X-Device", "a");
        assert_false(forward_has_unkeyed(&in, &context));
        add(&in, unkeyed[i], "evil");
        forward_request(&in, &context, &out, &scratch);
        if (fields_has(&out, name) || !forward_has_unkeyed(&in, &context))
            fail_msg("%s is shared", unkeyed[i]);
        assert_field(&out, "X-Device", "a");
        forward_request(&in, &alone, &out, &scratch);
        assert_field(&out, unkeyed[i], "evil");
        passes.passing = &name;
        passes.passing_count = 1;
        forward_request(&in, &passes, &out, &scratch);
        assert_field(&out, unkeyed[i], "evil");
        assert_false(forward_has_unkeyed(&in, &passes));
    }
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

/* What passes is one spelling, not its twins; and never what is ours to say. */
static void
test_passing(void **state)
{
    static const struct span names[] = {
        {"x-forwarded-host", 16}, {"x-device", 8},        {"host", 4},
        {"atlas-peer", 10},       {"proxy", 5},           {"connection", 10},
        {"forwarded", 9},         {"x-forwarded-for", 15}};
    struct forward_context passes = context;
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    passes.passing = names;
    passes.passing_count = ARRAY_LEN(names);
    add(&in, "X-Forwarded-Host", "a");
    add(&in, "X_Forwarded_Host", "evil");
    add(&in, "X_Device", "evil");
    add(&in, "Host", "evil");
    add(&in, "Atlas-Peer", "evil");
    add(&in, "Proxy", "evil");
    add(&in, "Connection", "close");
    add(&in, "Forwarded", "for=1.2.3.4;host=front");
    add(&in, "X-Forwarded-For", "a.example");
    forward_request(&in, &passes, &out, &scratch);
    assert_int_equal(out.count, 7);
    assert_field(&out, "X-Forwarded-Host", "a");
    assert_field(&out, "X-Forwarded-For", "a.example, 192.0.2.1");
    assert_field(&out, "Host", "www.example");
    assert_field(&out, "Forwarded",
                 "for=1.2.3.4;host=front, "
                 "for=192.0.2.1;host=www.example;proto=http");
    assert_true(forward_has_unkeyed(&in, &passes));
    fields_clear(&in);
    add(&in, "Forwarded", "for=1.2.3.4");
    assert_true(forward_has_unkeyed(&in, &context));
    assert_false(forward_has_unkeyed(&in, &passes));
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

static void
test_capability(void **state)
{
    static const struct {
        const char *client;
        bool shared;
        const char *want;
    } rows[] = {
        {"", true, "atlas=\"Surrogate/1.0\""},
        {"abc=\"ESI/1.0\"", true, "atlas=\"Surrogate/1.0\""},
        {"abc=\"ESI/1.0\"", false, "abc=\"ESI/1.0\", atlas=\"Surrogate/1.0\""},
        {"abc=\"open", false, "atlas=\"Surrogate/1.0\""},
    };
    struct forward_context named = context;
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    named.surrogate = SPAN("atlas");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fields_clear(&in);
        if (rows[i].client[0] != '\0')
            add(&in, "surrogate-capability", rows[i].client);
        named.shared = rows[i].shared;
        forward_request(&in, &named, &out, &scratch);
        assert_field(&out, "Surrogate-Capability", rows[i].want);
    }
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

static void
test_appended(void **state)
{
    static const struct {
        const char *name, *lines[2], *want;
    } rows[] = {
        {"Via", {"1.0 a", "1.1 b (x, y)"}, "1.0 a, 1.1 b (x, y), 1.1 edge1"},
        {"X-Forwarded-For",
         {"1.2.3.4 ,, 5.6.7.8"},
         "1.2.3.4, 5.6.7.8, 192.0.2.1"},
        {"X-Forwarded-For", {"\"1.2.3.4"}, "192.0.2.1"},
        {"X-Forwarded-For",
         {"<script>, 1.2.3.4:80, evil.example", "[2001:db8::2], unknown"},
         "1.2.3.4:80, [2001:db8::2], unknown, 192.0.2.1"},
        {"X-Forwarded-Proto", {"https"}, "http"},
        {"CDN-Loop", {"a; v=\"1,2\"", "b"}, "a; v=\"1,2\", b, edge1"},
        {"CDN-Loop", {"a, \"open"}, "a, edge1"},
        {"Forwarded",
         {"for=1.2.3.4;host=evil;proto=https"},
         "for=1.2.3.4, for=192.0.2.1;host=www.example;proto=http"},
        {"Forwarded",
         {"host=evil, By=\"[::1]\" ; for=_x, for"},
         "By=\"[::1]\";for=_x, for=192.0.2.1;host=www.example;proto=http"},
        {"Forwarded",
         {"for=evil.example;by=\"<b>\", for=\"[::1]:80\""},
         "for=\"[::1]:80\", for=192.0.2.1;host=www.example;proto=http"},
        {"Forwarded",
         {"for=\"a;b,c", "for=_ok"},
         "for=_ok, for=192.0.2.1;host=www.example;proto=http"},
    };
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fields_clear(&in);
        for (size_t k = 0; k < 2 && rows[i].lines[k]; k++)
            add(&in, rows[i].name, rows[i].lines[k]);
        forward_request(&in, &context, &out, &scratch);
        assert_field(&out, rows[i].name, rows[i].want);
    }
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

static void
test_contexts(void **state)
{
    struct forward_context other = {.client = SPAN("2001:db8::1"),
                                    .scheme = SPAN("https"),
                                    .host = SPAN("[::1]:8443"),
                                    .pseudonym = SPAN("e")};
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    add(&in, "Forwarded", "for=1.2.3.4;host=front");
    add(&in, "X-Forwarded-For", "a.example");
    forward_request(&in, &other, &out, &scratch);
    assert_field(&out, "X-Forwarded-For", "a.example, 2001:db8::1");
    assert_field(&out, "Forwarded",
                 "for=1.2.3.4;host=front, for=\"[2001:db8::1]\";"
                 "host=\"[::1]:8443\";proto=https");
    assert_field(&out, "Via", "1.0 e");
    other.client = SPAN_NONE;
    other.host = SPAN_NONE;
    fields_clear(&in);
    forward_request(&in, &other, &out, &scratch);
    assert_field(&out, "Forwarded", "for=unknown;proto=https");
    assert_false(fields_has(&out, SPAN("Host")));
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

/* What a shared answer is kept by is what the origin is asked. */
static void
test_cut_down(void **state)
{
    struct forward_context alone = context;
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    alone.shared = false;
    add(&in, "Accept-Encoding", "gzip;q=0.1, foo");
    add(&in, "Accept", "a;q=0.1 ,  b");
    add(&in, "accept-encoding", "br");
    add(&in, "Accept-Language", "EN;q=0.4");
    forward_request(&in, &context, &out, &scratch);
    assert_field(&out, "Accept-Encoding", "br,gzip");
    assert_field(&out, "Accept-Language", "en");
    assert_field(&out, "Accept", "a;q=0.1 ,  b");
    forward_request(&in, &alone, &out, &scratch);
    assert_int_equal(fields_count(&out, SPAN("Accept-Encoding")), 2);
    assert_field(&out, "Accept-Language", "EN;q=0.4");
    fields_clear(&in);
    add(&in, "Accept-Language", "nothing to say");
    add(&in, "Accept-Encoding", "");
    forward_request(&in, &context, &out, &scratch);
    assert_false(fields_has(&out, SPAN("Accept-Language")));
    assert_field(&out, "Accept-Encoding", "identity");
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

/* The room reckoned beforehand suffices however the values are cut. */
static void
test_room(void **state)
{
    struct buf list = {0};
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    for (size_t i = 0; i < 5000; i++)
        buf_add_text(&list, i ? ",a" : "a");
    fields_add(&in, SPAN("Via"), buf_span(&list));
    fields_add(&in, SPAN("CDN-Loop"), buf_span(&list));
    fields_add(&in, SPAN("X-Forwarded-For"), buf_span(&list));
    for (size_t i = 0; i < 1000; i++)
        add(&in, "Via", "a");
    forward_request(&in, &context, &out, &scratch);
    assert_int_equal(fields_get(&out, SPAN("Via")).len, 6000 * 3 + 9);
    buf_fini(&list);
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

static void
test_loop(void **state)
{
    static const struct {
        const char *value;
        bool want;
    } rows[] = {
        {"edge1", true},
        {"EDGE1", true},
        {"a, edge1; x=y", true},
        {"a,edge1 ;x", true},
        {"edge11", false},
        {"a", false},
        {"\"edge1\"", false},
        {"a; b=\"edge1, edge1\"", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct field list[] = {{SPAN("X"), SPAN("edge1")},
                               {SPAN("cdn-loop"), span_of(rows[i].value)}};
        struct fields request = {list, 2, 0};

        assert_int_equal(forward_is_loop(&request, SPAN("edge1")),
                         rows[i].want);
    }
}

static void
test_response(void **state)
{
    static const struct span hidden[] = {{"Surrogate-Key", 13},
                                         {"Cache-Tag", 9}};
    const struct forward_response_options options = {.pseudonym = SPAN("edge1"),
                                                     .http11 = true,
                                                     .hidden = hidden,
                                                     .hidden_count = 2};
    static const char *const rows[][2] = {
        {"Connection", "X-Hop"}, {"X-Hop", "1"},      {"X-Empty", ""},
        {"Bad Name", "1"},       {"X-Bad", "a\x01"},  {"cache-tag", "t"},
        {"Surrogate-Key", "t"},  {"Atlas-Age", "1"},  {"Content-Length", "5"},
        {"Via", "1.1 o"},        {"Upgrade", "h2c"},  {"Proxy-X", "kept"},
        {"Set-Cookie", "a=1"},   {"Set-Cookie", "b"}, {"Age", "5"}};
    struct fields in = {0};
    struct fields out = {0};
    struct buf scratch = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        add(&in, rows[i][0], rows[i][1]);
    forward_response(&in, &options, &out, &scratch);
    assert_int_equal(out.count, 6);
    assert_field(&out, "Proxy-X", "kept");
    assert_field(&out, "X-Empty", "");
    assert_int_equal(fields_count(&out, SPAN("Set-Cookie")), 2);
    assert_field(&out, "Age", "5");
    assert_field(&out, "Via", "1.1 o, 1.1 edge1");
    assert_int_equal(forward_size(&out), 11 + 11 + 4 + 17 + 15 + 8 + 3 + 20);
    fields_fini(&in);
    fields_fini(&out);
    buf_fini(&scratch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),      cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_unkeyed),    cmocka_unit_test(test_passing),
        cmocka_unit_test(test_capability), cmocka_unit_test(test_appended),
        cmocka_unit_test(test_contexts),   cmocka_unit_test(test_cut_down),
        cmocka_unit_test(test_room),       cmocka_unit_test(test_loop),
        cmocka_unit_test(test_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
