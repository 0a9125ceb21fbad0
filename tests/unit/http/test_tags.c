#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "fields_text.h"
#include "http/tags.h"

struct row {
    const char *what;
    const char *text;
    const char *want; /* kind and tag of each */
};

static void
run(const struct row *rows, size_t count,
    bool (*next)(const struct fields *, struct tags_cursor *, struct span *))
{
    for (size_t i = 0; i < count; i++) {
        struct fields fields = fields_of_text(rows[i].text);
        struct tags_cursor cursor = {0};
        struct buf out = {0};
        struct span tag;

        while (next(&fields, &cursor, &tag))
            buf_printf(&out, "%d<%.*s>", (int)cursor.kind, SPAN_FMT(tag));
        if (!span_eq(buf_span(&out), span_of(rows[i].want)))
            fail_msg("%s: \"%s\"", rows[i].what, out.data ? out.data : "");
        buf_fini(&out);
        fields_fini(&fields);
    }
}

static void
walks_tags(void **state)
{
    static const struct row rows[] = {
        {"none", "A: b", ""},
        {"no field at all", "", ""},
        {"Surrogate-Key", "Surrogate-Key: a b,c  d\te ", "0<a>0<b,c>0<d>0<e>"},
        {"Surrogate-Key, two lines", "surrogate-key: a\nSurrogate-Key: b",
         "0<a>0<b>"},
        {"an empty line between",
         "Surrogate-Key: a\nSurrogate-Key:\nSurrogate-Key: b", "0<a>0<b>"},
        {"Cache-Tag", "Cache-Tag: a b , c,,\"d", "1<a b>1<c>1<\"d>"},
        {"Cache-Groups", "Cache-Groups: \"a\", \"b c\";x=1", "2<a>2<b c>"},
        {"Cache-Groups, two lines", "Cache-Groups: \"a\"\nCache-Groups: \"b\"",
         "2<a>2<b>"},
        {"Cache-Groups with escapes",
         "Cache-Groups: \"a\\\"b\", \"c\\\\\", \"d\"", "2<a\"b>2<c\\>2<d>"},
        {"empty groups", "Cache-Groups: \"\", \"a\", \"\"", "2<a>"},
        {"Cache-Groups with a syntax error", "Cache-Groups: \"a\", &", ""},
        {"Cache-Groups with a bad line",
         "Cache-Groups: \"a\"\nCache-Groups: \"b", ""},
        {"Cache-Groups with a token", "Cache-Groups: \"a\", b", ""},
        {"all kinds, with case",
         "Cache-Groups: \"A\"\nCache-Tag: a\nSurrogate-Key: a", "0<a>1<a>2<A>"},
    };

    (void)state;
    run(rows, ARRAY_LEN(rows), tags_next);
}

static void
walks_invalidated_groups(void **state)
{
    static const struct row rows[] = {
        {"none", "Cache-Groups: \"a\"", ""},
        {"two lines",
         "Cache-Group-Invalidation: \"a\", \"b\"\n"
         "Cache-Group-Invalidation: \"c\"",
         "2<a>2<b>2<c>"},
        {"a syntax error", "Cache-Group-Invalidation: \"a\",", ""},
    };

    (void)state;
    run(rows, ARRAY_LEN(rows), tags_next_invalidated);
}

static void
stops_early(void **state)
{
    struct fields fields = fields_of_text("Cache-Groups: \"a\\\"\", \"b\"");
    struct tags_cursor cursor = {0};
    struct span tag;

    (void)state;
    assert_true(tags_next(&fields, &cursor, &tag));
    tags_stop(&cursor);
    fields_fini(&fields);
}

/* None is cut, none is lost: as many as fit in the bound. */
static void
walks_64_kib(void **state)
{
    struct fields fields = {0};
    struct tags_cursor cursor = {0};
    struct buf text = {0};
    struct span tag;
    size_t count = 0;

    (void)state;
    while (text.len + 8 <= TAGS_BYTES_MAX)
        buf_printf(&text, "tag%04zx ", text.len / 8);
    fields_add(&fields, SPAN("Surrogate-Key"), buf_span(&text));
    assert_int_equal(tags_bytes(&fields), TAGS_BYTES_MAX);
    while (tags_next(&fields, &cursor, &tag)) {
        assert_int_equal(tag.len, 7);
        count++;
    }
    assert_int_equal(count, TAGS_BYTES_MAX / 8);
    fields_add(&fields, SPAN("cache-tag"), SPAN("a"));
    fields_add(&fields, SPAN("Other"), SPAN("abc"));
    fields_add(&fields, SPAN("Cache-Groups"), SPAN("\"a\""));
    assert_int_equal(tags_bytes(&fields), TAGS_BYTES_MAX + 4);
    buf_fini(&text);
    fields_fini(&fields);
}

static void
check_fields(const struct fields *fields, const char *want)
{
    struct buf text = {0};

    for (size_t i = 0; i < fields->count; i++)
        buf_printf(&text, "%.*s: %.*s\n", SPAN_FMT(fields->list[i].name),
                   SPAN_FMT(fields->list[i].value));
    if (!span_eq(buf_span(&text), span_of(want)))
        fail_msg("got '%s', want '%s'", text.data ? text.data : "", want);
    buf_fini(&text);
}

static void
splits(void **state)
{
    static const struct {
        const char *all, *rest, *tags;
    } rows[] = {
        {"", "", ""},
        {"A: 1\nB: 2", "A: 1\nB: 2\n", ""},
        {"surrogate-key: a\nA: 1\nCache-Tag: b\nSurrogate-Key: c", "A: 1\n",
         "surrogate-key: a\nCache-Tag: b\nSurrogate-Key: c\n"},
        {"Cache-Groups: \"a\"\nSurrogate-Control: x",
         "Cache-Groups: \"a\"\nSurrogate-Control: x\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = fields_of_text(rows[i].all);
        struct fields tags = {0};
        struct fields back = {0};
        struct buf text = {0};

        tags_split(&fields, &tags);
        check_fields(&fields, rows[i].rest);
        check_fields(&tags, rows[i].tags);
        tags_write(&tags, &text);
        assert_true(tags_read(buf_span(&text), &back));
        check_fields(&back, rows[i].tags);
        buf_fini(&text);
        fields_fini(&fields);
        fields_fini(&tags);
        fields_fini(&back);
    }
}

static void
updates(void **state)
{
    static const struct {
        const char *stored, *fresh, *want;
    } rows[] = {
        {"", "", ""},
        {"Surrogate-Key: a", "", "Surrogate-Key: a\n"},
        {"", "Cache-Tag: a", "Cache-Tag: a\n"},
        {"Surrogate-Key: a\nSurrogate-Key: b\nCache-Tag: c", "surrogate-key: d",
         "surrogate-key: d\nCache-Tag: c\n"},
        {"Cache-Tag: c", "Cache-Tag: d\nCache-Tag: e",
         "Cache-Tag: d\nCache-Tag: e\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields stored = fields_of_text(rows[i].stored);
        struct fields fresh = fields_of_text(rows[i].fresh);
        struct fields out = {0};

        tags_update(&stored, &fresh, &out);
        check_fields(&out, rows[i].want);
        fields_fini(&stored);
        fields_fini(&fresh);
        fields_fini(&out);
    }
}

static void
reads(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"", ""},
        {"Cache-Tag: a\n", "Cache-Tag: a\n"},
        {"cache-tag:a\nSurrogate-Key:  b c \n",
         "cache-tag: a\nSurrogate-Key: b c\n"},
        {"Cache-Tag:\n", "Cache-Tag: \n"},
        {"Cache-Tag: a", NULL},
        {"Cache-Tag\n", NULL},
        {"\n", NULL},
        {": a\n", NULL},
        {"Cache-Tag: a\n\n", NULL},
        {"Cache-Groups: \"a\"\n", NULL},
        {"Set-Cookie: a\n", NULL},
        {"Cache-Tag: a\nSet-Cookie: a\n", NULL},
        {"Cache-Tag: a\rb\n", NULL},
        {"Cache-Tag : a\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields out = {0};
        bool good = tags_read(span_of(rows[i].text), &out);

        if (good != (rows[i].want != NULL))
            fail_msg("'%s'", rows[i].text);
        if (good)
            check_fields(&out, rows[i].want);
        fields_fini(&out);
    }
}

static void
knows_internal_fields(void **state)
{
    (void)state;
    assert_true(tags_internal_field(SPAN("surrogate-key")));
    assert_true(tags_internal_field(SPAN("Cache-Tag")));
    assert_false(tags_internal_field(SPAN("Surrogate-Control")));
    assert_false(tags_internal_field(SPAN("Cache-Groups")));
    assert_false(tags_internal_field(SPAN("CDN-Cache-Control")));
    assert_false(tags_internal_field(SPAN("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_tags),
        cmocka_unit_test(walks_invalidated_groups),
        cmocka_unit_test(stops_early),
        cmocka_unit_test(walks_64_kib),
        cmocka_unit_test(splits),
        cmocka_unit_test(updates),
        cmocka_unit_test(reads),
        cmocka_unit_test(knows_internal_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
