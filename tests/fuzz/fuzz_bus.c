/*
 * What Redis answers, or whoever poses as one. The first byte says which: 'a',
 * answers in RESP, each of which must be the one that a script of ours gives,
 * or refused; 'p', a pushed entry; 'i', an id.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "base/check.h"
#include "bus/reply_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that was given is there to be read. */
static size_t
touch(struct span text)
{
    size_t sum = 0;

    for (size_t i = 0; i < text.len; i++)
        sum += (unsigned char)text.ptr[i];
    return sum;
}

static void
try_reply(const redisReply *reply)
{
    struct bus_era era;
    struct bus_sync sync;
    struct reply_row *rows = NULL;
    void *memory = NULL;
    size_t count = 0;
    size_t sum = 0;
    uint64_t n;

    (void)reply_published(reply, &era, &n);
    (void)reply_era(reply, &era);
    if (reply_sync(reply, &sync, &memory)) {
        for (size_t i = 0; i < sync.count; i++) {
            for (size_t j = 0; j < sync.entries[i].count; j++)
                sum += touch(sync.entries[i].items[j]);
        }
    }
    free(memory);
    if (reply_rows(reply, &rows, &count)) {
        for (size_t i = 0; i < count; i++)
            sum += touch(rows[i].id) + touch(rows[i].payload);
    }
    free(rows);
    CHECK(sum < SIZE_MAX);
}

/* This hiredis makes room for as many elements as an array announces. */
static bool
announces_much(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct span number = span_sub(text, i + 1, text.len);
        uint64_t elements;

        if (text.ptr[i] != '*' || span_starts(number, SPAN("-")))
            continue;
        number = span_sub(number, 0, span_find(number, '\r', 0));
        if (!span_u64(number, UINT64_MAX, &elements) || elements > 4096)
            return true;
    }
    return false;
}

static void
try_answers(const char *text, size_t len)
{
    redisReader *reader;
    void *reply = NULL;

    if (announces_much((struct span){text, len}))
        return;
    reader = redisReaderCreate();
    redisReaderFeed(reader, text, len);
    while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        try_reply(reply);
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
}

static void
try_push(struct span text)
{
    struct reply_push push;
    size_t sum = 0;

    if (!reply_push(text, &push))
        return;
    CHECK(push.entry.count <= REPLY_ITEMS_MAX);
    for (size_t i = 0; i < push.entry.count; i++) {
        struct span item = push.entry.items[i];

        CHECK(item.len == 0 || (item.ptr >= text.ptr &&
                                item.ptr + item.len <= text.ptr + text.len));
        sum += touch(item);
    }
    CHECK(sum < SIZE_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    struct bus_id id;

    CHECK(copy != NULL);
    if (size > 0) {
        memcpy(copy, data + 1, size - 1);
        if (data[0] == 'a')
            try_answers(copy, size - 1);
        else if (data[0] == 'p')
            try_push((struct span){copy, size - 1});
        else
            (void)reply_id((struct span){copy, size - 1}, &id);
    }
    free(copy);
    return 0;
}
