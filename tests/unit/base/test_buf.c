#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"

static void
test_adding(void **state)
{
    struct buf buf = {0};
    (void)state;

    assert_true(span_eq(buf_span(&buf), SPAN("")));
    buf_clear(&buf);
    buf_add(&buf, NULL, 0);
    assert_string_equal(buf.data, "");
    buf_add_text(&buf, "n=");
    buf_add_u64(&buf, 0);
    buf_add_char(&buf, ' ');
    buf_add_u64(&buf, UINT64_MAX);
    buf_add_span(&buf, SPAN_NONE);
    buf_add_span(&buf, SPAN("\0!"));
    assert_int_equal(buf.len, 26);
    assert_memory_equal(buf.data, "n=0 18446744073709551615\0!", 26);
    assert_int_equal(buf.data[buf.len], 0);
    size_t cap = buf.cap;

    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.cap, cap);
    assert_string_equal(buf.data, "");
    buf_fini(&buf);
    assert_null(buf.data);
    buf_fini(&buf);
}

/* Every length around the sizes at which it grows. */
static void
test_growing(void **state)
{
    char text[600];
    (void)state;

    memset(text, 'x', sizeof(text));
    for (size_t first = 0; first < 140; first++) {
        for (size_t then = 0; then < 140; then += 7) {
            struct buf buf = {0};

            buf_add(&buf, text, first);
            buf_printf(&buf, "%.*s", (int)then, text);
            assert_int_equal(buf.len, first + then);
            assert_true(buf.cap > buf.len);
            assert_int_equal(strlen(buf.data), buf.len);
            buf_fini(&buf);
        }
    }
}

static void
test_printf(void **state)
{
    struct buf buf = {0};
    (void)state;

    buf_printf(&buf, "%d-%s", 7, "seven");
    buf_printf(&buf, "%s", "");
    buf_printf(&buf, "%0200d", 5);
    assert_int_equal(buf.len, 207);
    assert_memory_equal(buf.data, "7-seven000", 10);
    assert_string_equal(buf.data + 204, "005");
    buf_fini(&buf);
}

static void
test_json(void **state)
{
    static const struct {
        const char *what;
        struct span in;
        const char *want;
    } rows[] = {
        {"nothing", {NULL, 0}, ""},
        {"plain", {"a/b c", 5}, "a/b c"},
        {"quotes", {"\"\\\"", 3}, "\\\"\\\\\\\""},
        {"controls", {"\0\n\x1f\x7f", 4}, "\\u0000\\u000a\\u001f\\u007f"},
        {"two bytes", {"\xc3\xa9", 2}, "\xc3\xa9"},
        {"three bytes", {"\xe2\x82\xac!", 4}, "\xe2\x82\xac!"},
        {"four bytes", {"\xf0\x9f\x98\x80", 4}, "\xf0\x9f\x98\x80"},
        {"the last code point", {"\xf4\x8f\xbf\xbf", 4}, "\xf4\x8f\xbf\xbf"},
        {"beyond it", {"\xf4\x90\x80\x80", 4}, "\\u00f4\\u0090\\u0080\\u0080"},
        {"a byte of Latin-1", {"caf\xe9", 4}, "caf\\u00e9"},
        {"a lone continuation", {"\x80", 1}, "\\u0080"},
        {"cut after one", {"\xe2\x82", 2}, "\\u00e2\\u0082"},
        {"cut, then more", {"\xe2\x82!", 3}, "\\u00e2\\u0082!"},
        {"overlong slash", {"\xc0\xaf", 2}, "\\u00c0\\u00af"},
        {"overlong of three", {"\xe0\x9f\xbf", 3}, "\\u00e0\\u009f\\u00bf"},
        {"overlong of four",
         {"\xf0\x8f\xbf\xbf", 4},
         "\\u00f0\\u008f\\u00bf\\u00bf"},
        {"a surrogate", {"\xed\xa0\x80", 3}, "\\u00ed\\u00a0\\u0080"},
        {"right before them", {"\xed\x9f\xbf", 3}, "\xed\x9f\xbf"},
        {"never bytes", {"\xfe\xff", 2}, "\\u00fe\\u00ff"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf buf = {0};

        buf_add_json(&buf, rows[i].in);
        if (!span_eq(buf_span(&buf), span_of(rows[i].want)))
            fail_msg("%s: got %s", rows[i].what, buf.data);
        buf_fini(&buf);
    }
}

static void
test_steal(void **state)
{
    struct buf buf = {0};
    (void)state;

    char *empty = buf_steal(&buf);

    assert_string_equal(empty, "");
    free(empty);
    buf_add_text(&buf, "mine");
    char *text = buf_steal(&buf);

    assert_string_equal(text, "mine");
    assert_null(buf.data);
    assert_int_equal(buf.cap, 0);
    free(text);
}

static void
test_mem(void **state)
{
    unsigned *list = NULL;
    size_t count = 0;
    size_t cap = 0;
    (void)state;

    for (unsigned i = 0; i < 100; i++) {
        MEM_GROW(list, count, cap);
        list[count++] = i;
    }
    assert_int_equal(list[99], 99);
    free(list);
    char *text = mem_strndup(NULL, 0);

    assert_string_equal(text, "");
    free(text);
    text = mem_printf("%s %d", "x", 7);
    assert_string_equal(text, "x 7");
    free(text);
    free(mem_alloc(0));
    char *zero = mem_zalloc(16);

    assert_int_equal(zero[15], 0);
    free(zero);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding), cmocka_unit_test(test_growing),
        cmocka_unit_test(test_printf), cmocka_unit_test(test_json),
        cmocka_unit_test(test_steal),  cmocka_unit_test(test_mem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
