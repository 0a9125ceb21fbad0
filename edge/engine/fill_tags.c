/* The tags of a response, by which it can be purged. They are kept apart from
 * the fields that clients get: 64 KiB of them are more than a head may have. */
#include "base/log.h"
#include "fill_internal.h"
#include "http/tags.h"

struct inval_subject
fill_subject(const struct fill *fill)
{
    return (struct inval_subject){
        .host = fill->key.host,
        .path = fill->key.path_query,
        .tags = fill->tags.list,
        .tag_count = fill->tags.count,
    };
}

void
fill_tags_free(struct fill *fill)
{
    pack_unref(&fill->tag_fields);
    tag_set_fini(&fill->tags);
    fill->tag_bytes = 0;
}

/* What answers other queries than its own goes with an invalidation of any of
 * them. */
static void
add_path(struct fill *fill, const struct fields *fields)
{
    struct hash128 path;

    if (!fill->rules->route->key.no_vary_search ||
        !fields_has(fields, SPAN("No-Vary-Search")))
        return;
    path = inval_path_hash(fill->plain.host, fill->plain.path_query);
    tag_set_merge(&fill->tags, &path, 1);
}

/* `tags` and, for its groups, `fields` are what the fill has from now on. */
static void
set(struct fill *fill, const struct fields *fields, const struct fields *tags)
{
    fill_tags_free(fill);
    fill->tag_bytes = tags_bytes(fields) + tags_bytes(tags);
    if (tags->count > 0)
        fill->tag_fields = pack_new(tags);
    tag_set_add(&fill->tags, fill->key.host, fields);
    tag_set_add(&fill->tags, fill->key.host, tags);
    tag_set_sort(&fill->tags);
    add_path(fill, fields);
}

void
fill_tags_take(struct fill *fill, struct fields *fields)
{
    struct fields tags = {0};

    tags_split(fields, &tags);
    set(fill, fields, &tags);
    fields_fini(&tags);
}

void
fill_tags_update(struct fill *fill, const struct object *base,
                 const struct fields *fields)
{
    static const struct fields none;
    struct pack *fresh = fill->tag_fields;
    const struct pack *stored = base->tag_fields;
    struct fields tags = {0};

    fill->tag_fields = NULL;
    tags_update(stored ? pack_fields(stored) : &none,
                fresh ? pack_fields(fresh) : &none, &tags);
    set(fill, fields, &tags);
    tag_set_merge(&fill->tags, base->tags, base->tag_count);
    fields_fini(&tags);
    pack_unref(&fresh);
}

const char *
fill_tags_refusal(struct fill *fill)
{
    bool many = fill->tags.count > FILL_TAGS_MAX;

    if (fill->rules->route->require_tags && fill->tag_bytes == 0) {
        fill->tags_refused = true;
        return "no-tags";
    }
    fill->tags_refused = many || fill->tag_bytes > TAGS_BYTES_MAX;
    if (!fill->tags_refused)
        return NULL;
    LOG(LOG_WARN,
        "%s: %.*s%.*s is not stored: its %zu tags are %zu bytes; the most are "
        "%zu tags, and %zu bytes",
        fill->upstream_name, SPAN_FMT(fill->key.host),
        SPAN_FMT(fill->key.path_query), fill->tags.count, fill->tag_bytes,
        FILL_TAGS_MAX, TAGS_BYTES_MAX);
    return many ? "too-many-tags" : "tags-too-long";
}
