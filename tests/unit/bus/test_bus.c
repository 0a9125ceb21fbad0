/*
 * The bus against a real Redis, against a listener that never answers, and
 * against ones that talk nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "base/check.h"
#include "bus/bus.h"
#include "bus/script_internal.h"
#include "redis_server.h"

#define PATIENCE_MS 10000

static struct loop *loop;
static struct bus *bus;

/* What the callbacks were told. */
static struct {
    unsigned up;
    unsigned down;
    unsigned listening;
    unsigned pushed;
    uint64_t pushed_n;
    unsigned answers;
    enum err err;
    char why[256];
    struct bus_era era;
    uint64_t n;
    uint64_t last;
    size_t entries;
    size_t nodes;
    uint64_t oldest_ms;
} told;

static void
on_state(void *arg, bool connected, const char *why)
{
    (void)arg;
    if (connected)
        told.up++;
    else
        told.down++;
    snprintf(told.why, sizeof(told.why), "%s", why != NULL ? why : "");
}

static void
on_listening(void *arg)
{
    (void)arg;
    told.listening++;
}

static void
on_pushed(void *arg, const struct bus_era *era, const struct bus_entry *entry)
{
    (void)arg;
    told.pushed++;
    told.pushed_n = entry->id.n;
    told.era = *era;
    assert_int_equal(entry->count, 4);
    assert_true(span_eq(entry->items[0], SPAN("name")));
    assert_int_equal(entry->items[1].len, 5);
    assert_memory_equal(entry->items[1].ptr, "va\0\r\n", 5);
    assert_int_equal(entry->items[3].len, 0);
}

static void
answered(enum err err, const char *why)
{
    told.answers++;
    told.err = err;
    assert_int_equal(err == ERR_OK, why == NULL);
    snprintf(told.why, sizeof(told.why), "%s", why != NULL ? why : "");
}

static void
on_published(void *arg, enum err err, const char *why,
             const struct bus_era *era, uint64_t n)
{
    (void)arg;
    answered(err, why);
    told.n = n;
    if (err == ERR_OK)
        told.era = *era;
}

static void
on_sync(void *arg, enum err err, const char *why, const struct bus_sync *sync)
{
    (void)arg;
    answered(err, why);
    if (err != ERR_OK)
        return;
    told.last = sync->last.n;
    told.entries = sync->count;
}

static void
on_nodes(void *arg, enum err err, const char *why, const struct bus_node *nodes,
         size_t count)
{
    (void)arg;
    answered(err, why);
    told.nodes = count;
    told.oldest_ms = 0;
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].age_ms > told.oldest_ms)
            told.oldest_ms = nodes[i].age_ms;
        assert_true(span_starts(nodes[i].payload, SPAN("row of ")));
        assert_true(span_eq(span_sub(nodes[i].payload, 7, nodes[i].payload.len),
                            nodes[i].id));
    }
}

static bool
reached(void *arg)
{
    unsigned *const *want = arg;

    return *want[0] >= *want[1];
}

static void
wait_for(unsigned *what, unsigned many)
{
    unsigned *want[] = {what, &many};

    if (!loop_until(loop, reached, want, PATIENCE_MS))
        fail_msg("%u of %u; %s", *what, many, told.why);
}

static void
open_bus(unsigned port, uint64_t timeout_ms)
{
    struct bus_options options = {
        .site = "s",
        .host = "127.0.0.1",
        .port = port,
        .connect_timeout_ms = timeout_ms,
        .command_timeout_ms = timeout_ms,
        .backoff_max_ms = 200,
    };
    struct bus_events events = {
        .state = on_state, .listening = on_listening, .pushed = on_pushed};

    memset(&told, 0, sizeof(told));
    loop = loop_new();
    bus = bus_new(loop, &options, &events);
    assert_false(bus_connected(bus));
    assert_int_equal(told.up + told.down, 0);
}

static void
close_bus(void)
{
    bus_free(&bus);
    loop_free(&loop);
}

static struct bus_call *
publish(void)
{
    struct span items[] = {
        SPAN("name"), {"va\0\r\n", 5}, SPAN("empty"), SPAN("")};

    return bus_publish(bus, items, 4, on_published, NULL);
}

/* ---- a real one ---- */

static void
talks(void **state)
{
    struct redis_server server;

    (void)state;
    if (!redis_server_available())
        skip();
    redis_server_new(&server);
    open_bus(server.port, 2000);
    /* Before the connection: refused, and not from inside the call. */
    publish();
    assert_int_equal(told.answers, 0);
    wait_for(&told.answers, 1);
    assert_int_equal(told.err, ERR_REFUSED);
    wait_for(&told.up, 1);
    assert_true(bus_connected(bus));
    wait_for(&told.listening, 1);
    for (unsigned n = 1; n <= 3; n++) {
        publish();
        wait_for(&told.answers, 1 + n);
        assert_int_equal(told.err, ERR_OK);
        assert_int_equal(told.n, n);
        wait_for(&told.pushed, n);
        assert_int_equal(told.pushed_n, n);
    }
    bus_sync(bus, (struct bus_id){1, 0}, 1000, on_sync, NULL);
    wait_for(&told.answers, 5);
    assert_int_equal(told.last, 3);
    assert_int_equal(told.entries, 2);
    bus_sync(bus, (struct bus_id){0, 0}, 1, on_sync, NULL);
    wait_for(&told.answers, 6);
    assert_int_equal(told.entries, 1);
    bus_sync(bus, (struct bus_id){1, UINT64_MAX}, 0, on_sync, NULL);
    wait_for(&told.answers, 7);
    assert_int_equal(told.entries, 0);
    /* Cancelled: done, but not told. */
    struct bus_call *call = publish();

    bus_cancel(&call);
    assert_null(call);
    wait_for(&told.pushed, 4);
    assert_int_equal(told.answers, 7);
    assert_string_equal(bus_error(bus), "");
    /* Under way when it is freed: nothing is told. */
    publish();
    close_bus();
    assert_int_equal(told.answers, 7);
    redis_server_free(&server);
}

static bool
is_old(void *arg)
{
    unsigned many = told.answers + 1;
    unsigned *want[] = {&told.answers, &many};

    (void)arg;
    if (told.err == ERR_OK && told.oldest_ms > 300)
        return true;
    if (!reached(want))
        bus_announce(bus, SPAN("b"), SPAN("row of b"), 200, on_nodes, NULL);
    return false;
}

static void
announces(void **state)
{
    struct redis_server server;

    (void)state;
    if (!redis_server_available())
        skip();
    redis_server_new(&server);
    open_bus(server.port, 2000);
    wait_for(&told.up, 1);
    bus_announce(bus, SPAN("a"), SPAN("row of a"), 200, on_nodes, NULL);
    wait_for(&told.answers, 1);
    assert_int_equal(told.nodes, 1);
    bus_announce(bus, SPAN("b"), SPAN("row of b"), 200, on_nodes, NULL);
    wait_for(&told.answers, 2);
    assert_int_equal(told.nodes, 2);
    /* b beats on, a grows old by our own clock. */
    assert_true(loop_until(loop, is_old, NULL, PATIENCE_MS));
    assert_int_equal(told.nodes, 2);
    assert_true(told.oldest_ms < 2000);
    close_bus();

    /* A row long dead is taken out. */
    open_bus(server.port, 2000);
    wait_for(&told.up, 1);
    assert_true(redis_server_do(&server, "HSET {atlas:s}:meta node:old %s",
                                "1 1 row of old") == 1);
    /* Nor do foreign fields do harm. */
    redis_server_do(&server, "HSET {atlas:s}:meta node:junk x");
    redis_server_do(&server, "HSET {atlas:s}:meta other x");
    bus_announce(bus, SPAN("a"), SPAN("row of a"), 5000, on_nodes, NULL);
    wait_for(&told.answers, 1);
    assert_int_equal(told.err, ERR_OK);
    assert_int_equal(told.nodes, 2);
    assert_int_equal(
        redis_server_do(&server, "HEXISTS {atlas:s}:meta node:old"), 0);
    assert_true(redis_server_do(&server, "DEL {atlas:s}:meta") == 1);
    redis_server_do(&server, "SET {atlas:s}:meta text");
    bus_announce(bus, SPAN("a"), SPAN("row of a"), 5000, on_nodes, NULL);
    wait_for(&told.answers, 2);
    assert_int_equal(told.err, ERR_PROTOCOL);
    assert_true(strncmp(bus_error(bus), "WRONGTYPE", 9) == 0);
    close_bus();
    redis_server_free(&server);
}

/* ---- others ---- */

static void
nobody_there(void **state)
{
    unsigned port;
    int fd = free_port(&port);

    (void)state;
    close(fd);
    open_bus(port, 2000);
    wait_for(&told.down, 3);
    assert_int_equal(told.up, 0);
    assert_non_null(strstr(bus_error(bus), "no connection"));
    close_bus();
    /* Freed while the name is still looked up. */
    open_bus(port, 2000);
    close_bus();
}

static void
never_answers(void **state)
{
    unsigned port;
    int fd = free_port(&port);
    uint64_t begin = clock_boot_ns();

    (void)state;
    open_bus(port, 60);
    wait_for(&told.down, 2);
    /* Two deadlines, and a pause between them. */
    assert_true(clock_boot_ns() - begin >= (60 + 50 + 60) * NS_PER_MS);
    assert_non_null(strstr(bus_error(bus), "does not answer"));
    publish();
    wait_for(&told.answers, 1);
    assert_int_equal(told.err, ERR_REFUSED);
    close_bus();
    close(fd);
}

/* It stands still (SIGSTOP) under a call: that call times out. */
static void
stands_still(void **state)
{
    struct redis_server server;

    (void)state;
    if (!redis_server_available())
        skip();
    redis_server_new(&server);
    open_bus(server.port, 300);
    wait_for(&told.up, 1);
    kill(server.pid, SIGSTOP);
    publish();
    wait_for(&told.answers, 1);
    assert_int_equal(told.err, ERR_TIMEOUT);
    assert_int_equal(told.down, 1);
    kill(server.pid, SIGCONT);
    wait_for(&told.up, 2);
    publish();
    wait_for(&told.answers, 2);
    assert_int_equal(told.err, ERR_OK);
    close_bus();
    redis_server_free(&server);
}

/* Says its text bit by bit to whoever connects; and then, if it never ends,
 * something more, for ever. */
struct trickler {
    int fd;
    const char *text;
    bool never_ends;
};

struct listener {
    int fd;
    size_t at;
};

/* False when it is gone. */
static bool
say_bit(const struct trickler *trickler, struct listener *to)
{
    size_t left = strlen(trickler->text) - to->at;
    size_t bit = left < 16 ? left : 16;
    char drain[4096];
    const char *text = trickler->text + to->at;

    if (recv(to->fd, drain, sizeof(drain), MSG_DONTWAIT) == 0)
        return false;
    if (left == 0 && !trickler->never_ends)
        return true;
    to->at += bit;
    return send(to->fd, left > 0 ? text : "x", left > 0 ? bit : 1,
                MSG_NOSIGNAL) > 0;
}

static void *
trickle(void *arg)
{
    struct trickler *trickler = arg;
    struct listener to[8];
    size_t count = 0;
    bool open = true;

    while (open || count > 0) {
        struct pollfd poll_fd = {.fd = trickler->fd, .events = POLLIN};

        if (open && count < ARRAY_LEN(to) && poll(&poll_fd, 1, 20) > 0) {
            to[count] = (struct listener){accept(trickler->fd, NULL, NULL), 0};
            open = to[count].fd >= 0;
            count += open;
            continue;
        }
        for (size_t i = count; i > 0; i--) {
            if (open && say_bit(trickler, &to[i - 1]))
                continue;
            close(to[i - 1].fd);
            to[i - 1] = to[--count];
        }
    }
    return NULL;
}

static void
with_trickler(struct trickler *trickler, uint64_t timeout_ms, unsigned *what)
{
    unsigned port;
    pthread_t thread;

    trickler->fd = free_port(&port);
    assert_int_equal(pthread_create(&thread, NULL, trickle, trickler), 0);
    open_bus(port, timeout_ms);
    wait_for(what, 1);
    close_bus();
    shutdown(trickler->fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(trickler->fd);
}

/* Answers that take longer than the timeout, but do come. */
static void
is_slow(void **state)
{
    static const char line[] =
        "$40\r\n0123456789abcdef0123456789abcdef01234567\r\n";
    char text[SCRIPT_COUNT * sizeof(line)] = "";

    (void)state;
    for (size_t i = 0; i < SCRIPT_COUNT; i++)
        strcat(text, line);
    struct trickler trickler = {.text = text};

    with_trickler(&trickler, 100, &told.up);
    assert_int_equal(told.down, 0);
}

/* One that only keeps us waiting. */
static void
has_no_end(void **state)
{
    struct trickler trickler = {.text = "$100000\r\n", .never_ends = true};

    (void)state;
    with_trickler(&trickler, 60, &told.down);
    assert_int_equal(told.up, 0);
}

struct talker {
    int fd;
    const char *text;
};

/* Says its text to whoever connects, then closes. */
static void *
talk(void *arg)
{
    struct talker *talker = arg;

    for (;;) {
        int fd = accept(talker->fd, NULL, NULL);

        if (fd < 0)
            return NULL;
        if (write(fd, talker->text, strlen(talker->text)) < 0)
            perror("write");
        shutdown(fd, SHUT_WR);
        char buf[4096];

        while (read(fd, buf, sizeof(buf)) > 0)
            ;
        close(fd);
    }
}

static void
nonsense(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "",
        "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        "-ERR max number of clients reached\r\n",
        "-NOAUTH Authentication required.\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        "$-5\r\n",
        "*-7\r\n",
        "$99999999999999999999\r\n",
        "$5\r\nabc",
        "*2\r\n$9\r\nsubscribe\r\n*-1\r\n",
        "\r\n\r\n",
        ":x\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        unsigned port;
        struct talker talker = {free_port(&port), texts[i]};
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, talk, &talker), 0);
        open_bus(port, 1000);
        wait_for(&told.down, 2);
        assert_int_equal(told.up, 0);
        assert_int_not_equal(bus_error(bus)[0], '\0');
        close_bus();
        shutdown(talker.fd, SHUT_RDWR);
        pthread_join(thread, NULL);
        close(talker.fd);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks),        cmocka_unit_test(announces),
        cmocka_unit_test(nobody_there), cmocka_unit_test(never_answers),
        cmocka_unit_test(stands_still), cmocka_unit_test(nonsense),
        cmocka_unit_test(is_slow),      cmocka_unit_test(has_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
