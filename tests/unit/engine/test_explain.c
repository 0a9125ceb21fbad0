/* engine_explain and engine_subject, with objects put into the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/grace.h"
#include "cluster/inval.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "http/fields.h"
#include "http/key.h"
#include "store/store.h"

static const char configuration[] =
    "{\"node\":\"n\",\"listen\":[\"127.0.0.1:0\"],"
    "\"origins\":{\"web\":{\"servers\":[\"http://127.0.0.1:1\"]}},"
    "\"routes\":["
    "{\"name\":\"strict\",\"match\":{\"host\":\"h.test\",\"path\":\"/cp/*\"},"
    " \"origin\":\"web\",\"consistency\":\"cp\"},"
    "{\"name\":\"bare\",\"match\":{\"host\":\"h.test\",\"path\":\"/bare/*\"},"
    " \"origin\":\"web\",\"key\":{\"query\":{\"mode\":\"none\"},"
    " \"ignore_case\":true}},"
    "{\"name\":\"pass\",\"match\":{\"host\":\"h.test\",\"path\":\"/pass/*\"},"
    " \"origin\":\"web\",\"pass\":true},"
    "{\"name\":\"all\",\"match\":{\"host\":\"h.test\"},\"origin\":\"web\"}]}";

struct rig {
    struct conf *conf;
    struct store *store;
    struct inval *inval;
    struct engine *engine;
};

static struct conf *
load(void)
{
    char path[] = "/tmp/atlas_explain_XXXXXX";
    struct conf_problems problems = {0};
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK(write(fd, configuration, sizeof(configuration) - 1) ==
          (ssize_t)sizeof(configuration) - 1);
    close(fd);
    struct conf *conf = conf_load(path, &problems);

    conf_problems_print(&problems, stderr);
    conf_problems_fini(&problems);
    unlink(path);
    return conf;
}

static int
set_up(void **state)
{
    static struct rig rig;

    grace_register();
    rig.conf = load();
    CHECK(rig.conf != NULL);
    rig.store = store_new((size_t)4 << 20, 0);
    rig.inval = inval_new((size_t)1 << 20);
    rig.engine = engine_new(
        &(struct engine_parts){.store = rig.store, .inval = rig.inval},
        rig.conf);
    *state = &rig;
    return 0;
}

static int
tear_down(void **state)
{
    struct rig *rig = *state;

    engine_free(&rig->engine);
    store_free(&rig->store);
    inval_free(&rig->inval);
    conf_unref(&rig->conf);
    grace_barrier();
    grace_unregister();
    return 0;
}

/* An object under the key that requests for this URL have. */
static void
put(struct rig *rig, const char *url, uint64_t age_s)
{
    struct buf scratch = {0};
    struct fields fields = {0};
    struct key key;
    struct blob *body = blob_new(3);
    struct caching caching = {.storable = true,
                              .lifetime_s = 60,
                              .initial_age_s = age_s,
                              .has_etag = true,
                              .etag_strong = true};

    assert_null(engine_subject(rig->engine, span_of(url), &scratch, &key));
    CHECK(blob_append(body, "abc", 3) == ERR_OK);
    blob_finish(body, ERR_OK);
    fields_add(&fields, SPAN("ETag"), SPAN("\"v1\""));
    struct pack *pack = pack_new(&fields);
    uint64_t sent = clock_boot_ns();
    struct object *object = object_new(&(struct object_spec){
        .key = &key,
        .status = 200,
        .fields = pack,
        .body = body,
        .length = 3,
        .caching = &caching,
        .position = inval_seq(rig->inval),
        .sent_ns = sent,
        .received_ns = sent,
    });

    assert_true(store_insert(rig->store, &object, 0));
    pack_unref(&pack);
    blob_unref(&body);
    fields_fini(&fields);
    buf_fini(&scratch);
}

static void
purge(struct rig *rig, const char *path, bool soft)
{
    inval_apply(rig->inval,
                &(struct inval_entry){.kind = INVAL_URL,
                                      .soft = soft,
                                      .host = SPAN("h.test"),
                                      .value = span_of(path)},
                INVAL_LOCAL, 0);
    inval_publish(rig->inval);
}

struct row {
    const char *what;
    const char *method;
    const char *url;
    const char *cache_control; /* of the request; NULL: none */
    const char *want[4];       /* all of these are in the answer */
};

static const struct row rows[] = {
    {"no route",
     "GET",
     "http://other.test/",
     NULL,
     {"\"route\":null", "\"verdict\":\"fail\"", "404"}},
    {"a miss",
     "GET",
     "http://h.test/none?a=1",
     NULL,
     {"\"name\":\"all\"", "\"text\":\"http://h.test/none?a=1\"",
      "\"object\":null", "\"verdict\":\"origin\""}},
    {"a hit",
     "GET",
     "http://h.test/fresh",
     NULL,
     {"\"verdict\":\"hit\"", "\"freshness\":\"fresh\"",
      "\"etag\":\"\\\"v1\\\"\"", "\"validity\":\"valid\""}},
    {"a default port is no other key",
     "GET",
     "http://H.TEST:80/fresh",
     NULL,
     {"\"verdict\":\"hit\""}},
    {"a request that wants validation",
     "GET",
     "http://h.test/fresh",
     "no-cache",
     {"\"verdict\":\"revalidate\"", "\"strict\":true", "\"conditional\":true"}},
    {"only-if-cached, and it is not",
     "GET",
     "http://h.test/none",
     "only-if-cached",
     {"\"verdict\":\"fail\""}},
    {"an old one",
     "GET",
     "http://h.test/old",
     NULL,
     {"\"verdict\":\"revalidate\"", "\"freshness\":\"stale\"", "\"ttl_s\":-"}},
    {"purged",
     "GET",
     "http://h.test/hard",
     NULL,
     {"\"verdict\":\"origin\"", "\"validity\":\"hard\"", "invalidation"}},
    {"purged softly",
     "GET",
     "http://h.test/soft",
     NULL,
     {"\"validity\":\"soft\"", "\"verdict\":\"revalidate\""}},
    {"cp validates what is fresh",
     "GET",
     "http://h.test/cp/fresh",
     NULL,
     {"\"consistency\":\"cp\"", "\"verdict\":\"revalidate\"", "\"strict\":true",
      "\"freshness\":\"fresh\""}},
    {"a key without query and case",
     "GET",
     "http://h.test/BARE/a?x=1",
     NULL,
     {"\"name\":\"all\""}},
    {"the route goes by the path as sent",
     "GET",
     "http://h.test/bare/A?x=1",
     NULL,
     {"\"text\":\"http://h.test/bare/a\"", "\"verdict\":\"hit\""}},
    {"a route that stores nothing",
     "GET",
     "http://h.test/pass/1",
     NULL,
     {"\"pass\":true", "\"verdict\":\"pass\""}},
    {"another method",
     "POST",
     "http://h.test/fresh",
     NULL,
     {"\"verdict\":\"pass\"", "method"}},
};

static void
test_rows(void **state)
{
    struct rig *rig = *state;

    put(rig, "http://h.test/fresh", 0);
    put(rig, "http://h.test/cp/fresh", 0);
    put(rig, "http://h.test/old", 3600);
    put(rig, "http://h.test/hard", 0);
    put(rig, "http://h.test/soft", 0);
    put(rig, "http://h.test/bare/a", 0);
    purge(rig, "/hard", false);
    purge(rig, "/soft", true);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = {0};
        struct buf out = {0};

        if (rows[i].cache_control != NULL)
            fields_add(&fields, SPAN("Cache-Control"),
                       span_of(rows[i].cache_control));
        bool good = engine_explain(
            rig->engine,
            &(struct explain_request){.method = span_of(rows[i].method),
                                      .url = span_of(rows[i].url),
                                      .fields = &fields},
            &out);

        if (!good)
            fail_msg("%s: %s", rows[i].what, out.data);
        for (size_t w = 0; w < 4 && rows[i].want[w] != NULL; w++) {
            if (strstr(out.data, rows[i].want[w]) == NULL)
                fail_msg("%s: no %s in %s", rows[i].what, rows[i].want[w],
                         out.data);
        }
        fields_fini(&fields);
        buf_fini(&out);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *method;
        const char *url;
    } bad[] = {
        {"GET", ""},        {"GET", "/path"},           {"GET", "ftp://h/"},
        {"GET", "http://"}, {"GET", "https://h.test/"}, {"G T", "http://h/"},
        {"", "http://h/"},  {"GET", "http://u@h/"},     {"GET", "http://h/#f"},
    };
    struct rig *rig = *state;
    struct fields none = {0};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf out = {0};

        assert_false(engine_explain(
            rig->engine,
            &(struct explain_request){.method = span_of(bad[i].method),
                                      .url = span_of(bad[i].url),
                                      .fields = &none},
            &out));
        assert_true(out.len > 0);
        buf_fini(&out);
    }
}

/* To explain changes nothing: a purged object is still there to be shown. */
static void
test_changes_nothing(void **state)
{
    struct rig *rig = *state;
    struct fields none = {0};
    struct store_stats before;
    struct store_stats after;

    put(rig, "http://h.test/kept", 0);
    purge(rig, "/kept", false);
    store_stats(rig->store, &before);
    for (int i = 0; i < 3; i++) {
        struct buf out = {0};

        assert_true(engine_explain(
            rig->engine,
            &(struct explain_request){.method = SPAN("GET"),
                                      .url = SPAN("http://h.test/kept"),
                                      .fields = &none},
            &out));
        assert_non_null(strstr(out.data, "\"validity\":\"hard\""));
        buf_fini(&out);
    }
    store_stats(rig->store, &after);
    assert_int_equal(before.objects, after.objects);
    assert_int_equal(before.bytes, after.bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes_nothing, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
