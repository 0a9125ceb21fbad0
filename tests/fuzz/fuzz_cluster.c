/*
 * What comes out of Redis and from other nodes, beside what fuzz_peer_auth
 * takes: entries of an invalidation stream, and positions. The first byte says
 * which: 'e', an entry, as lines name=value; else two positions, a line each.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/mem.h"
#include "cluster/inval.h"
#include "cluster/position.h"
#include "cluster/purge.h"
#include "cluster/stream_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEMS 80

/* It is applied, and what it names is no longer valid. */
static void
apply(const struct inval_entry *entry)
{
    struct inval *inval = inval_new((size_t)1 << 20);
    struct hash128 tags[2] = {inval_tag_hash(entry->value)};
    struct inval_subject subject = {
        .host = entry->kind == INVAL_TAG || entry->kind == INVAL_ALL
                    ? SPAN("any")
                    : entry->host,
        .path = entry->value.len > 0 ? entry->value : SPAN("/"),
        .tags = tags,
        .tag_count = 2,
    };
    char host[INVAL_HOST_MAX + 1];

    /* Keys have their host in lower case. */
    for (size_t i = 0; i < subject.host.len; i++) {
        char c = subject.host.ptr[i];

        host[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    subject.host.ptr = host;
    tags[1] = inval_group_hash(subject.host, entry->value);
    uint64_t before = inval_seq(inval);

    inval_apply(inval, entry, INVAL_LOCAL, 0);
    inval_publish(inval);
    CHECK(inval_seq(inval) > before);
    CHECK(inval_check(inval, &subject, before) != VALIDITY_VALID);
    CHECK(inval_check(inval, &subject, inval_seq(inval)) == VALIDITY_VALID);
    inval_free(&inval);
}

static void
try_entry(struct span text)
{
    struct span items[ITEMS];
    struct span again[STREAM_ITEMS];
    struct inval_entry entry = {0};
    struct inval_entry copy = {0};
    struct span line;
    char time[24];
    char why[256];
    size_t count = 0;

    while (count + 2 <= ITEMS && span_split(&text, '\n', &line)) {
        size_t at = span_find(line, '=', 0);

        items[count++] = span_sub(line, 0, at);
        items[count++] = span_sub(line, at + 1, line.len);
    }
    if (!stream_decode(items, count, &entry))
        return;
    /* What is good may be published as it is. */
    stream_encode(&entry, "fuzz", 1, time, again);
    CHECK(stream_decode(again, STREAM_ITEMS, &copy));
    CHECK(copy.kind == entry.kind && copy.soft == entry.soft);
    CHECK(span_eq(copy.host, entry.host) && span_eq(copy.value, entry.value));
    struct purge purge = {
        .kind = entry.kind,
        .soft = entry.soft,
        .host = mem_strndup(entry.host.ptr, entry.host.len),
        .value = mem_strndup(entry.value.ptr, entry.value.len),
    };

    CHECK(purge_valid(&purge, why, sizeof(why)));
    free(purge.host);
    free(purge.value);
    apply(&entry);
}

static void
try_positions(struct span text)
{
    struct position *a = mem_alloc(sizeof(*a));
    struct position *b = mem_alloc(sizeof(*b));
    struct buf out = {0};
    size_t end = span_find(text, '\n', 0);

    if (!position_parse(span_sub(text, 0, end), a))
        CHECK(a->count == 0);
    if (!position_parse(span_sub(text, end + 1, text.len), b))
        CHECK(b->count == 0);
    CHECK(position_covers(a, a));
    if (position_covers(a, b) && position_covers(b, a)) {
        for (size_t i = 0; i < a->count; i++)
            CHECK(position_order(&a->sites[i],
                                 position_find(b, span_of(a->sites[i].site))) ==
                  POSITION_EQUAL);
    }
    /* What is written reads back as the same. */
    position_write(a, &out);
    CHECK(position_parse(buf_span(&out), b));
    CHECK(b->count == a->count && position_covers(a, b) &&
          position_covers(b, a));
    buf_fini(&out);
    free(a);
    free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool registered;
    struct span text = {size > 0 ? (const char *)data : "", size};

    if (!registered) {
        grace_register();
        registered = true;
    }
    if (size > 0 && data[0] == 'e')
        try_entry(span_sub(text, 1, size));
    else
        try_positions(text);
    grace_idle();
    return 0;
}
