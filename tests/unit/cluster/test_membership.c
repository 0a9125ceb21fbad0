#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "cluster/membership.h"

#define INC_A "0123456789abcdef0123456789abcdef"
#define INC_B "f123456789abcdef0123456789abcdef"
#define PAYLOAD "v=1 site=paris url=http://10.0.0.1:8080"
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define ID64 FIFTY TEN "0123"

/* ---- rows ---- */

static const struct {
    const char *key;
    const char *payload;
    bool want;
} rows[] = {
    {"paris-1/" INC_A, PAYLOAD, true},
    {"paris-1/" INC_A, "v=1 site=x url=http://[::1]:80", true},
    {"paris-1/" INC_A, "v=1 site=x url=http://edge-1", true},
    {"", "", false},
    {"epoch", "17", false},
    {"paris-1", PAYLOAD, false},
    {"/" INC_A, PAYLOAD, false},
    {"paris-1/", PAYLOAD, false},
    {"paris-1/" INC_A "0", PAYLOAD, false},
    {"paris-1/" INC_A "/", PAYLOAD, false},
    {"paris 1/" INC_A, PAYLOAD, false},
    {ID64 "/" INC_A, PAYLOAD, false},
    {"paris-1/F123456789abcdef0123456789abcdef", PAYLOAD, false},
    {"paris-1/" INC_A, "", false},
    {"paris-1/" INC_A, "v=2 site=paris url=http://10.0.0.1:8080", false},
    {"paris-1/" INC_A, "v=1 site= url=http://10.0.0.1:8080", false},
    {"paris-1/" INC_A, "v=1  site=paris url=http://10.0.0.1:8080", false},
    {"paris-1/" INC_A, "v=1 site=paris  url=http://10.0.0.1:8080", false},
    {"paris-1/" INC_A, PAYLOAD " ", false},
    {"paris-1/" INC_A, PAYLOAD " more=1", false},
    {"paris-1/" INC_A, "v=1 url=http://10.0.0.1:8080 site=paris", false},
    {"paris-1/" INC_A, "v=1 site=" ID64 " url=http://a", false},
    {"paris-1/" INC_A, "{\"v\":1}", false},
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct membership_node node = {.id = "untouched"};
        struct buf key = {0};
        struct buf payload = {0};

        if (membership_parse(span_of(rows[i].key), span_of(rows[i].payload),
                             &node) != rows[i].want)
            fail_msg("\"%s\" \"%s\"", rows[i].key, rows[i].payload);
        if (!rows[i].want) {
            assert_string_equal(node.id, "untouched");
            continue;
        }
        membership_print(&node, &key, &payload);
        assert_string_equal(key.data, rows[i].key);
        assert_string_equal(payload.data, rows[i].payload);
        buf_fini(&key);
        buf_fini(&payload);
    }
}

static const struct {
    const char *url;
    bool want;
} urls[] = {
    {"http://a", true},
    {"http://a:1", true},
    {"http://10.0.0.1:65535", true},
    {"http://[2001:db8::1]:8080", true},
    {"http://[::1]", true},
    {"", false},
    {"a:80", false},
    {"https://a", false},
    {"http://", false},
    {"http://:80", false},
    {"http://a/", false},
    {"http://a:80/", false},
    {"http://a:", false},
    {"http://a:0", false},
    {"http://a:080", false},
    {"http://a:65536", false},
    {"http://a:123456", false},
    {"http://a:8x", false},
    {"http://u@a", false},
    {"http://a b", false},
    {"http://a?b", false},
    {"http://a\r\nb", false},
    {"http://[::1", false},
    {"http://[]", false},
    {"http://[::1]x", false},
    {"http://[::1]80", false},
    {"http://[x]:80", false},
    {"http://" FIFTY FIFTY FIFTY FIFTY FIFTY TEN TEN TEN, false},
};

static void
test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        if (membership_url_valid(span_of(urls[i].url)) != urls[i].want)
            fail_msg("\"%s\"", urls[i].url);
    }
}

/* ---- members ---- */

static struct membership *
make(void)
{
    struct membership_node own = {.id = "me", .incarnation = INC_A};

    return membership_new(&own, 2);
}

/* A reading of one site from "ID/INC AGE" texts, up to a NULL. */
static struct membership_reading
read_site(struct membership *m, size_t site, uint64_t now_ms, ...)
{
    struct membership_row list[8];
    char keys[8][80];
    size_t count = 0;
    const char *text;
    va_list args;

    va_start(args, now_ms);
    while ((text = va_arg(args, const char *)) != NULL) {
        const char *space = strchr(text, ' ');

        snprintf(keys[count], sizeof(keys[count]), "%.*s", (int)(space - text),
                 text);
        list[count] = (struct membership_row){
            span_of(keys[count]), SPAN(PAYLOAD), strtoull(space + 1, NULL, 10)};
        count++;
    }
    va_end(args);
    return membership_read(m, site, list, count, now_ms);
}

/* The members as "id:first of incarnation[!][+] ": ! orphaned, + static. */
static void
expect(struct membership *m, const char *want)
{
    struct buf got = {0};
    size_t count;
    const struct membership_member *list = membership_list(m, &count);

    buf_add_text(&got, "");
    for (size_t i = 0; i < count; i++)
        buf_printf(&got, "%s:%.1s%s%s ", list[i].node.id,
                   list[i].node.incarnation, list[i].orphaned ? "!" : "",
                   list[i].is_static ? "+" : "");
    assert_string_equal(got.data ? got.data : "", want);
    buf_fini(&got);
}

static void
test_union(void **state)
{
    struct membership *m = make();

    (void)state;
    expect(m, "");
    read_site(m, 0, 10000, "b/" INC_A " 0", "a/" INC_A " 100", NULL);
    expect(m, "a:0 b:0 ");
    read_site(m, 1, 10000, "c/" INC_A " 0", "a/" INC_A " 50", NULL);
    expect(m, "a:0 b:0 c:0 ");
    membership_free(&m);
}

static void
test_age(void **state)
{
    struct membership *m = make();

    (void)state;
    read_site(m, 0, 10000, "a/" INC_A " 5000", "b/" INC_A " 5001", NULL);
    expect(m, "a:0 ");
    /* Still in the table, but without a new heartbeat. */
    read_site(m, 0, 10001, "a/" INC_A " 5001", NULL);
    expect(m, "");
    membership_free(&m);
}

static void
test_incarnations(void **state)
{
    struct membership *m = make();

    (void)state;
    read_site(m, 0, 10000, "a/" INC_A " 10", NULL);
    read_site(m, 1, 10000, "a/" INC_B " 900", NULL);
    expect(m, "a:0 ");
    read_site(m, 1, 11000, "a/" INC_B " 0", "a/" INC_A " 1010", NULL);
    expect(m, "a:f ");
    membership_free(&m);
}

static void
test_lost_table(void **state)
{
    struct membership *m = make();

    (void)state;
    read_site(m, 0, 10000, "a/" INC_A " 0", NULL);
    read_site(m, 0, 11000, NULL);
    expect(m, "a:0 ");
    read_site(m, 0, 15001, NULL);
    expect(m, "");
    membership_free(&m);
}

static void
test_away(void **state)
{
    struct membership *m = make();

    (void)state;
    membership_unread(m, 0, 9000); /* never read: nothing to keep */
    read_site(m, 0, 10000, "a/" INC_A " 0", "b/" INC_A " 0", NULL);
    read_site(m, 1, 10000, "b/" INC_A " 0", NULL);
    membership_unread(m, 0, 15000);
    expect(m, "a:0 b:0 ");
    membership_unread(m, 0, 15001);
    read_site(m, 1, 15001, "b/" INC_A " 0", NULL);
    expect(m, "a:0! b:0 ");
    membership_unread(m, 0, 90000);
    expect(m, "a:0! b:0 ");
    /* It comes back without its table: they have time to return. */
    read_site(m, 0, 90000, NULL);
    expect(m, "a:0 b:0 ");
    read_site(m, 0, 95001, NULL);
    read_site(m, 1, 95001, "b/" INC_A " 0", NULL);
    expect(m, "b:0 ");
    membership_free(&m);
}

static void
test_forget(void **state)
{
    struct membership *m = make();

    (void)state;
    read_site(m, 0, 10000, "a/" INC_A " 0", NULL);
    membership_forget(m, "a"); /* no orphan */
    expect(m, "a:0 ");
    membership_unread(m, 0, 20000);
    expect(m, "a:0! ");
    membership_forget(m, "a");
    expect(m, "");
    read_site(m, 0, 21000, "a/" INC_A " 0", NULL);
    expect(m, "a:0 ");
    membership_free(&m);
}

static void
test_static(void **state)
{
    struct membership *m = make();
    struct membership_node nodes[] = {{.id = "s"}, {.id = "me"}};

    (void)state;
    membership_set_static(m, nodes, 2);
    expect(m, "s:+ ");
    read_site(m, 0, 10000, "s/" INC_A " 0", NULL);
    expect(m, "s:0 ");
    read_site(m, 0, 15001, NULL);
    expect(m, "s:+ ");
    membership_set_static(m, NULL, 0);
    expect(m, "");
    membership_free(&m);
}

static void
test_self(void **state)
{
    struct membership *m = make();

    (void)state;
    assert_false(read_site(m, 0, 10000, "me/" INC_A " 0", NULL).twin);
    assert_false(
        read_site(m, 0, 10000, "me/" INC_A " 0", "me/" INC_B " 2500", NULL)
            .twin);
    assert_true(read_site(m, 0, 10000, "me/" INC_B " 2499", NULL).twin);
    expect(m, "");
    assert_int_equal(read_site(m, 0, 10000, "me 0", "x/y 0", NULL).foreign, 2);
    membership_free(&m);
}

/* More rows than there can be members. */
static void
test_many(void **state)
{
    enum { COUNT = 3 * MEMBERSHIP_MAX };
    struct membership_row *list = calloc(COUNT, sizeof(*list));
    char(*keys)[64] = calloc(COUNT, sizeof(*keys));
    struct membership *m = make();
    size_t count;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "n%d/" INC_A, i);
        list[i].key = span_of(keys[i]);
        list[i].payload = SPAN(PAYLOAD);
    }
    for (uint64_t turn = 0; turn < 3; turn++) {
        membership_read(m, 0, list, COUNT, 1000 + turn);
        membership_list(m, &count);
        assert_int_equal(count, MEMBERSHIP_MAX);
    }
    membership_free(&m);
    free(list);
    free(keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_urls),
        cmocka_unit_test(test_union),        cmocka_unit_test(test_age),
        cmocka_unit_test(test_incarnations), cmocka_unit_test(test_lost_table),
        cmocka_unit_test(test_away),         cmocka_unit_test(test_forget),
        cmocka_unit_test(test_static),       cmocka_unit_test(test_self),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
