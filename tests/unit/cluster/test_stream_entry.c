#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/purge.h"
#include "cluster/stream_internal.h"

/* One text, "name=value" joined by '|', as items. */
static size_t
items_of(const char *text, struct span *items, size_t max)
{
    struct span rest = span_of(text), part;
    size_t count = 0;

    while (rest.len > 0 && span_split(&rest, '|', &part)) {
        size_t at = span_find(part, '=', 0);

        assert_true(count + 2 <= max);
        items[count++] = span_sub(part, 0, at);
        items[count++] = span_sub(part, at < part.len ? at + 1 : at, part.len);
    }
    return count;
}

static void
decodes(void **state)
{
#define REST "|node=n1|time=1"
    static const struct {
        const char *what;
        const char *text;
        bool good;
    } table[] = {
        {"url", "v=1|kind=url|soft=0|host=h|value=/x" REST, true},
        {"prefix", "v=1|kind=prefix|soft=1|host=h|value=/" REST, true},
        {"host", "v=1|kind=host|soft=0|host=h:80|value=" REST, true},
        {"tag", "v=1|kind=tag|soft=0|host=|value=t" REST, true},
        {"all", "v=1|kind=all|soft=0|host=|value=" REST, true},
        {"group", "v=1|kind=group|soft=0|host=h|value=a b" REST, true},
        {"a group without host", "v=1|kind=group|soft=1|host=|value=g" REST,
         true},
        {"a group without value", "v=1|kind=group|soft=0|host=h|value=" REST,
         false},
        {"any order", "soft=0|value=|v=1|host=" REST "|kind=all", true},
        {"a later version's field",
         "v=1|kind=all|soft=0|host=|value=|new=1" REST, true},
        {"nothing", "", false},
        {"other fields", "a=b|c=d", false},
        {"another version", "v=2|kind=all|soft=0|host=|value=" REST, false},
        {"no version", "kind=all|soft=0|host=|value=" REST, false},
        {"no soft", "v=1|kind=all|host=|value=" REST, false},
        {"no node", "v=1|kind=all|soft=0|host=|value=|time=1", false},
        {"no time", "v=1|kind=all|soft=0|host=|value=|node=n", false},
        {"twice", "v=1|v=1|kind=all|soft=0|host=|value=" REST, false},
        {"kind", "v=1|kind=some|soft=0|host=|value=" REST, false},
        {"kind's case", "v=1|kind=URL|soft=0|host=h|value=/" REST, false},
        {"soft", "v=1|kind=all|soft=2|host=|value=" REST, false},
        {"time", "v=1|kind=all|soft=0|host=|value=|node=n|time=x", false},
        {"url without host", "v=1|kind=url|soft=0|host=|value=/x" REST, true},
        {"host without host", "v=1|kind=host|soft=0|host=|value=" REST, false},
        {"url without path", "v=1|kind=url|soft=0|host=h|value=" REST, false},
        {"path", "v=1|kind=url|soft=0|host=h|value=x" REST, false},
        {"host with value", "v=1|kind=host|soft=0|host=h|value=/" REST, false},
        {"host with a slash", "v=1|kind=host|soft=0|host=h/|value=" REST,
         false},
        {"tag with host", "v=1|kind=tag|soft=0|host=h|value=t" REST, false},
        {"tag without value", "v=1|kind=tag|soft=0|host=|value=" REST, false},
        {"all with value", "v=1|kind=all|soft=0|host=|value=x" REST, false},
        {"control characters", "v=1|kind=tag|soft=0|host=|value=a\nb" REST,
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct span items[32];
        struct inval_entry entry;
        size_t count = items_of(table[i].text, items, 32);

        if (stream_decode(items, count, &entry) != table[i].good)
            fail_msg("%s", table[i].what);
        /* A name without a value is never ours. */
        if (count > 0)
            assert_false(stream_decode(items, count - 1, &entry));
    }
}

static void
bounds(void **state)
{
    char *text = mem_alloc(INVAL_VALUE_MAX + 2);
    char time[24];
    struct span items[STREAM_ITEMS], many[80];
    struct inval_entry entry = {.kind = INVAL_TAG};
    struct inval_entry back;

    (void)state;
    memset(text, 'x', INVAL_VALUE_MAX + 2);
    entry.value = (struct span){text, INVAL_VALUE_MAX};
    stream_encode(&entry, "n", 1, time, items);
    assert_true(stream_decode(items, STREAM_ITEMS, &back));
    entry.value.len++;
    stream_encode(&entry, "n", 1, time, items);
    assert_false(stream_decode(items, STREAM_ITEMS, &back));
    entry = (struct inval_entry){.kind = INVAL_HOST, .host = {text, 255}};
    stream_encode(&entry, "n", 1, time, items);
    assert_true(stream_decode(items, STREAM_ITEMS, &back));
    entry.host.len++;
    stream_encode(&entry, "n", 1, time, items);
    assert_false(stream_decode(items, STREAM_ITEMS, &back));
    for (size_t i = 0; i < 80; i++)
        many[i] = SPAN("x");
    assert_false(stream_decode(many, 80, &back));
    many[1] = SPAN_NONE; /* what was no text in the answer */
    assert_false(stream_decode(many, 2, &back));
    free(text);
}

static void
round_trip(void **state)
{
    static const struct inval_entry table[] = {
        {INVAL_URL, false, {"h", 1}, {"/x?q", 4}},
        {INVAL_PREFIX, true, {"h:81", 4}, {"/", 1}},
        {INVAL_HOST, false, {"h", 1}, {"", 0}},
        {INVAL_TAG, true, {"", 0}, {"t \xc3\xa9", 4}},
        {INVAL_GROUP, true, {"h:81", 4}, {"a \"b\"", 5}},
        {INVAL_ALL, false, {NULL, 0}, {NULL, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct span items[STREAM_ITEMS];
        struct inval_entry back;
        char time[24];

        stream_encode(&table[i], "node", 123, time, items);
        assert_true(stream_decode(items, STREAM_ITEMS, &back));
        assert_int_equal(back.kind, table[i].kind);
        assert_int_equal(back.soft, table[i].soft);
        assert_true(span_eq(back.host, table[i].host));
        assert_true(span_eq(back.value, table[i].value));
    }
}

static void
valid_purges(void **state)
{
    static char host[] = "a.example", path[] = "/x", bad[] = "x";
    static const struct {
        struct purge purge;
        const char *why;
    } table[] = {
        {{INVAL_URL, false, host, path, 0, NULL}, ""},
        {{INVAL_ALL, true, NULL, NULL, 0, NULL}, ""},
        {{INVAL_URL, false, NULL, path, 0, NULL}, ""},
        {{INVAL_HOST, false, NULL, NULL, 0, NULL}, "the host is missing"},
        {{INVAL_URL, false, host, NULL, 0, NULL}, "the path is missing"},
        {{INVAL_PREFIX, false, host, bad, 0, NULL},
         "the path does not begin with '/'"},
        {{INVAL_TAG, false, NULL, NULL, 0, NULL}, "the tag is missing"},
        {{INVAL_GROUP, false, host, path, 0, NULL}, ""},
        {{INVAL_GROUP, false, host, NULL, 0, NULL}, "the group is missing"},
        {{INVAL_TAG, false, host, bad, 0, NULL},
         "a host does not belong to this kind"},
        {{INVAL_HOST, false, path, NULL, 0, NULL},
         "the host has characters that no host has"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char why[128];
        bool good = purge_valid(&table[i].purge, why, sizeof(why));

        assert_int_equal(good, table[i].why[0] == '\0');
        assert_string_equal(why, table[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(bounds),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(valid_purges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
