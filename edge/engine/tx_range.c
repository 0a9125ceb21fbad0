/*
 * Parts of a body, as a Range asks for them: the fields that say which, and
 * the bytes of several, one after the other (RFC 9110 sections 14 and 15.3.7).
 */
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/mem.h"
#include "base/secret.h"
#include "tx_internal.h"

/* Several ranges on their way: the head of a part, its bytes, the next one. */
struct tx_ranges {
    struct range_set set;
    struct range_multipart multipart;
    struct blob *body; /* a reference */
    struct buf text;   /* the head of the part, or the end of all */
    struct buf type;   /* of the response */
    struct buf part_type;
    size_t text_sent;
    size_t next;   /* the part that comes next; set.count + 1: none */
    uint64_t left; /* bytes of the part under way */
};

enum range_result
tx_range(const struct tx *tx, uint64_t length, const struct fields *stored,
         struct range_set *set)
{
    if (!span_eq(tx->request->method, SPAN("GET")) ||
        !fields_has(tx->request->fields, SPAN("Range")))
        return RANGE_NONE;
    return range_evaluate(tx->request->fields, length, stored, set);
}

void
tx_range_one(struct tx_reply *reply, struct fields *fields, struct range range,
             uint64_t length, struct buf *text)
{
    reply->status = 206;
    reply->length = (int64_t)(range.last - range.first + 1);
    content_range_format(range, length, text);
    range_part_fields(fields);
    fields_add(fields, SPAN("Content-Range"), buf_span(text));
}

void
tx_range_none(struct tx_reply *reply, struct fields *fields, uint64_t length,
              struct buf *text)
{
    struct fields kept = {0};

    range_unsatisfiable_fields(fields, &kept);
    fields_fini(fields);
    *fields = kept;
    content_range_format_unsatisfied(length, text);
    fields_add(fields, SPAN("Content-Range"), buf_span(text));
    fields_add(fields, SPAN("Cache-Control"), SPAN("no-store"));
    reply->status = 416;
    reply->body = TX_BODY_NONE;
    reply->length = 0;
}

void
tx_range_many(struct tx *tx, struct tx_reply *reply, struct fields *fields,
              const struct range_set *set, struct blob *body, uint64_t length)
{
    struct tx_ranges *ranges = mem_zalloc(sizeof(*ranges));
    uint64_t random[2];

    CHECK(tx->ranges == NULL);
    tx->ranges = ranges;
    ranges->set = *set;
    ranges->body = blob_ref(body);
    secret_random(random, sizeof(random));
    buf_add_span(&ranges->part_type, fields_get(fields, SPAN("Content-Type")));
    range_multipart_init(&ranges->multipart, random,
                         buf_span(&ranges->part_type), length);
    range_multipart_type(&ranges->multipart, &ranges->type);
    range_part_fields(fields);
    fields_remove(fields, SPAN("Content-Type"));
    fields_add(fields, SPAN("Content-Type"), buf_span(&ranges->type));
    reply->status = 206;
    reply->body = TX_BODY_STREAM;
    reply->length = (int64_t)range_multipart_length(&ranges->multipart, set);
}

void
tx_range_free(struct tx *tx)
{
    struct tx_ranges *ranges = tx->ranges;

    tx->ranges = NULL;
    if (ranges == NULL)
        return;
    blob_unref(&ranges->body);
    buf_fini(&ranges->text);
    buf_fini(&ranges->type);
    buf_fini(&ranges->part_type);
    free(ranges);
}

/* Goes on to the next part, or to the end. False: its bytes are gone. */
static bool
next_part(struct tx *tx)
{
    struct tx_ranges *ranges = tx->ranges;
    size_t part = ranges->next++;

    buf_clear(&ranges->text);
    ranges->text_sent = 0;
    if (part == ranges->set.count) {
        range_multipart_end(&ranges->multipart, &ranges->text);
        return true;
    }
    struct range range = ranges->set.list[part];
    /* The new reader first: a window keeps what lies between the two. */
    struct blob_reader *reader =
        blob_reader_new(ranges->body, range.first, tx_watcher(tx));

    blob_reader_free(&tx->reader);
    tx->reader = reader;
    ranges->left = range.last - range.first + 1;
    range_multipart_head(&ranges->multipart, range, part == 0, &ranges->text);
    return reader != NULL;
}

enum err
tx_range_read(struct tx *tx, void *buffer, size_t max, size_t *len)
{
    struct tx_ranges *ranges = tx->ranges;

    *len = 0;
    if (ranges->text_sent == ranges->text.len && ranges->left == 0) {
        if (ranges->next > ranges->set.count)
            return ERR_END;
        if (!next_part(tx))
            return ERR_LOST;
    }
    size_t text = ranges->text.len - ranges->text_sent;

    if (text > 0) {
        *len = text < max ? text : max;
        memcpy(buffer, ranges->text.data + ranges->text_sent, *len);
        ranges->text_sent += *len;
        return ERR_OK;
    }
    enum err err =
        blob_read(tx->reader, buffer,
                  max < ranges->left ? max : (size_t)ranges->left, len);

    ranges->left -= *len;
    return err == ERR_END ? ERR_LOST : err; /* not as long as it said */
}
