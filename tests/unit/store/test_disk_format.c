#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/disk_format_internal.h"

#define SEED 4711

static void
test_names(void **state)
{
    static const struct {
        const char *name;
        bool is;
        uint32_t number;
    } rows[] = {
        {"segment-00000001", true, 1},
        {"segment-ffffffff", true, UINT32_MAX},
        {"segment-0000002a", true, 42},
        {"segment-0000002A", false, 0},
        {"segment-1", false, 0},
        {"segment-000000001", false, 0},
        {"segment-0000002a.new", false, 0},
        {"segment- 000002a", false, 0},
        {"segment-0x00002a", false, 0},
        {"segment-", false, 0},
        {"format", false, 0},
        {"", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t number = 0;

        if (disk_segment_number(rows[i].name, &number) != rows[i].is ||
            (rows[i].is && number != rows[i].number))
            fail_msg("\"%s\"", rows[i].name);
    }
}

static void
test_super(void **state)
{
    struct disk_super good = {.id = {1, 2}, .seed = 3};
    struct disk_super super;

    (void)state;
    disk_super_seal(&good);
    assert_int_equal(disk_super_check(&good, sizeof(good)), DISK_OURS);
    assert_int_equal(disk_super_check(&good, sizeof(good) - 1), DISK_DAMAGED);
    assert_int_equal(disk_super_check(&good, 7), DISK_FOREIGN);
    assert_int_equal(disk_super_check("", 0), DISK_FOREIGN);
    super = good;
    super.version++;
    assert_int_equal(disk_super_check(&super, sizeof(super)),
                     DISK_OTHER_VERSION);
    super = good;
    super.seed ^= 1;
    assert_int_equal(disk_super_check(&super, sizeof(super)), DISK_DAMAGED);
    super = good;
    super.magic[3] ^= 1;
    assert_int_equal(disk_super_check(&super, sizeof(super)), DISK_FOREIGN);
}

static void
test_segment_head(void **state)
{
    struct hash128 id = {1, 2};
    struct disk_segment_head good = {.id = id, .number = 7, .salt = 9};
    struct disk_segment_head head;

    (void)state;
    disk_segment_head_seal(&good);
    assert_int_equal(disk_segment_head_check(&good, id, 7), DISK_OURS);
    assert_int_equal(disk_segment_head_check(&good, id, 8), DISK_DAMAGED);
    assert_int_equal(disk_segment_head_check(&good, (struct hash128){1, 3}, 7),
                     DISK_FOREIGN);
    head = good;
    head.salt++;
    assert_int_equal(disk_segment_head_check(&head, id, 7), DISK_DAMAGED);
    head = good;
    head.version++;
    assert_int_equal(disk_segment_head_check(&head, id, 7), DISK_OTHER_VERSION);
    memset(&head, 0, sizeof(head));
    assert_int_equal(disk_segment_head_check(&head, id, 7), DISK_DAMAGED);
}

/* A sealed record, its front first; the caller frees it. */
static char *
make_record(struct disk_head *head, size_t *front_len)
{
    disk_head_init(head);
    *front_len = disk_front_len(head, UINT64_MAX);
    assert_true(*front_len > 0);
    size_t body_len = (size_t)disk_head_inline(head);
    char *record = mem_zalloc(*front_len + body_len);

    memcpy(record, head, sizeof(*head));
    memset(disk_front_key(record), 'k', head->key_len + head->meta_len);
    for (uint32_t i = 0; i < head->ref_count; i++)
        disk_front_refs(record)[i] = (struct disk_ref){
            .length = (uint32_t)(head->body_len / head->ref_count)};
    memset(record + *front_len, 'b', body_len);
    disk_front_seal(record, record + *front_len, SEED);
    return record;
}

static void
test_records(void **state)
{
    static const struct {
        const char *what;
        struct disk_head head;
        size_t sums;
    } rows[] = {
        {"no body", {.kind = DISK_RECORD, .key_len = 20, .meta_len = 300}, 0},
        {"one byte", {.kind = DISK_RECORD, .key_len = 1, .body_len = 1}, 1},
        {"a slice", {.kind = DISK_RECORD, .body_len = DISK_SLICE}, 1},
        {"a slice and more",
         {.kind = DISK_RECORD, .body_len = DISK_SLICE + 1},
         2},
        {"extents",
         {.kind = DISK_RECORD, .key_len = 9, .body_len = 3000, .ref_count = 3},
         0},
        {"an extent",
         {.kind = DISK_EXTENT, .body_len = 5, .body_offset = 6},
         1},
        {"a tombstone", {.kind = DISK_TOMBSTONE, .variant = 4}, 0},
        {"of all", {.kind = DISK_TOMBSTONE_ALL}, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_head head = rows[i].head;
        size_t len;
        char *record = make_record(&head, &len);
        const uint64_t *sums = disk_front_sums(record);
        uint64_t units = (uint64_t)head.units * DISK_UNIT;

        print_message("%s\n", rows[i].what);
        assert_true(disk_front_check(record, len, SEED));
        assert_false(disk_front_check(record, len, SEED + 1));
        assert_int_equal(disk_front_len(&head, units), len);
        assert_int_equal(disk_front_len(&head, units - 1), 0);
        for (size_t s = 0; s < rows[i].sums; s++) {
            size_t left = (size_t)head.body_len - s * DISK_SLICE;

            assert_int_equal(
                sums[s],
                disk_slice_sum(record + len + s * DISK_SLICE,
                               left < DISK_SLICE ? left : DISK_SLICE, SEED, s));
        }
        for (size_t at = 0; at < len; at++) {
            record[at] ^= 4;
            struct disk_head flipped;

            memcpy(&flipped, record, sizeof(flipped));
            assert_true(disk_front_len(&flipped, units) != len ||
                        !disk_front_check(record, len, SEED));
            record[at] ^= 4;
        }
        free(record);
    }
}

static void
test_no_heads(void **state)
{
    static const struct {
        const char *what;
        struct disk_head head;
    } rows[] = {
        {"no kind", {.kind = 0}},
        {"another kind", {.kind = DISK_TOMBSTONE_ALL + 1}},
        {"a key too long", {.kind = DISK_RECORD, .key_len = DISK_KEY_MAX + 1}},
        {"meta too long", {.kind = DISK_RECORD, .meta_len = DISK_META_MAX + 1}},
        {"too many extents", {.kind = DISK_RECORD, .ref_count = UINT32_MAX}},
        {"too much inside",
         {.kind = DISK_RECORD, .body_len = UINT64_MAX - 200}},
        {"an offset", {.kind = DISK_RECORD, .body_offset = 1}},
        {"an empty extent", {.kind = DISK_EXTENT}},
        {"an extent with a key",
         {.kind = DISK_EXTENT, .body_len = 1, .key_len = 1}},
        {"an extent of extents",
         {.kind = DISK_EXTENT, .body_len = 1, .ref_count = 1}},
        {"a tombstone with a body", {.kind = DISK_TOMBSTONE, .body_len = 1}},
        {"one with meta", {.kind = DISK_TOMBSTONE_ALL, .meta_len = 1}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct disk_head head = rows[i].head;

        disk_head_init(&head);
        if (disk_front_len(&head, UINT64_MAX) != 0)
            fail_msg("%s", rows[i].what);
    }
    struct disk_head head = {.kind = DISK_RECORD};

    disk_head_init(&head);
    head.magic ^= 1;
    assert_int_equal(disk_front_len(&head, UINT64_MAX), 0);
    disk_head_init(&head);
    head.units++;
    assert_int_equal(disk_front_len(&head, UINT64_MAX), 0);
}

static bool
footer_holds(const struct disk_entry *entries, uint32_t count, uint64_t end)
{
    size_t len = disk_footer_len(count);
    char *footer = mem_alloc(len);
    struct disk_trailer trailer;
    uint32_t n;

    disk_footer_seal(footer, entries, count, 7, SEED);
    memcpy(&trailer, footer + len - sizeof(trailer), sizeof(trailer));
    assert_true(disk_trailer_check(&trailer, 7, SEED, len, &n));
    assert_int_equal(n, count);
    assert_false(disk_trailer_check(&trailer, 7, SEED, len - 1, &n));
    assert_false(disk_trailer_check(&trailer, 8, SEED, len, &n));
    assert_false(disk_trailer_check(&trailer, 7, SEED + 1, len, &n));
    bool holds = disk_entries_check((const void *)footer, &trailer, SEED, end);

    if (count > 0) {
        footer[3] ^= 1;
        assert_false(
            disk_entries_check((const void *)footer, &trailer, SEED, end));
    }
    free(footer);
    return holds;
}

static void
test_footers(void **state)
{
    static const struct {
        const char *what;
        struct disk_entry entries[2];
        bool good;
    } rows[] = {
        {"in a row",
         {{1, 0, 1, 4, DISK_RECORD, 0}, {1, 0, 5, 5, DISK_EXTENT, 0}},
         true},
        {"a hole",
         {{1, 0, 1, 4, DISK_RECORD, 0}, {1, 0, 6, 4, DISK_RECORD, 1}},
         true},
        {"on the head",
         {{1, 0, 0, 4, DISK_RECORD, 0}, {1, 0, 5, 5, DISK_EXTENT, 0}},
         false},
        {"one on the other",
         {{1, 0, 1, 5, DISK_RECORD, 0}, {1, 0, 5, 5, DISK_EXTENT, 0}},
         false},
        {"behind the end",
         {{1, 0, 1, 4, DISK_RECORD, 0}, {1, 0, 5, 6, DISK_EXTENT, 0}},
         false},
        {"of no length",
         {{1, 0, 1, 0, DISK_RECORD, 0}, {1, 0, 5, 5, DISK_EXTENT, 0}},
         false},
        {"of no kind",
         {{1, 0, 1, 4, 0, 0}, {1, 0, 5, 5, DISK_EXTENT, 0}},
         false},
        {"of another kind",
         {{1, 0, 1, 4, 9, 0}, {1, 0, 5, 5, DISK_EXTENT, 0}},
         false},
        {"far away",
         {{1, 0, 1, UINT32_MAX, DISK_RECORD, 0},
          {1, 0, UINT32_MAX, UINT32_MAX, DISK_EXTENT, 0}},
         false},
    };

    (void)state;
    assert_true(footer_holds(NULL, 0, DISK_UNIT));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (footer_holds(rows[i].entries, 2, 10 * DISK_UNIT) != rows[i].good)
            fail_msg("%s", rows[i].what);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_super),
        cmocka_unit_test(test_segment_head), cmocka_unit_test(test_records),
        cmocka_unit_test(test_no_heads),     cmocka_unit_test(test_footers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
