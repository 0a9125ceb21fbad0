#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/secret.h"
#include "cluster/auth.h"

#define NOW INT64_C(1700000000000)
#define SKEW 30000

static struct auth *
make(const char *node, const char *secret)
{
    struct auth_options options = {.secret = span_of(secret),
                                   .node = node,
                                   .max_skew_ms = SKEW,
                                   .max_nonces = 4096};

    return auth_new(&options);
}

static struct auth_request
plain(void)
{
    return (struct auth_request){.op = AUTH_GET,
                                 .to = SPAN("tokyo-2"),
                                 .method = SPAN("GET"),
                                 .host = SPAN("www.example.com"),
                                 .target = SPAN("/a?b=c")};
}

/* ---- what was changed between signing and verifying ---- */

struct change {
    const char *what;
    const char *method; /* these replace what was signed; NULL: not */
    const char *host;
    const char *target;
    const char *secret; /* of the sender; NULL: the right one */
    const char *to;     /* NULL: the right one */
    int64_t late_ms;
    enum auth_verdict want;
};

static const struct change changes[] = {
    {.what = "nothing", .want = AUTH_OK},
    {.what = "method", .method = "PUT", .want = AUTH_FORGED},
    {.what = "method case", .method = "get", .want = AUTH_FORGED},
    {.what = "host", .host = "www.example.org", .want = AUTH_FORGED},
    {.what = "no host", .host = "", .want = AUTH_FORGED},
    {.what = "target", .target = "/a?b=d", .want = AUTH_FORGED},
    {.what = "bytes moved from host to target",
     .host = "www.example.co",
     .target = "m/a?b=c",
     .want = AUTH_FORGED},
    {.what = "secret", .secret = "another secret", .want = AUTH_FORGED},
    {.what = "receiver", .to = "tokyo-1", .want = AUTH_WRONG_NODE},
    {.what = "receiver, longer", .to = "tokyo-22", .want = AUTH_WRONG_NODE},
    {.what = "as late as may be", .late_ms = SKEW, .want = AUTH_OK},
    {.what = "too late", .late_ms = SKEW + 1, .want = AUTH_SKEWED},
    {.what = "as early as may be", .late_ms = -SKEW, .want = AUTH_OK},
    {.what = "too early", .late_ms = -SKEW - 1, .want = AUTH_SKEWED},
    {.what = "a clock before 1970", .late_ms = -NOW - 5, .want = AUTH_SKEWED},
};

static void
test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        const struct change *c = &changes[i];
        struct auth *sender =
            make("paris-1", c->secret ? c->secret : "a shared secret");
        struct auth *receiver = make("tokyo-2", "a shared secret");
        struct auth_request request = plain();
        struct auth_claims claims;
        struct buf value = {0};

        if (c->to != NULL)
            request.to = span_of(c->to);
        auth_sign(sender, &request, NOW, &value);
        if (c->method != NULL)
            request.method = span_of(c->method);
        if (c->host != NULL)
            request.host = span_of(c->host);
        if (c->target != NULL)
            request.target = span_of(c->target);
        enum auth_verdict got = auth_verify(
            receiver, buf_span(&value), &request, NOW + c->late_ms, &claims);

        if (got != c->want)
            fail_msg("%s: %s, not %s", c->what, auth_verdict_name(got),
                     auth_verdict_name(c->want));
        if (got == AUTH_OK)
            assert_string_equal(claims.node, "paris-1");
        buf_fini(&value);
        auth_free(&sender);
        auth_free(&receiver);
    }
}

static void
test_operations(void **state)
{
    struct auth *sender = make("paris-1", "a shared secret");
    struct auth *receiver = make("tokyo-2", "a shared secret");

    (void)state;
    for (int op = 0; op < AUTH_OPS; op++) {
        struct auth_request request = plain();
        struct auth_claims claims;
        struct buf value = {0};

        request.op = (enum auth_op)op;
        auth_sign(sender, &request, NOW, &value);
        assert_int_equal(
            auth_verify(receiver, buf_span(&value), &request, NOW, &claims),
            AUTH_OK);
        assert_int_equal(claims.op, op);
        buf_fini(&value);
    }
    auth_free(&sender);
    auth_free(&receiver);
}

/* ---- the text of the field, changed ---- */

#define NONCE "0123456789abcdef"
#define MAC32 "0123456789abcdef0123456789abcdef"
#define MAC MAC32 MAC32
#define TAIL "; t=1700000000000; n=" NONCE "; mac=" MAC
#define HEAD "node=paris-1; to=tokyo-2; op=get"
#define ID64 "0123456789012345678901234567890123456789012345678901234567890123"

struct text {
    const char *value;
    enum auth_verdict want;
};

static const struct text texts[] = {
    {HEAD TAIL, AUTH_FORGED}, /* well formed, so the MAC is looked at */
    {"", AUTH_MALFORMED},
    {"node=", AUTH_MALFORMED},
    {HEAD TAIL ";", AUTH_MALFORMED},
    {HEAD TAIL "; x=y", AUTH_MALFORMED},
    {" " HEAD TAIL, AUTH_MALFORMED},
    {HEAD TAIL " ", AUTH_MALFORMED},
    {HEAD TAIL ", " HEAD TAIL, AUTH_MALFORMED},
    {"Node=paris-1; to=tokyo-2; op=get" TAIL, AUTH_MALFORMED},
    {"to=tokyo-2; node=paris-1; op=get" TAIL, AUTH_MALFORMED},
    {"node=paris-1;to=tokyo-2;op=get" TAIL, AUTH_MALFORMED},
    {"node=; to=tokyo-2; op=get" TAIL, AUTH_MALFORMED},
    {"node=paris/1; to=tokyo-2; op=get" TAIL, AUTH_MALFORMED},
    {"node=" ID64 "; to=tokyo-2; op=get" TAIL, AUTH_MALFORMED},
    {"node=paris-1; to=; op=get" TAIL, AUTH_MALFORMED},
    {"node=paris-1; to=\"a\"; op=get" TAIL, AUTH_MALFORMED},
    {"node=paris-1; to=tokyo-2; op=put" TAIL, AUTH_MALFORMED},
    {"node=paris-1; to=tokyo-2; op=GET" TAIL, AUTH_MALFORMED},
    {"node=paris-1; to=tokyo-2; op=" TAIL, AUTH_MALFORMED},
    {HEAD "; t=; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=0; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=01; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=-1; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=+1; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=1e9; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=1234567890123456; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=18446744073709551617; n=" NONCE "; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=1; n=; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=1; n=0123456789abcde; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=1; n=" MAC "0; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=1; n=0123456789ABCDEF; mac=" MAC, AUTH_MALFORMED},
    {HEAD "; t=1; n=" NONCE "; mac=", AUTH_MALFORMED},
    {HEAD "; t=1; n=" NONCE "; mac=" MAC32, AUTH_MALFORMED},
    {HEAD "; t=1; n=" NONCE "; mac=" MAC "0", AUTH_MALFORMED},
    {HEAD "; t=1; n=" NONCE, AUTH_MALFORMED},
    {HEAD "; t=1; mac=" MAC, AUTH_MALFORMED},
};

static void
test_texts(void **state)
{
    struct auth *auth = make("tokyo-2", "a shared secret");
    struct auth_request request = plain();
    struct auth_claims claims;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        enum auth_verdict got =
            auth_verify(auth, span_of(texts[i].value), &request, NOW, &claims);

        if (got != texts[i].want)
            fail_msg("\"%s\": %s", texts[i].value, auth_verdict_name(got));
    }
    assert_int_equal(auth_verify(auth, SPAN_NONE, &request, NOW, &claims),
                     AUTH_MALFORMED);
    auth_free(&auth);
}

/* Whatever single byte of a good value is changed, it is refused. */
static void
test_each_byte(void **state)
{
    struct auth *sender = make("paris-1", "a shared secret");
    struct auth *receiver = make("tokyo-2", "a shared secret");
    struct auth_request request = plain();
    struct auth_claims claims;
    struct buf value = {0};

    (void)state;
    auth_sign(sender, &request, NOW, &value);
    for (size_t i = 0; i < value.len; i++) {
        value.data[i] ^= 1;
        assert_int_not_equal(
            auth_verify(receiver, buf_span(&value), &request, NOW, &claims),
            AUTH_OK);
        value.data[i] ^= 1;
        assert_int_equal(auth_verify(receiver, (struct span){value.data, i},
                                     &request, NOW, &claims),
                         AUTH_MALFORMED);
    }
    assert_int_equal(
        auth_verify(receiver, buf_span(&value), &request, NOW, &claims),
        AUTH_OK);
    buf_fini(&value);
    auth_free(&sender);
    auth_free(&receiver);
}

/* ---- replay ---- */

static enum auth_verdict
verify_at(struct auth *receiver, const struct buf *value, int64_t wall_ms)
{
    struct auth_request request = plain();
    struct auth_claims claims;

    return auth_verify(receiver, buf_span(value), &request, wall_ms, &claims);
}

static void
sign_at(struct auth *sender, int64_t wall_ms, struct buf *value)
{
    struct auth_request request = plain();

    buf_clear(value);
    auth_sign(sender, &request, wall_ms, value);
}

static void
test_replay(void **state)
{
    struct auth *sender = make("paris-1", "a shared secret");
    struct auth *receiver = make("tokyo-2", "a shared secret");
    struct buf value = {0};
    struct buf other = {0};

    (void)state;
    sign_at(sender, NOW, &value);
    assert_int_equal(verify_at(receiver, &value, NOW), AUTH_OK);
    /* As long as its time is good, and whatever else comes meanwhile. */
    for (int64_t at = NOW - SKEW; at <= NOW + SKEW; at += 1000) {
        sign_at(sender, at, &other);
        assert_int_equal(verify_at(receiver, &other, at), AUTH_OK);
        assert_int_equal(verify_at(receiver, &value, at), AUTH_REPLAYED);
    }
    assert_int_equal(verify_at(receiver, &value, NOW + SKEW + 1), AUTH_SKEWED);
    /* Long after, our clock is set back: still not. */
    for (int64_t at = NOW; at <= NOW + 20 * SKEW; at += SKEW / 2) {
        sign_at(sender, at, &other);
        assert_int_equal(verify_at(receiver, &other, at), AUTH_OK);
    }
    assert_int_not_equal(verify_at(receiver, &value, NOW), AUTH_OK);
    buf_fini(&value);
    buf_fini(&other);
    auth_free(&sender);
    auth_free(&receiver);
}

/* What another run of the program may have accepted is not accepted again. */
static void
test_started(void **state)
{
    struct auth_options options = {.secret = SPAN("a shared secret"),
                                   .node = "tokyo-2",
                                   .max_skew_ms = SKEW,
                                   .started_ms = NOW};
    struct auth *sender = make("paris-1", "a shared secret");
    struct auth *receiver = auth_new(&options);
    struct buf value = {0};

    (void)state;
    sign_at(sender, NOW - 1, &value);
    assert_int_equal(verify_at(receiver, &value, NOW + 5), AUTH_SKEWED);
    sign_at(sender, NOW, &value);
    assert_int_equal(verify_at(receiver, &value, NOW + 5), AUTH_OK);
    buf_fini(&value);
    auth_free(&sender);
    auth_free(&receiver);
}

/* A full cache refuses what it cannot remember, and forgets nothing that may
 * still come; once its nonces are too old there is room again. */
static void
test_full(void **state)
{
    struct auth *sender = make("paris-1", "a shared secret");
    struct auth *receiver = make("tokyo-2", "a shared secret");
    struct buf first = {0};
    struct buf value = {0};
    unsigned count[AUTH_VERDICTS] = {0};

    (void)state;
    sign_at(sender, NOW, &first);
    assert_int_equal(verify_at(receiver, &first, NOW), AUTH_OK);
    for (int i = 0; i < 8000; i++) {
        sign_at(sender, NOW, &value);
        count[verify_at(receiver, &value, NOW)]++;
    }
    assert_int_equal(count[AUTH_OK] + count[AUTH_FULL], 8000);
    assert_in_range(count[AUTH_OK], 3500, 4096);
    assert_int_equal(verify_at(receiver, &first, NOW), AUTH_REPLAYED);
    int64_t later = NOW + 2 * SKEW + 1;

    sign_at(sender, later, &value);
    assert_int_equal(verify_at(receiver, &value, later), AUTH_OK);
    assert_int_not_equal(verify_at(receiver, &first, NOW), AUTH_OK);
    buf_fini(&first);
    buf_fini(&value);
    auth_free(&sender);
    auth_free(&receiver);
}

static void
test_node_names(void **state)
{
    static const struct {
        const char *node;
        bool want;
    } rows[] = {
        {"paris-1", true}, {"a", true},      {"A.b_c-9", true}, {"", false},
        {"a b", false},    {"a;b", false},   {"a/b", false},    {"a=b", false},
        {ID64, false},     {&ID64[1], true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (auth_node_valid(span_of(rows[i].node)) != rows[i].want)
            fail_msg("\"%s\"", rows[i].node);
    }
    assert_false(auth_node_valid((struct span){"a\0b", 3}));
}

static void
test_derive(void **state)
{
    (void)state;
    uint64_t number = auth_derive(SPAN("a shared secret"), "keys");

    assert_true(number == auth_derive(SPAN("a shared secret"), "keys"));
    assert_true(number != auth_derive(SPAN("a shared secret"), "key"));
    assert_true(number != auth_derive(SPAN("another secret"), "keys"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes), cmocka_unit_test(test_operations),
        cmocka_unit_test(test_texts),   cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_replay),  cmocka_unit_test(test_started),
        cmocka_unit_test(test_full),    cmocka_unit_test(test_node_names),
        cmocka_unit_test(test_derive),
    };

    secret_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
