#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/check.h"
#include "cluster/inval.h"
#include "cluster/tag_set.h"

static void
add_text(struct tag_set *set, const char *host, const char *name,
         const char *value)
{
    struct fields fields = {0};

    fields_add(&fields, span_of(name), span_of(value));
    tag_set_add(set, span_of(host), &fields);
    fields_fini(&fields);
}

static bool
has(const struct tag_set *set, struct hash128 hash)
{
    for (size_t i = 0; i < set->count; i++) {
        if (hash_eq(set->list[i], hash))
            return true;
    }
    return false;
}

/* In order, each once. */
static void
check_order(const struct tag_set *set)
{
    for (size_t i = 1; i < set->count; i++) {
        const struct hash128 *a = &set->list[i - 1], *b = &set->list[i];

        assert_true(a->hi < b->hi || (a->hi == b->hi && a->lo < b->lo));
    }
}

static void
of_fields(void **state)
{
    static const struct {
        const char *what, *name, *value;
        size_t count;
        const char *tags[3];   /* that it has */
        const char *groups[2]; /* of host "a" */
    } rows[] = {
        {"none", "Other", "x", 0, {NULL}, {NULL}},
        {"tags", "Surrogate-Key", "b a b", 2, {"a", "b"}, {NULL}},
        {"commas", "Cache-Tag", "a b,c,a b", 2, {"a b", "c"}, {NULL}},
        {"a group is a tag, too",
         "Cache-Groups",
         "\"g\", \"h\", \"g\"",
         4,
         {"g", "h"},
         {"g", "h"}},
        {"a bad list has none", "Cache-Groups", "\"g\", h", 0, {NULL}, {NULL}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tag_set set = {0};

        add_text(&set, "a", rows[i].name, rows[i].value);
        tag_set_sort(&set);
        check_order(&set);
        if (set.count != rows[i].count)
            fail_msg("%s: %zu", rows[i].what, set.count);
        for (size_t j = 0; j < 3 && rows[i].tags[j] != NULL; j++)
            assert_true(has(&set, inval_tag_hash(span_of(rows[i].tags[j]))));
        for (size_t j = 0; j < 2 && rows[i].groups[j] != NULL; j++) {
            struct span group = span_of(rows[i].groups[j]);

            assert_true(has(&set, inval_group_hash(SPAN("a"), group)));
            assert_false(has(&set, inval_group_hash(SPAN("b"), group)));
            assert_false(has(&set, inval_group_hash(SPAN("a:81"), group)));
        }
        tag_set_fini(&set);
    }
}

static void
merges(void **state)
{
    static const struct {
        const char *one, *other, *want;
    } rows[] = {
        {"", "", ""},
        {"a", "", "a"},
        {"", "a", "a"},
        {"a", "a", "a"},
        {"a b", "c", "a b c"},
        {"c", "a b", "a b c"},
        {"a c", "b d", "a b c d"},
        {"a b c", "b", "a b c"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tag_set one = {0}, other = {0}, want = {0};

        add_text(&one, "", "Surrogate-Key", rows[i].one);
        add_text(&other, "", "Surrogate-Key", rows[i].other);
        add_text(&want, "", "Surrogate-Key", rows[i].want);
        tag_set_sort(&one);
        tag_set_sort(&other);
        tag_set_sort(&want);
        tag_set_merge(&one, other.list, other.count);
        check_order(&one);
        assert_int_equal(one.count, want.count);
        for (size_t j = 0; j < want.count; j++)
            assert_true(hash_eq(one.list[j], want.list[j]));
        tag_set_fini(&one);
        tag_set_fini(&other);
        tag_set_fini(&want);
    }
}

/* As many as 64 KiB hold, merged with as many others: in a moment, where a
 * quadratic merge would take minutes. */
static void
many(void **state)
{
    struct tag_set one = {0}, other = {0};
    struct buf text[2] = {{0}};

    (void)state;
    for (size_t i = 0; i < 16384; i++) {
        buf_printf(&text[0], "%zx ", i);
        buf_printf(&text[1], "%zx ", i + 8192);
    }
    for (int round = 0; round < 20; round++) {
        add_text(&one, "", "Surrogate-Key", text[0].data);
        add_text(&other, "", "Surrogate-Key", text[1].data);
        tag_set_sort(&one);
        tag_set_sort(&other);
        tag_set_merge(&one, other.list, other.count);
        assert_int_equal(other.count, 16384);
        assert_int_equal(one.count, 16384 + 8192);
        check_order(&one);
        tag_set_fini(&one);
        tag_set_fini(&other);
    }
    buf_fini(&text[0]);
    buf_fini(&text[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_fields),
        cmocka_unit_test(merges),
        cmocka_unit_test(many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
