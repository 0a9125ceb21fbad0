#include "base/blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/watcher.h"

#define WINDOW 8192

/* Watchers are counted: the loop is run until all that was posted has come. */
struct fixture {
    struct loop *loop;
    struct watcher *room;
    struct watcher *news;
    int rooms;
    int wakes;
};

static void
count(void *arg)
{
    ++*(int *)arg;
}

static int
set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.loop = loop_new()};
    f.room = watcher_new(f.loop, count, &f.rooms);
    f.news = watcher_new(f.loop, count, &f.wakes);
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    watcher_close(&f->room);
    watcher_close(&f->news);
    loop_free(&f->loop);
    return 0;
}

static void
deliver(struct fixture *f)
{
    loop_stop(f->loop);
    loop_run(f->loop);
}

/* The byte at an offset, so that bytes in the wrong place are seen. */
static char
byte_at(uint64_t at)
{
    return (char)('a' + at % 23);
}

static enum err
append(struct blob *blob, size_t len)
{
    char *data = malloc(len + 1);

    CHECK(data != NULL);
    for (size_t i = 0; i < len; i++)
        data[i] = byte_at(blob_len(blob) + i);
    enum err err = blob_append(blob, data, len);

    free(data);
    return err;
}

/* Reads up to `max`, checks the bytes, gives how many; what ended it in *err.
 */
static size_t
read_some(struct blob_reader *reader, size_t max, enum err *err)
{
    char data[1000];
    size_t got = 0;
    size_t n;

    while (got < max) {
        size_t want = max - got < sizeof(data) ? max - got : sizeof(data);
        uint64_t at = blob_reader_pos(reader);

        *err = blob_read(reader, data, want, &n);
        if (*err != ERR_OK) {
            assert_int_equal(n, 0);
            break;
        }
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(data[i], byte_at(at + i));
        got += n;
    }
    return got;
}

/* The cost is what the allocator gave; pieces that grow are powers of two with
 * their heads, so that it gives no more than it is asked for. */
static void
test_cost(void **state)
{
    struct blob *blob = blob_new(0);
    size_t own = blob_cost(blob);
    size_t sum = own;
    (void)state;

    assert_int_equal(own, mem_size(blob));
    for (size_t piece = 4096; piece <= 256 * 1024; piece *= 2) {
        size_t before = blob_cost(blob);

        while (blob_cost(blob) == before)
            assert_int_equal(append(blob, 1), ERR_OK);
        assert_in_range(blob_cost(blob) - before, piece, piece + 16);
        sum += blob_cost(blob) - before;
    }
    assert_int_equal(blob_cost(blob), sum);
    blob_finish(blob, ERR_OK);
    blob_unref(&blob);
}

static void
test_whole(void **state)
{
    static const size_t expected[] = {0, 1, 10000, 20000, 100000};
    struct span flat;
    enum err err;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct blob *blob = blob_new(expected[i]);

        assert_int_equal(blob_state(blob), ERR_AGAIN);
        for (int n = 0; n < 20; n++)
            assert_int_equal(append(blob, 1000), ERR_OK);
        assert_int_equal(append(blob, 0), ERR_OK);
        assert_false(blob_flat(blob, &flat));
        blob_finish(blob, ERR_OK);
        assert_int_equal(blob_state(blob), ERR_OK);
        assert_int_equal(blob_len(blob), 20000);
        assert_true(blob_cost(blob) >= 20000);
        /* In one piece when the length was known. */
        assert_int_equal(blob_flat(blob, &flat), expected[i] >= 20000);
        if (expected[i] >= 20000)
            assert_int_equal(flat.len, 20000);

        struct blob_reader *reader = blob_reader_new(blob, 777, NULL);

        assert_int_equal(blob_readers(blob), 1);
        assert_int_equal(read_some(reader, 1 << 20, &err), 20000 - 777);
        assert_int_equal(err, ERR_END);
        blob_reader_free(&reader);
        assert_null(reader);
        assert_int_equal(blob_readers(blob), 0);
        blob_unref(&blob);
        assert_null(blob);
    }
}

static void
test_empty(void **state)
{
    struct blob *blob = blob_new(0);
    struct span flat;
    enum err err;
    (void)state;

    blob_finish(blob, ERR_OK);
    assert_true(blob_flat(blob, &flat));
    assert_int_equal(flat.len, 0);
    struct blob_reader *reader = blob_reader_new(blob, 0, NULL);

    read_some(reader, 10, &err);
    assert_int_equal(err, ERR_END);
    blob_reader_free(&reader);
    blob_unref(&blob);
    blob_unref(&blob); /* NULL is ignored */
}

/* What was read stays valid although the writer has let go. */
static void
test_follow(void **state)
{
    struct fixture *f = *state;
    struct blob *blob = blob_new(0);
    struct blob_reader *reader = blob_reader_new(blob, 0, f->news);
    enum err err;

    assert_int_equal(read_some(reader, 1, &err), 0);
    assert_int_equal(err, ERR_AGAIN);
    append(blob, 100);
    append(blob, 100);
    deliver(f);
    assert_int_equal(f->wakes, 1); /* once, since it waited once */
    append(blob, 100);
    deliver(f);
    assert_int_equal(f->wakes, 1); /* it does not wait */
    assert_int_equal(read_some(reader, 1000, &err), 300);
    assert_int_equal(err, ERR_AGAIN);
    blob_finish(blob, ERR_RESET);
    deliver(f);
    assert_int_equal(f->wakes, 2);
    read_some(reader, 1, &err);
    assert_int_equal(err, ERR_RESET);
    assert_int_equal(blob_reader_pos(reader), 300);

    struct blob *mine = blob_ref(blob);

    blob_unref(&blob);
    blob_reader_free(&reader);
    assert_int_equal(blob_state(mine), ERR_RESET);
    blob_unref(&mine);
}

/* Bytes that were appended before the failure are still read. */
static void
test_failed(void **state)
{
    static const enum err errors[] = {ERR_RESET, ERR_TIMEOUT, ERR_PROTOCOL,
                                      ERR_CANCELLED, ERR_NOMEM};
    struct span flat;
    enum err err;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct blob *blob = blob_new(5000);

        append(blob, 3000);
        blob_finish(blob, errors[i]);
        struct blob_reader *reader = blob_reader_new(blob, 0, NULL);

        assert_int_equal(read_some(reader, 9000, &err), 3000);
        assert_int_equal(err, errors[i]);
        assert_false(blob_flat(blob, &flat));
        blob_reader_free(&reader);
        blob_unref(&blob);
    }
}

/* Appends until it is refused; how much was taken. */
static size_t
fill_up(struct blob *blob)
{
    size_t taken = 0;

    while (append(blob, 500) == ERR_OK) {
        taken += 500;
        assert_true(taken < 100 * WINDOW);
    }
    return taken;
}

static void
test_slide(void **state)
{
    struct fixture *f = *state;
    struct blob *blob = blob_new(0);
    struct blob_reader *fast = blob_reader_new(blob, 0, f->news);
    struct blob_reader *slow = blob_reader_new(blob, 0, f->news);
    struct span flat;
    enum err err;

    blob_slide(blob, WINDOW, false, f->room);
    size_t first = fill_up(blob);

    assert_true(first >= WINDOW && first < WINDOW + 1000);
    /* The slowest reader holds it, and only it can make room. */
    read_some(fast, first, &err);
    assert_int_equal(append(blob, 500), ERR_AGAIN);
    deliver(f);
    assert_int_equal(f->rooms, 0);
    read_some(slow, first / 2, &err);
    deliver(f);
    assert_int_equal(f->rooms, 1);
    for (int i = 0; i < 200; i++) {
        size_t n = fill_up(blob);

        assert_true(n > 0);
        read_some(slow, n, &err);
        assert_int_equal(err, ERR_OK);
        read_some(fast, n, &err);
        assert_true(blob_cost(blob) < 4 * WINDOW);
    }
    /* The bytes at the front are gone. */
    assert_null(blob_reader_new(blob, 0, NULL));
    /* When the slow one leaves, the fast one may go on. */
    fill_up(blob);
    read_some(fast, SIZE_MAX, &err);
    int rooms = f->rooms;

    blob_reader_free(&slow);
    deliver(f);
    assert_true(f->rooms > rooms);
    append(blob, 1);
    blob_finish(blob, ERR_OK);
    assert_int_equal(read_some(fast, 10, &err), 1);
    assert_int_equal(err, ERR_END);
    assert_false(blob_flat(blob, &flat));
    blob_reader_free(&fast);
    blob_unref(&blob);
}

/* With nobody reading, the window fills and stays. */
static void
test_slide_alone(void **state)
{
    struct fixture *f = *state;
    struct blob *blob = blob_new(0);
    enum err err;

    append(blob, 3000);
    blob_slide(blob, WINDOW, true, f->room);
    fill_up(blob);
    assert_int_equal(append(blob, 1), ERR_AGAIN);
    /* Nothing was dropped: who comes now gets it all. */
    struct blob_reader *reader = blob_reader_new(blob, 0, f->news);

    assert_int_equal(read_some(reader, SIZE_MAX, &err), blob_len(blob));
    deliver(f);
    assert_int_equal(f->rooms, 1);
    blob_finish(blob, ERR_CANCELLED);
    blob_reader_free(&reader);
    blob_unref(&blob);
}

static void
test_leave_slow(void **state)
{
    struct fixture *f = *state;
    struct blob *blob = blob_new(0);
    struct blob_reader *fast = blob_reader_new(blob, 0, f->news);
    struct blob_reader *slow = blob_reader_new(blob, 0, f->news);
    struct blob_reader *other = blob_reader_new(blob, 0, f->news);
    enum err err;

    blob_slide(blob, WINDOW, true, f->room);
    size_t first = fill_up(blob);

    /* All are slow: they hold it together, nobody is left behind. */
    read_some(other, first - 100, &err);
    assert_int_equal(append(blob, 500), ERR_AGAIN);
    assert_int_equal(read_some(slow, 1, &err), 1);
    /* One has read everything: the one that lags loses, the near one not. */
    read_some(fast, first, &err);
    assert_int_equal(read_some(fast, 1, &err), 0);
    assert_int_equal(err, ERR_AGAIN);
    deliver(f);
    assert_true(f->rooms >= 1);
    assert_int_equal(append(blob, 500), ERR_OK);
    assert_int_equal(read_some(slow, 10, &err), 0);
    assert_int_equal(err, ERR_LOST);
    assert_int_equal(blob_reader_pos(slow), 1);
    assert_int_equal(read_some(slow, 10, &err), 0);
    assert_int_equal(err, ERR_LOST);
    assert_int_equal(read_some(other, 600, &err), 600);
    blob_finish(blob, ERR_OK);
    read_some(slow, 10, &err);
    assert_int_equal(err, ERR_LOST);
    assert_int_equal(read_some(fast, 1000, &err), 500);
    assert_int_equal(err, ERR_END);
    blob_reader_free(&slow);
    blob_reader_free(&other);
    blob_reader_free(&fast);
    blob_unref(&blob);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_cost),        TEST(test_whole),      TEST(test_empty),
        TEST(test_follow),      TEST(test_failed),     TEST(test_slide),
        TEST(test_slide_alone), TEST(test_leave_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
