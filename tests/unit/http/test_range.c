#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/check.h"
#include "fields_text.h"
#include "http/range.h"

#define DAY1 "Sun, 06 Nov 1994 08:49:37 GMT"
#define DAY2 "Mon, 07 Nov 1994 08:49:37 GMT"

static void
test_ranges(void **state)
{
    static const struct {
        const char *value;
        uint64_t length;
        enum range_result want;
        const char *ranges;
    } rows[] = {
        {"bytes=0-1", 10, RANGE_OK, "0-1"},
        {"BYTES=0-1", 10, RANGE_OK, "0-1"},
        {"bytes=1-", 10, RANGE_OK, "1-9"},
        {"bytes=-1", 10, RANGE_OK, "9-9"},
        {"bytes=-99", 10, RANGE_OK, "0-9"},
        {"bytes=0-99", 10, RANGE_OK, "0-9"},
        {"bytes=9-9", 10, RANGE_OK, "9-9"},
        {"bytes= 0-1 ,", 10, RANGE_OK, "0-1"},
        {"bytes=0-18446744073709551615", 10, RANGE_OK, "0-9"},
        {"bytes=-18446744073709551616", 10, RANGE_OK, "0-9"},
        {"bytes=10-", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=99999999999999999999-", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=-0", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=0-", 0, RANGE_UNSATISFIABLE, ""},
        {"bytes=-5", 0, RANGE_NONE, ""},
        {"bytes=10-,0-0", 10, RANGE_OK, "0-0"},
        {"bytes=0-0,200-200", 1000, RANGE_OK, "0-0 200-200"},
        {"bytes=200-200,0-0", 1000, RANGE_OK, "200-200 0-0"},
        {"bytes=0-0,2-2", 1000, RANGE_OK, "0-2"},
        {"bytes=5-9,0-7", 1000, RANGE_OK, "0-9"},
        {"bytes=0-,0-,0-,0-", 1000, RANGE_OK, "0-999"},
        {"bytes=500-600,0-9,5-20", 1000, RANGE_OK, "0-20 500-600"},
        {"bytes=0-80,160-170", 1000, RANGE_OK, "0-170"},
        {"bytes=0-80,161-170", 1000, RANGE_OK, "0-80 161-170"},
        {"bytes=", 10, RANGE_NONE, ""},
        {"bytes=,", 10, RANGE_NONE, ""},
        {"bytes", 10, RANGE_NONE, ""},
        {"", 10, RANGE_NONE, ""},
        {"lines=0-1", 10, RANGE_NONE, ""},
        {"bytes =0-1", 10, RANGE_NONE, ""},
        {"bytes=1-0", 10, RANGE_NONE, ""},
        {"bytes=0-1,5-4", 10, RANGE_NONE, ""},
        {"bytes=a-1", 10, RANGE_NONE, ""},
        {"bytes=0-b", 10, RANGE_NONE, ""},
        {"bytes=0 - 1", 10, RANGE_NONE, ""},
        {"bytes=-", 10, RANGE_NONE, ""},
        {"bytes=--1", 10, RANGE_NONE, ""},
        {"bytes=0-1-2", 10, RANGE_NONE, ""},
        {"bytes=+0-1", 10, RANGE_NONE, ""},
        {"bytes=0-1;2-3", 10, RANGE_NONE, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct field list[] = {{SPAN("range"), span_of(rows[i].value)}};
        struct fields request = {list, 1, 0};
        struct range_set set = {0};
        struct buf got = {0};
        enum range_result result =
            range_evaluate(&request, rows[i].length, NULL, &set);

        if (result != rows[i].want)
            fail_msg("%s: got %d, want %d", rows[i].value, (int)result,
                     (int)rows[i].want);
        for (size_t k = 0; result == RANGE_OK && k < set.count; k++)
            buf_printf(&got, "%s%llu-%llu", k ? " " : "",
                       (unsigned long long)set.list[k].first,
                       (unsigned long long)set.list[k].last);
        if (!span_eq(buf_span(&got), span_of(rows[i].ranges)))
            fail_msg("%s: got '%s', want '%s'", rows[i].value,
                     got.data ? got.data : "", rows[i].ranges);
        buf_fini(&got);
    }
}

static void
test_many(void **state)
{
    struct buf value = {0};
    struct range_set set;

    (void)state;
    for (unsigned i = 0; i < 65; i++) {
        buf_printf(&value, "%s%u-%u", i ? "," : "bytes=", i * 1000, i * 1000);
        struct field list[] = {{SPAN("Range"), buf_span(&value)}};
        struct fields request = {list, 1, 0};
        enum range_result got = range_evaluate(&request, 100000, NULL, &set);

        assert_int_equal(got, i < RANGE_MAX ? RANGE_OK : RANGE_NONE);
    }
    buf_clear(&value);
    for (unsigned i = 0; i < 5000; i++)
        buf_add_text(&value, i ? ",0-" : "bytes=0-");
    struct field list[] = {{SPAN("Range"), buf_span(&value)}};
    struct fields request = {list, 1, 0};

    assert_int_equal(range_evaluate(&request, 100, NULL, &set), RANGE_NONE);
    buf_fini(&value);
}

static void
test_two_fields(void **state)
{
    struct field list[] = {{SPAN("Range"), SPAN("bytes=0-1")},
                           {SPAN("Range"), SPAN("bytes=0-1")}};
    struct fields request = {list, 2, 0};
    struct range_set set;
    struct range_spec spec;

    (void)state;
    assert_int_equal(range_evaluate(&request, 9, NULL, &set), RANGE_NONE);
    assert_false(range_parse_single(&request, &spec));
    request.count = 0;
    assert_int_equal(range_evaluate(&request, 9, NULL, &set), RANGE_NONE);
    assert_false(range_parse_single(&request, &spec));
}

static void
test_if_range(void **state)
{
    static const struct {
        const char *want, *etag, *modified, *date;
        bool holds;
    } rows[] = {
        {"\"a\"", "\"a\"", "", "", true},
        {"\"a\"", "\"b\"", "", "", false},
        {"W/\"a\"", "W/\"a\"", "", "", false},
        {"\"a\"", "W/\"a\"", "", "", false},
        {"a", "a", "", "", false},
        {"\"a\", \"b\"", "\"a\"", "", "", false},
        {DAY1, "", DAY1, DAY2, true},
        {DAY1, "\"a\"", DAY1, DAY2, true},
        {DAY1, "", DAY1, DAY1, false},
        {DAY2, "", DAY1, DAY2, false},
        {"", "", "", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct field asked[] = {
            {SPAN("Range"), SPAN("bytes=0-1")},
            {SPAN("If-Range"), {rows[i].want, strlen(rows[i].want)}}};
        struct field kept[] = {
            {SPAN("ETag"), span_of(rows[i].etag)},
            {SPAN("Last-Modified"), span_of(rows[i].modified)},
            {SPAN("Date"), span_of(rows[i].date)}};
        struct fields request = {asked, 2, 0};
        struct fields stored = {kept, 3, 0};
        struct range_set set;

        assert_int_equal(range_evaluate(&request, 9, &stored, &set),
                         rows[i].holds ? RANGE_OK : RANGE_NONE);
        assert_int_equal(range_evaluate(&request, 9, NULL, &set), RANGE_NONE);
    }
}

static void
test_single(void **state)
{
    struct range_spec spec;
    struct range range;

    (void)state;
    assert_true(range_parse_value(SPAN("bytes=5-"), &spec));
    assert_int_equal(spec.first, 5);
    assert_true(spec.last == UINT64_MAX && !spec.suffix);
    assert_true(range_resolve(&spec, 8, &range));
    assert_int_equal(range.last, 7);
    assert_false(range_resolve(&spec, 5, &range));
    assert_true(range_parse_value(SPAN("bytes=-5"), &spec));
    assert_true(spec.suffix);
    assert_true(range_resolve(&spec, 8, &range));
    assert_int_equal(range.first, 3);
    assert_false(range_resolve(&spec, 0, &range));
    assert_false(range_parse_value(SPAN("bytes=0-1,3-4"), &spec));
    assert_false(range_parse_value(SPAN_NONE, &spec));
}

static void
test_content_range(void **state)
{
    static const struct {
        const char *value;
        bool good;
        struct content_range want;
    } rows[] = {
        {"bytes 0-9/100", true, {false, true, 0, 9, 100}},
        {"Bytes 5-5/6", true, {false, true, 5, 5, 6}},
        {"bytes 0-9/*", true, {false, false, 0, 9, 0}},
        {"bytes */100", true, {true, true, 0, 0, 100}},
        {"bytes */0", true, {true, true, 0, 0, 0}},
        {"bytes */*", false, {0}},
        {"bytes 0-9/9", false, {0}},
        {"bytes 9-0/100", false, {0}},
        {"bytes 0-9", false, {0}},
        {"bytes 0/9", false, {0}},
        {"bytes -9/100", false, {0}},
        {"bytes=0-9/100", false, {0}},
        {"bytes  0-9/100", false, {0}},
        {"lines 0-9/100", false, {0}},
        {"bytes 0-18446744073709551615/*", false, {0}},
        {"bytes 0-9/100/100", false, {0}},
        {"", false, {0}},
    };
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct content_range got;
        bool good = content_range_parse(span_of(rows[i].value), &got);

        if (good != rows[i].good)
            fail_msg("%s: got %d", rows[i].value, good);
        if (!good)
            continue;
        assert_int_equal(got.unsatisfied, rows[i].want.unsatisfied);
        assert_int_equal(got.complete_known, rows[i].want.complete_known);
        assert_int_equal(got.first, rows[i].want.first);
        assert_int_equal(got.last, rows[i].want.last);
        assert_int_equal(got.complete, rows[i].want.complete);
    }
    content_range_format((struct range){0, 9}, 100, &out);
    assert_string_equal(out.data, "bytes 0-9/100");
    buf_clear(&out);
    content_range_format_unsatisfied(7, &out);
    assert_string_equal(out.data, "bytes */7");
    buf_fini(&out);
}

static void
test_multipart(void **state)
{
    const uint64_t random[2] = {UINT64_C(0x0123456789abcdef), 1};
    const struct range_set set = {2, {{0, 1}, {5, 5}}};
    const char *want = "--fedcba98765432101000000000000000\r\n"
                       "Content-Type: text/plain\r\n"
                       "Content-Range: bytes 0-1/6\r\n\r\nab"
                       "\r\n--fedcba98765432101000000000000000\r\n"
                       "Content-Type: text/plain\r\n"
                       "Content-Range: bytes 5-5/6\r\n\r\nf"
                       "\r\n--fedcba98765432101000000000000000--\r\n";
    struct range_multipart multipart;
    struct buf out = {0};

    (void)state;
    range_multipart_init(&multipart, random, SPAN("text/plain"), 6);
    range_multipart_head(&multipart, set.list[0], true, &out);
    buf_add_text(&out, "ab");
    range_multipart_head(&multipart, set.list[1], false, &out);
    buf_add_text(&out, "f");
    range_multipart_end(&multipart, &out);
    assert_string_equal(out.data, want);
    assert_int_equal(range_multipart_length(&multipart, &set), out.len);
    buf_clear(&out);
    range_multipart_type(&multipart, &out);
    assert_string_equal(
        out.data,
        "multipart/byteranges; boundary=fedcba98765432101000000000000000");
    multipart.content_type = SPAN_NONE;
    buf_clear(&out);
    range_multipart_head(&multipart, set.list[0], true, &out);
    assert_null(strstr(out.data, "Content-Type"));
    buf_fini(&out);
}

/* "4-9/10 5" is a part with 5 bytes. */
static bool
part_of_text(const char *text, struct range_part *part)
{
    struct buf value = {0};
    struct span rest = span_of(text);
    struct span range;
    uint64_t length;

    span_split(&rest, ' ', &range);
    assert_true(span_u64(rest, UINT64_MAX, &length));
    buf_add_text(&value, "bytes ");
    buf_add_span(&value, range);
    bool ok = range_part_of(buf_span(&value), length, part);

    buf_fini(&value);
    return ok;
}

static void
test_parts(void **state)
{
    static const struct {
        const char *part;
        const char *range;
        const char *want; /* what it has of it; NULL: not all; "": no part */
    } rows[] = {
        {"4-9/20 6", "bytes=4-9", "4-9"},
        {"4-9/20 6", "bytes=5-8", "5-8"},
        {"4-9/20 6", "bytes=3-8", NULL},
        {"4-9/20 6", "bytes=5-10", NULL},
        {"4-9/20 6", "bytes=5-", NULL},
        {"4-9/20 6", "bytes=-5", NULL},
        {"4-9/20 6", "bytes=10-11", NULL},
        {"4-9/20 6", "bytes=0-", NULL},
        {"4-9/* 6", "bytes=5-8", "5-8"},
        {"4-9/* 6", "bytes=5-", NULL},
        {"4-9/* 6", "bytes=-1", NULL},
        {"4-9/10 6", "bytes=5-", "5-9"},
        {"4-9/10 6", "bytes=5-99", "5-9"},
        {"4-9/10 6", "bytes=-1", "9-9"},
        {"4-9/10 6", "bytes=-6", "4-9"},
        {"4-9/10 6", "bytes=-7", NULL},
        {"4-9/10 6", "bytes=-0", NULL},
        {"4-9/10 6", "bytes=10-", NULL},
        {"0-9/10 10", "bytes=-99", "0-9"},
        {"0-9/10 10", "bytes=0-", "0-9"},
        /* Short of what it says: it begins where it says, and its end is what
         * there is. */
        {"4-9/10 5", "bytes=-5", "4-8"},
        {"4-9/10 5", "bytes=6-8", "6-8"},
        {"4-9/10 5", "bytes=6-", "6-8"},
        {"4-9/10 5", "bytes=-1", "8-8"},
        {"4-9/10 5", "bytes=9-9", NULL},
        {"4-9/20 5", "bytes=8-9", NULL},
        {"0-18446744073709551614/* 5", "bytes=0-4", "0-4"},
        {"4-9/10 7", "bytes=4-9", ""},
        {"4-9/10 0", "bytes=4-9", ""},
        {"9-4/10 6", "bytes=4-9", ""},
        {"*/10 6", "bytes=4-9", ""},
        {"4-10/10 7", "bytes=4-9", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct range_spec spec;
        struct range_part part;
        struct range range;
        struct buf text = {0};

        buf_add_text(&text, "");
        assert_true(range_parse_value(span_of(rows[i].range), &spec));
        bool is_part = part_of_text(rows[i].part, &part);
        bool has = is_part && range_in_part(&spec, &part, &range);

        if (has)
            buf_printf(&text, "%llu-%llu", (unsigned long long)range.first,
                       (unsigned long long)range.last);
        if (has != (rows[i].want != NULL && rows[i].want[0] != '\0') ||
            is_part != (rows[i].want == NULL || rows[i].want[0] != '\0') ||
            (has && !span_eq(buf_span(&text), span_of(rows[i].want))))
            fail_msg("%s of %s: \"%s\"", rows[i].range, rows[i].part,
                     text.data);
        buf_clear(&text);
        range_spec_format(&spec, &text);
        assert_true(span_eq(buf_span(&text), span_of(rows[i].range)));
        buf_fini(&text);
    }
}

static void
test_covers(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool want;
    } rows[] = {
        {"0-9/20 10", "0-9/20 10", true},  {"0-9/20 10", "2-4/20 3", true},
        {"0-9/20 10", "2-10/20 9", false}, {"2-9/20 8", "0-9/20 10", false},
        {"4-9/10 5", "4-9/10 6", false},   {"4-9/10 6", "4-9/10 5", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct range_part a, b;

        assert_true(part_of_text(rows[i].a, &a));
        assert_true(part_of_text(rows[i].b, &b));
        if (range_part_covers(&a, &b) != rows[i].want)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

/* Names that stay, in order, each behind a blank. */
static void
assert_names(const struct fields *fields, const char *want)
{
    struct buf names = {0};

    buf_add_text(&names, "");
    for (size_t i = 0; i < fields->count; i++)
        buf_printf(&names, " %.*s", SPAN_FMT(fields->list[i].name));
    if (!span_eq(buf_span(&names), span_of(want)))
        fail_msg("\"%.*s\", not \"%s\"", SPAN_FMT(buf_span(&names)), want);
    buf_fini(&names);
}

static void
test_fields(void **state)
{
    struct fields fields =
        fields_of_text("Date: x\nContent-Range: a\ncontent-digest: a\n"
                       "Repr-Digest: a\nContent-MD5: a\nETag: \"a\"\n"
                       "Content-Range: b\nVary: a\nAge: 5\nExpires: x\n"
                       "Cache-Control: max-age=60\nSet-Cookie: a=b\n"
                       "CDN-Cache-Control: max-age=60\nLast-Modified: x\n"
                       "access-control-allow-origin: *\nContent-Type: a/b\n"
                       "Access: a\nLocation: /a\nServer: a\n"
                       "Cross-Origin-Resource-Policy: a\nSurrogate-Key: a\n");
    struct fields kept = {0};

    (void)state;
    range_unsatisfiable_fields(&fields, &kept);
    assert_names(&kept, " Date Vary access-control-allow-origin Server "
                        "Cross-Origin-Resource-Policy");
    range_part_fields(&fields);
    assert_names(&fields,
                 " Date Repr-Digest ETag Vary Age Expires Cache-Control "
                 "Set-Cookie CDN-Cache-Control Last-Modified "
                 "access-control-allow-origin Content-Type Access Location "
                 "Server Cross-Origin-Resource-Policy Surrogate-Key");
    fields_fini(&kept);
    fields_fini(&fields);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_two_fields), cmocka_unit_test(test_if_range),
        cmocka_unit_test(test_single),     cmocka_unit_test(test_content_range),
        cmocka_unit_test(test_multipart),  cmocka_unit_test(test_fields),
        cmocka_unit_test(test_parts),      cmocka_unit_test(test_covers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
