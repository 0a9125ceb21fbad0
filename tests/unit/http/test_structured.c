#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/structured.h"

/* Writes what was read in one form, so that a row is one line. */
static void
show_item(const struct structured_item *item, struct buf *out)
{
    static const char letters[] = "idstbBDxl";

    buf_add_char(out, letters[item->type]);
    buf_add_char(out, ':');
    switch (item->type) {
    case STRUCTURED_INTEGER:
    case STRUCTURED_DECIMAL:
    case STRUCTURED_BOOLEAN:
    case STRUCTURED_DATE:
        buf_printf(out, "%lld", (long long)item->integer);
        break;
    case STRUCTURED_STRING:
        structured_unescape(item->text, out);
        break;
    case STRUCTURED_TOKEN:
    case STRUCTURED_BYTES:
    case STRUCTURED_DISPLAY:
        buf_add_span(out, item->text);
        break;
    case STRUCTURED_INNER: {
        struct structured_cursor cursor = structured_cursor_of(item->text);
        struct structured_item one;

        while (structured_inner(&cursor, &one) == STRUCTURED_MEMBER) {
            buf_add_char(out, '<');
            show_item(&one, out);
            buf_add_char(out, '>');
        }
        break;
    }
    }
    struct structured_cursor cursor = structured_cursor_of(item->parameters);
    struct structured_item value;
    struct span key;

    while (structured_parameter(&cursor, &key, &value) == STRUCTURED_MEMBER) {
        buf_printf(out, ";%.*s=", SPAN_FMT(key));
        show_item(&value, out);
    }
}

static void
show(enum structured_result result, struct buf *out)
{
    if (result == STRUCTURED_ERROR) {
        buf_clear(out);
        buf_add_text(out, "ERROR");
    }
}

static void
show_list(struct span text, struct buf *out)
{
    struct structured_cursor cursor = structured_cursor_of(text);
    struct structured_item item;
    enum structured_result result;

    while ((result = structured_list(&cursor, &item)) == STRUCTURED_MEMBER) {
        show_item(&item, out);
        buf_add_char(out, '|');
    }
    show(result, out);
    assert_true(structured_list_valid(text) == (result == STRUCTURED_END));
}

static void
show_dictionary(struct span text, struct buf *out)
{
    struct structured_cursor cursor = structured_cursor_of(text);
    struct structured_item item;
    struct span key;
    enum structured_result result;

    while ((result = structured_dictionary(&cursor, &key, &item)) ==
           STRUCTURED_MEMBER) {
        buf_printf(out, "%.*s=", SPAN_FMT(key));
        show_item(&item, out);
        buf_add_char(out, '|');
    }
    show(result, out);
    assert_true(structured_dictionary_valid(text) ==
                (result == STRUCTURED_END));
}

struct row {
    const char *what;
    const char *text;
    const char *want;
};

/* Each text is copied to its exact size, so that reading past its end shows. */
static void
run(const struct row *rows, size_t count,
    void (*shower)(struct span, struct buf *))
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(rows[i].text);
        char *copy = test_malloc(len + (len == 0));
        struct buf out = {0};

        memcpy(copy, rows[i].text, len);
        shower((struct span){copy, len}, &out);
        if (!span_eq(buf_span(&out), span_of(rows[i].want)))
            fail_msg("%s: \"%.*s\"", rows[i].what, SPAN_FMT(buf_span(&out)));
        buf_fini(&out);
        test_free(copy);
    }
}

static void
reads_lists(void **state)
{
    static const struct row rows[] = {
        {"empty", "", ""},
        {"spaces only", "   ", ""},
        {"a token", "foo", "t:foo|"},
        {"a token with all it may hold", "*a!#$%&'*+-.^_`|~:/9",
         "t:*a!#$%&'*+-.^_`|~:/9|"},
        {"several, OWS", " a ,\tb , c ", "t:a|t:b|t:c|"},
        {"an integer", "42", "i:42|"},
        {"negative", "-42", "i:-42|"},
        {"leading zeros", "0042", "i:42|"},
        {"15 digits", "999999999999999", "i:999999999999999|"},
        {"16 digits", "1000000000000000", "ERROR"},
        {"a lone minus", "-", "ERROR"},
        {"a decimal", "4.5", "d:4500|"},
        {"three places", "-0.125", "d:-125|"},
        {"four places", "0.1234", "ERROR"},
        {"no place", "1.", "ERROR"},
        {"13 digits before the dot", "1234567890123.1", "ERROR"},
        {"12 digits before the dot", "123456789012.1", "d:123456789012100|"},
        {"a number with letters", "3600a", "ERROR"},
        {"a string", "\"a b\"", "s:a b|"},
        {"an empty string", "\"\"", "s:|"},
        {"escapes", "\"a\\\"b\\\\c\"", "s:a\"b\\c|"},
        {"a bad escape", "\"a\\b\"", "ERROR"},
        {"an open string", "\"a", "ERROR"},
        {"an escape at the end", "\"a\\", "ERROR"},
        {"a control character", "\"a\tb\"", "ERROR"},
        {"more than ASCII", "\"\xc3\xa4\"", "ERROR"},
        {"a comma in a string", "\"a, b\", c", "s:a, b|t:c|"},
        {"single quotes", "'a'", "ERROR"},
        {"bytes", ":aGVsbG8=:", "b:aGVsbG8=|"},
        {"open bytes", ":aGVsbG8=", "ERROR"},
        {"bad bytes", ":a_b:", "ERROR"},
        {"true", "?1", "B:1|"},
        {"false", "?0", "B:0|"},
        {"neither", "?2", "ERROR"},
        {"half a boolean", "?", "ERROR"},
        {"a date", "@1659578233", "D:1659578233|"},
        {"a date before 1970", "@-1", "D:-1|"},
        {"a decimal date", "@1.5", "ERROR"},
        {"a display string", "%\"f%c3%bc\"", "x:f%c3%bc|"},
        {"upper-case hex", "%\"f%C3%BC\"", "ERROR"},
        {"cut hex", "%\"f%c\"", "ERROR"},
        {"not UTF-8", "%\"%c3\"", "ERROR"},
        {"long form", "%\"%c0%80\"", "ERROR"},
        {"a surrogate", "%\"%ed%a0%80\"", "ERROR"},
        {"past Unicode", "%\"%f4%90%80%80\"", "ERROR"},
        {"the last of Unicode", "%\"%f4%8f%bf%bf\"", "x:%f4%8f%bf%bf|"},
        {"an open display string", "%\"a", "ERROR"},
        {"a lone percent", "%", "ERROR"},
        {"parameters", "a;b;c=1; d=\"x\"", "t:a;b=B:1;c=i:1;d=s:x|"},
        {"space before a semicolon", "a ;b", "ERROR"},
        {"an upper-case key", "a;B=1", "ERROR"},
        {"a parameter without a value behind =", "a;b=", "ERROR"},
        {"a lone semicolon", "a;", "ERROR"},
        {"an inner list", "(a \"b\" 1;x);y", "l:<t:a><s:b><i:1;x=B:1>;y=B:1|"},
        {"an empty inner list", "()", "l:|"},
        {"spaces in an inner list", "(  a   b  )", "l:<t:a><t:b>|"},
        {"an open inner list", "(a", "ERROR"},
        {"a comma in an inner list", "(a,b)", "ERROR"},
        {"nested", "((a))", "ERROR"},
        {"no space between", "(\"a\"\"b\")", "ERROR"},
        {"a trailing comma", "a,", "ERROR"},
        {"a trailing comma and space", "a, ", "ERROR"},
        {"an empty member", "a,,b", "ERROR"},
        {"a leading comma", ",a", "ERROR"},
        {"no comma", "a b", "ERROR"},
        {"a leading tab", "\ta", "ERROR"},
        {"garbage", "&&&&&", "ERROR"},
    };

    (void)state;
    run(rows, ARRAY_LEN(rows), show_list);
}

static void
reads_dictionaries(void **state)
{
    static const struct row rows[] = {
        {"empty", "", ""},
        {"one", "max-age=3600", "max-age=i:3600|"},
        {"a flag", "no-store", "no-store=B:1|"},
        {"a flag with parameters", "a;b=1", "a=B:1;b=i:1|"},
        {"a flag and more", "a, b=?0 ,\t*c=(1 2)",
         "a=B:1|b=B:0|*c=l:<i:1><i:2>|"},
        {"a key given twice", "a=1, a=2", "a=i:1|a=i:2|"},
        {"garbage behind", "max-age=10000, &&&&&", "ERROR"},
        {"an upper-case key", "Max-Age=1", "ERROR"},
        {"a space before =", "a =1", "ERROR"},
        {"a space behind =", "a= 1", "ERROR"},
        {"no value behind =", "a=", "ERROR"},
        {"a digit first", "1a=1", "ERROR"},
        {"a trailing comma", "a=1,", "ERROR"},
        {"a value with letters", "max-age=3600a", "ERROR"},
    };

    (void)state;
    run(rows, ARRAY_LEN(rows), show_dictionary);
}

static void
reads_items(void **state)
{
    struct structured_item item;

    (void)state;
    assert_true(structured_item(SPAN(" 5;a "), &item));
    assert_int_equal(item.integer, 5);
    assert_false(structured_item(SPAN("5, 6"), &item));
    assert_false(structured_item(SPAN(""), &item));
    assert_false(structured_item(SPAN("(1)"), &item));
}

static void
writes_strings(void **state)
{
    struct buf out = {0};

    (void)state;
    structured_add_string(&out, SPAN("a\"b\\c\td\xff"));
    assert_string_equal(out.data, "\"a\\\"b\\\\c?d?\"");
    assert_true(structured_list_valid(buf_span(&out)));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lists),
        cmocka_unit_test(reads_dictionaries),
        cmocka_unit_test(reads_items),
        cmocka_unit_test(writes_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
