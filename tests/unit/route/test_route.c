/* Which route a request takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "conf/conf.h"
#include "route/route.h"

struct rule {
    const char *name;
    const char *host;
    const char *path;
    const char *methods; /* "GET HEAD", or "" */
};

static void
add_methods(const char *methods, struct buf *out)
{
    struct span rest = span_of(methods);
    struct span one;
    bool first = true;

    while (methods[0] != '\0' && span_split(&rest, ' ', &one)) {
        buf_printf(out, "%s\"%.*s\"", first ? "" : ",", SPAN_FMT(one));
        first = false;
    }
}

static struct conf *
load_text(struct span text)
{
    char path[] = "/tmp/test_route_XXXXXX";
    int fd = mkstemp(path);
    struct conf_problems problems = {0};

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.ptr, text.len), text.len);
    close(fd);
    struct conf *conf = conf_load(path, &problems);

    conf_problems_print(&problems, stderr);
    conf_problems_fini(&problems);
    assert_int_equal(unlink(path), 0);
    assert_non_null(conf);
    return conf;
}

/* Through the parser, so that what it accepts is what is routed. */
static struct router *
router_of(const struct rule *rules, size_t count)
{
    struct buf text = {0};

    buf_add_text(&text, "{\"origins\":{\"o\":{\"servers\":[\"http://o\"]}},"
                        "\"routes\":[");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text,
                   "%s{\"name\":\"%s\",\"origin\":\"o\",\"match\":{\"host\":"
                   "\"%s\",\"path\":\"%s\",\"methods\":[",
                   i ? "," : "", rules[i].name, rules[i].host, rules[i].path);
        add_methods(rules[i].methods, &text);
        buf_add_text(&text, "]}}");
    }
    buf_add_text(&text, "]}");
    struct conf *conf = load_text(buf_span(&text));
    struct router *router = router_new(conf);

    /* The router holds it alone from here. */
    conf_unref(&conf);
    buf_fini(&text);
    return router;
}

struct request {
    const char *host;
    const char *path;
    const char *method;
    const char *want; /* NULL: no route */
};

static void
check(const struct router *router, const struct request *request)
{
    const struct conf_route *route =
        router_find(router, span_of(request->host), span_of(request->path),
                    span_of(request->method));
    const char *got = route ? route->name : "(none)";
    const char *want = request->want ? request->want : "(none)";

    if (strcmp(got, want) != 0)
        fail_msg("%s %s%s: %s, expected %s", request->method, request->host,
                 request->path, got, want);
}

static const struct rule rules[] = {
    {"any", "*", "/*", ""},
    {"img", "*", "/img/*", ""},
    {"img-big", "*", "/img/big/*", ""},
    {"img-prefix", "*", "/im*", ""},
    {"img-exact", "*", "/img/big/", ""},
    {"img-put", "*", "/img/*", "PUT POST"},
    {"img-delete", "*", "/img/*", "DELETE"},
    {"one", "*", "/one", ""},
    {"one-get", "*", "/one", "GET"},
    {"one-more", "*", "/one*", "GET"},
    {"site", "example.com", "/*", "GET HEAD"},
    {"site-a", "example.com", "/a/*", ""},
    {"wild", "*.example.com", "/*", "GET"},
    {"wild-deep", "*.x.example.com", "/deep/*", ""},
    {"v6", "[2001:db8::A]", "/*", ""},
};

static const struct request requests[] = {
    /* paths */
    {"h", "/", "GET", "any"},
    {"h", "/i", "GET", "any"},
    {"h", "/im", "GET", "img-prefix"},
    {"h", "/img", "GET", "img-prefix"},
    {"h", "/img/", "GET", "img"},
    {"h", "/img/a", "GET", "img"},
    {"h", "/img/bi", "GET", "img"},
    {"h", "/img/big", "GET", "img"},
    {"h", "/img/big/", "GET", "img-exact"},
    {"h", "/img/big/a", "GET", "img-big"},
    {"h", "/img0", "GET", "img-prefix"},
    {"h", "/zzz", "GET", "any"},
    {"h", "/IMG/a", "GET", "any"},
    {"h", "/\x80\xff", "GET", "any"},
    {"h", "*", "OPTIONS", NULL},
    {"h", "", "GET", NULL},
    /* methods: those that list it first, others passed over */
    {"h", "/img/a", "PUT", "img-put"},
    {"h", "/img/a", "POST", "img-put"},
    {"h", "/img/a", "DELETE", "img-delete"},
    {"h", "/img/a", "put", "img"},
    {"h", "/img/big/a", "PUT", "img-big"},
    {"h", "/one", "GET", "one-get"},
    {"h", "/one", "HEAD", "one"},
    {"h", "/one1", "GET", "one-more"},
    {"h", "/one1", "HEAD", "any"},
    /* hosts */
    {"example.com", "/", "GET", "site"},
    {"EXAMPLE.Com:8080", "/", "GET", "site"},
    {"example.com.", "/", "GET", "site"},
    {"example.com.:80", "/", "GET", "site"},
    {"example.com", "/img/a", "GET", "site"},
    {"example.com", "/img/a", "PUT", "img-put"},
    {"example.com", "/a/b", "PUT", "site-a"},
    {"www.example.com", "/", "GET", "wild"},
    {"a.b.example.com", "/", "GET", "wild"},
    {"www.example.com", "/", "HEAD", "any"},
    {"a.x.example.com", "/deep/1", "GET", "wild-deep"},
    {"a.x.example.com", "/else", "GET", "wild"},
    {"x.example.com", "/deep/1", "GET", "wild"},
    {"notexample.com", "/", "GET", "any"},
    {".example.com", "/", "GET", "any"},
    {".x.example.com", "/deep/1", "GET", "any"},
    {"[2001:DB8::a]:80", "/", "GET", "v6"},
    {"[2001:db8::a]", "/", "GET", "v6"},
    {"[2001:db8::b]", "/", "GET", "any"},
    {"[2001:db8::a", "/", "GET", "any"},
    {"", "/", "GET", "any"},
    {":80", "/", "GET", "any"},
    {".", "/", "GET", "any"},
};

static void
test_table(void **state)
{
    struct router *router = router_of(rules, ARRAY_LEN(rules));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        check(router, &requests[i]);
    router_free(&router);
    assert_null(router);
}

/* The order in the file means nothing. */
static void
test_order(void **state)
{
    struct rule turned[ARRAY_LEN(rules)];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        turned[i] = rules[ARRAY_LEN(rules) - 1 - i];
    struct router *router = router_of(turned, ARRAY_LEN(turned));

    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        check(router, &requests[i]);
    router_free(&router);
}

static void
test_none(void **state)
{
    struct router *router = router_of(rules, 0);
    const struct request request = {"h", "/", "GET", NULL};

    (void)state;
    check(router, &request);
    router_free(&router);
    router_free(&router);
}

/* No catch-all: what nothing matches has no route. */
static void
test_no_default(void **state)
{
    static const struct rule few[] = {
        {"b", "*", "/b*", ""},
        {"bcd", "*", "/bcd", ""},
        {"host", "a.b", "/x", ""},
    };
    static const struct request rows[] = {
        {"h", "/a", "GET", NULL},     {"h", "/b", "GET", "b"},
        {"h", "/bcd", "GET", "bcd"},  {"h", "/bcde", "GET", "b"},
        {"h", "/c", "GET", NULL},     {"a.b", "/x", "GET", "host"},
        {"a.b", "/x/", "GET", NULL},  {"a.b", "/bx", "GET", "b"},
        {"c.a.b", "/x", "GET", NULL},
    };
    struct router *router = router_of(few, ARRAY_LEN(few));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(router, &rows[i]);
    router_free(&router);
}

/* Hosts and paths of a hostile length: answered, and in no time. */
static void
test_hostile(void **state)
{
    struct router *router = router_of(rules, ARRAY_LEN(rules));
    char long_host[32769];
    char long_path[32769];

    (void)state;
    memset(long_host, '.', sizeof(long_host) - 1);
    long_host[0] = 'a';
    long_host[sizeof(long_host) - 1] = '\0';
    memset(long_path, '/', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    const struct request request = {long_host, long_path, "GET", "any"};

    for (int i = 0; i < 1000; i++)
        check(router, &request);
    long_host[253] = '\0';
    check(router, &request);
    router_free(&router);
}

/* ---- many routes, against the rules read off one by one ---- */

#define MANY 600

static bool
host_matches(const char *pattern, const char *host, size_t *rank)
{
    size_t len = strlen(pattern);
    size_t host_len = strlen(host);

    if (strcmp(pattern, "*") == 0) {
        *rank = 0;
        return true;
    }
    if (pattern[0] != '*') {
        *rank = 1000;
        return strcmp(pattern, host) == 0;
    }
    *rank = len;
    return host_len > len - 1 &&
           strcmp(host + host_len - (len - 1), pattern + 1) == 0;
}

static bool
path_matches(const char *pattern, const char *path, size_t *rank)
{
    size_t len = strlen(pattern);

    if (pattern[len - 1] != '*') {
        *rank = 1000;
        return strcmp(pattern, path) == 0;
    }
    *rank = len - 1;
    return strncmp(path, pattern, len - 1) == 0;
}

/* The best by host, then path; all with one method list. */
static const char *
slow_find(const struct rule *many, size_t count, const char *host,
          const char *path)
{
    const char *best = NULL;
    size_t best_rank = 0;

    for (size_t i = 0; i < count; i++) {
        size_t host_rank;
        size_t path_rank;

        if (!host_matches(many[i].host, host, &host_rank) ||
            !path_matches(many[i].path, path, &path_rank))
            continue;
        size_t rank = host_rank * 2000 + path_rank;

        if (best == NULL || rank > best_rank) {
            best = many[i].name;
            best_rank = rank;
        }
    }
    return best;
}

static unsigned
next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* Paths over a small alphabet, so that many begin with one another. */
static void
random_path(unsigned *seed, char *out)
{
    unsigned len = next_random(seed) % 7;

    *out++ = '/';
    while (len-- > 0)
        *out++ = "ab/"[next_random(seed) % 3];
    *out = '\0';
}

static bool
taken(const struct rule *many, size_t count, const char *host, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(many[i].host, host) == 0 && strcmp(many[i].path, path) == 0)
            return true;
    }
    return false;
}

static void
test_many(void **state)
{
    static const char *const hosts[] = {"*", "a.b", "*.b", "*.a.b", "c.a.b"};
    static const char *const asked[] = {"z", "a.b", "c.b", "c.a.b", "d.a.b"};
    static char names[MANY][8];
    static char paths[MANY][16];
    static struct rule many[MANY];
    unsigned seed = 7;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        const char *host = hosts[next_random(&seed) % ARRAY_LEN(hosts)];

        random_path(&seed, paths[count]);
        if (next_random(&seed) % 2)
            strcat(paths[count], "*");
        if (taken(many, count, host, paths[count]))
            continue;
        snprintf(names[count], sizeof(names[count]), "r%zu", count);
        many[count] = (struct rule){names[count], host, paths[count], ""};
        count++;
    }
    struct router *router = router_of(many, count);

    for (size_t i = 0; i < 20000; i++) {
        char path[16];
        const char *host = asked[next_random(&seed) % ARRAY_LEN(asked)];

        random_path(&seed, path);
        const struct request request = {host, path, "GET",
                                        slow_find(many, count, host, path)};

        check(router, &request);
    }
    router_free(&router);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_none),    cmocka_unit_test(test_no_default),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
