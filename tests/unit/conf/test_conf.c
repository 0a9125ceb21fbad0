/* Configurations that are right: what comes of them. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "conf/conf.h"

static char folder[] = "/tmp/test_conf_XXXXXX";

/* JSON is written here with ' for ". The caller frees the path. */
static char *
write_file(const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", folder, name);
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    for (; *text != '\0'; text++)
        fputc(*text == '\'' ? '"' : *text, out);
    fclose(out);
    return path;
}

static struct conf *
load(const char *path)
{
    struct conf_problems problems = {0};
    struct conf *conf = conf_load(path, &problems);

    if (conf == NULL)
        conf_problems_print(&problems, stderr);
    assert_non_null(conf);
    conf_problems_fini(&problems);
    return conf;
}

static struct conf *
load_text(const char *text)
{
    char *path = write_file("t.json", text);
    struct conf *conf = load(path);

    free(path);
    return conf;
}

#define ORIGINS "'origins':{'web':{'servers':['http://o']}}"

static void
test_defaults(void **state)
{
    struct conf *conf =
        load_text("{" ORIGINS ",'routes':[{'name':'r','origin':'web'}]}");
    char host[256] = "";

    (void)state;
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_true(conf->node[0] != '\0');
    assert_int_equal(conf->node[0], host[0]);
    assert_string_equal(conf->site, "local");
    assert_int_equal(conf->listen.count, 1);
    assert_string_equal(conf->listen.list[0], "127.0.0.1:8080");
    assert_string_equal(conf->advertise, "http://127.0.0.1:8080");
    assert_string_equal(conf->admin.listen, "127.0.0.1:9080");
    assert_string_equal(conf->admin.token, "");
    assert_true(conf->workers >= 1 && conf->workers <= 256);
    assert_int_equal(conf->memory_bytes, 256 << 20);
    assert_int_equal(conf->max_object_bytes, 32 << 20);
    assert_int_equal(conf->invalidation_memory_bytes, 16 << 20);
    assert_int_equal(conf->disk.size_bytes, 0);
    assert_int_equal(conf->limits.max_connections, 10000);
    assert_int_equal(conf->limits.idle_timeout_ms, 30000);
    assert_int_equal(conf->limits.header_timeout_ms, 10000);
    assert_int_equal(conf->limits.max_body_bytes, 0);
    assert_string_equal(conf->access_log, "-");
    assert_string_equal(conf->secret, "");
    assert_int_equal(conf->site_count, 0);
    assert_int_equal(conf->redis.backoff_max_ms, 5000);
    assert_true(conf->peers.enabled);
    assert_int_equal(conf->peers.timeout_ms, 500);
    assert_int_equal(conf->peers.max_skew_ms, 30000);
    conf_unref(&conf);
    assert_null(conf);
}

/* `want` has a space between two. */
static void
check_strings(const struct conf_strings *strings, const char *want)
{
    struct buf got = {0};

    for (size_t i = 0; i < strings->count; i++)
        buf_printf(&got, "%s%s", i ? " " : "", strings->list[i]);
    assert_string_equal(got.data ? got.data : "", want);
    buf_fini(&got);
}

static void
test_route_defaults(void **state)
{
    struct conf *conf =
        load_text("{" ORIGINS ",'routes':[{'name':'r','origin':'web'}]}");
    const struct conf_route *route = &conf->routes[0];

    (void)state;
    assert_int_equal(conf->route_count, 1);
    assert_ptr_equal(route->origin, &conf->origins[0]);
    assert_ptr_equal(conf_origin(conf, "web"), route->origin);
    assert_null(conf_origin(conf, "wb"));
    assert_string_equal(route->match.host, "*");
    assert_string_equal(route->match.path, "/*");
    assert_int_equal(route->match.methods.count, 0);
    assert_int_equal(route->consistency, CONF_AP);
    assert_int_equal(route->ttl.default_ms, 0);
    assert_int_equal(route->ttl.min_ms, 0);
    assert_true(route->ttl.max_ms == CONF_UNSET);
    assert_true(route->ttl.override_ms == CONF_UNSET);
    assert_int_equal(route->ttl.max_stale_ms, 86400000);
    assert_int_equal(route->ttl.heuristic_percent, 10);
    assert_int_equal(route->key.query.mode, CONF_QUERY_ALL);
    assert_int_equal(route->set_cookie, CONF_SET_COOKIE_BYPASS);
    assert_false(route->purge || route->pass || route->key.ignore_case);
    assert_int_equal(route->origin->connect_timeout_ms, 2000);
    assert_int_equal(route->origin->first_byte_timeout_ms, 15000);
    assert_int_equal(route->origin->retries, 1);
    assert_true(route->origin->tls_verify);
    assert_string_equal(route->origin->host_header, "");
    check_strings(&route->targets, "cdn-cache-control");
    check_strings(&route->encodings, "br gzip zstd");
    check_strings(&route->forward.headers, "");
    assert_string_equal(route->surrogate, "");
    assert_int_equal(route->ttl.status.count, 0);
    assert_int_equal(route->partial, CONF_PARTIAL_WHOLE);
    assert_false(route->key.no_vary_search || route->language_select ||
                 route->tags_to_client || conf->cache_status.key);
    assert_string_equal(conf_consistency_name(CONF_AP), "ap");
    assert_string_equal(conf_consistency_name(CONF_CP), "cp");
    conf_unref(&conf);
}

static void
test_values(void **state)
{
    struct conf *conf = load_text(
        "{'node':'n-1','site':'a','sites':[{'name':'b'},{'name':'a','redis':"
        "'Redis.local:6379','latitude':-12.5,'longitude':180}],"
        "'secret':'0123456789abcdef','listen':['[::1]:81','127.0.0.1:82'],"
        "'advertise':'EDGE-1:80','admin':{'listen':''},'workers':3,"
        "'max_object':4096,'access_log':'',"
        "'peers':{'enabled':false,'static':[{'node':'n-1','site':'a',"
        "'address':'h:1'},{'node':'n-2','site':'b','address':"
        "'http://[::1]:2/'}]}," ORIGINS ",'routes':[]}");

    (void)state;
    assert_string_equal(conf->node, "n-1");
    assert_string_equal(conf->advertise, "http://edge-1:80");
    assert_string_equal(conf->listen.list[0], "[::1]:81");
    assert_string_equal(conf->listen.list[1], "127.0.0.1:82");
    assert_string_equal(conf->admin.listen, "");
    assert_int_equal(conf->workers, 3);
    assert_int_equal(conf->max_object_bytes, 4096);
    assert_string_equal(conf->access_log, "");
    assert_ptr_equal(conf_site(conf, "a"), &conf->sites[1]);
    assert_null(conf_site(conf, "c"));
    assert_string_equal(conf->sites[1].redis, "redis.local:6379");
    assert_true(conf->sites[1].latitude < -12.4);
    assert_true(conf->sites[1].longitude > 179.9);
    assert_false(conf->peers.enabled);
    /* The node itself is left out. */
    assert_int_equal(conf->peers.static_count, 1);
    assert_string_equal(conf->peers.statics[0].node, "n-2");
    assert_string_equal(conf->peers.statics[0].url, "http://[::1]:2");
    conf_unref(&conf);
}

/* What a ca_file holds, and the end of what is said of it. */
static void
test_ca_files(void **state)
{
    static const char *const rows[][2] = {
        {NULL, "/ca.pem\": No such file or directory"},
        {"", "expected a file with a certificate (PEM), found none"},
        {"-----BEGIN PRIVATE KEY-----\n", "found none"},
        {"the CA's\n-----BEGIN CERTIFICATE-----\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_problems problems = {0};
        char *path = write_file("t.json", "{'origins':{'web':{'servers':['"
                                          "https://o'],'ca_file':'ca.pem'}}}");

        if (rows[i][0] != NULL)
            free(write_file("ca.pem", rows[i][0]));
        struct conf *conf = conf_load(path, &problems);

        assert_int_equal(problems.errors.count, rows[i][1] != NULL);
        if (rows[i][1] != NULL)
            assert_non_null(strstr(problems.errors.lines[0], rows[i][1]));
        conf_unref(&conf);
        conf_problems_fini(&problems);
        free(path);
    }
}

static void
test_route_values(void **state)
{
    free(write_file("ca.pem", "-----BEGIN CERTIFICATE-----\n"));
    struct conf *conf = load_text(
        "{'origins':{'a':{'servers':['https://A.example/','http://[::1]:7']},"
        "'b':{'servers':['http://o'],'host_header':'X.example:80','retries':0,"
        "'tls_verify':false,'ca_file':'ca.pem'}},"
        "'admin':{'token':'token-token'},"
        "'routes':[{'name':'r','origin':'b','consistency':'cp','purge':true,"
        "'set_cookie':'store','match':{'host':'*.Example.com','path':'/A',"
        "'methods':['GET','M-SEARCH']},'key':{'query':{'mode':'allow','names':"
        "['q'],'sort':true},'headers':['Accept-Language'],'cookies':['Theme'],"
        "'ignore_case':true},'ttl':{'min':'1s','max':'7d','override':0}}]}");
    const struct conf_route *route = &conf->routes[0];
    char *ca_file = mem_printf("%s/ca.pem", folder);

    (void)state;
    assert_string_equal(conf->origins[0].servers.list[0], "https://a.example");
    assert_string_equal(conf->origins[0].servers.list[1], "http://[::1]:7");
    assert_string_equal(route->origin->name, "b");
    assert_string_equal(route->origin->host_header, "x.example:80");
    assert_string_equal(route->origin->ca_file, ca_file);
    assert_int_equal(route->origin->retries, 0);
    assert_int_equal(route->consistency, CONF_CP);
    assert_int_equal(route->set_cookie, CONF_SET_COOKIE_STORE);
    assert_string_equal(route->match.host, "*.example.com");
    assert_string_equal(route->match.path, "/A");
    assert_string_equal(route->match.methods.list[1], "M-SEARCH");
    assert_int_equal(route->key.query.mode, CONF_QUERY_ALLOW);
    assert_string_equal(route->key.query.names.list[0], "q");
    assert_true(route->key.query.sort && route->key.ignore_case);
    assert_string_equal(route->key.headers.list[0], "accept-language");
    assert_string_equal(route->key.cookies.list[0], "Theme");
    assert_int_equal(route->ttl.min_ms, 1000);
    assert_int_equal(route->ttl.max_ms, UINT64_C(604800000));
    assert_int_equal(route->ttl.override_ms, 0);
    free(ca_file);
    conf_unref(&conf);
}

static void
test_route_policy(void **state)
{
    struct conf *conf = load_text(
        "{'cache_status':{'key':true}," ORIGINS ",'routes':[{'name':'r',"
        "'origin':'web','targets':['Paris-Cache-Control','CDN-Cache-Control'],"
        "'surrogate':'atlas','forward':{'headers':['X-Forwarded-Host']},"
        "'encodings':['GZIP'],'key':{'no_vary_search':true},"
        "'language_select':true,'tags_to_client':true,'partial':'store',"
        "'ttl':{'status':{'404':'10s','4xx':'1m','503':0}}},{'name':'s',"
        "'origin':'web','match':{'path':'/s'},'targets':[],'encodings':[],"
        "'surrogate':'','partial':'pass'}]}");
    const struct conf_route *route = &conf->routes[0];
    const struct conf_durations *status = &route->ttl.status;

    (void)state;
    check_strings(&route->targets, "paris-cache-control cdn-cache-control");
    check_strings(&route->encodings, "gzip");
    check_strings(&route->forward.headers, "x-forwarded-host");
    assert_string_equal(route->surrogate, "atlas");
    assert_int_equal(route->partial, CONF_PARTIAL_STORE);
    assert_true(route->key.no_vary_search && route->language_select &&
                route->tags_to_client && conf->cache_status.key);
    assert_int_equal(status->count, 3);
    assert_string_equal(status->list[0].key, "404");
    assert_int_equal(status->list[0].ms, 10000);
    assert_string_equal(status->list[1].key, "4xx");
    assert_int_equal(status->list[1].ms, 60000);
    assert_string_equal(status->list[2].key, "503");
    assert_int_equal(status->list[2].ms, 0);
    check_strings(&conf->routes[1].targets, "");
    check_strings(&conf->routes[1].encodings, "");
    assert_int_equal(conf->routes[1].partial, CONF_PARTIAL_PASS);
    conf_unref(&conf);
}

static void
test_include(void **state)
{
    char *a =
        write_file("a.json", "{'node':'from-a','limits':{'max_body':1,"
                             "'drain_timeout':'1s'},'listen':"
                             "['127.0.0.1:1','127.0.0.1:2']," ORIGINS "}");
    char *b = write_file("b.json",
                         "{'site':'from-b','limits':{'max_body':2},'origins':"
                         "{'web':{'retries':3},'api':{'servers':"
                         "['http://p']}}}");
    struct conf *conf = load_text("{'include':['a.json','b.json'],'node':"
                                  "'own','listen':['127.0.0.1:3']}");

    (void)state;
    assert_string_equal(conf->node, "own");
    assert_string_equal(conf->site, "from-b");
    assert_int_equal(conf->limits.max_body_bytes, 2);
    assert_int_equal(conf->limits.drain_timeout_ms, 1000);
    assert_int_equal(conf->listen.count, 1);
    assert_string_equal(conf->listen.list[0], "127.0.0.1:3");
    assert_int_equal(conf->origin_count, 2);
    assert_string_equal(conf->origins[0].servers.list[0], "http://o");
    assert_int_equal(conf->origins[0].retries, 3);
    assert_string_equal(conf->origins[1].name, "api");
    conf_unref(&conf);
    free(a);
    free(b);
}

static void
test_secret_files(void **state)
{
    struct conf_problems problems = {0};
    char *secret = write_file("secret", "\n  sixteen-letters-and-more \r\n");
    char *token = write_file("token", "token-in-a-file\n");
    char *path = write_file("t.json", "{'secret_file':'secret','admin':"
                                      "{'token_file':'token'}," ORIGINS
                                      ",'routes':[{'name':'r','origin':'web',"
                                      "'purge':true}]}");

    (void)state;
    assert_int_equal(chmod(secret, 0600), 0);
    assert_int_equal(chmod(token, 0600), 0);
    struct conf *conf = conf_load(path, &problems);

    assert_non_null(conf);
    assert_int_equal(problems.warnings.count, 0);
    assert_string_equal(conf->secret, "sixteen-letters-and-more");
    assert_string_equal(conf->admin.token, "token-in-a-file");
    conf_unref(&conf);
    free(secret);
    free(token);
    free(path);
}

static void
test_ref(void **state)
{
    struct conf *conf = load_text("{}");
    struct conf *other = conf_ref(conf);

    (void)state;
    conf_unref(&conf);
    assert_null(conf);
    assert_string_equal(other->site, "local");
    conf_unref(&other);
    conf_unref(&other);
}

struct reload {
    const char *old;
    const char *new;
    const char *want; /* without the file */
};

static const struct reload reloads[] = {
    {"{}", "{}", ""},
    {"{}",
     "{'include':[],'limits':{'max_body':1,'drain_timeout':'1s'},"
     "'admin':{'token':'token-token'}}",
     ""},
    {"{" ORIGINS "}", "{" ORIGINS ",'routes':[{'name':'r','origin':'web'}]}",
     ""},
    {"{'workers':1}", "{'workers':2}",
     "workers: changed from 1 to 2, which needs a restart"},
    {"{'memory':'8MiB'}", "{'memory':'1GiB'}", ""},
    {"{'invalidation_memory':'1MiB'}", "{'invalidation_memory':'2MiB'}",
     "invalidation_memory: changed from 1MiB to 2MiB, which needs a restart"},
    {"{'node':'a'}", "{'node':'b','limits':{'idle_timeout':'1m'}}",
     "node: changed from \"a\" to \"b\", which needs a restart|"
     "limits.idle_timeout: changed from 30s to 1m, which needs a restart"},
    {"{'listen':['127.0.0.1:1'],'advertise':'a:1'}",
     "{'listen':['127.0.0.1:1','127.0.0.1:2'],'advertise':'a:1'}",
     "listen: changed, which needs a restart"},
    {"{'secret':'0123456789abcdef'}", "{'secret':'0123456789abcdeg'}",
     "secret: changed, which needs a restart"},
    {"{'peers':{'enabled':true}}", "{'peers':{'enabled':false}}",
     "peers.enabled: changed from true to false, which needs a restart"},
    {"{'sites':[{'name':'local','latitude':1}]}",
     "{'sites':[{'name':'local','latitude':2}]}",
     "sites: changed, which needs a restart"},
    {"{}", "{'sites':[{'name':'local'}]}",
     "sites: changed, which needs a restart"},
};

static void
check_reload(const struct reload *row)
{
    struct conf *old = load_text(row->old);
    struct conf *new = load_text(row->new);
    struct conf_problems problems = {0};
    char *want = mem_strdup(row->want);
    char *rest = want;
    size_t count = 0;

    assert_true(conf_reload_check(old, new, &problems) ==
                (row->want[0] == '\0'));
    for (char *line; (line = strsep(&rest, "|")) && *line; count++) {
        char *full = mem_printf("%s: %s", new->path, line);

        assert_true(count < problems.errors.count);
        assert_string_equal(problems.errors.lines[count], full);
        free(full);
    }
    assert_int_equal(problems.errors.count, count);
    free(want);
    conf_problems_fini(&problems);
    conf_unref(&old);
    conf_unref(&new);
}

static void
test_reload(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reloads); i++)
        check_reload(&reloads[i]);
}

/* ---- a reload that promises more ---- */

struct levels {
    const char *old; /* members of routes, between ';' */
    const char *new;
    const char *raised; /* a route's name, by place: "r0"; NULL: none */
};

static const struct levels levels[] = {
    {"", "", NULL},
    {"'consistency':'ap'", "'consistency':'session'", "r0"},
    {"'consistency':'ap'", "'consistency':'bounded','max_staleness':'1s'",
     "r0"},
    {"'consistency':'ap'", "'consistency':'lease'", "r0"},
    {"'consistency':'session'", "'consistency':'lease'", "r0"},
    {"'consistency':'cp'", "'consistency':'lease'", "r0"},
    {"'consistency':'lease'", "'consistency':'lease'", NULL},
    /* What was stored longer ago than the bound is found so in any case. */
    {"'consistency':'bounded','max_staleness':'9s'",
     "'consistency':'bounded','max_staleness':'1s'", NULL},
    /* Nothing stored answers there. */
    {"'consistency':'ap'", "'consistency':'cp'", NULL},
    {"'consistency':'ap'", "'consistency':'lease','pass':true", NULL},
    {"'consistency':'lease'", "'consistency':'ap'", NULL},
    {"'consistency':'lease','writers':['s','t']",
     "'consistency':'lease','writers':['s']", NULL},
    {"'consistency':'lease','writers':['s']",
     "'consistency':'lease','writers':['s','t']", "r0"},
    {"'consistency':'lease','writers':['s']", "'consistency':'lease'", "r0"},
    {"'consistency':'lease'", "'consistency':'lease','writers':['s']", NULL},
    {"", "'require_tags':true", "r0"},
    {"'require_tags':true", "", NULL},
    {"", "'tighten':true", "r0"},
    /* Other URLs: against the worst that they may have had. */
    {"", "'match':{'path':'/a'};", NULL},
    {"'consistency':'lease'",
     "'match':{'path':'/a'},'consistency':'lease';'consistency':'ap'", NULL},
    {"'match':{'path':'/a'},'consistency':'lease';'consistency':'ap'",
     "'consistency':'lease'", "r0"},
    {"'match':{'path':'/a'},'consistency':'lease';'consistency':'ap'",
     "'match':{'path':'/b'},'consistency':'lease';'consistency':'ap'", "r0"},
    {"'match':{'path':'/a'};'match':{'path':'/b'},'consistency':'lease';",
     "'match':{'path':'/a'};'match':{'path':'/b'},'consistency':'lease';",
     NULL},
    {"'match':{'path':'/a'};'match':{'path':'/b'},'consistency':'lease';",
     "'match':{'path':'/b'},'consistency':'lease';'match':{'path':'/a'};",
     "r0"},
    {"'match':{'methods':['GET']},'consistency':'lease';",
     "'match':{'methods':['GET','HEAD']},'consistency':'lease';", "r0"},
};

static struct conf *
load_routes(const char *routes)
{
    struct buf text = {0};
    char *copy = mem_strdup(routes);
    char *rest = copy;
    size_t count = 0;

    buf_add_text(&text, "{" ORIGINS ",'site':'s','secret':'0123456789abcdef',"
                        "'sites':[{'name':'s','redis':'h:1'},"
                        "{'name':'t','redis':'h:2'}],'routes':[");
    for (char *route; (route = strsep(&rest, ";")) != NULL; count++)
        buf_printf(&text, "%s{'name':'r%zu','origin':'web'%s%s}",
                   count > 0 ? "," : "", count, route[0] ? "," : "", route);
    buf_add_text(&text, "]}");
    buf_add_char(&text, '\0');
    struct conf *conf = load_text(text.data);

    buf_fini(&text);
    free(copy);
    return conf;
}

static void
test_levels(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        struct conf *old = load_routes(levels[i].old);
        struct conf *new = load_routes(levels[i].new);
        const char *raised = conf_level_raised(old, new);
        const char *want = levels[i].raised;

        if ((raised == NULL) != (want == NULL) ||
            (want != NULL && strcmp(raised, want) != 0))
            fail_msg("%s -> %s: %s", levels[i].old, levels[i].new,
                     raised ? raised : "no route");
        /* Over a restart it is enough that something differs. */
        if (want != NULL)
            assert_int_not_equal(conf_level_print(new), 0);
        if (want != NULL)
            assert_int_not_equal(conf_level_print(new), conf_level_print(old));
        conf_unref(&old);
        conf_unref(&new);
    }
    struct conf *ap = load_routes("");

    assert_int_equal(conf_level_print(ap), 0);
    conf_unref(&ap);
}

/* What is shipped loads without a word. */
static void
check_example(const char *path)
{
    struct conf_problems problems = {0};
    struct conf *conf = conf_load(path, &problems);

    conf_problems_print(&problems, stderr);
    assert_non_null(conf);
    assert_int_equal(problems.warnings.count, 0);
    assert_true(conf->route_count >= 2);
    conf_unref(&conf);
    conf_problems_fini(&problems);
}

static void
test_examples(void **state)
{
    glob_t found;

    (void)state;
    check_example("conf/one.json");
    assert_int_equal(glob("conf/three-sites/*.json", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 6);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_example(found.gl_pathv[i]);
    globfree(&found);
}

static int
enter(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
leave(void **state)
{
    char *command = mem_printf("rm -r '%s'", folder);
    int result = system(command);

    (void)state;
    free(command);
    return result;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_route_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ca_files),
        cmocka_unit_test(test_route_values),
        cmocka_unit_test(test_route_policy),
        cmocka_unit_test(test_include),
        cmocka_unit_test(test_secret_files),
        cmocka_unit_test(test_ref),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_examples),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
