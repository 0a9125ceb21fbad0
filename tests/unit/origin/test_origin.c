/* The parts of atlas-origin that need no server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../origin/announce_internal.h"
#include "../../../origin/body.h"
#include "../../../origin/counts.h"
#include "../../../origin/gate.h"
#include "../../../origin/path.h"
#include "../../../origin/pattern.h"
#include "../../../origin/policy.h"
#include "../../../origin/settings.h"
#include "base/check.h"

static void
path_decodes(void **state)
{
    static const struct {
        const char *raw;
        enum path_verdict want;
        const char *text;
        bool folder;
    } rows[] = {
        {"/", PATH_OK, "", true},
        {"/a", PATH_OK, "a", false},
        {"/a/b/", PATH_OK, "a/b", true},
        {"/a%20b", PATH_OK, "a b", false},
        {"/%C3%A9", PATH_OK, "\xc3\xa9", false},
        {"/.well-known/x", PATH_OK, ".well-known/x", false},
        {"/.meta", PATH_HIDDEN, NULL, false},
        {"/a/.git/b", PATH_HIDDEN, NULL, false},
        {"/%2emeta", PATH_HIDDEN, NULL, false},
        {"", PATH_BAD, NULL, false},
        {"a", PATH_BAD, NULL, false},
        {"//", PATH_BAD, NULL, false},
        {"//a", PATH_BAD, NULL, false},
        {"/a//b", PATH_BAD, NULL, false},
        {"/a//", PATH_BAD, NULL, false},
        {"/.", PATH_BAD, NULL, false},
        {"/..", PATH_BAD, NULL, false},
        {"/a/../b", PATH_BAD, NULL, false},
        {"/a/%2e%2e/b", PATH_BAD, NULL, false},
        {"/a/.%2E/", PATH_BAD, NULL, false},
        {"/a%2fb", PATH_BAD, NULL, false},
        {"/a%00", PATH_BAD, NULL, false},
        {"/a%", PATH_BAD, NULL, false},
        {"/a%2", PATH_BAD, NULL, false},
        {"/a%zz", PATH_BAD, NULL, false},
    };
    char text[PATH_SIZE];
    bool folder;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum path_verdict got =
            path_decode(span_of(rows[i].raw), text, &folder);

        if (got != rows[i].want)
            fail_msg("%s: %d", rows[i].raw, (int)got);
        if (got != PATH_OK)
            continue;
        assert_string_equal(text, rows[i].text);
        assert_int_equal(folder, rows[i].folder);
    }
}

static void
path_bounds(void **state)
{
    char raw[3 * PATH_SIZE];
    char text[PATH_SIZE];
    bool folder;

    (void)state;
    memset(raw, 'a', sizeof(raw));
    raw[0] = '/';
    assert_int_equal(
        path_decode((struct span){raw, sizeof(raw)}, text, &folder), PATH_BAD);
    assert_int_equal(
        path_decode((struct span){raw, PATH_NAME_MAX + 1}, text, &folder),
        PATH_OK);
    assert_int_equal(
        path_decode((struct span){raw, PATH_NAME_MAX + 2}, text, &folder),
        PATH_BAD);
}

static void
path_encodes(void **state)
{
    char *path = path_encode("a b/\xc3\xa9?#%,.html");

    (void)state;
    assert_string_equal(path, "/a%20b/%C3%A9%3F%23%25,.html");
    free(path);
}

/* A root with a file, a folder, and links that stay inside or do not. */
static int
make_root(char folder[32])
{
    strcpy(folder, "/tmp/test_origin_XXXXXX");
    assert_non_null(mkdtemp(folder));
    int root = open(folder, O_DIRECTORY | O_RDONLY);

    assert_true(root >= 0);
    assert_int_equal(mkdirat(root, "in", 0700), 0);
    int fd = openat(root, "in/file", O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(symlinkat("in/file", root, "good"), 0);
    assert_int_equal(symlinkat("/etc/passwd", root, "out"), 0);
    assert_int_equal(symlinkat("../..", root, "in/up"), 0);
    return root;
}

static void
remove_root(int root, const char *folder)
{
    static const char *const names[] = {"in/file", "in/up", "good", "out"};
    static const char *const folders[] = {"x/y/z", "x/y", "x", "in"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlinkat(root, names[i], 0);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        unlinkat(root, folders[i], AT_REMOVEDIR);
    close(root);
    assert_int_equal(rmdir(folder), 0);
}

static void
path_stays_beneath(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"in/file", true},
        {"good", true},
        {"", true},
        {"out", false},
        {"in/up", false},
        {"in/up/etc/passwd", false},
        {"../etc/passwd", false},
        {"/etc/passwd", false},
        {"none", false},
    };
    char folder[32];
    int root = make_root(folder);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = path_open(root, rows[i].text, O_RDONLY);

        if ((fd >= 0) != rows[i].want)
            fail_msg("%s", rows[i].text);
        if (fd >= 0)
            close(fd);
    }
    remove_root(root, folder);
}

static void
path_makes_folders(void **state)
{
    char folder[32];
    int root = make_root(folder);
    const char *name;
    int fd = path_open_parent(root, "x/y/z/name", false, &name);

    (void)state;
    assert_int_equal(fd, -1);
    fd = path_open_parent(root, "x/y/z/name", true, &name);
    assert_true(fd >= 0);
    assert_string_equal(name, "name");
    close(fd);
    assert_int_equal(path_open_parent(root, "in/file/a", true, &name), -1);
    assert_int_equal(path_open_parent(root, "in/up/a", true, &name), -1);
    remove_root(root, folder);
}

static void
rules_match(void **state)
{
    static const struct {
        const char *pattern;
        const char *path;
        bool want;
    } rows[] = {
        {"/a", "/a", true},
        {"/a", "/ab", false},
        {"*", "/any/thing", true},
        {"/a/*", "/a/", true},
        {"/a/*", "/a", false},
        {"*.css", "/x/y.css", true},
        {"*.css", "/x.css/y", false},
        {"/a*b*c", "/aXbYbZc", true},
        {"/a*b*c", "/aXcYb", false},
        {"/**", "/", true},
        {"", "", true},
        {"", "/", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rule_matches(rows[i].pattern, rows[i].path) != rows[i].want)
            fail_msg("%s %s", rows[i].pattern, rows[i].path);
    }
}

static void
policies_merge(void **state)
{
    struct settings s = {0};
    struct policy p = {0};
    struct buf why = {0};

    (void)state;
    assert_true(settings_read_json(
        &s,
        "{\"cache_control\": \"max-age=1\", \"rules\": ["
        "{\"path\": \"/n/*\", \"cache_control\": \"max-age=60\","
        " \"tags\": [\"a\", \"b\"], \"headers\": {\"Vary\": \"X\"}},"
        "{\"path\": \"*.css\", \"tags\": [\"b\", \"c\"],"
        " \"headers\": {\"vary\": \"Y\"}}]}",
        &why));
    rules_apply(&s.defaults, s.rules, s.rule_count, "/n/x.css", &p);
    assert_string_equal(p.cache_control, "max-age=60");
    assert_int_equal(p.tag_count, 3);
    assert_int_equal(p.header_count, 1);
    assert_string_equal(policy_header(&p, "VARY"), "Y");
    assert_true(policy_set_tags(&p, SPAN(" d ,, e")));
    assert_int_equal(p.tag_count, 2);
    assert_false(policy_set_tags(&p, SPAN("a b")));
    assert_int_equal(p.tag_count, 2);
    assert_false(policy_set_header(&p, SPAN("Content-Length"), SPAN("1")));
    assert_false(policy_set_header(&p, SPAN("A"), SPAN("x\r\ny")));
    assert_true(policy_set_header(&p, SPAN("Vary"), SPAN("")));
    assert_int_equal(p.header_count, 0);
    policy_fini(&p);
    settings_fini(&s);
    buf_fini(&why);
}

static void
policy_keeps(void **state)
{
    struct policy p = {0};
    struct policy q = {0};
    struct buf why = {0};

    (void)state;
    assert_true(policy_set_cache_control(&p, SPAN("no-store")));
    assert_true(policy_set_tags(&p, SPAN("a,b")));
    assert_true(policy_set_header(&p, SPAN("X"), SPAN("1")));
    json_t *json = policy_to_json(&p);

    assert_true(policy_from_json(&q, json, "$", NULL, &why));
    json_decref(json);
    assert_string_equal(q.cache_control, "no-store");
    assert_int_equal(q.tag_count, 2);
    assert_string_equal(policy_header(&q, "X"), "1");
    policy_fini(&p);
    policy_fini(&q);
    buf_fini(&why);
}

static void
settings_say_what_is_wrong(void **state)
{
    static const struct {
        const char *json;
        const char *want; /* in the text */
    } rows[] = {
        {"{\"root\": 5}", "$.root: expected a string"},
        {"{\"rot\": \"/\"}", "$.rot: unknown key"},
        {"{\"watch\": 1}", "$.watch: expected true or false"},
        {"{\"listen\": {\"a\": \"x\"}}", "$.listen: \"x\" is no address"},
        {"{\"listen\": {\"a b\": \"1.2.3.4:5\"}}", "no name of a listener"},
        {"{\"rules\": [{}]}", "$.rules[0].path"},
        {"{\"rules\": [{\"path\": \"/\", \"tags\": [\"a b\"]}]}",
         "$.rules[0].tags[0]"},
        {"{\"rules\": [{\"path\": \"/\", \"x\": 1}]}",
         "$.rules[0].x: unknown key"},
        {"{\"redis\": {\"site\": \"a\"}}", "$.redis: "},
        {"{\"idle_timeout_s\": -1}", "whole number"},
        {"{\"hosts\": [\"a/b\"]}", "is no host"},
        {"{", "line 1"},
        {"[]", "expected an object"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct settings s = {0};
        struct buf why = {0};

        assert_false(settings_read_json(&s, rows[i].json, &why));
        if (strstr(why.data, rows[i].want) == NULL)
            fail_msg("%s: %s", rows[i].json, why.data);
        settings_fini(&s);
        buf_fini(&why);
    }
}

static void
settings_from_the_command_line(void **state)
{
    struct settings s = {0};
    struct buf why = {0};

    (void)state;
    assert_true(settings_add_listen(&s, "paris=127.0.0.1:0", &why));
    assert_false(settings_check(&s, &why));
    buf_clear(&why);
    assert_true(settings_add_listen(&s, "v6=[::1]:80", &why));
    assert_string_equal(s.listens[1].host, "::1");
    assert_int_equal(s.listens[1].port, 80);
    assert_false(settings_add_listen(&s, "127.0.0.1:80", &why));
    assert_false(settings_add_listen(&s, "a=127.0.0.1:65536", &why));
    assert_false(settings_add_listen(&s, "a=::1:80", &why));
    assert_true(settings_set_redis(&s, "p=localhost:6379", &why));
    assert_false(settings_set_redis(&s, "p=localhost:0", &why));
    assert_true(settings_add_host(&s, "WWW.Example.com:80", &why));
    assert_string_equal(s.hosts[0], "www.example.com:80");
    s.root = strdup("/");
    assert_true(settings_check(&s, &why));
    assert_true(settings_add_listen(&s, "paris=127.0.0.1:1", &why));
    assert_false(settings_check(&s, &why));
    settings_fini(&s);
    buf_fini(&why);
}

static void
gates_parse(void **state)
{
    static const struct {
        const char *text;
        bool good;
        enum gate_mode mode;
        uint64_t delay_ms;
    } rows[] = {
        {"up", true, GATE_UP, 0},
        {" up\r\n", true, GATE_UP, 0},
        {"cut", true, GATE_CUT, 0},
        {"hang\n", true, GATE_HANG, 0},
        {"slow 300ms", true, GATE_UP, 300},
        {"slow 2s", true, GATE_UP, 2000},
        {"slow 300", false, GATE_UP, 0},
        {"slow ms", false, GATE_UP, 0},
        {"slow -1ms", false, GATE_UP, 0},
        {"slow 99999999999999999999s", false, GATE_UP, 0},
        {"slow 3601s", false, GATE_UP, 0},
        {"slow", false, GATE_UP, 0},
        {"", false, GATE_UP, 0},
        {"UP", false, GATE_UP, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gate_state got = {GATE_UP, 0};

        if (gate_parse(span_of(rows[i].text), &got) != rows[i].good)
            fail_msg("%s", rows[i].text);
        assert_int_equal(got.mode, rows[i].mode);
        assert_int_equal(got.delay_ms, rows[i].delay_ms);
    }
}

static void
patterns_fit_together(void **state)
{
    unsigned char whole[1000];
    unsigned char part[1000];
    uint64_t wrong;

    (void)state;
    pattern_fill(7, 0, whole, sizeof(whole));
    for (size_t from = 0; from < 40; from++) {
        for (size_t len = 0; len < 40; len++) {
            pattern_fill(7, from, part, len);
            assert_memory_equal(part, whole + from, len);
        }
    }
    assert_true(pattern_check(7, 3, whole + 3, 900, &wrong));
    whole[500] ^= 1;
    assert_false(pattern_check(7, 3, whole + 3, 900, &wrong));
    assert_int_equal(wrong, 500);
    pattern_fill(8, 0, part, sizeof(part));
    assert_memory_not_equal(part, whole, sizeof(part));
}

static void
bodies_join_their_parts(void **state)
{
    struct body *body = body_new();
    char out[64];
    char want[8];

    (void)state;
    body_add_text(body, SPAN("head-"));
    body_add_pattern(body, 1, 100, 8);
    body_add_text(body, SPAN(""));
    body_add_text(body, SPAN("-tail"));
    assert_int_equal(body->len, 18);
    pattern_fill(1, 100, want, 8);
    assert_int_equal(body_read(body, 0, out, sizeof(out)), 5);
    assert_memory_equal(out, "head-", 5);
    assert_int_equal(body_read(body, 7, out, sizeof(out)), 6);
    assert_memory_equal(out, want + 2, 6);
    assert_int_equal(body_read(body, 13, out, 2), 2);
    assert_memory_equal(out, "-t", 2);
    assert_int_equal(body_read(body, 18, out, 2), 0);
    body_free(&body);
}

static void
bodies_keep_their_rate(void **state)
{
    static const uint64_t rates[] = {1, 7, 50, 99, 1000, 1000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct body *body = body_new();

        body_set_rate(body, rates[i]);
        uint64_t ms = 0;

        while (body_allowed(body, ms) <= rates[i] * 3)
            ms += body_wait_ms(body, ms, body_allowed(body, ms));
        assert_in_range(ms, 2000, 6000);
        body_free(&body);
    }
}

static void
counts_count(void **state)
{
    struct counts *counts = counts_new();
    char name[32];

    (void)state;
    assert_int_equal(counts_add(counts, SPAN("/a")), 1);
    assert_int_equal(counts_add(counts, SPAN("/a")), 2);
    assert_int_equal(counts_add(counts, SPAN("/\xff")), 1);
    assert_int_equal(counts_get(counts, SPAN("/b")), 0);
    json_t *json = counts_json(counts);

    assert_int_equal(json_integer_value(json_object_get(json, "/a")), 2);
    assert_int_equal(json_integer_value(json_object_get(json, "/?")), 1);
    json_decref(json);
    for (int i = 0; i < COUNTS_MAX + 5; i++) {
        int len = snprintf(name, sizeof(name), "/n%d", i);

        counts_add(counts, (struct span){name, (size_t)len});
    }
    assert_int_equal(counts_get(counts, SPAN("(other)")), 7);
    counts_clear(counts);
    assert_int_equal(counts_get(counts, SPAN("/a")), 0);
    counts_free(&counts);
}

static void
entries_have_their_form(void **state)
{
    static const char *const want[ANNOUNCE_ITEMS] = {
        "v", "1",     "kind", "prefix", "soft",   "1",    "host",
        "h", "value", "/p",   "node",   "origin", "time", "1700000000000"};
    const struct announce_entry entry = {ANNOUNCE_PREFIX, true, "h", "/p"};
    struct span items[ANNOUNCE_ITEMS];
    char time[24];

    (void)state;
    announce_items(&entry, INT64_C(1700000000000), time, items);
    for (size_t i = 0; i < ANNOUNCE_ITEMS; i++)
        assert_true(span_eq(items[i], span_of(want[i])));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_decodes),
        cmocka_unit_test(path_bounds),
        cmocka_unit_test(path_encodes),
        cmocka_unit_test(path_stays_beneath),
        cmocka_unit_test(path_makes_folders),
        cmocka_unit_test(rules_match),
        cmocka_unit_test(policies_merge),
        cmocka_unit_test(policy_keeps),
        cmocka_unit_test(settings_say_what_is_wrong),
        cmocka_unit_test(settings_from_the_command_line),
        cmocka_unit_test(gates_parse),
        cmocka_unit_test(patterns_fit_together),
        cmocka_unit_test(bodies_join_their_parts),
        cmocka_unit_test(bodies_keep_their_rate),
        cmocka_unit_test(counts_count),
        cmocka_unit_test(entries_have_their_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
