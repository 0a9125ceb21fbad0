/*
 * What Redis answers, and pushes. The first byte says which: 'p', an entry as
 * the publishing script pushes it; else the bytes of an answer, as each of the
 * three that are read.
 */
#include <stdlib.h>

#include "base/check.h"
#include "bus/reply_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
inside(struct span part, struct span text)
{
    return part.len == 0 ||
           (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len);
}

static void
try_push(struct span text)
{
    struct reply_push push;

    if (!reply_push(text, &push))
        return;
    CHECK(push.entry.count <= REPLY_ITEMS_MAX);
    for (size_t i = 0; i < push.entry.count; i++)
        CHECK(inside(push.items[i], text));
}

static void
try_sync(const redisReply *reply)
{
    struct bus_sync sync;
    void *memory;
    size_t bytes = 0;

    if (reply_sync(reply, &sync, &memory)) {
        for (size_t i = 0; i < sync.count; i++) {
            for (size_t k = 0; k < sync.entries[i].count; k++)
                bytes += sync.entries[i].items[k].len;
        }
    }
    CHECK(bytes < SIZE_MAX / 2);
    free(memory);
}

static void
try_rows(const redisReply *reply)
{
    struct reply_row *rows;
    size_t count;

    if (reply_rows(reply, &rows, &count))
        CHECK(count == reply->elements);
    free(rows);
}

/* hiredis takes the memory of an array when it is announced, however long: that
 * is between it and a Redis that is ours. */
static bool
announces_much(const uint8_t *data, size_t size)
{
    size_t digits = SIZE_MAX; /* of the array's length; SIZE_MAX: of none */

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '*')
            digits = 0;
        else if (digits != SIZE_MAX && data[i] >= '0' && data[i] <= '9')
            digits++;
        else
            digits = SIZE_MAX;
        if (digits != SIZE_MAX && digits > 5)
            return true;
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader;
    struct bus_era era;
    void *reply;
    uint64_t n;

    if (size > 0 && data[0] == 'p') {
        try_push((struct span){(const char *)data + 1, size - 1});
        return 0;
    }
    if (announces_much(data, size))
        return 0;
    reader = redisReaderCreate();
    CHECK(reader != NULL);
    redisReaderFeed(reader, (const char *)data, size);
    while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        (void)reply_published(reply, &era, &n);
        try_sync(reply);
        try_rows(reply);
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
    return 0;
}
