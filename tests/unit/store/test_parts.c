/* Parts beside each other, and beside the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bloom.h"
#include "objects.h"

#define MIB ((size_t)1 << 20)

static int
setup(void **state)
{
    (void)state;
    grace_register();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    grace_barrier();
    grace_unregister();
    return 0;
}

/* "0+10@5a": 10 bytes from 0 on, sent at 5, with the entity tag a; "w@5a" is
 * the whole; a letter behind, as in "0+10@5av", is the variant. */
static struct test_spec
spec_of(const char *text, char tag[4], char value[2])
{
    struct test_spec spec = {.number = 1, .size = 100};
    char *end = (char *)(uintptr_t)text;

    if (*end == 'w') {
        end++;
    } else {
        spec.first = strtoull(end, &end, 10);
        assert_int_equal(*end, '+');
        spec.length = strtoull(end + 1, &end, 10);
    }
    assert_int_equal(*end, '@');
    spec.sent_ns = strtoull(end + 1, &end, 10);
    if (*end != '\0' && *end != '-') {
        snprintf(tag, 4, "\"%c\"", *end);
        spec.etag = tag;
    }
    if (*end != '\0' && end[1] != '\0') {
        value[0] = end[1];
        value[1] = '\0';
        spec.vary = "X-Kind";
        spec.value = value;
    }
    return spec;
}

static bool
put(struct store *store, const char *text)
{
    char tag[4], value[2];
    struct test_spec spec = spec_of(text, tag, value);

    return test_insert(store, &spec);
}

static int
compare(const void *a, const void *b)
{
    const struct object *const *left = a;
    const struct object *const *right = b;

    if ((*left)->part->first != (*right)->part->first)
        return (*left)->part->first < (*right)->part->first ? -1 : 1;
    return (*left)->sent_ns < (*right)->sent_ns ? -1 : 1;
}

/* What is there for a request of this variant, in order. */
static void
show(struct store *store, const char *value, struct buf *out)
{
    struct object *parts[STORE_PARTS_MAX];
    struct object *whole = test_find(store, 1, value, NULL);
    struct fields request = {0};
    struct test_key key;

    test_key_set(&key, 1);
    test_request(&request, value);
    size_t count = store_parts(store, &key.key, &request, parts);

    buf_add_text(out, "");
    qsort(parts, count, sizeof(parts[0]), compare);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, " %llu+%llu@%llu",
                   (unsigned long long)parts[i]->part->first,
                   (unsigned long long)parts[i]->part->length,
                   (unsigned long long)parts[i]->sent_ns);
    if (whole != NULL)
        buf_printf(out, " w@%llu", (unsigned long long)whole->sent_ns);
    fields_fini(&request);
}

static void
test_insertions(void **state)
{
    static const struct {
        const char *what;
        const char *in[4];
        bool last_in;
        const char *want;
    } rows[] = {
        {"side by side", {"0+10@1a", "10+10@2a"}, true, " 0+10@1 10+10@2"},
        {"overlapping", {"0+10@1a", "5+10@2a"}, true, " 0+10@1 5+10@2"},
        {"the same again", {"0+10@1a", "0+10@2a"}, true, " 0+10@2"},
        {"covered", {"2+3@1a", "7+3@1a", "0+10@2a"}, true, " 0+10@2"},
        {"covered by a later one", {"0+10@2a", "2+3@1a"}, false, " 0+10@2"},
        {"a late large one", {"2+3@2a", "0+10@1a"}, true, " 0+10@1 2+3@2"},
        {"a new part of an old one",
         {"0+10@1a", "2+3@2a"},
         true,
         " 0+10@1 2+3@2"},
        {"another representation",
         {"0+10@1a", "50+10@2a", "20+10@3b"},
         true,
         " 20+10@3"},
        {"late, of another one", {"20+10@3b", "0+10@1a"}, false, " 20+10@3"},
        {"without tags they stay",
         {"0+10@1", "20+10@2"},
         true,
         " 0+10@1 20+10@2"},
        {"the whole", {"0+10@1a", "20+10@2a", "w@3a"}, true, " w@3"},
        {"the whole of another representation",
         {"0+10@1a", "w@3b"},
         true,
         " w@3"},
        {"a late whole of the same", {"0+10@3a", "w@1a"}, true, " w@1"},
        {"a late whole of another", {"0+10@3a", "w@1b"}, false, " 0+10@3"},
        {"no part beside the whole", {"w@1a", "0+10@2a"}, false, " w@1"},
        {"another variant's whole", {"w@1ay", "0+10@2ax"}, true, " 0+10@2"},
        {"another variant's part", {"0+10@1ay", "w@2bx"}, true, " w@2"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store *store = store_new(MIB, 0);
        struct buf text = {0};
        bool in = false;

        for (size_t k = 0; k < 4 && rows[i].in[k] != NULL; k++)
            in = put(store, rows[i].in[k]);
        show(store, "x", &text);
        if (in != rows[i].last_in ||
            !span_eq(buf_span(&text), span_of(rows[i].want)))
            fail_msg("%s: %d \"%s\"", rows[i].what, in, text.data);
        buf_fini(&text);
        store_free(&store);
    }
}

static bool
in_digest(struct store *store, const struct test_key *key)
{
    const struct bloom *bloom = store_bloom(store);
    size_t slots = bloom_slots(bloom);
    unsigned char *bits = mem_zalloc(slots / 8);

    bloom_export(bloom, bits);
    bool in = bloom_bits_have(bits, slots, key->key.hash);

    free(bits);
    return in;
}

/* A part is nothing to those who want a whole: another node's digest, a count
 * of variants. */
static void
test_not_whole(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct test_key key;
    bool others = true;

    (void)state;
    test_key_set(&key, 1);
    assert_true(put(store, "0+10@1ay"));
    assert_null(test_find(store, 1, "y", &others));
    assert_false(others);
    assert_null(test_find(store, 1, "x", &others));
    assert_false(others);
    assert_false(in_digest(store, &key));
    for (char v = '0'; v < '0' + STORE_VARIANTS_MAX; v++) {
        char text[8] = "w@1a";

        text[4] = v;
        assert_true(put(store, text));
    }
    assert_non_null(test_find(store, 1, "0", &others));
    assert_true(in_digest(store, &key));
    assert_int_equal(store_remove_key(store, &key.key), STORE_VARIANTS_MAX + 1);
    store_free(&store);
}

static void
test_bound(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct object *parts[STORE_PARTS_MAX];
    struct fields none = {0};
    struct test_key key;

    (void)state;
    test_key_set(&key, 1);
    for (unsigned i = 0; i < STORE_PARTS_MAX + 9; i++) {
        char text[32];

        snprintf(text, sizeof(text), "%u+1@%ua", i, i + 1);
        assert_true(put(store, text));
    }
    size_t count = store_parts(store, &key.key, &none, parts);

    assert_int_equal(count, STORE_PARTS_MAX);
    for (size_t i = 0; i < count; i++)
        assert_true(parts[i]->part->first >= 9);
    store_free(&store);
}

/* An update takes the place of the very part, and says the same of it. */
static void
test_update(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct object *parts[STORE_PARTS_MAX];
    struct fields none = {0};
    struct test_key key;

    (void)state;
    test_key_set(&key, 1);
    assert_true(put(store, "0+10@1a"));
    assert_true(put(store, "20+10@1a"));
    assert_int_equal(store_parts(store, &key.key, &none, parts), 2);
    struct object *old = parts[0]->part->first == 0 ? parts[0] : parts[1];
    struct object *new = test_object(&(struct test_spec){.number = 1,
                                                         .etag = "\"a\"",
                                                         .sent_ns = 2,
                                                         .length = 10,
                                                         .body = old->body});
    struct object *late = test_object(&(struct test_spec){.number = 1,
                                                          .etag = "\"a\"",
                                                          .sent_ns = 2,
                                                          .length = 10,
                                                          .body = old->body});
    struct buf text = {0};

    assert_true(store_replace(store, old, &new));
    assert_false(store_replace(store, old, &late));
    show(store, NULL, &text);
    assert_string_equal(text.data, " 0+10@2 20+10@1");
    buf_fini(&text);
    store_free(&store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insertions),
        cmocka_unit_test(test_not_whole),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_update),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
