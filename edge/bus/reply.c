#include "reply_internal.h"

#include <stdlib.h>

#include "base/mem.h"

#define ERA_DIGITS 16

static struct span
text_of(const redisReply *reply)
{
    if (reply == NULL || (reply->type != REDIS_REPLY_STRING &&
                          reply->type != REDIS_REPLY_STATUS))
        return SPAN_NONE;
    return (struct span){reply->str, reply->len};
}

static bool
is_array(const redisReply *reply, size_t elements)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
           reply->elements == elements;
}

/* Exactly 16 hex digits. */
static bool
hex64(struct span text, uint64_t *value)
{
    uint64_t sum = 0;

    if (text.len != ERA_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return false;
        sum = sum << 4 | digit;
    }
    *value = sum;
    return true;
}

/* Decimal, and within 64 bits; span_u64 cuts off what is beyond. */
static bool
exact_u64(struct span text, uint64_t *value)
{
    while (text.len > 1 && text.ptr[0] == '0')
        text = span_sub(text, 1, text.len);
    if (text.len > 20 || !span_u64(text, UINT64_MAX, value))
        return false;
    return *value != UINT64_MAX || span_eq(text, SPAN("18446744073709551615"));
}

bool
reply_id(struct span text, struct bus_id *id)
{
    size_t dash = span_find(text, '-', 0);

    return dash < text.len && exact_u64(span_sub(text, 0, dash), &id->n) &&
           exact_u64(span_sub(text, dash + 1, text.len), &id->sub);
}

/* ---- pushes ---- */

static bool
push_head(struct span head, struct reply_push *push)
{
    struct span part[4];

    for (size_t i = 0; i < 4; i++) {
        if (!span_split(&head, ' ', &part[i]))
            return false;
    }
    return head.ptr == NULL && span_eq(part[0], SPAN("A1")) &&
           hex64(part[1], &push->era.epoch) &&
           hex64(part[2], &push->era.term) &&
           exact_u64(part[3], &push->entry.id.n);
}

bool
reply_push(struct span text, struct reply_push *push)
{
    size_t line = span_find(text, '\n', 0);
    size_t at = line + 1;

    push->entry = (struct bus_entry){.items = push->items};
    if (line == text.len || !push_head(span_sub(text, 0, line), push))
        return false;
    while (at < text.len) {
        size_t colon = span_find(text, ':', at);
        uint64_t len;

        if (push->entry.count == REPLY_ITEMS_MAX || colon == text.len ||
            !span_u64(span_sub(text, at, colon), UINT32_MAX, &len) ||
            len > text.len - colon - 1)
            return false;
        at = colon + 1;
        push->items[push->entry.count++] = span_sub(text, at, at + (size_t)len);
        at += (size_t)len;
    }
    return true;
}

/* ---- answers ---- */

bool
reply_era(const redisReply *reply, struct bus_era *era)
{
    return is_array(reply, 2) &&
           hex64(text_of(reply->element[0]), &era->epoch) &&
           hex64(text_of(reply->element[1]), &era->term);
}

bool
reply_published(const redisReply *reply, struct bus_era *era, uint64_t *n)
{
    uint64_t first;

    return is_array(reply, 4) &&
           hex64(text_of(reply->element[0]), &era->epoch) &&
           hex64(text_of(reply->element[1]), &era->term) &&
           exact_u64(text_of(reply->element[2]), &first) &&
           exact_u64(text_of(reply->element[3]), n);
}

bool
reply_lease(const redisReply *reply, size_t elements, struct bus_lease *lease)
{
    return is_array(reply, elements) &&
           hex64(text_of(reply->element[0]), &lease->era.epoch) &&
           hex64(text_of(reply->element[1]), &lease->era.term) &&
           reply_id(text_of(reply->element[2]), &lease->first) &&
           reply_id(text_of(reply->element[3]), &lease->last) &&
           exact_u64(text_of(reply->element[4]), &lease->length_ms) &&
           lease->length_ms > 0;
}

static bool
read_holder(const redisReply *reply, struct bus_holder *holder)
{
    if (!is_array(reply, 4))
        return false;
    holder->id = text_of(reply->element[0]);
    return holder->id.len > 0 &&
           exact_u64(text_of(reply->element[1]), &holder->beat) &&
           hex64(text_of(reply->element[2]), &holder->term) &&
           exact_u64(text_of(reply->element[3]), &holder->n);
}

bool
reply_watched(const redisReply *reply, struct bus_watched *watched,
              struct bus_holder **holders)
{
    *holders = NULL;
    if (!reply_lease(reply, 6, &watched->lease))
        return false;
    const redisReply *list = reply->element[5];

    if (list == NULL || list->type != REDIS_REPLY_ARRAY)
        return false;
    *holders = mem_zalloc(list->elements * sizeof(**holders) + 1);
    watched->holders = *holders;
    watched->count = list->elements;
    for (size_t i = 0; i < list->elements; i++) {
        if (!read_holder(list->element[i], &(*holders)[i]))
            return false;
    }
    return true;
}

bool
reply_ack(struct span text, struct bus_holder *holder)
{
    struct span part[3];

    for (size_t i = 0; i < 3; i++) {
        if (!span_split(&text, ' ', &part[i]))
            return false;
    }
    holder->id = text;
    return text.len > 0 && span_eq(part[0], SPAN("A1")) &&
           hex64(part[1], &holder->term) && exact_u64(part[2], &holder->n);
}

/* How many items all entries have together; false when one is no entry. */
static bool
count_items(const redisReply *entries, size_t *items)
{
    *items = 0;
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *entry = entries->element[i];

        if (!is_array(entry, 2) || entry->element[1] == NULL ||
            entry->element[1]->type != REDIS_REPLY_ARRAY)
            return false;
        *items += entry->element[1]->elements;
    }
    return true;
}

static bool
read_entry(const redisReply *reply, struct bus_entry *entry, struct span *items)
{
    const redisReply *texts = reply->element[1];

    if (!reply_id(text_of(reply->element[0]), &entry->id))
        return false;
    entry->items = items;
    entry->count = texts->elements;
    for (size_t i = 0; i < texts->elements; i++)
        items[i] = text_of(texts->element[i]);
    return true;
}

bool
reply_sync(const redisReply *reply, struct bus_sync *sync, void **memory)
{
    size_t total;

    *memory = NULL;
    if (!is_array(reply, 5) ||
        !hex64(text_of(reply->element[0]), &sync->era.epoch) ||
        !hex64(text_of(reply->element[1]), &sync->era.term) ||
        !reply_id(text_of(reply->element[2]), &sync->first) ||
        !reply_id(text_of(reply->element[3]), &sync->last))
        return false;
    const redisReply *list = reply->element[4];

    if (list == NULL || list->type != REDIS_REPLY_ARRAY ||
        !count_items(list, &total))
        return false;
    struct bus_entry *entries = mem_zalloc(list->elements * sizeof(*entries) +
                                           total * sizeof(struct span) + 1);
    struct span *items = (struct span *)(void *)(entries + list->elements);

    *memory = entries;
    sync->entries = entries;
    sync->count = list->elements;
    for (size_t i = 0; i < list->elements; i++) {
        if (!read_entry(list->element[i], &entries[i], items))
            return false;
        items += entries[i].count;
    }
    return true;
}

bool
reply_rows(const redisReply *reply, struct reply_row **rows, size_t *count)
{
    *rows = NULL;
    *count = 0;
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    *rows = mem_zalloc(reply->elements * sizeof(**rows) + 1);
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *from = reply->element[i];
        struct reply_row *row = &(*rows)[i];

        if (!is_array(from, 4) ||
            !exact_u64(text_of(from->element[1]), &row->beat) ||
            !exact_u64(text_of(from->element[2]), &row->age_ms))
            return false;
        row->id = text_of(from->element[0]);
        row->payload = text_of(from->element[3]);
        *count = i + 1;
    }
    return true;
}
