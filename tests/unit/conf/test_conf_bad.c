/* Wrong configurations, and the exact words about them. */
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

/* JSON is written here with ' for ". */
static void
write_file(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");

    assert_non_null(out);
    for (; *text != '\0'; text++)
        fputc(*text == '\'' ? '"' : *text, out);
    fclose(out);
}

static char *
joined(const struct conf_problem_list *list)
{
    struct buf text = {0};

    for (size_t i = 0; i < list->count; i++)
        buf_printf(&text, "%s%s", i ? "\n" : "", list->lines[i]);
    return buf_steal(&text);
}

static void
check_file(const char *name, const char *errors, const char *warnings)
{
    struct conf_problems problems = {0};
    struct conf *conf = conf_load(name, &problems);
    char *got = joined(&problems.errors);

    assert_string_equal(got, errors);
    free(got);
    if (warnings != NULL) {
        got = joined(&problems.warnings);
        assert_string_equal(got, warnings);
        free(got);
    }
    assert_true((conf == NULL) == (errors[0] != '\0'));
    conf_unref(&conf);
    conf_problems_fini(&problems);
}

struct row {
    const char *json;
    const char *want;
};

#define SITES                                                                  \
    "{'site':'a','secret':'0123456789abcdef','sites':[{'name':'a',"            \
    "'redis':'h:1'},{'name':'b'"
#define LEVELS "\"ap\", \"bounded\", \"session\", \"lease\" or \"cp\""
#define ORIGINS "'origins':{'web':{'servers':['http://o']}}"
#define ROUTE(more)                                                            \
    "{" ORIGINS ",'routes':[{'name':'r','origin':'web'" more "}]}"
#define NAME_WORDS                                                             \
    "a name such as \"paris-1\" (letters, digits, - _ ., at most 63)"
#define ADDRESS_WORDS                                                          \
    "an address such as \"127.0.0.1:6379\", \"host:6379\" or \"[::1]:6379\""
#define LISTEN_WORDS                                                           \
    "an IP address and port such as \"127.0.0.1:8080\" or \"[::]:8080\""
#define BASE_WORDS                                                             \
    "an address such as \"10.0.0.1:8080\" or \"http://edge-1:8080\", without " \
    "a path"
#define URL_WORDS                                                              \
    "a URL such as \"http://127.0.0.1:7000\" or \"https://example.com\", "     \
    "without a path"
#define PATH_WORDS                                                             \
    "a path such as \"/exact\", or a prefix such as \"/static/*\" (\"*\" "     \
    "only "                                                                    \
    "at the end, no query)"
#define HOST_WORDS                                                             \
    "\"*\", a host such as \"example.com\", or \"*.example.com\", without a "  \
    "port"
#define CODING_WORDS                                                           \
    "the name of a content coding such as \"br\", but not \"identity\""
#define STATUS_WORDS                                                           \
    "a status such as \"404\", or a class of them such as \"5xx\""
#define DURATION_WORDS                                                         \
    "a duration such as \"500ms\", \"10s\", \"5m\", \"1h\" or \"7d\", "
#define SIZE_WORDS "a size in bytes, or such as \"64KiB\" or \"256MiB\", "

static const struct row syntax[] = {
    {"", "t.json:1:0: expected JSON: '[' or '{' expected near end of file"},
    {"{\n 'node': 'a',\n}",
     "t.json:3:1: expected JSON: string or '}' expected near '}'"},
    {"{'node': 'a', 'node': 'b'}",
     "t.json:1:20: expected JSON: duplicate object key near '\"node\"'"},
    {"{'secret': 'do-not-show-this' 'x'}",
     "t.json:1:33: expected JSON: '}' expected"},
    {"[]", "t.json: expected an object of options at the top"},
    {"{'a': tru}", "t.json:1:9: expected JSON: invalid token near 'tru'"},
};

static const struct row values[] = {
    {"{'workers':'many'}",
     "t.json: workers: expected an integer from 0 to 256, found \"many\""},
    {"{'workers':-1}",
     "t.json: workers: expected an integer from 0 to 256, found -1"},
    {"{'workers':257}",
     "t.json: workers: expected an integer from 0 to 256, found 257"},
    {"{'workers':1.5}",
     "t.json: workers: expected an integer from 0 to 256, found 1.5"},
    {"{'workers':null}",
     "t.json: workers: expected an integer from 0 to 256, found null"},
    {"{'memory':'256MB'}", "t.json: memory: expected " SIZE_WORDS
                           "from 1MiB to 64TiB, found \"256MB\""},
    {"{'memory':'99999999999999999999TiB'}",
     "t.json: memory: expected " SIZE_WORDS
     "from 1MiB to 64TiB, found \"99999999999999999999TiB\""},
    {"{'memory':'18446744073709551615GiB'}",
     "t.json: memory: expected " SIZE_WORDS
     "from 1MiB to 64TiB, found \"18446744073709551615GiB\""},
    {"{'memory':1024}",
     "t.json: memory: expected " SIZE_WORDS "from 1MiB to 64TiB, found 1024"},
    {"{'memory':true}",
     "t.json: memory: expected " SIZE_WORDS "from 1MiB to 64TiB, found true"},
    {"{'invalidation_memory':'63KiB'}",
     "t.json: invalidation_memory: expected " SIZE_WORDS
     "from 64KiB to 1TiB, found \"63KiB\""},
    {"{'limits':{'idle_timeout':'30'}}",
     "t.json: limits.idle_timeout: expected " DURATION_WORDS
     "from 1s to 1h, found \"30\""},
    {"{'limits':{'idle_timeout':30}}",
     "t.json: limits.idle_timeout: expected " DURATION_WORDS
     "from 1s to 1h, found 30"},
    {"{'limits':{'idle_timeout':'2h'}}",
     "t.json: limits.idle_timeout: expected " DURATION_WORDS
     "from 1s to 1h, found \"2h\""},
    {"{'limits':{'request_header_bytes':'33KiB'}}",
     "t.json: limits.request_header_bytes: expected " SIZE_WORDS
     "from 1KiB to 32KiB, found \"33KiB\""},
    {"{'limits':[]}",
     "t.json: limits: expected an object: the limits, found an empty list"},
    {"{'peers':{'enabled':'yes'}}",
     "t.json: peers.enabled: expected true or false, found \"yes\""},
    {"{'node':'a b'}", "t.json: node: expected " NAME_WORDS ", found \"a b\""},
    {"{'node':''}", "t.json: node: expected " NAME_WORDS ", found \"\""},
    {"{'node':'-a'}", "t.json: node: expected " NAME_WORDS ", found \"-a\""},
    {"{'node':'"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
     "}",
     "t.json: node: expected " NAME_WORDS ", found \"aaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\""},
    {"{'listen':'127.0.0.1:80'}",
     "t.json: listen: expected a list of at least 1 and at most 64, "
     "each " LISTEN_WORDS ", found \"127.0.0.1:80\""},
    {"{'listen':[]}", "t.json: listen: expected a list of at least 1 and at "
                      "most 64, each " LISTEN_WORDS ", found an empty list"},
    {"{'listen':['127.0.0.1:80','localhost:81',7]}",
     "t.json: listen[1]: expected " LISTEN_WORDS ", found \"localhost:81\"\n"
     "t.json: listen[2]: expected " LISTEN_WORDS ", found 7"},
    {"{'listen':['127.0.0.1']}",
     "t.json: listen[0]: expected " LISTEN_WORDS ", found \"127.0.0.1\""},
    {"{'listen':['127.0.0.1:65536']}",
     "t.json: listen[0]: expected " LISTEN_WORDS ", found \"127.0.0.1:65536\""},
    {"{'listen':['::1:80']}",
     "t.json: listen[0]: expected " LISTEN_WORDS ", found \"::1:80\""},
    {"{'listen':['127.0.0.1:80','127.0.0.1:80']}",
     "t.json: listen[1]: expected another address, found \"127.0.0.1:80\" "
     "again"},
    {"{'listen':['127.0.0.1:9080']}",
     "t.json: admin.listen: expected an address of its own, found "
     "\"127.0.0.1:9080\", which is one of \"listen\""},
    {"{'admin':{'listen':'127.0.0.1:8080'}}",
     "t.json: admin.listen: expected an address of its own, found "
     "\"127.0.0.1:8080\", which is one of \"listen\""},
    {"{'advertise':'http://a/b'}",
     "t.json: advertise: expected " BASE_WORDS ", found \"http://a/b\""},
    {"{'advertise':'https://a:1'}",
     "t.json: advertise: expected " BASE_WORDS ", found \"https://a:1\""},
    {"{'admin':{'token':'short'}}",
     "t.json: admin.token: expected a token of 8 to 1024 visible ASCII "
     "characters, or an empty string, found one of 5 bytes"},
    {"{'secret':'fifteen-letters'}",
     "t.json: secret: expected a secret of 16 to 1024 visible ASCII "
     "characters, or an empty string, found one of 15 bytes"},
    {"{'secret':'sixteen letters!'}",
     "t.json: secret: expected a secret of 16 to 1024 visible ASCII "
     "characters, or an empty string, found one of 16 bytes"},
    {"{'max_object':'2MiB','memory':'1MiB'}",
     "t.json: max_object: expected at most \"memory\", which is 1MiB, found "
     "2MiB"},
};

static const struct row names[] = {
    {"{'memry':1}", "t.json: memry: no such option of the configuration; did "
                    "you mean \"memory\"?"},
    {"{'limits':{'idle_timout':'1s'}}",
     "t.json: limits.idle_timout: no such option of the limits; did you mean "
     "\"idle_timeout\"?"},
    {"{'disk':{'qqqqqq':1}}",
     "t.json: disk.qqqqqq: no such option of the disk tier; expected one of "
     "path, size"},
    {ROUTE(",'orgin':'web'"),
     "t.json: routes[0].orgin: no such option of a route; did you mean "
     "\"origin\"?"},
    {ROUTE(",'consistency':'pa'"),
     "t.json: routes[0].consistency: expected " LEVELS
     ", found \"pa\"; did you mean \"ap\"?"},
    {SITES "}]," ORIGINS
           ",'routes':[{'name':'r','origin':'web','consistency':'lease',"
           "'writers':['b']}]}",
     "t.json: routes[0].writers: expected names of sites that have \"redis\", "
     "found \"b\"; did you mean \"a\"?"},
    {SITES ",'redis':'h:2'}]," ORIGINS
           ",'routes':[{'name':'r','origin':'web','consistency':'lease',"
           "'writers':['b']},{'name':'q','match':{'path':'/q'},'origin':'web',"
           "'consistency':'lease','writers':['a']}]}",
     "t.json: routes: expected a site that is among the \"writers\" of all "
     "`lease` routes (and of those with \"tighten\"), found none: an "
     "invalidation by tag could stand nowhere"},
    {ROUTE(",'key':{'query':{'mode':'alow','names':['a']}}"),
     "t.json: routes[0].key.query.mode: expected \"all\", \"none\", \"allow\" "
     "or \"deny\", found \"alow\"; did you mean \"allow\"?"},
    {"{" ORIGINS ",'routes':[{'name':'r','origin':'wbe'}]}",
     "t.json: routes[0].origin: expected the name of one of the origins, found "
     "\"wbe\"; did you mean \"web\"?"},
    {"{'routes':[{'name':'r','origin':'web'}]}",
     "t.json: routes[0].origin: expected the name of one of the origins, found "
     "\"web\""},
    {"{'site':'pari','sites':[{'name':'paris'},{'name':'tokyo'}]}",
     "t.json: site: expected the name of one of the sites, found \"pari\"; did "
     "you mean \"paris\"?"},
    {"{'sites':[{'name':'paris'}]}",
     "t.json: site: expected the name of one of the sites, found nothing, "
     "which means \"local\""},
    {"{'site':'a','sites':[{'name':'a'},{'name':'a'}]}",
     "t.json: sites[1].name: expected a name of its own, found \"a\" again"},
    {"{'site':'a','sites':[{'name':'a'}],'secret':'0123456789abcdef','peers':"
     "{'static':[{'node':'n','site':'ab','address':'h:1'}]}}",
     "t.json: peers.static[0].site: expected the name of one of the sites, "
     "found \"ab\"; did you mean \"a\"?"},
    {"{'secret':'0123456789abcdef','peers':{'static':[{'node':'n','site':'a',"
     "'address':'h:1'},{'node':'n','site':'a','address':'h:2'}]}}",
     "t.json: peers.static[1].node: expected a name of its own, found \"n\" "
     "again"},
};

static const struct row sites[] = {
    {"{'site':'a','sites':[{}]}",
     "t.json: sites[0].name: expected " NAME_WORDS ", found nothing\n"
     "t.json: site: expected the name of one of the sites, found \"a\""},
    {"{'site':'a','sites':[{'name':'a','latitude':91,'longitude':'x'}]}",
     "t.json: sites[0].latitude: expected a number from -90 to 90, found 91\n"
     "t.json: sites[0].longitude: expected a number from -180 to 180, found "
     "\"x\""},
    {"{'site':'a','sites':[{'name':'a','redis':'6379'}]}",
     "t.json: sites[0].redis: expected " ADDRESS_WORDS
     ", or an empty string, found \"6379\""},
    {"{'site':'a','sites':[{'name':'a','redis':'h:0'}]}",
     "t.json: sites[0].redis: expected " ADDRESS_WORDS
     ", or an empty string, found \"h:0\""},
    {"{'site':'a','sites':[{'name':'a','redis':'h:1'}]}",
     "t.json: secret: expected a secret of 16 to 1024 visible ASCII "
     "characters, which all nodes of \"sites\" and \"peers\" share, found "
     "nothing"},
    {"{'site':'a','sites':[{'name':'a','redis':'h:1'}],"
     "'secret':'0123456789abcdef','listen':['[::]:80']}",
     "t.json: advertise: expected an address at which peers reach this node, "
     "found \"[::]:80\", which is every address"},
    {"{'site':'a','sites':[{'name':'a','redis':'h:1'}],"
     "'secret':'0123456789abcdef','advertise':'0.0.0.0:80'}",
     "t.json: advertise: expected an address at which peers reach this node, "
     "found \"http://0.0.0.0:80\", which is every address"},
    {"{'peers':{'static':[{'node':'n','site':'a'}]}}",
     "t.json: peers.static[0].address: expected " BASE_WORDS ", found nothing\n"
     "t.json: secret: expected a secret of 16 to 1024 visible ASCII "
     "characters, which all nodes of \"sites\" and \"peers\" share, found "
     "nothing"},
    {"{'sites':{}}",
     "t.json: sites: expected a list of at most 64, each an object: a site, "
     "found an object"},
    {"{'sites':[3]}",
     "t.json: sites[0]: expected an object: a site, found 3\n"
     "t.json: site: expected the name of one of the sites, found nothing, "
     "which means \"local\""},
};

static const struct row routes[] = {
    {"{'origins':[]}",
     "t.json: origins: expected an object with names as keys, each value an "
     "object: an origin group, found an empty list"},
    {"{'origins':{'web':{}}}",
     "t.json: origins.web.servers: expected a list of at least 1 and at most "
     "64, each " URL_WORDS ", found nothing"},
    {"{'origins':{'a b':{'servers':['http://o']}}}",
     "t.json: origins.a b: expected as its key " NAME_WORDS},
    {"{'origins':{'web':{'servers':['o:80','http://o/x','ftp://o',"
     "'http://o:0']}}}",
     "t.json: origins.web.servers[0]: expected " URL_WORDS ", found \"o:80\"\n"
     "t.json: origins.web.servers[1]: expected " URL_WORDS
     ", found \"http://o/x\"\n"
     "t.json: origins.web.servers[2]: expected " URL_WORDS
     ", found \"ftp://o\"\n"
     "t.json: origins.web.servers[3]: expected " URL_WORDS
     ", found \"http://o:0\""},
    {"{" ORIGINS ",'routes':[{}]}",
     "t.json: routes[0].name: expected " NAME_WORDS ", found nothing\n"
     "t.json: routes[0].origin: expected " NAME_WORDS ", found nothing"},
    {"{" ORIGINS ",'routes':{}}",
     "t.json: routes: expected a list, each an object: a route, found an "
     "object"},
    {ROUTE(",'match':{'path':'img'}"),
     "t.json: routes[0].match.path: expected " PATH_WORDS ", found \"img\""},
    {ROUTE(",'match':{'path':'/*/x'}"),
     "t.json: routes[0].match.path: expected " PATH_WORDS ", found \"/*/x\""},
    {ROUTE(",'match':{'path':'/x?y'}"),
     "t.json: routes[0].match.path: expected " PATH_WORDS ", found \"/x?y\""},
    {ROUTE(",'match':{'host':'a.b:80'}"),
     "t.json: routes[0].match.host: expected " HOST_WORDS ", found \"a.b:80\""},
    {ROUTE(",'match':{'host':'a.*'}"),
     "t.json: routes[0].match.host: expected " HOST_WORDS ", found \"a.*\""},
    {ROUTE(",'match':{'host':'a..b'}"),
     "t.json: routes[0].match.host: expected " HOST_WORDS ", found \"a..b\""},
    {ROUTE(",'match':{'methods':['get']}"),
     "t.json: routes[0].match.methods[0]: expected a method in capitals such "
     "as \"GET\", found \"get\""},
    {ROUTE(",'ttl':{'min':'2m','max':'1m'}"),
     "t.json: routes[0].ttl.min: expected at most \"max\", which is 1m, found "
     "2m"},
    {ROUTE(",'ttl':{'heuristic_percent':101}"),
     "t.json: routes[0].ttl.heuristic_percent: expected an integer from 0 to "
     "100, found 101"},
    {ROUTE(",'key':{'query':{'mode':'deny'}}"),
     "t.json: routes[0].key.query.names: expected the parameters that \"mode\""
     " means, found none"},
    {ROUTE(",'key':{'query':{'names':['a']}}"),
     "t.json: routes[0].key.query.names: expected no names unless \"mode\" is "
     "\"allow\" or \"deny\""},
    {ROUTE(",'key':{'query':{'mode':'deny','names':['a=b']}}"),
     "t.json: routes[0].key.query.names[0]: expected the name of a query "
     "parameter such as \"page\", found \"a=b\""},
    {ROUTE(",'key':{'headers':['a b'],'cookies':['c;d']}"),
     "t.json: routes[0].key.headers[0]: expected the name of a header field "
     "such as \"accept-language\", found \"a b\"\n"
     "t.json: routes[0].key.cookies[0]: expected the name of a cookie such as "
     "\"theme\", found \"c;d\""},
    {ROUTE(",'targets':['a b']"),
     "t.json: routes[0].targets[0]: expected the name of a header field such "
     "as \"accept-language\", found \"a b\""},
    {ROUTE(",'surrogate':'a b'"),
     "t.json: routes[0].surrogate: expected " NAME_WORDS
     ", or an empty string, found \"a b\""},
    {ROUTE(",'forward':{'headers':['']}"),
     "t.json: routes[0].forward.headers[0]: expected the name of a header "
     "field such as \"accept-language\", found \"\""},
    {ROUTE(",'encodings':['identity','*','gzip;q=1']"),
     "t.json: routes[0].encodings[0]: expected " CODING_WORDS
     ", found \"identity\"\n"
     "t.json: routes[0].encodings[1]: expected " CODING_WORDS ", found \"*\"\n"
     "t.json: routes[0].encodings[2]: expected " CODING_WORDS
     ", found \"gzip;q=1\""},
    {ROUTE(",'partial':'slices'"),
     "t.json: routes[0].partial: expected \"whole\", \"pass\" or \"store\", "
     "found \"slices\""},
    {"{'cache_status':{'key':'yes'}}",
     "t.json: cache_status.key: expected true or false, found \"yes\""},
    {ROUTE(",'purge':true"),
     "t.json: routes[0].purge: expected \"admin.token\" or "
     "\"admin.token_file\" beside it, found neither: nobody could purge"},
    {"{" ORIGINS ",'routes':[{'name':'r','origin':'web'},{'name':'r','origin':"
     "'web','match':{'path':'/a'}}]}",
     "t.json: routes[1].name: expected a name of its own, found \"r\" again"},
    {"{" ORIGINS ",'routes':[{'name':'a','origin':'web','match':{'host':'X.y'}}"
     ",{'name':'b','origin':'web','match':{'host':'x.Y','path':'/*'}}]}",
     "t.json: routes[1].match: expected a host, path and methods of its own, "
     "found those of routes[0] \"a\": host \"x.y\", path \"/*\", any method"},
    {"{" ORIGINS ",'routes':[{'name':'a','origin':'web','match':{'methods':["
     "'GET','HEAD']}},{'name':'b','origin':'web','match':{'methods':['PUT',"
     "'HEAD']}}]}",
     "t.json: routes[1].match: expected a host, path and methods of its own, "
     "found those of routes[0] \"a\": host \"*\", path \"/*\", HEAD"},
    /* Nobody asked for a match of everything, though that is the default. */
    {"{" ORIGINS ",'routes':[{'name':'a','origin':'web'},{'name':'b','origin':"
     "'web','match':{'path':'x'}},{'name':'c','origin':'web','match':[]}]}",
     "t.json: routes[1].match.path: expected " PATH_WORDS ", found \"x\"\n"
     "t.json: routes[2].match: expected an object: the match of a route, found "
     "an empty list"},
};

static const struct row durations[] = {
    {ROUTE(",'ttl':{'status':[]}"),
     "t.json: routes[0].ttl.status: expected an object, each key " STATUS_WORDS
     ", each value " DURATION_WORDS "from 0s to 3650d, found an empty list"},
    {ROUTE(",'ttl':{'status':{'404':10}}"),
     "t.json: routes[0].ttl.status.404: expected " DURATION_WORDS
     "from 0s to 3650d, found 10"},
    {ROUTE(",'ttl':{'status':{'404':'1s','5xx':'99999d'}}"),
     "t.json: routes[0].ttl.status.5xx: expected " DURATION_WORDS
     "from 0s to 3650d, found \"99999d\""},
    {ROUTE(",'ttl':{'status':{'600':'1s','1xx':'1s','40x':'1s','':'1s'}}"),
     "t.json: routes[0].ttl.status.600: expected as its key " STATUS_WORDS "\n"
     "t.json: routes[0].ttl.status.1xx: expected as its key " STATUS_WORDS "\n"
     "t.json: routes[0].ttl.status.40x: expected as its key " STATUS_WORDS "\n"
     "t.json: routes[0].ttl.status.: expected as its key " STATUS_WORDS},
    /* HTTP counts in seconds: half of one would be none. */
    {ROUTE(",'ttl':{'min':'500ms','override':'1500ms'}"),
     "t.json: routes[0].ttl.min: expected whole seconds, found 500ms\n"
     "t.json: routes[0].ttl.override: expected whole seconds, found 1500ms"},
    {ROUTE(",'ttl':{'default':'1ms','max':'999ms','max_stale':'1001ms'}"),
     "t.json: routes[0].ttl.default: expected whole seconds, found 1ms\n"
     "t.json: routes[0].ttl.max: expected whole seconds, found 999ms\n"
     "t.json: routes[0].ttl.max_stale: expected whole seconds, found 1001ms"},
    {ROUTE(",'ttl':{'stale_while_revalidate':'1ms','stale_if_error':'1ms',"
           "'heuristic_max':'1ms','status':{'404':'1ms'}}"),
     "t.json: routes[0].ttl.stale_while_revalidate: expected whole seconds, "
     "found 1ms\n"
     "t.json: routes[0].ttl.stale_if_error: expected whole seconds, found "
     "1ms\n"
     "t.json: routes[0].ttl.heuristic_max: expected whole seconds, found "
     "1ms\n"
     "t.json: routes[0].ttl.status.404: expected whole seconds, found 1ms"},
};

static void
run(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_file("t.json", rows[i].json);
        check_file("t.json", rows[i].want, NULL);
    }
}

static void
test_syntax(void **state)
{
    (void)state;
    run(syntax, ARRAY_LEN(syntax));
}

static void
test_values(void **state)
{
    (void)state;
    run(values, ARRAY_LEN(values));
}

static void
test_names(void **state)
{
    (void)state;
    run(names, ARRAY_LEN(names));
}

static void
test_sites(void **state)
{
    (void)state;
    run(sites, ARRAY_LEN(sites));
}

static void
test_routes(void **state)
{
    (void)state;
    run(routes, ARRAY_LEN(routes));
}

static void
test_durations(void **state)
{
    (void)state;
    run(durations, ARRAY_LEN(durations));
}

static void
test_files(void **state)
{
    (void)state;
    check_file("absent.json",
               "absent.json: expected a readable file: No such file or "
               "directory",
               NULL);
    check_file(".", ".: expected a readable file: Is a directory", NULL);
    write_file("big.json", "{");
    assert_int_equal(truncate("big.json", (16 << 20) + 1), 0);
    check_file("big.json",
               "big.json: expected a readable file: it is larger than 16MiB",
               NULL);
}

static void
test_includes(void **state)
{
    (void)state;
    assert_int_equal(mkdir("parts", 0700), 0);
    write_file("t.json", "{'include':['parts/a.json','none.json',3,'']}");
    write_file("parts/a.json", "{'include':['b.json']}");
    write_file("parts/b.json", "{'node':'x',}");
    check_file("t.json",
               "parts/b.json:1:13: expected JSON: string or '}' expected near "
               "'}'\n"
               "t.json: include[1]: expected a readable file, found "
               "\"none.json\": No such file or directory\n"
               "t.json: include[2]: expected the path of a file, found 3\n"
               "t.json: include[3]: expected the path of a file, found \"\"",
               NULL);
    write_file("t.json", "{'include':'parts/a.json'}");
    check_file("t.json", "t.json: include: expected a list of files", NULL);

    /* An error names the file that has the value. */
    write_file("t.json", "{'include':['parts/a.json'],'workers':900}");
    write_file("parts/b.json",
               "{'limits':{'idle_timeout':'0s','max_body':'1x'},'workers':'y',"
               "'routes':[{'name':'r','origin':'web'}]}");
    check_file("t.json",
               "t.json: workers: expected an integer from 0 to 256, found 900\n"
               "parts/b.json: limits.max_body: expected " SIZE_WORDS
               "from 0 to 1024TiB, found \"1x\"\n"
               "parts/b.json: limits.idle_timeout: expected " DURATION_WORDS
               "from 1s to 1h, found \"0s\"\n"
               "parts/b.json: routes[0].origin: expected the name of one of "
               "the origins, found \"web\"",
               NULL);

    write_file("loop.json", "{'include':['loop2.json']}");
    write_file("loop2.json", "{'include':['loop.json']}");
    check_file("loop.json",
               "loop2.json: include[0]: expected another file, found "
               "\"loop.json\", which includes this one",
               NULL);
}

static void
test_include_depth(void **state)
{
    char name[32];
    char text[64];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "d%d.json", i);
        snprintf(text, sizeof(text), "{'include':['d%d.json']}", i + 1);
        write_file(name, i == 9 ? "{}" : text);
    }
    check_file("d0.json",
               "d8.json: include[0]: expected includes at most 8 deep, found "
               "one more",
               NULL);
    check_file("d1.json", "", NULL);
}

static void
test_secret_files(void **state)
{
    (void)state;
    write_file("t.json", "{'secret_file':'absent','admin':{'token':'01234567',"
                         "'token_file':'x'}}");
    check_file("t.json",
               "t.json: admin.token_file: expected either \"token\" or "
               "\"token_file\", found both\n"
               "t.json: secret_file: expected a readable file, found "
               "\"absent\": No such file or directory",
               NULL);
    write_file("secret", " tiny\n");
    write_file("t.json", "{'secret_file':'secret'}");
    check_file("t.json",
               "t.json: secret_file: expected in \"secret\" a secret of 16 to "
               "1024 visible ASCII characters, found one of 4 bytes",
               NULL);
    write_file("t.json", "{'secret_file':'.'}");
    check_file("t.json",
               "t.json: secret_file: expected a readable file, found \".\": Is "
               "a directory",
               NULL);
}

static const struct row warnings[] = {
    {"{}", "t.json: routes: there are none: every request is answered 404"},
    {ROUTE(""), ""},
    {ROUTE(",'pass':true,'ttl':{'default':'1s'}"),
     "t.json: routes[0].ttl: has no effect: \"pass\" stores nothing"},
    {ROUTE(",'consistency':'cp','ttl':{'max_stale':'1s'}"),
     "t.json: routes[0].ttl.max_stale: has no effect: \"cp\" serves nothing "
     "stale"},
    {"{'disk':{'path':'d'},'origins':{'web':{'servers':['http://o']}}}",
     "t.json: disk.path: has no effect: without \"size\" there is no disk "
     "tier\n"
     "t.json: origins.web: no route uses this group\n"
     "t.json: routes: there are none: every request is answered 404"},
    {"{'site':'a','sites':[{'name':'a','redis':'h:1'},{'name':'b'},"
     "{'name':'c','redis':'h:1'}],'secret':'0123456789abcdef',"
     "'listen':['127.0.0.1:0'],'routes':[{'name':'r','origin':'web'}]," ORIGINS
     "}",
     "t.json: sites[1].redis: site \"b\" has none: its nodes can publish no "
     "invalidations\n"
     "t.json: sites[2].redis: \"h:1\" is the Redis of site \"a\" too: the two "
     "fail together\n"
     "t.json: advertise: peers cannot reach \"127.0.0.1:0\"; advertise a fixed "
     "port"},
};

static void
test_warnings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(warnings); i++) {
        write_file("t.json", warnings[i].json);
        check_file("t.json", "", warnings[i].want);
    }
    write_file("secret", "0123456789abcdef\n");
    assert_int_equal(chmod("secret", 0644), 0);
    write_file("t.json", "{'secret_file':'secret'}");
    check_file("t.json", "",
               "t.json: routes: there are none: every request is answered "
               "404\n"
               "t.json: secret_file: everybody on this machine can read "
               "\"secret\"; chmod o-r it");
}

/* All are found, the first twenty are kept, and the rest counted. */
static void
test_many(void **state)
{
    struct conf_problems problems = {0};
    struct buf text = {0};
    char *printed = NULL;
    size_t size = 0;

    (void)state;
    buf_add_text(&text, "{");
    for (int i = 0; i < 25; i++)
        buf_printf(&text, "%s'zzzzzzzz%d':1", i ? "," : "", i);
    buf_add_text(&text, "}");
    write_file("t.json", text.data);
    buf_fini(&text);
    struct conf *conf = conf_load("t.json", &problems);

    assert_null(conf);
    assert_int_equal(problems.errors.count, 20);
    assert_int_equal(problems.errors.left_out, 5);
    FILE *out = open_memstream(&printed, &size);

    conf_problems_print(&problems, out);
    fclose(out);
    assert_non_null(strstr(printed, "error: t.json: zzzzzzzz19: no such"));
    assert_non_null(strstr(printed, "error: and 5 more\n"));
    assert_non_null(strstr(printed, "warning: t.json: routes: there are none"));
    free(printed);
    conf_problems_fini(&problems);
    assert_int_equal(problems.errors.count, 0);
}

static int
enter(void **state)
{
    char *folder = mem_strdup("/tmp/test_conf_XXXXXX");

    *state = folder;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int
leave(void **state)
{
    char *command = mem_printf("rm -r '%s'", (char *)*state);
    int result = system(command);

    free(command);
    free(*state);
    return result;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_includes),
        cmocka_unit_test(test_include_depth),
        cmocka_unit_test(test_secret_files),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
