#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "fetch/body_internal.h"

static const struct row {
    const char *what;
    enum body_kind kind;
    uint64_t length;
    const char *in;
    enum body_event event; /* after all of `in` */
    const char *body;
    const char *left; /* behind the body, with BODY_END */
    bool ends_here;   /* a close would be its end */
} rows[] = {
    {"none", BODY_NONE, 0, "HTTP", BODY_END, "", "HTTP", true},
    {"length 0", BODY_LENGTH, 0, "x", BODY_END, "", "x", true},
    {"length", BODY_LENGTH, 3, "abcd", BODY_END, "abc", "d", true},
    {"short", BODY_LENGTH, 3, "ab", BODY_MORE, "ab", "", false},
    {"until close", BODY_UNTIL_CLOSE, 0, "ab", BODY_MORE, "ab", "", true},
    {"chunks", BODY_CHUNKED, 0, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nH", BODY_END,
     "abcde", "H", true},
    {"upper case", BODY_CHUNKED, 0, "A\r\n0123456789\r\n0\r\n\r\n", BODY_END,
     "0123456789", "", true},
    {"zeros before", BODY_CHUNKED, 0, "0003\r\nabc\r\n0000\r\n\r\n", BODY_END,
     "abc", "", true},
    {"extension", BODY_CHUNKED, 0, "3;a=\"b\"\r\nabc\r\n0;z\r\n\r\n", BODY_END,
     "abc", "", true},
    {"blanks before it", BODY_CHUNKED, 0, "3 \t;a\r\nabc\r\n0\r\n\r\n",
     BODY_END, "abc", "", true},
    {"trailers", BODY_CHUNKED, 0, "1\r\na\r\n0\r\nX: y\r\nZ: 1\r\n\r\n",
     BODY_END, "a", "", true},
    {"no last chunk", BODY_CHUNKED, 0, "1\r\na\r\n", BODY_MORE, "a", "", false},
    {"no end of trailers", BODY_CHUNKED, 0, "1\r\na\r\n0\r\nX: y\r\n",
     BODY_MORE, "a", "", false},
    {"largest size", BODY_CHUNKED, 0, "1000000000000000\r\na", BODY_MORE, "a",
     "", false},
    {"too large", BODY_CHUNKED, 0, "1000000000000001\r\na", BODY_BAD, "", "",
     false},
    {"too many digits", BODY_CHUNKED, 0, "00000000000000001\r\na", BODY_BAD, "",
     "", false},
    {"no size", BODY_CHUNKED, 0, "\r\nabc", BODY_BAD, "", "", false},
    {"not hexadecimal", BODY_CHUNKED, 0, "g\r\n", BODY_BAD, "", "", false},
    {"sign", BODY_CHUNKED, 0, "+3\r\nabc", BODY_BAD, "", "", false},
    {"prefix", BODY_CHUNKED, 0, "0x3\r\nabc", BODY_BAD, "", "", false},
    {"blank before", BODY_CHUNKED, 0, " 3\r\nabc", BODY_BAD, "", "", false},
    {"underscore", BODY_CHUNKED, 0, "3_\r\nabc", BODY_BAD, "", "", false},
    {"bare LF after the size", BODY_CHUNKED, 0, "3\nabc", BODY_BAD, "", "",
     false},
    {"bare CR after the size", BODY_CHUNKED, 0, "3\rabc", BODY_BAD, "", "",
     false},
    {"bare LF in an extension", BODY_CHUNKED, 0, "3;x\nabc", BODY_BAD, "", "",
     false},
    {"bare LF after the data", BODY_CHUNKED, 0, "3\r\nabc\n", BODY_BAD, "abc",
     "", false},
    {"more than said", BODY_CHUNKED, 0, "3\r\nabcd\r\n", BODY_BAD, "abc", "",
     false},
    {"control in a trailer", BODY_CHUNKED, 0, "0\r\nX: \001\r\n", BODY_BAD, "",
     "", false},
    {"bare LF in trailers", BODY_CHUNKED, 0, "0\r\nX: y\n\r\n", BODY_BAD, "",
     "", false},
};

/* Cut into steps of `step` bytes. */
static void
check(const struct row *row, size_t step)
{
    struct span in = span_of(row->in);
    struct span data;
    struct span part = SPAN_NONE;
    struct buf got = {0};
    struct body body;
    enum body_event event = BODY_MORE;
    const char *why = NULL;

    body_init(&body, row->kind, row->length);
    while (event == BODY_MORE && in.len > 0) {
        part = span_sub(in, 0, step);
        in = span_sub(in, part.len, in.len);
        while ((event = body_next(&body, &part, &data, &why)) == BODY_DATA) {
            buf_add_span(&got, data);
            body_used(&body, data.len);
            part = span_sub(part, data.len, part.len);
        }
    }
    if (event != row->event || !span_eq(buf_span(&got), span_of(row->body)))
        fail_msg("%s by %zu: event %d, body \"%s\" (%s)", row->what, step,
                 (int)event, got.data, why);
    assert_true((event == BODY_BAD) == (why != NULL));
    if (event == BODY_END)
        assert_int_equal(part.len + in.len, strlen(row->left));
    if (event != BODY_BAD)
        assert_int_equal(body_ends_here(&body), row->ends_here);
    buf_fini(&got);
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= strlen(rows[i].in) + 1; step++)
            check(&rows[i], step);
    }
}

/* What is shown and not taken is shown again. */
static void
test_refused(void **state)
{
    struct span in = SPAN("5\r\nabcde\r\n0\r\n\r\n");
    struct span data;
    struct body body;
    const char *why;

    (void)state;
    body_init(&body, BODY_CHUNKED, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(body_next(&body, &in, &data, &why), BODY_DATA);
        assert_true(span_eq(data, SPAN("abcde")));
    }
    body_used(&body, 2);
    in = span_sub(in, 2, in.len);
    assert_int_equal(body_next(&body, &in, &data, &why), BODY_DATA);
    assert_true(span_eq(data, SPAN("cde")));
}

/* Framing without end. */
static void
test_excess(void **state)
{
    static const struct {
        const char *head;
        size_t most;
    } cases[] = {{"1;", BODY_LINE_MAX}, {"0\r\nX:", BODY_TRAILERS_MAX}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span head = span_of(cases[i].head);
        struct span data;
        struct body body;
        const char *why;
        size_t count = 0;

        body_init(&body, BODY_CHUNKED, 0);
        assert_int_equal(body_next(&body, &head, &data, &why), BODY_MORE);
        for (;;) {
            struct span more = SPAN("a");

            if (body_next(&body, &more, &data, &why) != BODY_MORE)
                break;
            assert_true(++count <= cases[i].most);
        }
        assert_true(count + 8 >= cases[i].most);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_excess),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
