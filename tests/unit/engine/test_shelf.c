/* The disk tier: the form of its records, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/stream.h"
#include "cluster/tag_set.h"
#include "conf/conf.h"
#include "engine/shelf_internal.h"
#include "store/store.h"

/* ---- the form ---- */

static void
add_field(struct fields *fields, const char *name, const char *value)
{
    fields_add(fields, span_of(name), span_of(value));
}

static void
make_meta(struct shelf_meta *meta)
{
    memset(meta, 0, sizeof(*meta));
    meta->journal = (struct hash128){1, 2};
    meta->number = 77;
    meta->position = SPAN("paris=a/b/9;tokyo=c/d/1");
    meta->written = (struct shelf_clock){{3, 4}, 5000 * NS_PER_S, 1000000};
    meta->sent_ns = 4000 * NS_PER_S;
    meta->received_ns = 4001 * NS_PER_S;
    meta->status = 200;
    meta->caching = (struct caching){.storable = true,
                                     .lifetime_s = 600,
                                     .initial_age_s = 5,
                                     .swr_s = 7,
                                     .sie_s = 8,
                                     .has_etag = true,
                                     .immutable = true};
    meta->path_tag = true;
    add_field(&meta->fields, "ETag", "\"x\"");
    add_field(&meta->fields, "X-Empty", "");
    add_field(&meta->tag_fields, "Surrogate-Key", "a b");
    meta->vary[0] = (struct field){SPAN("accept"), SPAN("text/html")};
    meta->vary[1] = (struct field){SPAN("cookie"), SPAN_NONE};
    meta->vary_count = 2;
}

static void
print_meta(struct buf *text)
{
    struct shelf_meta meta;

    make_meta(&meta);
    shelf_meta_print(&meta, text);
    shelf_meta_fini(&meta);
}

static void
test_round_trip(void **state)
{
    struct buf text = {0};
    struct buf again = {0};
    struct shelf_meta meta;

    (void)state;
    print_meta(&text);
    assert_true(shelf_meta_parse(buf_span(&text), &meta));
    assert_int_equal(meta.number, 77);
    assert_int_equal(meta.fields.count, 2);
    assert_int_equal(meta.tag_fields.count, 1);
    assert_int_equal(meta.vary_count, 2);
    assert_null(meta.vary[1].value.ptr);
    assert_true(meta.caching.immutable && meta.caching.storable);
    assert_false(meta.caching.forbids_stale);
    assert_true(meta.path_tag);
    shelf_meta_print(&meta, &again);
    assert_true(span_eq(buf_span(&text), buf_span(&again)));
    shelf_meta_fini(&meta);
    buf_fini(&text);
    buf_fini(&again);
}

/* Cut anywhere it is none; with any bit turned it is none, or another one that
 * prints as it was read. */
static void
test_damage(void **state)
{
    struct buf text = {0};
    struct shelf_meta meta;

    (void)state;
    print_meta(&text);
    for (size_t len = 0; len < text.len; len++)
        assert_false(
            shelf_meta_parse(span_sub(buf_span(&text), 0, len), &meta));
    for (size_t bit = 0; bit < 8 * text.len; bit++) {
        struct buf again = {0};

        text.data[bit / 8] = (char)(text.data[bit / 8] ^ 1 << (bit % 8));
        if (shelf_meta_parse(buf_span(&text), &meta)) {
            shelf_meta_print(&meta, &again);
            assert_true(span_eq(buf_span(&text), buf_span(&again)));
            shelf_meta_fini(&meta);
        }
        buf_fini(&again);
        text.data[bit / 8] = (char)(text.data[bit / 8] ^ 1 << (bit % 8));
    }
    buf_add_char(&text, 'x');
    assert_false(shelf_meta_parse(buf_span(&text), &meta));
    buf_fini(&text);
}

static void
test_variants(void **state)
{
    struct field a = {SPAN("accept"), SPAN("x")};
    struct field absent = {SPAN("accept"), SPAN_NONE};
    struct field empty = {SPAN("accept"), SPAN("")};

    (void)state;
    assert_int_equal(shelf_variant(NULL, 0), 0);
    assert_int_not_equal(shelf_variant(&a, 1), 0);
    assert_int_equal(shelf_variant(&a, 1), shelf_variant(&a, 1));
    assert_int_not_equal(shelf_variant(&a, 1), shelf_variant(&empty, 1));
    assert_int_not_equal(shelf_variant(&absent, 1), shelf_variant(&empty, 1));
    assert_true(shelf_variant(&a, 1) <= UINT32_MAX);
}

/* Written 1000 s after it was received, at 5000 s of the machine's clock. */
static void
test_times(void **state)
{
    static const struct {
        struct hash128 boot;
        uint64_t boot_s;
        int64_t wall_ms;
        uint64_t received_s; /* 0: before the clock began */
        uint64_t more_age_s;
    } rows[] = {
        {{3, 4}, 5000, 1000000, 4001, 0},
        {{3, 4}, 5100, 1000000, 4001, 0},
        {{3, 4}, 5100, 0, 4001, 0},       /* the wall clock was set */
        {{3, 4}, 4999, 1000000, 0, 600},  /* no clock goes back so */
        {{9, 9}, 5000, 1000000, 4001, 0}, /* started anew, at once */
        {{9, 9}, 5000, 1060000, 3941, 0},
        {{9, 9}, 10000, 1060000, 8941, 0},
        {{9, 9}, 1058, 1060000, 0, 0},
        {{9, 9}, 1060, 1060000, 1, 0},
        {{9, 9}, 5000, 999999, 0, 600}, /* it went back: nobody knows */
        {{9, 9}, 5000, INT64_MAX / 4, 0, 600},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shelf_clock now = {rows[i].boot, rows[i].boot_s * NS_PER_S,
                                  rows[i].wall_ms};
        struct shelf_meta meta;
        struct shelf_times times;

        make_meta(&meta);
        shelf_meta_times(&meta, &now, &times);
        if (times.received_ns / NS_PER_S != rows[i].received_s ||
            times.caching.initial_age_s != 5 + rows[i].more_age_s ||
            times.sent_ns == 0 || times.sent_ns > times.received_ns)
            fail_msg("row %zu: %llu %llu", i,
                     (unsigned long long)times.received_ns,
                     (unsigned long long)times.sent_ns);
        shelf_meta_fini(&meta);
    }
}

/* ---- the shelf ---- */

static char folder[] = "/tmp/atlas_shelf_XXXXXX";
static struct loop *loop;
static struct conf *conf;
static struct inval *inval;
static struct store *store;
static struct shelf *shelf;
static struct streams *streams;

static struct conf *
load(void)
{
    struct conf_problems problems = {0};
    char *path = mem_printf("%s/conf.json", folder);
    FILE *out = fopen(path, "w");

    CHECK(out != NULL);
    fprintf(out,
            "{\"node\":\"n\",\"disk\":{\"path\":\"disk\",\"size\":\"96MiB\"},"
            "\"origins\":{\"web\":{\"servers\":[\"http://127.0.0.1:1\"]}},"
            "\"routes\":[{\"name\":\"all\",\"origin\":\"web\"}]}");
    fclose(out);
    struct conf *loaded = conf_load(path, &problems);

    conf_problems_fini(&problems);
    free(path);
    CHECK(loaded != NULL);
    return loaded;
}

static void
open_it(void)
{
    struct buf problem = {0};
    enum err err;

    inval = inval_new((size_t)1 << 20);
    store = store_new((size_t)8 << 20, 0);
    err = shelf_open(loop, conf, inval, &shelf, &problem);
    if (err != ERR_OK)
        fail_msg("%s", problem.data);
    streams =
        streams_new(loop, conf, inval,
                    &(struct streams_kept){.journal = shelf_journal(shelf)});
    shelf_begin(shelf, loop, streams);
    buf_fini(&problem);
}

static void
close_it(void)
{
    streams_free(&streams);
    shelf_close(&shelf);
    store_free(&store);
    inval_free(&inval);
}

static void
reopen(void)
{
    close_it();
    open_it();
}

static int
set_up(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    loop = loop_new();
    conf = load();
    open_it();
    return 0;
}

static int
tear_down(void **state)
{
    char command[80];

    (void)state;
    close_it();
    conf_unref(&conf);
    loop_free(&loop);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* All that was asked for has been done. */
static void
settle(void)
{
    struct shelf_status status;
    uint64_t end = clock_boot_ns() + 10 * NS_PER_S;

    do {
        usleep(1000);
        shelf_status(shelf, &status);
    } while (
        (status.waiting > 0 || atomic_load(&shelf->buckets[0].pending) > 0) &&
        clock_boot_ns() < end);
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        while (atomic_load(&shelf->buckets[i].pending) > 0 &&
               clock_boot_ns() < end)
            usleep(1000);
    }
}

static struct key
key_of(const char *path)
{
    static char texts[8][128];
    static unsigned next;
    char *text = texts[next++ % 8];
    struct key key;

    snprintf(text, sizeof(texts[0]), "http://h%s", path);
    CHECK(key_parse(span_of(text), &key));
    return key;
}

/* With the tag "t", sent at `sent_s` seconds after the clock began. */
static struct object *
object_of(const char *path, const char *body, uint64_t sent_s)
{
    struct key key = key_of(path);
    struct fields fields = {0};
    struct fields tags = {0};
    struct tag_set set = {0};
    struct caching caching = {.storable = true, .lifetime_s = 600};
    struct blob *blob = blob_new(strlen(body));

    add_field(&fields, "X-Body", body);
    add_field(&tags, "Surrogate-Key", "t");
    tag_set_add(&set, key.host, &tags);
    tag_set_sort(&set);
    blob_append(blob, body, strlen(body));
    blob_finish(blob, ERR_OK);
    struct pack *pack = pack_new(&fields);
    struct pack *tag_pack = pack_new(&tags);
    struct object_spec spec = {
        .key = &key,
        .status = 200,
        .fields = pack,
        .tag_fields = tag_pack,
        .body = blob,
        .length = strlen(body),
        .tags = set.list,
        .tag_count = set.count,
        .caching = &caching,
        .position = inval_seq(inval),
        .sent_ns = CLOCK_BOOT_BASE_NS + sent_s * NS_PER_S,
        .received_ns = CLOCK_BOOT_BASE_NS + sent_s * NS_PER_S,
    };
    struct object *object = object_new(&spec);

    pack_unref(&pack);
    pack_unref(&tag_pack);
    tag_set_fini(&set);
    fields_fini(&fields);
    fields_fini(&tags);
    blob_unref(&blob);
    return object;
}

/* Stored, and hit, as the engine does it. */
static void
store_it(const char *path, const char *body, uint64_t sent_s, bool hit)
{
    struct object *object = object_of(path, body, sent_s);
    struct object *stored = object_ref(object);

    shelf_change_begin(shelf, &object->key);
    if (store_insert(store, &stored, 0))
        shelf_stored(shelf, object);
    else
        shelf_drop(shelf, &object->key);
    shelf_change_end(shelf, &object->key);
    if (hit && object_alive(object))
        shelf_hit(shelf, object);
    object_unref(&object);
    settle();
}

/* What is on disk says `body`; NULL: nothing that counts. */
static void
expect(const char *path, const char *body, enum validity validity)
{
    struct key key = key_of(path);
    struct fields request = {0};
    struct shelf_found found;
    struct object *object = NULL;
    struct span flat = SPAN_NONE;

    struct disk_record *record = NULL;

    if (shelf_may_have(shelf, &key) &&
        shelf_find(shelf, &key, &request, DISK_WAIT, &record) == ERR_OK &&
        shelf_read(record, DISK_WAIT, &found) == ERR_OK) {
        object = shelf_object(shelf, &key, &found);
        shelf_found_fini(&found);
    }
    disk_record_unref(&record);
    if (body == NULL) {
        assert_null(object);
        return;
    }
    assert_non_null(object);
    assert_true(blob_flat(object->body, &flat));
    assert_true(span_eq(flat, span_of(body)));
    assert_true(span_eq(fields_get(pack_fields(object->fields), SPAN("x-body")),
                        span_of(body)));
    assert_int_equal(object->tag_count, 1);
    struct inval_subject subject = {key.host, key.path_query, object->tags, 1};

    assert_int_equal(inval_check(inval, &subject, object->position), validity);
    object_unref(&object);
}

static void
on_synced(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

/* As the control thread does by itself. */
static void
sync_journal(void)
{
    inval_publish(inval);
    journal_when_synced(shelf_journal(shelf), on_synced, NULL);
    loop_run(loop);
}

static void
purge(enum inval_kind kind, bool soft, const char *host, const char *value)
{
    struct inval_entry entry = {kind, soft, span_of(host), span_of(value)};

    inval_apply(inval, &entry, INVAL_LOCAL, 0);
    sync_journal();
}

static void
test_stored(void **state)
{
    (void)state;
    store_it("/once", "once", 10, false);
    expect("/once", NULL, 0);
    store_it("/hit", "hit", 10, true);
    expect("/hit", "hit", VALIDITY_VALID);
    /* Refused once, and back soon. */
    struct key key = key_of("/once");

    store_remove_key(store, &key);
    store_it("/once", "again", 20, false);
    expect("/once", "again", VALIDITY_VALID);
    reopen();
    expect("/hit", "hit", VALIDITY_VALID);
    expect("/once", "again", VALIDITY_VALID);
}

/* A newer one takes its place, worth writing or not. */
static void
test_replaced(void **state)
{
    (void)state;
    store_it("/a", "one", 10, true);
    store_it("/a", "two", 20, true);
    expect("/a", "two", VALIDITY_VALID);
    store_it("/b", "one", 10, true);
    store_it("/b", "two", 20, false);
    expect("/b", NULL, 0);
    reopen();
    expect("/a", "two", VALIDITY_VALID);
    expect("/b", NULL, 0);
    struct key key = key_of("/a");

    shelf_drop_other(shelf, &key);
    settle();
    expect("/a", NULL, 0);
    reopen();
    expect("/a", NULL, 0);
}

static void
test_purged(void **state)
{
    (void)state;
    store_it("/a", "one", 10, true);
    store_it("/b", "one", 10, true);
    store_it("/c", "one", 10, true);
    purge(INVAL_URL, false, "h", "/a");
    purge(INVAL_URL, true, "h", "/b");
    store_it("/d", "one", 10, true);
    reopen();
    expect("/a", NULL, 0);
    expect("/b", "one", VALIDITY_SOFT);
    expect("/c", "one", VALIDITY_VALID);
    expect("/d", "one", VALIDITY_VALID);
    purge(INVAL_TAG, false, "", "t");
    reopen();
    expect("/b", NULL, 0);
    expect("/d", NULL, 0);
    inval_raise_floor(inval, FLOOR_HOLE);
    sync_journal();
    store_it("/e", "one", 10, true);
    expect("/e", "one", VALIDITY_VALID);
    inval_raise_floor(inval, FLOOR_HOLE);
    sync_journal();
    reopen();
    expect("/e", "one", VALIDITY_FLOOR);
}

/* What is not valid any more when its turn comes is not written. */
static void
test_purged_while_it_waits(void **state)
{
    struct object *object = object_of("/a", "one", 10);
    struct object *stored = object_ref(object);

    (void)state;
    assert_true(store_insert(store, &stored, 0));
    purge(INVAL_URL, false, "h", "/a");
    shelf_hit(shelf, object);
    settle();
    expect("/a", NULL, 0);
    object_unref(&object);
    object = object_of("/b", "one", 10);
    stored = object_ref(object);
    assert_true(store_insert(store, &stored, 0));
    assert_true(store_remove(store, object));
    shelf_hit(shelf, object);
    settle();
    expect("/b", NULL, 0);
    object_unref(&object);
}

/* A number that the journal has not on the disk yet is not claimed: after a
 * crash it may be another's. */
static void
test_not_synced(void **state)
{
    struct inval_entry entry = {INVAL_URL, false, SPAN("h"), SPAN("/a")};

    (void)state;
    inval_apply(inval, &entry, INVAL_LOCAL, 0);
    inval_publish(inval);
    store_it("/a", "one", 10, true); /* waits, and then claims less */
    store_it("/b", "one", 10, true);
    expect("/a", NULL, 0);
    expect("/b", "one", VALIDITY_VALID);
}

/* What is hot in memory is looked for now and then, and written again when it
 * is there no more. */
static void
test_turns(void **state)
{
    struct object *object = object_of("/a", "one", 10);
    struct object *stored = object_ref(object);
    uint64_t written = counter_read(COUNTER_DISK_WRITTEN);

    (void)state;
    assert_true(store_insert(store, &stored, 0));
    for (int i = 0; i < 3; i++) {
        shelf_hit(shelf, object);
        settle();
        assert_int_equal(counter_read(COUNTER_DISK_WRITTEN), written + 1);
        atomic_fetch_add(&shelf->turn, 1);
    }
    disk_remove(shelf->disk, object->key.text, DISK_VARIANTS_ALL, false);
    shelf_hit(shelf, object);
    shelf_hit(shelf, object);
    settle();
    assert_int_equal(counter_read(COUNTER_DISK_WRITTEN), written + 2);
    expect("/a", "one", VALIDITY_VALID);
    object_unref(&object);
}

/* One that was evicted before its turn is written; one that was taken out, or
 * replaced, is not. */
static void
test_evicted(void **state)
{
    struct object *object = object_of("/a", "one", 10);

    (void)state;
    atomic_store(&object->evicted, true);
    atomic_store(&object->dead, true);
    shelf_change_begin(shelf, &object->key);
    shelf_stored(shelf, object); /* refused the first time */
    shelf_stored(shelf, object);
    shelf_change_end(shelf, &object->key);
    settle();
    expect("/a", "one", VALIDITY_VALID);
    object_unref(&object);
    object = object_of("/a", "two", 20);
    atomic_store(&object->dead, true);
    shelf_change_begin(shelf, &object->key);
    shelf_stored(shelf, object);
    shelf_change_end(shelf, &object->key);
    settle();
    expect("/a", NULL, 0);
    object_unref(&object);
}

/* Another journal's numbers mean nothing, and a node alone has no vector. */
static void
test_other_journal(void **state)
{
    char command[120];

    (void)state;
    store_it("/a", "one", 10, true);
    close_it();
    snprintf(command, sizeof(command), "rm %s/disk/invalidations.*", folder);
    assert_int_equal(system(command), 0);
    open_it();
    expect("/a", NULL, 0);
    store_it("/a", "two", 20, true);
    reopen();
    expect("/a", "two", VALIDITY_VALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_times),
        TEST(test_stored),
        TEST(test_replaced),
        TEST(test_purged),
        TEST(test_purged_while_it_waits),
        TEST(test_not_synced),
        TEST(test_turns),
        TEST(test_evicted),
        TEST(test_other_journal),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
