#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/check.h"
#include "http/conditional.h"

#define S(literal)                                                             \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define INM(v)                                                                 \
    {                                                                          \
        S("if-none-match"), S(v)                                               \
    }
#define IMS(v)                                                                 \
    {                                                                          \
        S("If-Modified-Since"), S(v)                                           \
    }
#define IUS(v)                                                                 \
    {                                                                          \
        S("If-Unmodified-Since"), S(v)                                         \
    }
#define IM(v)                                                                  \
    {                                                                          \
        S("If-Match"), S(v)                                                    \
    }
#define ETAG(v)                                                                \
    {                                                                          \
        S("ETag"), S(v)                                                        \
    }
#define LM(v)                                                                  \
    {                                                                          \
        S("Last-Modified"), S(v)                                               \
    }
#define DATE(v)                                                                \
    {                                                                          \
        S("Date"), S(v)                                                        \
    }
#define DAY1 "Sun, 06 Nov 1994 08:49:37 GMT"
#define DAY1_850 "Sunday, 06-Nov-94 08:49:37 GMT"
#define DAY1_ASC "Sun Nov  6 08:49:37 1994"
#define DAY2 "Mon, 07 Nov 1994 08:49:37 GMT"
#define DAY1_S INT64_C(784111777)

static struct fields
fields_of(struct field list[3])
{
    struct fields fields = {list, 0, 0};

    while (fields.count < 3 && list[fields.count].name.ptr != NULL)
        fields.count++;
    return fields;
}

static void
test_etags(void **state)
{
    static const struct {
        struct span a, b;
        bool valid, strong, strong_equal, weak_equal;
    } rows[] = {
        {S("\"a\""), S("\"a\""), true, true, true, true},
        {S("\"\""), S("\"\""), true, true, true, true},
        {S("W/\"a\""), S("\"a\""), true, false, false, true},
        {S("W/\"a\""), S("W/\"a\""), true, false, false, true},
        {S("\"a\""), S("\"b\""), true, true, false, false},
        {S("\"a\\\""), S("\"a\\\""), true, true, true, true},
        {S("\"a,b\""), S("\"a,b\""), true, true, true, true},
        {S("\"\x80\""), S("\"\x80\""), true, true, true, true},
        {S("\"a\xfc\""), S("W/\"a\xfc\""), true, true, false, true},
        {S("\"a\xfc\""), S("\"a\xc3\xbc\""), true, true, false, false},
        {S("w/\"a\""), S("\"a\""), false, false, false, false},
        {S("a"), S("a"), false, false, false, true},
        {S("\"a"), S("\"a"), false, false, false, true},
        {S("\""), S("\""), false, false, false, true},
        {S("\"a b\""), S("\"a b\""), false, false, false, true},
        {S("\"a\"b\""), S("\"a\"b\""), false, false, false, true},
        {S(""), S(""), false, false, false, false},
        {S("W/"), S(""), false, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(etag_valid(rows[i].a), rows[i].valid);
        assert_int_equal(etag_is_strong(rows[i].a), rows[i].strong);
        assert_int_equal(etag_strong_equal(rows[i].a, rows[i].b),
                         rows[i].strong_equal);
        assert_int_equal(etag_weak_equal(rows[i].a, rows[i].b),
                         rows[i].weak_equal);
        assert_int_equal(etag_weak_equal(rows[i].b, rows[i].a),
                         rows[i].weak_equal);
    }
}

static const struct {
    const char *what;
    struct field request[3];
    struct field stored[3];
    enum condition want;
} cache_rows[] = {
    {"none", {{{0}, {0}}}, {ETAG("\"a\"")}, CONDITION_NONE},
    {"strong", {INM("\"a\"")}, {ETAG("\"a\"")}, CONDITION_NOT_MODIFIED},
    {"weak", {INM("W/\"a\"")}, {ETAG("\"a\"")}, CONDITION_NOT_MODIFIED},
    {"weak 2", {INM("\"a\"")}, {ETAG("W/\"a\"")}, CONDITION_NOT_MODIFIED},
    {"other", {INM("\"b\"")}, {ETAG("\"a\"")}, CONDITION_NONE},
    {"list",
     {INM("\"b\" , \"a\", \"c\"")},
     {ETAG("\"a\"")},
     CONDITION_NOT_MODIFIED},
    {"lines",
     {INM("\"b\""), INM("\"a\"")},
     {ETAG("\"a\"")},
     CONDITION_NOT_MODIFIED},
    {"comma inside", {INM("\"b,\"a\",c\"")}, {ETAG("\"a\"")}, CONDITION_NONE},
    {"backslash",
     {INM("\"b\\\", \"a\"")},
     {ETAG("\"a\"")},
     CONDITION_NOT_MODIFIED},
    {"star", {INM("*")}, {ETAG("\"a\"")}, CONDITION_NOT_MODIFIED},
    {"star, no etag", {INM("*")}, {{{0}, {0}}}, CONDITION_NOT_MODIFIED},
    {"no etag stored", {INM("\"a\"")}, {LM(DAY1)}, CONDITION_NONE},
    {"empty tag", {INM("W/, ,")}, {LM(DAY1)}, CONDITION_NONE},
    {"inm beats ims",
     {INM("\"a\""), IMS("Sat, 05 Nov 1994 08:49:37 GMT")},
     {ETAG("\"a\""), LM(DAY1)},
     CONDITION_NOT_MODIFIED},
    {"inm beats ims 2",
     {INM("\"b\""), IMS(DAY2)},
     {ETAG("\"a\""), LM(DAY1)},
     CONDITION_NONE},
    {"ims equal", {IMS(DAY1)}, {LM(DAY1)}, CONDITION_NOT_MODIFIED},
    {"ims later", {IMS(DAY2)}, {LM(DAY1)}, CONDITION_NOT_MODIFIED},
    {"ims earlier", {IMS(DAY1)}, {LM(DAY2)}, CONDITION_NONE},
    {"ims 850", {IMS(DAY1_850)}, {LM(DAY1)}, CONDITION_NOT_MODIFIED},
    {"ims asctime", {IMS(DAY1_ASC)}, {LM(DAY1)}, CONDITION_NOT_MODIFIED},
    {"ims no date", {IMS("yesterday")}, {LM(DAY1)}, CONDITION_NONE},
    {"ims twice", {IMS(DAY2), IMS(DAY2)}, {LM(DAY1)}, CONDITION_NONE},
    {"ims, Date", {IMS(DAY1)}, {DATE(DAY1)}, CONDITION_NOT_MODIFIED},
    {"ims, Date later", {IMS(DAY1)}, {DATE(DAY2)}, CONDITION_NONE},
    {"ims, neither", {IMS(DAY2)}, {{{0}, {0}}}, CONDITION_NOT_MODIFIED},
    {"ims, neither, old",
     {IMS("Sat, 05 Nov 1994 08:49:37 GMT")},
     {{{0}, {0}}},
     CONDITION_NONE},
    {"if-match", {IM("\"a\"")}, {ETAG("\"a\"")}, CONDITION_ORIGIN},
    {"if-unmodified",
     {IUS(DAY1), INM("\"a\"")},
     {ETAG("\"a\"")},
     CONDITION_ORIGIN},
};

static void
test_cache(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cache_rows); i++) {
        struct field lists[2][3];

        memcpy(lists[0], cache_rows[i].request, sizeof(lists[0]));
        memcpy(lists[1], cache_rows[i].stored, sizeof(lists[1]));
        struct fields request = fields_of(lists[0]);
        struct fields stored = fields_of(lists[1]);
        enum condition got =
            conditional_evaluate(SPAN("GET"), &request, 200, &stored, DAY1_S);

        if (got != cache_rows[i].want)
            fail_msg("%s: got %d, want %d", cache_rows[i].what, (int)got,
                     (int)cache_rows[i].want);
    }
}

static void
test_cache_scope(void **state)
{
    struct field list[] = {INM("*")};
    struct fields request = {list, 1, 0};
    struct fields none = {0};

    (void)state;
    assert_int_equal(
        conditional_evaluate(SPAN("HEAD"), &request, 204, &none, 0),
        CONDITION_NOT_MODIFIED);
    assert_int_equal(conditional_evaluate(SPAN("GET"), &request, 404, &none, 0),
                     CONDITION_NONE);
    assert_int_equal(conditional_evaluate(SPAN("GET"), &request, 301, &none, 0),
                     CONDITION_NONE);
    assert_int_equal(
        conditional_evaluate(SPAN("POST"), &request, 200, &none, 0),
        CONDITION_NONE);
    assert_true(conditional_present(&request));
    assert_false(conditional_needs_origin(&request));
}

static const struct {
    const char *what, *method;
    struct field request[3];
    struct field current[3]; /* first name NULL: there is none */
    enum condition want;
} origin_rows[] = {
    {"none", "PUT", {{{0}, {0}}}, {ETAG("\"a\"")}, CONDITION_NONE},
    {"match", "PUT", {IM("\"a\"")}, {ETAG("\"a\"")}, CONDITION_NONE},
    {"match list",
     "PUT",
     {IM("\"b\", \"a\"")},
     {ETAG("\"a\"")},
     CONDITION_NONE},
    {"no match", "PUT", {IM("\"b\"")}, {ETAG("\"a\"")}, CONDITION_FAILED},
    {"match is strong",
     "PUT",
     {IM("W/\"a\"")},
     {ETAG("W/\"a\"")},
     CONDITION_FAILED},
    {"match star", "PUT", {IM("*")}, {ETAG("\"a\"")}, CONDITION_NONE},
    {"match star, none", "PUT", {IM("*")}, {{{0}, {0}}}, CONDITION_FAILED},
    {"match beats date",
     "PUT",
     {IM("\"a\""), IUS("Sat, 05 Nov 1994 08:49:37 "
                       "GMT")},
     {ETAG("\"a\""), LM(DAY1)},
     CONDITION_NONE},
    {"unmodified", "PUT", {IUS(DAY1)}, {LM(DAY1)}, CONDITION_NONE},
    {"modified", "PUT", {IUS(DAY1)}, {LM(DAY2)}, CONDITION_FAILED},
    {"bad date", "PUT", {IUS("x")}, {LM(DAY2)}, CONDITION_NONE},
    {"create only", "PUT", {INM("*")}, {{{0}, {0}}}, CONDITION_NONE},
    {"create only, there",
     "PUT",
     {INM("*")},
     {ETAG("\"a\"")},
     CONDITION_FAILED},
    {"get", "GET", {INM("W/\"a\"")}, {ETAG("\"a\"")}, CONDITION_NOT_MODIFIED},
    {"get ims", "GET", {IMS(DAY1)}, {LM(DAY1)}, CONDITION_NOT_MODIFIED},
    {"get ims, modified", "GET", {IMS(DAY1)}, {LM(DAY2)}, CONDITION_NONE},
    {"put ims", "PUT", {IMS(DAY1)}, {LM(DAY1)}, CONDITION_NONE},
    {"failed beats 304",
     "GET",
     {IM("\"b\""), INM("\"a\"")},
     {ETAG("\"a\"")},
     CONDITION_FAILED},
};

static void
test_origin(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(origin_rows); i++) {
        struct field lists[2][3];

        memcpy(lists[0], origin_rows[i].request, sizeof(lists[0]));
        memcpy(lists[1], origin_rows[i].current, sizeof(lists[1]));
        struct fields request = fields_of(lists[0]);
        struct fields current = fields_of(lists[1]);
        enum condition got = conditional_evaluate_origin(
            span_of(origin_rows[i].method), &request,
            current.count ? &current : NULL, DAY1_S);

        if (got != origin_rows[i].want)
            fail_msg("%s: got %d, want %d", origin_rows[i].what, (int)got,
                     (int)origin_rows[i].want);
    }
}

static void
test_validation(void **state)
{
    struct field list[] = {LM("  odd date"), ETAG("W/\"x\"")};
    struct fields stored = {list, 2, 0};
    struct fields out = {0};

    (void)state;
    assert_true(conditional_for_validation(&stored, false, &out));
    assert_int_equal(out.count, 2);
    assert_true(
        span_eq(fields_get(&out, SPAN("If-None-Match")), SPAN("W/\"x\"")));
    assert_true(span_eq(fields_get(&out, SPAN("If-Modified-Since")),
                        SPAN("  odd date")));
    fields_add(&out, SPAN("If-Range"), SPAN("x"));
    fields_add(&out, SPAN("If-Match"), SPAN("x"));
    fields_add(&out, SPAN("Range"), SPAN("x"));
    conditional_strip(&out);
    assert_int_equal(out.count, 1);
    fields_clear(&out);
    assert_false(conditional_for_validation(&stored, true, &out));
    list[1].value = SPAN("\"x\"");
    assert_true(conditional_for_validation(&stored, true, &out));
    fields_clear(&out);
    stored.count = 0;
    assert_false(conditional_for_validation(&stored, false, &out));
    fields_fini(&out);
}

static void
test_not_modified_fields(void **state)
{
    struct field list[] = {
        ETAG("\"a\""),
        {S("Content-Type"), S("text/html")},
        {S("content-encoding"), S("gzip")},
        {S("Content-Location"), S("/x")},
        {S("Cache-Control"), S("max-age=1")},
        {S("Access-Control-Allow-Origin"), S("*")},
    };
    struct fields stored = {list, ARRAY_LEN(list), 0};
    struct fields out = {0};

    (void)state;
    conditional_not_modified_fields(&stored, &out);
    assert_int_equal(out.count, 4);
    assert_true(fields_has(&out, SPAN("ETag")));
    assert_false(fields_has(&out, SPAN("Content-Type")));
    assert_true(fields_has(&out, SPAN("Content-Location")));
    fields_fini(&out);
}

static void
test_strong_last_modified(void **state)
{
    static const struct {
        const char *modified, *date;
        bool want;
    } rows[] = {
        {DAY1, DAY2, true},     {DAY1, "Sun, 06 Nov 1994 08:49:38 GMT", true},
        {DAY1_ASC, DAY2, true}, {DAY1, DAY1, false},
        {DAY2, DAY1, false},    {DAY1_850, DAY2, false},
        {"x", DAY2, false},     {DAY1, "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct field list[] = {
            {SPAN("Last-Modified"), span_of(rows[i].modified)},
            {SPAN("Date"), span_of(rows[i].date)}};
        struct fields stored = {list, 2, 0};

        assert_int_equal(conditional_strong_last_modified(&stored),
                         rows[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_scope),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_not_modified_fields),
        cmocka_unit_test(test_strong_last_modified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
