#include "store/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "objects.h"

static void
test_copies(void **state)
{
    char text[] = "http://h.test/path?q";
    struct key key = {.hash = {1, 2}, .text = span_of(text)};
    struct hash128 tags[] = {{3, 4}, {5, 6}};
    struct caching caching = {.storable = true, .lifetime_s = 60};
    struct fields fields = {0};
    struct pack *pack = pack_new(&fields);
    struct pack *tag_pack;
    (void)state;

    fields_add(&fields, SPAN("Cache-Tag"), SPAN("a, b"));
    tag_pack = pack_new(&fields);
    fields_fini(&fields);
    key.host = span_sub(key.text, 7, 13);
    key.path_query = span_sub(key.text, 13, key.text.len);
    struct object *object = object_new(&(struct object_spec){
        .key = &key,
        .status = 404,
        .fields = pack,
        .tag_fields = tag_pack,
        .tags = tags,
        .tag_count = 2,
        .caching = &caching,
        .position = 9,
        .sent_ns = 10,
        .received_ns = 11,
    });

    memset(text, 'x', sizeof(text) - 1);
    memset(tags, 0, sizeof(tags));
    caching.lifetime_s = 0;
    assert_true(object_cost(object) >
                sizeof(*object) + pack_cost(pack) + pack_cost(tag_pack));
    pack_unref(&pack);
    pack_unref(&tag_pack);
    assert_int_equal(pack_fields(object->tag_fields)->count, 1);
    assert_true(span_eq(object->key.text, SPAN("http://h.test/path?q")));
    assert_true(span_eq(object->key.host, SPAN("h.test")));
    assert_true(span_eq(object->key.path_query, SPAN("/path?q")));
    assert_true(hash_eq(object->key.hash, (struct hash128){1, 2}));
    assert_int_equal(object->tag_count, 2);
    assert_true(hash_eq(object->tags[1], (struct hash128){5, 6}));
    assert_int_equal(object->status, 404);
    assert_int_equal(object->caching.lifetime_s, 60);
    assert_int_equal(object->position, 9);
    assert_int_equal(object->checked, 9);
    assert_int_equal(object->sent_ns, 10);
    assert_int_equal(object->received_ns, 11);
    assert_null(object->body);
    assert_null(object_vary_copy(object));
    object_unref(&object);
    assert_null(object);
}

static void
test_serials(void **state)
{
    struct object *a = test_object(&(struct test_spec){.number = 1});
    struct object *b = test_object(&(struct test_spec){.number = 1});
    (void)state;

    assert_true(a->serial != 0 && b->serial != 0 && a->serial != b->serial);
    object_unref(&a);
    object_unref(&b);
}

static void
test_vary_copy(void **state)
{
    struct object *object = test_object(
        &(struct test_spec){.number = 1, .vary = "X-Kind", .value = "a"});
    struct vary *copy = object_vary_copy(object);
    (void)state;

    assert_non_null(copy);
    assert_ptr_not_equal(copy, object->vary);
    assert_true(vary_same(copy, object->vary));
    vary_free(&copy);
    object_unref(&object);
}

static void
test_cost(void **state)
{
    struct object *small =
        test_object(&(struct test_spec){.number = 1, .size = 100});
    struct object *large =
        test_object(&(struct test_spec){.number = 1, .size = 100100});
    (void)state;

    assert_true(object_cost(small) > sizeof(*small) + 100);
    assert_in_range(object_cost(large) - object_cost(small), 99900, 100300);
    object_unref(&small);
    object_unref(&large);
}

static void
test_refs(void **state)
{
    struct object *object = test_object(&(struct test_spec){.number = 1});
    struct object *again = object_ref(object);
    (void)state;

    assert_ptr_equal(again, object);
    object_unref(&again);
    assert_true(object_try_ref(object));
    again = object;
    object_unref(&again);
    object_unref(&object);
    object_unref(&object); /* NULL is ignored */
}

/* A borrowed object whose last reference went may be read, but not revived. */
static void
test_no_revival(void **state)
{
    struct store *store = store_new(1 << 20, 0);
    (void)state;

    assert_true(
        test_insert(store, &(struct test_spec){.number = 1, .size = 10}));
    struct object *borrowed = test_find(store, 1, NULL, NULL);

    assert_non_null(borrowed);
    assert_true(object_alive(borrowed));
    assert_true(store_remove(store, borrowed));
    assert_false(object_alive(borrowed));
    assert_false(object_try_ref(borrowed));
    assert_int_equal(borrowed->length, 10);
    grace_barrier();
    store_free(&store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),    cmocka_unit_test(test_serials),
        cmocka_unit_test(test_vary_copy), cmocka_unit_test(test_cost),
        cmocka_unit_test(test_refs),      cmocka_unit_test(test_no_revival),
    };

    grace_register();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    grace_unregister();
    return failed;
}
