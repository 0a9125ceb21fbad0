#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "bus/link_internal.h"
#include "bus/reply_internal.h"

#define HEAD "A1 00000000000000ab 00000000000000cd 7\n"

static void
pushes(void **state)
{
    static const struct {
        const char *what;
        const char *text;
        bool good;
        size_t items;
    } table[] = {
        {"no items", HEAD, true, 0},
        {"two items", HEAD "1:a3:b:c", true, 2},
        {"empty item", HEAD "0:0:", true, 2},
        {"empty", "", false, 0},
        {"no line end", "A1 00000000000000ab 00000000000000cd 7", false, 0},
        {"other version", "A2 00000000000000ab 00000000000000cd 7\n", false, 0},
        {"short epoch", "A1 ab 00000000000000cd 7\n", false, 0},
        {"no hex", "A1 00000000000000ag 00000000000000cd 7\n", false, 0},
        {"a fifth part", "A1 00000000000000ab 00000000000000cd 7 8\n", false,
         0},
        {"n over 64 bits",
         "A1 00000000000000ab 00000000000000cd 18446744073709551616\n", false,
         0},
        {"item cut short", HEAD "9:a", false, 0},
        {"length of nothing", HEAD ":a", false, 0},
        {"no colon", HEAD "1", false, 0},
        {"huge length", HEAD "99999999999999999999:a", false, 0},
        {"negative length", HEAD "-1:a", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct reply_push push;
        /* Exact size, so that a sanitizer sees a byte too far. */
        size_t len = strlen(table[i].text);
        char *copy = malloc(len > 0 ? len : 1);

        memcpy(copy, table[i].text, len);
        bool good = reply_push((struct span){copy, len}, &push);

        if (good != table[i].good)
            fail_msg("%s: got %d", table[i].what, good);
        if (good) {
            assert_int_equal(push.entry.count, table[i].items);
            assert_int_equal(push.era.epoch, 0xab);
            assert_int_equal(push.era.term, 0xcd);
            assert_int_equal(push.entry.id.n, 7);
        }
        free(copy);
    }
}

static void
too_many_items(void **state)
{
    struct reply_push push;
    struct buf text = {0};

    (void)state;
    buf_add_text(&text, HEAD);
    for (int i = 0; i < REPLY_ITEMS_MAX; i++)
        buf_add_text(&text, "0:");
    assert_true(reply_push(buf_span(&text), &push));
    buf_add_text(&text, "0:");
    assert_false(reply_push(buf_span(&text), &push));
    buf_fini(&text);
}

static void
ids(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t n;
        uint64_t sub;
    } table[] = {
        {"0-0", true, 0, 0},
        {"12-3", true, 12, 3},
        {"18446744073709551615-18446744073709551615", true, UINT64_MAX,
         UINT64_MAX},
        {"18446744073709551616-0", false, 0, 0},
        {"99999999999999999999-0", false, 0, 0},
        {"1", false, 0, 0},
        {"-", false, 0, 0},
        {"1-", false, 0, 0},
        {"-1", false, 0, 0},
        {"1-1-1", false, 0, 0},
        {"a-0", false, 0, 0},
        {"", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct bus_id id;
        bool good = reply_id(span_of(table[i].text), &id);

        if (good != table[i].good)
            fail_msg("%s: got %d", table[i].text, good);
        if (good) {
            assert_true(id.n == table[i].n);
            assert_true(id.sub == table[i].sub);
        }
    }
}

/* Any answer in the protocol is read or refused, never more. */
static void
answers(void **state)
{
#define ERA "$16\r\n00000000000000ab\r\n$16\r\n00000000000000cd\r\n"
    static const struct {
        const char *wire;
        bool sync;
        bool published;
        bool rows;
    } table[] = {
        {"*0\r\n", false, false, true},
        {"+OK\r\n", false, false, false},
        {":1\r\n", false, false, false},
        {"$-1\r\n", false, false, false},
        {"*-1\r\n", false, false, false},
        {"*3\r\n" ERA "$1\r\n5\r\n", false, false, false},
        {"*4\r\n" ERA "$1\r\n5\r\n$1\r\n6\r\n", false, true, false},
        {"*4\r\n" ERA "$1\r\nx\r\n$1\r\n6\r\n", false, false, false},
        {"*4\r\n" ERA "$1\r\n5\r\n:6\r\n", false, false, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n*0\r\n", true, false, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n*-1\r\n", false, false, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n"
         "*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
         true, false, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n"
         "*1\r\n*2\r\n$3\r\n1-0\r\n$1\r\na\r\n",
         false, false, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n*1\r\n$1\r\na\r\n", false,
         false, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n"
         "*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n:1\r\n*0\r\n",
         true, false, false},
        {"*1\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\np\r\n", false,
         false, true},
        {"*1\r\n*4\r\n$1\r\na\r\n$1\r\nx\r\n$1\r\n2\r\n$1\r\np\r\n", false,
         false, false},
        {"*1\r\n*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n2\r\n", false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        redisReader *reader = redisReaderCreate();
        struct reply_row *rows;
        struct bus_sync sync;
        struct bus_era era;
        void *reply = NULL;
        void *memory;
        size_t count;
        uint64_t n;

        redisReaderFeed(reader, table[i].wire, strlen(table[i].wire));
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
        assert_non_null(reply);
        if (reply_sync(reply, &sync, &memory) != table[i].sync ||
            reply_published(reply, &era, &n) != table[i].published ||
            reply_rows(reply, &rows, &count) != table[i].rows)
            fail_msg("row %zu: %s", i, table[i].wire);
        free(memory);
        free(rows);
        freeReplyObject(reply);
        redisReaderFree(reader);
    }
}

/* What a mark is answered. */
static void
marks(void **state)
{
    static const struct {
        const char *wire;
        bool good;
    } table[] = {
        {"*2\r\n" ERA, true},
        {"*0\r\n", false},
        {"+OK\r\n", false},
        {"*3\r\n" ERA ":1\r\n", false},
        {"*2\r\n$16\r\n00000000000000ab\r\n:1\r\n", false},
        {"*2\r\n$2\r\nab\r\n$2\r\ncd\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        redisReader *reader = redisReaderCreate();
        struct bus_era era;
        void *reply = NULL;

        redisReaderFeed(reader, table[i].wire, strlen(table[i].wire));
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
        if (reply_era(reply, &era) != table[i].good)
            fail_msg("row %zu: %s", i, table[i].wire);
        freeReplyObject(reply);
        redisReaderFree(reader);
    }
}

/* What tells of leases. */
static void
leases(void **state)
{
#define STANDS ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n$4\r\n3000\r\n"
#define HOLDER "*4\r\n$1\r\na\r\n$1\r\n7\r\n$16\r\n00000000000000cd\r\n"
    static const struct {
        const char *wire;
        bool lease;
        bool watched;
    } table[] = {
        {"*5\r\n" STANDS, true, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n$1\r\n0\r\n", false, false},
        {"*5\r\n" ERA "$3\r\n1-0\r\n$3\r\n2-0\r\n:3000\r\n", false, false},
        {"*6\r\n" STANDS "*0\r\n", false, true},
        {"*6\r\n" STANDS "*-1\r\n", false, false},
        {"*6\r\n" STANDS "*1\r\n" HOLDER "$1\r\n2\r\n", false, true},
        {"*6\r\n" STANDS "*1\r\n" HOLDER "$1\r\nx\r\n", false, false},
        {"*6\r\n" STANDS "*1\r\n*3\r\n$1\r\na\r\n$1\r\n7\r\n$1\r\n2\r\n", false,
         false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        redisReader *reader = redisReaderCreate();
        struct bus_holder *holders;
        struct bus_watched watched;
        struct bus_lease lease;
        void *reply = NULL;

        redisReaderFeed(reader, table[i].wire, strlen(table[i].wire));
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
        assert_non_null(reply);
        if (reply_lease(reply, 5, &lease) != table[i].lease ||
            reply_watched(reply, &watched, &holders) != table[i].watched)
            fail_msg("row %zu: %s", i, table[i].wire);
        free(holders);
        freeReplyObject(reply);
        redisReaderFree(reader);
    }
}

static void
acks(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } table[] = {
        {"A1 00000000000000cd 7 p/node/ab", true},
        {"A1 00000000000000cd 7 ", false},
        {"A1 00000000000000cd 7", false},
        {"A1 cd 7 x", false},
        {"A1 00000000000000cd x y", false},
        {"A2 00000000000000cd 7 x", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct bus_holder holder;

        if (reply_ack(span_of(table[i].text), &holder) != table[i].good)
            fail_msg("%s", table[i].text);
    }
}

static void
backoff(void **state)
{
    (void)state;
    for (unsigned failures = 0; failures < 100; failures++) {
        uint64_t most = link_backoff_ms(failures, 5000, 0);
        uint64_t least = UINT64_MAX;

        for (uint64_t random = 0; random < 6000; random++) {
            uint64_t pause = link_backoff_ms(failures, 5000, random);

            assert_true(pause >= 1 && pause <= most);
            least = pause < least ? pause : least;
        }
        assert_int_equal(least, most - most / 2);
        assert_true(most >= LINK_BACKOFF_MIN_MS && most <= 5000);
    }
    assert_int_equal(link_backoff_ms(1, 5000, 0), 100);
    assert_int_equal(link_backoff_ms(3, 5000, 0), 400);
    assert_int_equal(link_backoff_ms(99, 5000, 0), 5000);
    assert_int_equal(link_backoff_ms(9, 0, 7), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushes), cmocka_unit_test(too_many_items),
        cmocka_unit_test(ids),    cmocka_unit_test(answers),
        cmocka_unit_test(marks),  cmocka_unit_test(leases),
        cmocka_unit_test(acks),   cmocka_unit_test(backoff),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
