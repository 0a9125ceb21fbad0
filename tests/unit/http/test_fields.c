#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/fields.h"

#define F(name, value)                                                         \
    {                                                                          \
        {(name), sizeof(name) - 1},                                            \
        {                                                                      \
            (value), sizeof(value) - 1                                         \
        }                                                                      \
    }
#define LIST(array) ((struct fields){(array), ARRAY_LEN(array), 0})

static void
add(struct fields *fields, const char *name, const char *value)
{
    fields_add(fields, span_of(name), span_of(value));
}

static void
assert_span(struct span got, const char *want)
{
    if (got.len != strlen(want) || memcmp(got.ptr, want, got.len) != 0)
        fail_msg("got '%.*s', want '%s'", SPAN_FMT(got), want);
}

static void
test_lookup(void **state)
{
    struct field rows[] = {F("Content-Type", "text/html"), F("X-A", "1"),
                           F("x-a", "2"), F("Empty", ""), F("X@A", "no")};
    struct fields fields = LIST(rows);
    struct buf buf = {0};

    (void)state;
    assert_span(fields_get(&fields, SPAN("content-TYPE")), "text/html");
    assert_span(fields_get(&fields, SPAN("X-A")), "1");
    assert_null(fields_get(&fields, SPAN("X-B")).ptr);
    assert_null(fields_get(&fields, SPAN("")).ptr);
    assert_non_null(fields_get(&fields, SPAN("empty")).ptr);
    assert_int_equal(fields_count(&fields, SPAN("X-a")), 2);
    assert_int_equal(fields_count(&fields, SPAN("x@a")), 1);
    assert_false(fields_has(&fields, SPAN("x`a")));
    assert_true(fields_join(&fields, SPAN("x-a"), &buf));
    assert_span(buf_span(&buf), "1, 2");
    assert_false(fields_join(&fields, SPAN("none"), &buf));
    assert_span(buf_span(&buf), "1, 2");
    buf_fini(&buf);
}

static void
test_remove(void **state)
{
    struct fields fields = {0};

    (void)state;
    add(&fields, "A", "1");
    add(&fields, "b", "2");
    add(&fields, "a", "3");
    add(&fields, "C", "4");
    fields_remove(&fields, SPAN("A"));
    assert_int_equal(fields.count, 2);
    assert_span(fields.list[0].name, "b");
    assert_span(fields.list[1].name, "C");
    fields_clear(&fields);
    assert_int_equal(fields.count, 0);
    fields_fini(&fields);
}

static void
test_members(void **state)
{
    static const struct {
        const char *lines[3];
        const char *want; /* members joined with '|' */
    } rows[] = {
        {{"a"}, "a"},
        {{"a, b ,c"}, "a|b|c"},
        {{"", ",", " , a,, ,"}, "a"},
        {{"a", "b", "c, d"}, "a|b|c|d"},
        {{"\"a,b\", c"}, "\"a,b\"|c"},
        {{"a=\"x\\\",y\", c"}, "a=\"x\\\",y\"|c"},
        {{"\"open, b", "c"}, "\"open, b|c"},
        {{"\"end\\", "c"}, "\"end\\|c"},
        {{"a\\,b"}, "a\\|b"},
        {{"\ta\t,\tb\t"}, "a|b"},
        {{""}, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = {0};
        struct member_cursor cursor = {0};
        struct buf got = {0};
        struct span member;

        add(&fields, "Other", "z");
        for (size_t k = 0; k < 3 && rows[i].lines[k]; k++)
            add(&fields, k ? "list" : "List", rows[i].lines[k]);
        while (fields_next_member(&fields, SPAN("List"), &cursor, &member)) {
            if (got.len > 0)
                buf_add_char(&got, '|');
            buf_add_span(&got, member);
        }
        assert_false(
            fields_next_member(&fields, SPAN("List"), &cursor, &member));
        assert_span(buf_span(&got), rows[i].want);
        buf_fini(&got);
        fields_fini(&fields);
    }
}

static void
test_hop_by_hop(void **state)
{
    static const char *const names[] = {"Connection",
                                        "keep-alive",
                                        "X-Hop",
                                        "Proxy-Connection",
                                        "TE",
                                        "Trailer",
                                        "Accept",
                                        "Transfer-Encoding",
                                        "upgrade",
                                        "x-other",
                                        "Host",
                                        "Cache-Control",
                                        "Proxy-Authenticate",
                                        "Proxy-Authorization",
                                        "HTTP2-Settings",
                                        "Proxy-Authentication-Info",
                                        "Set-Cookie",
                                        "Kept"};
    static const char *const want[] = {"Accept", "Host", "Cache-Control",
                                       "Set-Cookie", "Kept"};
    struct fields fields = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add(&fields, names[i],
            i ? "v" : "close, x-hop, HOST, Cache-Control, set-cookie");
    add(&fields, "Connection", "X-OTHER, keep-alive,,\"Kept\"");
    fields_remove_hop_by_hop(&fields);
    assert_int_equal(fields.count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_span(fields.list[i].name, want[i]);
    fields_fini(&fields);
}

static void
test_nominated(void **state)
{
    static const char *const names[] = {"TE", "x-hop", "Cookie", "X-Kept"};
    static const char *const want[] = {"Connection", "TE", "Cookie", "X-Kept"};
    struct fields fields = {0};

    (void)state;
    add(&fields, "Connection", "X-Hop, close, Cookie");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add(&fields, names[i], "v");
    fields_remove_nominated(&fields);
    assert_int_equal(fields.count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_span(fields.list[i].name, want[i]);
    fields_fini(&fields);
}

/* Thousands of options against thousands of fields end soon. */
static void
test_hop_by_hop_many(void **state)
{
    enum { MANY = 20000 };
    struct fields fields = {0};
    struct buf options = {0};
    char *names = mem_alloc((size_t)MANY * 8);

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        char name[16];

        snprintf(name, sizeof(name), "a%05zu", i);
        memcpy(names + i * 8, name, 8);
        buf_printf(&options, "%s,", i % 2 ? name : "b00000");
    }
    fields_add(&fields, SPAN("Connection"), buf_span(&options));
    for (size_t i = 0; i < MANY; i++)
        fields_add(&fields, (struct span){names + i * 8, 6}, SPAN("v"));
    fields_remove_hop_by_hop(&fields);
    assert_int_equal(fields.count, MANY / 2);
    buf_fini(&options);
    fields_fini(&fields);
    free(names);
}

static void
test_pack(void **state)
{
    struct fields fields = {0};
    char value[] = "text/html";

    (void)state;
    fields_add(&fields, SPAN("content-type"), SPAN_NONE);
    fields_add(&fields, SPAN("Content-Type"), span_of(value));
    fields_add(&fields, SPAN("X-Rare"), SPAN("a b"));
    fields_add(&fields, SPAN("CONTENT-type"), SPAN(""));
    struct pack *pack = pack_new(&fields);
    struct pack *other = pack_ref(pack);

    value[0] = 'X';
    fields_fini(&fields);
    pack_unref(&other);
    assert_null(other);
    pack_unref(&other);

    const struct fields *got = pack_fields(pack);

    assert_int_equal(got->count, 4);
    assert_string_equal(got->list[0].name.ptr, "content-type");
    assert_string_equal(got->list[0].value.ptr, "");
    assert_string_equal(got->list[1].name.ptr, "Content-Type");
    assert_string_equal(got->list[1].value.ptr, "text/html");
    assert_string_equal(got->list[2].name.ptr, "X-Rare");
    assert_string_equal(got->list[2].value.ptr, "a b");
    assert_string_equal(got->list[3].name.ptr, "CONTENT-type");
    assert_true(pack_cost(pack) > 4 * sizeof(struct field));
    pack_unref(&pack);
}

static void
test_pack_empty(void **state)
{
    struct fields none = {0};
    struct pack *pack = pack_new(&none);

    (void)state;
    assert_int_equal(pack_fields(pack)->count, 0);
    pack_unref(&pack);
}

static void
test_syntax(void **state)
{
    const char *tchars = "!#$%&'*+-.^_`|~";

    (void)state;
    for (int c = 0; c < 256; c++) {
        bool want = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z') ||
                    (c > 0 && strchr(tchars, c) != NULL);
        char text[19] = "aaaaaaaaaaaaaaaaaa";

        assert_int_equal(token_char((char)c), want);
        /* at each place of a word, and in the rest behind it */
        for (size_t at = 0; at < 18; at++) {
            memset(text, 'a', 18);
            text[at] = (char)c;
            struct span s = {text, 18};

            assert_int_equal(token_valid(s), want);
            assert_int_equal(field_value_valid(s),
                             c != 0x7f && (c >= 0x20 || c == '\t'));
        }
    }
    assert_false(token_valid(SPAN("")));
    assert_false(token_valid(SPAN_NONE));
    assert_true(field_value_valid(SPAN_NONE));
    assert_true(field_value_valid(SPAN("\t\xff\x80 \t\t\t\t\t\t\xff")));
    assert_false(field_value_valid(SPAN("\t\xff\x80 \t\t\t\t\t\n\xff")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_hop_by_hop),
        cmocka_unit_test(test_hop_by_hop_many),
        cmocka_unit_test(test_nominated),
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_pack_empty),
        cmocka_unit_test(test_syntax),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
