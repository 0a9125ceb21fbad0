/*
 * Parts of a body (RFC 9111 sections 3.3 and 3.4): a 206 that is stored, the
 * whole that a part and the rest make, and that many parts make.
 *
 * Parts are put together only under one strong entity tag (RFC 9110 section
 * 15.3.7.3), and when each has as many bytes as it says. The whole counts from
 * when the earliest of them was asked for, and has the earliest position; its
 * fields and its freshness are those of the latest.
 */
#include <stdlib.h>

#include "cluster/inval.h"
#include "fill_internal.h"
#include "http/conditional.h"
#include "http/update.h"
#include "shelf_internal.h"
#include "store/store.h"

/* A whole is made of stored parts, on the worker, up to this. */
#define ASSEMBLE_MAX ((uint64_t)4 * 1024 * 1024)

/* ---- a 206 ---- */

bool
fill_asked_part(const struct fill *fill)
{
    return fill->resuming || fill->prefix != NULL ||
           fields_has(pack_fields(fill->upstream), SPAN("Range"));
}

void
fill_part_judge(struct fill *fill, const struct fetch_head *head,
                const struct fields *fields)
{
    struct span value = fields_get(fields, SPAN("Content-Range"));
    struct content_range range;
    struct range_part part;

    /* Without a length it is judged when all of it is there. */
    fill->is_part =
        fill->ranged && head->status == 206 &&
        fields_count(fields, SPAN("Content-Range")) == 1 &&
        (head->content_length < 0
             ? content_range_parse(value, &range) && !range.unsatisfied
             : range_part_of(value, (uint64_t)head->content_length, &part));
}

unsigned
fill_status_kept(const struct fill *fill, unsigned status)
{
    if (fill->is_part ||
        (status == 206 && fill->base != NULL && fill->base->part != NULL))
        return 200;
    return status;
}

bool
fill_part_of(const struct fill *fill, struct range_part *part)
{
    return range_part_of(
        fields_get(pack_fields(fill->stored_fields), SPAN("Content-Range")),
        blob_len(fill->body), part);
}

struct pack *
fill_fields_of_whole(const struct fields *fields)
{
    struct fields whole = {0};

    fields_add_all(&whole, fields);
    range_part_fields(&whole);
    struct pack *pack = pack_new(&whole);

    fields_fini(&whole);
    return pack;
}

/* ---- a part, and the rest of it ---- */

void
fill_prefix_fields(struct fill *fill, struct fields *fields, struct buf *range)
{
    if (fill->prefix == NULL)
        return;
    buf_printf(range, "bytes=%llu-",
               (unsigned long long)fill->prefix->part->length);
    fields_add(fields, SPAN("Range"), buf_span(range));
    fields_add(fields, SPAN("If-Range"),
               fields_get(pack_fields(fill->prefix->fields), SPAN("ETag")));
}

/* Whether the response is just what is missing. */
static bool
is_rest(const struct fill *fill, const struct fetch_head *head,
        const struct fields *fields)
{
    const struct range_part *part = fill->prefix->part;
    struct content_range range;

    return etag_strong_equal(
               fields_get(fields, SPAN("ETag")),
               fields_get(pack_fields(fill->prefix->fields), SPAN("ETag"))) &&
           content_range_parse(fields_get(fields, SPAN("Content-Range")),
                               &range) &&
           !range.unsatisfied && range.first == part->length &&
           range.last == part->complete - 1 &&
           (!range.complete_known || range.complete == part->complete) &&
           (head->content_length < 0 ||
            (uint64_t)head->content_length == part->complete - part->length);
}

bool
fill_prefix_judge(struct fill *fill, const struct fetch_head *head,
                  const struct fields *fields, struct fields *whole)
{
    struct object *prefix = fill->prefix;

    if (!is_rest(fill, head, fields))
        return false;
    update_fields(pack_fields(prefix->fields), fields, whole);
    range_part_fields(whole);
    fill_tags_update(fill, prefix, whole);
    fill_caching(fill, 200, whole, &fill->caching);
    if (!fill->caching.storable || !fill_head_fits(whole) ||
        !fill_reserve_whole(fill, prefix->part->complete))
        return false;
    if (prefix->position < fill->answer_position)
        fill->answer_position = prefix->position;
    return true;
}

enum err
fill_prefix_put(struct fill *fill)
{
    struct blob_reader *reader = blob_reader_new(fill->prefix->body, 0, NULL);
    char buffer[16 * 1024];
    enum err err = ERR_OK;
    size_t len;

    while (err == ERR_OK &&
           blob_read(reader, buffer, sizeof(buffer), &len) == ERR_OK)
        err = blob_append(fill->body, buffer, len);
    blob_reader_free(&reader);
    return err;
}

/* ---- many parts ---- */

/* What a whole is made of, and what it then counts from. */
struct puzzle {
    struct object *latest; /* the part that was stored last */
    struct object *parts[STORE_PARTS_MAX];
    size_t count;
    uint64_t position;
    uint64_t sent_ns;
    struct tag_set tags;
};

static bool
fits(struct fill *fill, const struct object *latest, const struct object *other)
{
    struct inval_subject subject = {
        .host = other->key.host,
        .path = other->key.path_query,
        .tags = other->tags,
        .tag_count = other->tag_count,
    };

    return other->part->exact &&
           other->part->complete == latest->part->complete &&
           etag_strong_equal(
               fields_get(pack_fields(latest->fields), SPAN("ETag")),
               fields_get(pack_fields(other->fields), SPAN("ETag"))) &&
           inval_check(fill->worker->engine->parts.inval, &subject,
                       object_checked(other)) == VALIDITY_VALID;
}

/* Of the parts that reach up to `at` the one that goes furthest. */
static const struct object *
next_piece(const struct puzzle *puzzle, uint64_t at)
{
    const struct object *best = NULL;
    uint64_t end = at;

    for (size_t i = 0; i < puzzle->count; i++) {
        const struct range_part *part = puzzle->parts[i]->part;

        if (part->first <= at && part->first + part->length > end) {
            end = part->first + part->length;
            best = puzzle->parts[i];
        }
    }
    return best;
}

static bool
is_complete(const struct puzzle *puzzle)
{
    uint64_t at = 0;

    while (at < puzzle->latest->part->complete) {
        const struct object *piece = next_piece(puzzle, at);

        if (piece == NULL)
            return false;
        at = piece->part->first + piece->part->length;
    }
    return true;
}

/* Copies on until the blob has all that the part has. */
static bool
add_piece(struct blob *body, const struct object *piece)
{
    uint64_t from = blob_len(body) - piece->part->first;
    struct blob_reader *reader = blob_reader_new(piece->body, from, NULL);
    char buffer[16 * 1024];
    bool ok = true;
    size_t len;

    while (ok && blob_read(reader, buffer, sizeof(buffer), &len) == ERR_OK)
        ok = blob_append(body, buffer, len) == ERR_OK;
    blob_reader_free(&reader);
    return ok && blob_len(body) == piece->part->first + piece->part->length;
}

/* NULL: no memory. */
static struct blob *
body_of(const struct puzzle *puzzle)
{
    uint64_t complete = puzzle->latest->part->complete;
    struct blob *body = blob_new(complete);
    bool ok = true;

    while (ok && blob_len(body) < complete)
        ok = add_piece(body, next_piece(puzzle, blob_len(body)));
    blob_finish(body, ok ? ERR_OK : ERR_NOMEM);
    if (!ok)
        blob_unref(&body);
    return body;
}

static void
gather(struct fill *fill, struct puzzle *puzzle)
{
    struct object *parts[STORE_PARTS_MAX];
    struct object *latest = puzzle->latest;
    size_t count = store_parts(fill->worker->engine->parts.store, &latest->key,
                               pack_fields(fill->request), parts);

    puzzle->position = latest->position;
    puzzle->sent_ns = latest->sent_ns;
    for (size_t i = 0; i < count; i++) {
        struct object *part = parts[i];

        if (!fits(fill, latest, part))
            continue;
        puzzle->parts[puzzle->count++] = part;
        if (part->position < puzzle->position)
            puzzle->position = part->position;
        if (part->sent_ns < puzzle->sent_ns)
            puzzle->sent_ns = part->sent_ns;
        tag_set_merge(&puzzle->tags, part->tags, part->tag_count);
    }
}

static void
put_together(struct fill *fill, const struct puzzle *puzzle)
{
    struct object *latest = puzzle->latest;
    struct pack *fields = fill_fields_of_whole(pack_fields(latest->fields));
    struct vary *vary = object_vary_copy(latest);
    struct blob *body = body_of(puzzle);
    struct object_spec spec = {
        .key = &latest->key,
        .status = 200,
        .fields = fields,
        .tag_fields = latest->tag_fields,
        .vary = &vary,
        .body = body,
        .length = latest->part->complete,
        .tags = puzzle->tags.list,
        .tag_count = puzzle->tags.count,
        .caching = &latest->caching,
        .position = puzzle->position,
        .sent_ns = puzzle->sent_ns,
        .received_ns = latest->received_ns,
    };

    if (body != NULL && puzzle->tags.count <= FILL_TAGS_MAX) {
        struct engine_parts *parts = &fill->worker->engine->parts;
        struct object *whole = object_new(&spec);
        struct object *stored = object_ref(whole);

        shelf_change_begin(parts->shelf, spec.key);
        if (store_insert(parts->store, &stored, 0))
            shelf_stored(parts->shelf, whole);
        else
            shelf_drop(parts->shelf, spec.key);
        shelf_change_end(parts->shelf, spec.key);
        object_unref(&whole);
    }
    vary_free(&vary);
    blob_unref(&body);
    pack_unref(&fields);
}

void
fill_assemble(struct fill *fill, struct object *part)
{
    struct puzzle puzzle = {.latest = part};

    if (part->part == NULL || !part->part->exact ||
        !part->caching.etag_strong || part->part->complete > ASSEMBLE_MAX ||
        part->part->complete > fill->snapshot->conf->max_object_bytes ||
        !object_alive(part))
        return;
    gather(fill, &puzzle);
    if (is_complete(&puzzle))
        put_together(fill, &puzzle);
    tag_set_fini(&puzzle.tags);
}
