/* The relay's commands, and how they come. Carrying packets needs namespaces:
 * the lab does that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "relay.h"

static void
make_relay(struct relay *relay)
{
    static const char *const names[] = {"a", "b", "c"};

    *relay = (struct relay){.random = 1, .place_count = ARRAY_LEN(names)};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        strcpy(relay->places[i].name, names[i]);
    relay_links_init(relay);
}

static bool
execute(struct relay *relay, const char *command)
{
    char line[256];
    struct buf out = {0};

    snprintf(line, sizeof(line), "%s", command);
    relay_command(relay, line, &out);
    bool good = strcmp(out.data, "ok\n") == 0;

    assert_true(good || strncmp(out.data, "error: ", 7) == 0);
    buf_fini(&out);
    return good;
}

/* The directions that are cut, in order: "ab ba". */
static const char *
cuts(const struct relay *relay)
{
    static char text[64];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < relay->place_count; i++) {
        for (size_t k = 0; k < relay->place_count; k++) {
            if (relay->links[i][k].cut)
                len +=
                    (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s",
                                     len > 0 ? " " : "", relay->places[i].name,
                                     relay->places[k].name);
        }
    }
    return text;
}

static void
test_cut(void **state)
{
    static const struct {
        const char *command;
        const char *want;
    } rows[] = {
        {"cut a b", "ab ba"},
        {"cut a>b", "ab"},
        {"cut a *", "ab ac ba ca"},
        {"cut *>c", "ac bc"},
        {"cut * *", "ab ac ba bc ca cb"},
    };
    struct relay relay;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_relay(&relay);
        assert_true(execute(&relay, rows[i].command));
        assert_string_equal(cuts(&relay), rows[i].want);
        assert_true(execute(&relay, "heal b a"));
        assert_false(relay.links[0][1].cut || relay.links[1][0].cut);
        assert_true(execute(&relay, "heal * *"));
        assert_string_equal(cuts(&relay), "");
    }
}

static void
test_link(void **state)
{
    struct relay relay;

    (void)state;
    make_relay(&relay);
    assert_true(execute(&relay, "link a>b delay=2.5ms jitter=100us loss=1.5% "
                                "rate=10mbit queue=64k"));
    const struct relay_link *link = &relay.links[0][1];

    assert_int_equal(link->delay_ns, 2500000);
    assert_int_equal(link->jitter_ns, 100000);
    assert_true(link->loss > 0.0149 && link->loss < 0.0151);
    assert_true(link->rate > 9.9e6 && link->rate < 10.1e6);
    assert_int_equal(link->queue, 65536);
    assert_int_equal(relay.links[1][0].delay_ns, 0);
    assert_true(execute(&relay, "link a b delay=1s"));
    assert_int_equal(relay.links[1][0].delay_ns, 1000000000);
    assert_int_equal(link->jitter_ns, 100000);
}

static void
test_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "dance",
        "cut",
        "cut a",
        "cut a z",
        "cut a>",
        "heal z>a",
        "link a b speed=3",
        "link a b delay=fast",
        "link a b delay=1ms loss=-1%",
        "cut a b delay=1ms",
        "move 1",
        "move 0 a",
        "move 16 a",
        "move 1 z",
        "move 1 *",
        "move 1 a z",
        "move 1 a b c",
        "link a b delay=1ms jitter",
    };
    struct relay relay;
    struct relay fresh;

    (void)state;
    make_relay(&fresh);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_relay(&relay);
        assert_false(execute(&relay, rows[i]));
        /* And nothing was done. */
        assert_string_equal(cuts(&relay), "");
        assert_int_equal(relay.links[0][1].delay_ns, 0);
        assert_memory_equal(relay.shared, fresh.shared, sizeof(fresh.shared));
    }
}

static void
test_move(void **state)
{
    struct relay relay;

    (void)state;
    make_relay(&relay);
    assert_true(execute(&relay, "move 3 b"));
    assert_int_equal(relay.shared[3][0], 1);
    assert_int_equal(relay.shared[3][2], 1);
    assert_true(execute(&relay, "move 3 c a"));
    assert_int_equal(relay.shared[3][0], 2);
    assert_int_equal(relay.shared[3][2], 1);
    assert_true(execute(&relay, "move 3 c"));
    assert_int_equal(relay.shared[3][2], 2);
}

/* ---- the socket ---- */

static void
send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void
serve(struct relay_control *control, int epoll)
{
    struct epoll_event event;

    while (epoll_wait(epoll, &event, 1, 0) > 0)
        assert_true(relay_control_event(control, event.data.fd));
}

static void
expect_text(int fd, const char *want)
{
    char got[256] = "";
    ssize_t len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

    assert_string_equal(len > 0 ? got : "", want);
}

static int
connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

static void
test_pieces(void **state)
{
    char path[] = "/tmp/relay-XXXXXX";
    struct relay relay;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    (void)state;
    make_relay(&relay);
    close(mkstemp(path));
    struct relay_control *control = relay_control_new(&relay, epoll, path);
    int fd = connect_to(path);

    serve(control, epoll);
    send_text(fd, "cut a");
    serve(control, epoll);
    expect_text(fd, "");
    send_text(fd, ">b\ncut b>");
    serve(control, epoll);
    expect_text(fd, "ok\n");
    assert_string_equal(cuts(&relay), "ab");
    send_text(fd, "a\nheal a>b\nda");
    serve(control, epoll);
    expect_text(fd, "ok\nok\n");
    assert_string_equal(cuts(&relay), "ba");
    send_text(fd, "nce\n");
    serve(control, epoll);
    expect_text(fd, "error: the commands are link, cut, heal, move, stats, "
                    "quit\n");
    close(fd);
    serve(control, epoll);
    relay_control_free(&control);
    close(epoll);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),     cmocka_unit_test(test_link),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_move),
        cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
