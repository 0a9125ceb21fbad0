#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fields_text.h"
#include "http/no_vary_search.h"

#define NVS "No-Vary-Search: "

static void
reads(void **state)
{
    static const struct {
        const char *response;
        const char *want; /* NULL: the default */
    } rows[] = {
        {"", NULL},
        {NVS, NULL},
        {NVS "key-order", "o-"},
        {NVS "key-order=?1", "o-"},
        {NVS "key-order=?0", NULL},
        {NVS "params", "+"},
        {NVS "params=?1", "+"},
        {NVS "params=?0", NULL},
        {NVS "params=()", NULL},
        {NVS "params=(\"b\" \"a\" \"b\")", "-a&b&"},
        {NVS "params=(\"\")", "-&"},
        {NVS "params=(\"a\"), key-order", "o-a&"},
        {NVS "key-order, params, except=(\"x\" \"c\")", "o+c&x&"},
        {NVS "params, except=()", "+"},
        /* One form for all ways to write a name. */
        {NVS "params=(\"a+b\" \"a%20b\" \"%61%2520\" \"\\\"\\\\\")",
         "-%22%5C&a%20b&a%2520&"},
        {NVS "params=(\"%e9\" \"%zz\" \"%\")", "-%25&%25zz&%E9&"},
        /* Parameters, and keys that nobody knows yet, say nothing. */
        {NVS "params;x=(\"a\");y, other=1", NULL},
        {NVS "params;x=1, key-order;y=2, other=(\"a\" 1)", "o+"},
        /* The last of a key counts. */
        {NVS "params=(\"a\"), params=(\"b\")", "-b&"},
        {NVS "key-order=1, key-order", "o-"},
        {NVS "params\n" NVS "key-order", "o+"},
        /* Whatever is wrong, it is the default. */
        {NVS "key-order=1", NULL},
        {NVS "key-order=\"a\"", NULL},
        {NVS "key-order=()", NULL},
        {NVS "params=a", NULL},
        {NVS "params=\"a\"", NULL},
        {NVS "params=(a)", NULL},
        {NVS "params=(\"a\" 1)", NULL},
        {NVS "except=(\"a\")", NULL},
        {NVS "params=?0, except=(\"a\")", NULL},
        {NVS "params=(\"a\"), except=(\"a\")", NULL},
        {NVS "params, except", NULL},
        {NVS "params, except=\"a\"", NULL},
        {NVS "params, except=(a)", NULL},
        {NVS "params, &", NULL},
        {NVS "params,", NULL},
        {NVS "(\"a\")", NULL},
        {NVS "Params", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields response = fields_of_text(rows[i].response);
        struct buf out = {0};
        bool read = no_vary_search_read(&response, &out);

        if (read != (rows[i].want != NULL) ||
            !span_eq(buf_span(&out), span_of(read ? rows[i].want : "")))
            fail_msg("%s: \"%s\"", rows[i].response, out.data ? out.data : "");
        buf_fini(&out);
        fields_fini(&response);
    }
}

/* `bytes` of one name, or `count` names of one letter more each. */
static bool
reads_names(size_t count, size_t bytes)
{
    struct buf text = {0};
    struct buf out = {0};
    struct fields response = {0};

    buf_add_text(&text, "params=(");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s\"%zu", i ? " " : "", i);
        for (size_t k = 1; k < bytes; k++)
            buf_add_char(&text, 'a');
        buf_add_char(&text, '"');
    }
    buf_add_char(&text, ')');
    fields_add(&response, SPAN("No-Vary-Search"), buf_span(&text));
    bool read = no_vary_search_read(&response, &out);

    assert_true(out.len <= NO_VARY_SEARCH_MAX);
    assert_true(read == (out.len > 0));
    buf_fini(&text);
    buf_fini(&out);
    fields_fini(&response);
    return read;
}

static void
is_bounded(void **state)
{
    (void)state;
    assert_true(reads_names(64, 1));
    assert_false(reads_names(65, 1));
    assert_true(reads_names(1, NO_VARY_SEARCH_MAX - 4));
    assert_false(reads_names(1, NO_VARY_SEARCH_MAX - 3));
}

static void
compares(void **state)
{
    static const struct {
        const char *variance;
        const char *query;
        const char *want;
    } rows[] = {
        {"o-", "", ""},
        {"o-", "b=2&a=1&b=1&a", "a=1&a=&b=2&b=1"},
        {"o-", "=x&a", "=x&a="},
        {"o-", "&&a=1&", "a=1"},
        {"-utm&", "utm=1&b=2&a=1&utm", "b=2&a=1"},
        {"-utm&", "utm_x=1&UTM=2&xutm=3", "utm_x=1&UTM=2&xutm=3"},
        {"-&", "=x&a", "a="},
        {"o-utm&", "b&utm=1&a", "a=&b="},
        {"+", "a=1&b=2", ""},
        {"+a&", "b=2&a=1&c&a=0", "a=1&a=0"},
        {"o+a&b&", "b=2&c=3&a=1", "a=1&b=2"},
        {"-a%20b&", "a+b=1&a%20b=2&a%2bb=3&%61 b", "a%2Bb=3"},
        /* Ways to write one value. */
        {"o-", "a=%41+%2b%20%zz%4", "a=A%20%2B%20%25zz%254"},
        {"o-", "%61=b", "a=b"},
        {"o-", "a=b=c", "a=b%3Dc"},
        {"o-", "a=%00%ff%0a", "a=%00%FF%0A"},
        {"o-", "a?b/c;d=!*'()", "a%3Fb%2Fc%3Bd=%21%2A%27%28%29"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = {0};

        buf_add_text(&out, "?");
        assert_true(no_vary_search_apply(span_of(rows[i].variance),
                                         span_of(rows[i].query), &out));
        struct span got = span_sub(buf_span(&out), 1, out.len);

        if (!span_eq(got, span_of(rows[i].want)))
            fail_msg("%s of %s: \"%s\"", rows[i].variance, rows[i].query,
                     out.data);
        buf_fini(&out);
    }
}

static bool
applies(size_t parameters, size_t bytes)
{
    struct buf query = {0};
    struct buf out = {0};

    for (size_t i = 0; i < parameters; i++)
        buf_add_text(&query, "a&");
    while (query.len < bytes)
        buf_add_char(&query, 'b');
    bool fits = no_vary_search_apply(SPAN("o-"), buf_span(&query), &out);

    assert_true(fits || out.len == 0);
    buf_fini(&query);
    buf_fini(&out);
    return fits;
}

static void
does_not_look_at_too_much(void **state)
{
    (void)state;
    assert_true(applies(128, 0));
    assert_false(applies(129, 0));
    assert_true(applies(0, 4096));
    assert_false(applies(0, 4097));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(compares),
        cmocka_unit_test(does_not_look_at_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
