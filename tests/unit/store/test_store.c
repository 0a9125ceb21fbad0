#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bloom.h"
#include "base/clock.h"
#include "objects.h"

#define MIB ((size_t)1 << 20)

/* ---- which object is found ---- */

/* Objects put in, in order, and what a request then finds: the time at which
 * it was sent (0: a miss). All have one key. */
struct find_row {
    const char *what;
    struct {
        const char *vary;
        const char *value;
        uint64_t sent;
        bool stored;
    } put[4];
    const char *request;
    uint64_t want;
    bool others;
};

static const struct find_row find_rows[] = {
    {"nothing stored", {{0}}, NULL, 0, false},
    {"one, any request", {{NULL, NULL, 1, true}}, "a", 1, false},
    {"newer replaces older",
     {{NULL, NULL, 1, true}, {NULL, NULL, 2, true}},
     NULL,
     2,
     false},
    {"a late fill does not replace a newer one",
     {{NULL, NULL, 2, true}, {NULL, NULL, 1, false}},
     NULL,
     2,
     false},
    {"sent at the same time: the last to come",
     {{NULL, NULL, 2, true}, {NULL, NULL, 2, true}},
     NULL,
     2,
     false},
    {"its own variant",
     {{"X-Kind", "a", 1, true}, {"X-Kind", "b", 2, true}},
     "a",
     1,
     true},
    {"an absent field is a variant",
     {{"X-Kind", NULL, 1, true}, {"X-Kind", "b", 2, true}},
     NULL,
     1,
     true},
    {"no variant for it",
     {{"X-Kind", "a", 1, true}, {"X-Kind", "b", 2, true}},
     "c",
     0,
     true},
    {"a late fill of another variant goes in",
     {{"X-Kind", "a", 2, true}, {"X-Kind", "b", 1, true}},
     "b",
     1,
     true},
    {"a late fill of the same variant does not",
     {{"X-Kind", "a", 2, true},
      {"X-Kind", "b", 4, true},
      {"X-Kind", "a", 1, false}},
     "a",
     2,
     true},
    {"of several that match, the latest",
     {{NULL, NULL, 3, true}, {"X-Kind", "a", 2, true}},
     "a",
     3,
     false},
    {"of several that match, the latest, put last",
     {{"X-Kind", "a", 2, true}, {NULL, NULL, 1, true}},
     "a",
     2,
     false},
};

static void
find_row(const struct find_row *row)
{
    struct store *store = store_new(MIB, 0);
    bool others = false;

    for (size_t i = 0; i < ARRAY_LEN(row->put); i++) {
        if (row->put[i].sent == 0)
            break;
        if (test_insert(store, &(struct test_spec){
                                   .number = 1,
                                   .vary = row->put[i].vary,
                                   .value = row->put[i].value,
                                   .sent_ns = row->put[i].sent,
                               }) != row->put[i].stored)
            fail_msg("%s: put %zu", row->what, i);
    }
    struct object *found = test_find(store, 1, row->request, &others);
    uint64_t sent = found != NULL ? found->sent_ns : 0;

    if (sent != row->want || others != row->others)
        fail_msg("%s: found %d, others %d", row->what, (int)sent, others);
    assert_null(test_find(store, 2, row->request, &others));
    assert_false(others);
    store_free(&store);
}

static void
test_find_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(find_rows); i++)
        find_row(&find_rows[i]);
}

/* Two keys of one hash are told apart by their text. */
static void
test_hash_collision(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct fields none = {0};
    struct test_key other;
    (void)state;

    test_insert(store, &(struct test_spec){.number = 1, .sent_ns = 1});
    struct object *found = test_find(store, 1, NULL, NULL);

    assert_non_null(found);
    test_key_set(&other, 2);
    other.key.hash = found->key.hash;
    assert_null(store_find(store, &other.key, &none, NULL));
    assert_int_equal(store_remove_key(store, &other.key), 0);
    store_free(&store);
}

static void
test_hits_count_to_three(void **state)
{
    struct store *store = store_new(MIB, 0);
    (void)state;

    test_insert(store, &(struct test_spec){.number = 1});
    for (unsigned i = 1; i < 6; i++) {
        struct object *found = test_find(store, 1, NULL, NULL);

        assert_int_equal(found->freq, i < 3 ? i : 3);
    }
    store_free(&store);
}

static void
test_variants_bounded(void **state)
{
    struct store *store = store_new(8 * MIB, 0);
    char value[16];
    (void)state;

    for (unsigned i = 1; i <= STORE_VARIANTS_MAX + 10; i++) {
        snprintf(value, sizeof(value), "v%u", i);
        assert_true(test_insert(store, &(struct test_spec){
                                           .number = 1,
                                           .vary = "X-Kind",
                                           .value = value,
                                           .sent_ns = i,
                                       }));
    }
    assert_int_equal(test_stats(store).objects, STORE_VARIANTS_MAX);
    assert_null(test_find(store, 1, "v10", NULL));
    assert_non_null(test_find(store, 1, "v11", NULL));
    store_free(&store);
}

/* However many variants come, those that are used stay. */
static void
test_variants_used_stay(void **state)
{
    struct store *store = store_new(8 * MIB, 0);
    char value[16];
    (void)state;

    for (unsigned i = 1; i <= 10 * STORE_VARIANTS_MAX; i++) {
        snprintf(value, sizeof(value), "v%u", i);
        assert_true(test_insert(store, &(struct test_spec){
                                           .number = 1,
                                           .vary = "X-Kind",
                                           .value = value,
                                           .sent_ns = i,
                                       }));
        if (i == 1 || i == 2)
            assert_non_null(test_find(store, 1, value, NULL));
    }
    assert_int_equal(test_stats(store).objects, STORE_VARIANTS_MAX);
    assert_non_null(test_find(store, 1, "v1", NULL));
    assert_non_null(test_find(store, 1, "v2", NULL));
    assert_null(test_find(store, 1, "v3", NULL));
    store_free(&store);
}

static bool
is_y(const struct object *object, const struct fields *request)
{
    struct fields y = {0};

    fields_add(&y, SPAN("X-Kind"), SPAN("y"));
    bool fits = request == NULL && vary_match(object->vary, &y);

    fields_fini(&y);
    return fits;
}

static void
test_find_by(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct test_key key;
    (void)state;

    test_key_set(&key, 1);
    assert_null(store_find_by(store, &key.key, is_y, NULL));
    test_insert(store,
                &(struct test_spec){
                    .number = 1, .vary = "X-Kind", .value = "x", .sent_ns = 9});
    test_insert(store,
                &(struct test_spec){
                    .number = 2, .vary = "X-Kind", .value = "y", .sent_ns = 9});
    assert_null(store_find_by(store, &key.key, is_y, NULL));
    test_insert(store,
                &(struct test_spec){
                    .number = 1, .vary = "X-Kind", .value = "y", .sent_ns = 2});
    test_insert(store, &(struct test_spec){.number = 1, .sent_ns = 3});
    assert_int_equal(store_find_by(store, &key.key, is_y, NULL)->sent_ns, 3);
    store_free(&store);
}

/* ---- replacing and removing ---- */

static void
test_replace_shares_body(void **state)
{
    struct store *store = store_new(MIB, 0);
    (void)state;

    test_insert(
        store, &(struct test_spec){.number = 1, .sent_ns = 1, .size = MIB / 3});
    struct object *old = test_find(store, 1, NULL, NULL);
    size_t bytes = test_stats(store).bytes;

    assert_true(object_try_ref(old));
    for (uint64_t sent = 2; sent < 6; sent++) {
        struct object *new = test_object(&(struct test_spec){
            .number = 1, .sent_ns = sent, .body = old->body});

        assert_true(store_replace(store, old, &new));
        assert_null(new);
        assert_false(object_alive(old));
        object_unref(&old);
        old = test_find(store, 1, NULL, NULL);
        assert_int_equal(old->sent_ns, sent);
        assert_true(object_try_ref(old));
    }
    assert_int_equal(test_stats(store).objects, 1);
    /* The body was charged once. */
    assert_in_range(test_stats(store).bytes, bytes, bytes + 8192);
    object_unref(&old);
    grace_barrier();
    assert_int_equal(test_stats(store).bytes, bytes);
    store_free(&store);
}

/* An update may change what selects the variant: it still takes the place of
 * the one that was validated. */
static void
test_replace_other_vary(void **state)
{
    struct store *store = store_new(MIB, 0);
    (void)state;

    test_insert(store,
                &(struct test_spec){
                    .number = 1, .vary = "X-Kind", .value = "a", .sent_ns = 1});
    struct object *old = test_find(store, 1, "a", NULL);
    struct object *new =
        test_object(&(struct test_spec){.number = 1, .sent_ns = 2});

    assert_true(store_replace(store, old, &new));
    assert_int_equal(test_stats(store).objects, 1);
    assert_int_equal(test_find(store, 1, "b", NULL)->sent_ns, 2);
    store_free(&store);
}

static void
test_replace_when_old_is_out(void **state)
{
    static const struct {
        const char *what;
        uint64_t meanwhile; /* put in instead of the old one; 0: nothing */
        uint64_t want;
    } rows[] = {
        {"nothing there: it was taken out", 0, 0},
        {"an older one there", 4, 5},
        {"a newer one there", 6, 6},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store *store = store_new(MIB, 0);

        test_insert(store, &(struct test_spec){.number = 1, .sent_ns = 1});
        struct object *old = test_find(store, 1, NULL, NULL);
        struct object *new =
            test_object(&(struct test_spec){.number = 1, .sent_ns = 5});

        assert_true(store_remove(store, old));
        assert_false(store_remove(store, old));
        if (rows[i].meanwhile != 0)
            test_insert(store, &(struct test_spec){
                                   .number = 1, .sent_ns = rows[i].meanwhile});
        if (store_replace(store, old, &new) != (rows[i].want == 5))
            fail_msg("%s", rows[i].what);
        struct object *there = test_find(store, 1, NULL, NULL);

        assert_int_equal(there != NULL ? there->sent_ns : 0, rows[i].want);
        store_free(&store);
    }
}

static void
test_remove_key(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct test_key key;
    (void)state;

    size_t empty = test_stats(store).bytes;

    test_insert(store, &(struct test_spec){.number = 2});
    for (unsigned i = 0; i < 3; i++)
        test_insert(store, &(struct test_spec){.number = 1,
                                               .vary = "X-Kind",
                                               .value = &"abc"[i]});
    test_key_set(&key, 1);
    assert_true(bloom_version(store_bloom(store)) > 0);
    assert_int_equal(store_remove_key(store, &key.key), 3);
    assert_int_equal(store_remove_key(store, &key.key), 0);
    assert_null(test_find(store, 1, "c", NULL));
    assert_non_null(test_find(store, 2, NULL, NULL));
    test_key_set(&key, 2);
    assert_int_equal(store_remove_key(store, &key.key), 1);
    grace_barrier();
    assert_int_equal(test_stats(store).bytes, empty);
    store_free(&store);
}

/* ---- the digest of keys ---- */

static bool
in_bloom(struct store *store, unsigned long number)
{
    struct bloom *bloom = store_bloom(store);
    unsigned char *bits = mem_zalloc(bloom_slots(bloom) / 8);
    struct test_key key;

    test_key_set(&key, number);
    bloom_export(bloom, bits);
    bool have = bloom_bits_have(bits, bloom_slots(bloom), key.key.hash);

    free(bits);
    return have;
}

static void
test_bloom_follows(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct test_key key;
    (void)state;

    test_key_set(&key, 1);
    assert_false(in_bloom(store, 1));
    for (unsigned sent = 1; sent < 4; sent++)
        test_insert(store, &(struct test_spec){.number = 1, .sent_ns = sent});
    test_insert(store,
                &(struct test_spec){
                    .number = 1, .vary = "X-Kind", .value = "a", .sent_ns = 9});
    assert_true(in_bloom(store, 1));
    store_remove(store, test_find(store, 1, "a", NULL));
    assert_true(in_bloom(store, 1));
    store_remove_key(store, &key.key);
    assert_false(in_bloom(store, 1));
    store_free(&store);
}

/* ---- the budget ---- */

static void
test_budget_churn(void **state)
{
    struct store *store = store_new(4 * MIB, 0);
    uint64_t random = 1;
    size_t stored = 0;
    (void)state;

    for (unsigned i = 0; i < 8000; i++) {
        unsigned long number = test_random(&random) % 5000;
        size_t shift = test_random(&random) % 18;
        size_t size = test_random(&random) & (((size_t)1 << shift) - 1);

        if (test_find(store, number, NULL, NULL) == NULL)
            stored += test_insert(store, &(struct test_spec){.number = number,
                                                             .sent_ns = i,
                                                             .size = size});
        struct store_stats stats = test_stats(store);

        assert_true(stats.bytes <= stats.budget);
        if (i % 64 == 0)
            grace_barrier();
    }
    assert_true(stored > 2000);
    grace_barrier();
    /* And it is used: what is kept free is a quarter at most. */
    assert_true(test_stats(store).bytes > 4 * MIB / 10 * 7);
    store_free(&store);
}

/* Without a grace period nothing is freed, and the store refuses rather than
 * exceed its budget; afterwards all is well. */
static void
test_budget_without_grace(void **state)
{
    struct store *store = store_new(MIB, 0);
    size_t refused = 0;
    (void)state;

    grace_enter();
    for (unsigned i = 0; i < 3000; i++) {
        refused +=
            !test_insert(store, &(struct test_spec){.number = i, .size = 4096});
        assert_true(test_stats(store).bytes <= MIB);
    }
    assert_true(refused > 0);
    assert_int_equal(test_stats(store).refusals, refused);
    grace_barrier();
    assert_true(
        test_insert(store, &(struct test_spec){.number = 1, .sent_ns = 1}));
    store_free(&store);
}

/* What was evicted stays charged while somebody holds it. */
static void
test_held_is_charged(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct object *held[3];
    (void)state;

    for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
        assert_true(test_insert(
            store, &(struct test_spec){.number = i, .size = MIB / 5}));
        held[i] = test_find(store, i, NULL, NULL);
        assert_true(object_try_ref(held[i]));
        assert_true(store_remove(store, held[i]));
    }
    grace_barrier();
    assert_true(test_stats(store).dying > MIB / 5 * 3);
    assert_false(store_reserve(store, MIB / 2));
    object_unref(&held[0]);
    grace_barrier();
    assert_true(store_reserve(store, MIB / 2));
    store_release(store, MIB / 2);
    /* Objects may outlive their store. */
    store_free(&store);
    for (unsigned i = 1; i < ARRAY_LEN(held); i++) {
        assert_int_equal(held[i]->length, MIB / 5);
        object_unref(&held[i]);
    }
    grace_barrier();
}

static void
test_reserve(void **state)
{
    struct store *store = store_new(MIB, 0);
    (void)state;

    for (unsigned i = 0; i < 120; i++)
        test_insert(store, &(struct test_spec){.number = i, .size = 8192});
    grace_barrier();
    size_t before = test_stats(store).objects;

    /* Room for half of it is made by evicting, once a grace period is over. */
    if (!store_reserve(store, MIB / 2)) {
        grace_barrier();
        assert_true(store_reserve(store, MIB / 2));
    }
    assert_true(test_stats(store).objects < before / 2 + 10);
    assert_true(test_stats(store).bytes <= MIB);
    assert_int_equal(test_stats(store).reserved, MIB / 2);
    assert_false(store_reserve(store, MIB / 2)); /* over three quarters */
    assert_false(store_reserve(store, SIZE_MAX));

    /* The fill becomes an object, which takes the reservation's place. */
    struct object *object = test_object(
        &(struct test_spec){.number = 1000, .sent_ns = 1, .size = MIB / 3});

    grace_barrier();
    assert_true(store_insert(store, &object, MIB / 2));
    assert_int_equal(test_stats(store).reserved, 0);
    assert_non_null(test_find(store, 1000, NULL, NULL));
    store_free(&store);
}

static void
test_too_large(void **state)
{
    struct store *store = store_new(MIB, 100000);
    (void)state;

    assert_true(
        test_insert(store, &(struct test_spec){.number = 1, .size = 90000}));
    assert_false(
        test_insert(store, &(struct test_spec){.number = 2, .size = 100000}));
    assert_non_null(test_find(store, 1, NULL, NULL));
    store_resize(store, MIB, 0);
    assert_true(
        test_insert(store, &(struct test_spec){.number = 2, .size = 100000}));
    assert_false(
        test_insert(store, &(struct test_spec){.number = 3, .size = MIB / 2}));
    store_free(&store);
}

static void
test_resize(void **state)
{
    struct store *store = store_new(2 * MIB, 0);
    (void)state;

    for (unsigned i = 0; i < 150; i++)
        test_insert(store, &(struct test_spec){.number = i, .size = 8192});
    assert_int_equal(test_stats(store).objects, 150);
    store_resize(store, MIB, 0);
    grace_barrier();
    assert_true(test_stats(store).bytes <= MIB);
    assert_in_range(test_stats(store).objects, 80, 125);
    store_resize(store, 4 * MIB, 0);
    for (unsigned i = 0; i < 300; i++)
        test_insert(store, &(struct test_spec){
                               .number = i, .sent_ns = 1, .size = 8192});
    assert_int_equal(test_stats(store).objects, 300);
    store_free(&store);
}

static void
test_uncacheable(void **state)
{
    struct store *store = store_new(MIB, 0);
    struct test_key key;
    (void)state;

    test_key_set(&key, 1);
    assert_false(store_uncacheable(store, key.key.hash, NS_PER_S));
    store_mark_uncacheable(store, key.key.hash, 10 * NS_PER_S);
    assert_true(store_uncacheable(store, key.key.hash, 9 * NS_PER_S));
    assert_false(store_uncacheable(store, key.key.hash, 11 * NS_PER_S));
    store_free(&store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_rows),
        cmocka_unit_test(test_hash_collision),
        cmocka_unit_test(test_hits_count_to_three),
        cmocka_unit_test(test_variants_bounded),
        cmocka_unit_test(test_variants_used_stay),
        cmocka_unit_test(test_find_by),
        cmocka_unit_test(test_replace_shares_body),
        cmocka_unit_test(test_replace_other_vary),
        cmocka_unit_test(test_replace_when_old_is_out),
        cmocka_unit_test(test_remove_key),
        cmocka_unit_test(test_bloom_follows),
        cmocka_unit_test(test_budget_churn),
        cmocka_unit_test(test_budget_without_grace),
        cmocka_unit_test(test_held_is_charged),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_uncacheable),
    };

    grace_register();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    grace_unregister();
    return failed;
}
