#include "shelf_meta_internal.h"

#include <string.h>

#include "base/clock.h"
#include "cluster/position.h"

#define MAGIC UINT32_C(0x31736f61) /* "aos1" */
#define ABSENT UINT32_MAX
/* Longer than anything may be fresh: nothing overflows by adding two. */
#define SECONDS_MAX (UINT64_C(1) << 40)
#define POSITION_MAX (POSITION_SITES * (POSITION_NAME + 64))

enum {
    FLAG_REVALIDATE = 1,
    FLAG_FORBIDS_STALE = 2,
    FLAG_IMMUTABLE = 4,
    FLAG_EXPLICIT = 8,
    FLAG_BY_STATUS = 16,
    FLAG_HEURISTIC = 32,
    FLAG_WITH_AUTH = 64,
    FLAG_ETAG = 128,
    FLAG_ETAG_STRONG = 256,
    FLAG_LAST_MODIFIED = 512,
    FLAG_OMITS = 1024,
    FLAG_PATH_TAG = 2048,
    FLAGS = 4095
};

/* The part of fixed length. */
struct fixed {
    uint32_t magic;
    uint32_t status;
    uint32_t flags;
    uint32_t position_len;
    uint32_t fields;
    uint32_t tag_fields;
    uint32_t vary;
    uint32_t zero;
    struct hash128 journal;
    uint64_t number;
    struct hash128 boot;
    uint64_t boot_ns;
    int64_t wall_ms;
    uint64_t sent_ns;
    uint64_t received_ns;
    uint64_t lifetime_s;
    uint64_t initial_age_s;
    uint64_t swr_s;
    uint64_t sie_s;
};

/* ---- writing ---- */

static uint32_t
flags_of(const struct shelf_meta *meta)
{
    const struct caching *c = &meta->caching;
    unsigned flags = 0;

    flags |= c->revalidate_always ? FLAG_REVALIDATE : 0;
    flags |= c->forbids_stale ? FLAG_FORBIDS_STALE : 0;
    flags |= c->immutable ? FLAG_IMMUTABLE : 0;
    flags |= c->explicit_lifetime ? FLAG_EXPLICIT : 0;
    flags |= c->by_status ? FLAG_BY_STATUS : 0;
    flags |= c->heuristic ? FLAG_HEURISTIC : 0;
    flags |= c->shareable_with_auth ? FLAG_WITH_AUTH : 0;
    flags |= c->has_etag ? FLAG_ETAG : 0;
    flags |= c->etag_strong ? FLAG_ETAG_STRONG : 0;
    flags |= c->has_last_modified ? FLAG_LAST_MODIFIED : 0;
    flags |= c->omits_fields ? FLAG_OMITS : 0;
    flags |= meta->path_tag ? FLAG_PATH_TAG : 0;
    return flags;
}

static uint64_t
bounded(uint64_t seconds)
{
    return seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
}

static void
add_pair(const struct field *field, struct buf *out)
{
    bool absent = field->value.ptr == NULL;
    uint32_t lengths[2] = {(uint32_t)field->name.len,
                           absent ? ABSENT : (uint32_t)field->value.len};

    buf_add(out, lengths, sizeof(lengths));
    buf_add_span(out, field->name);
    if (!absent)
        buf_add_span(out, field->value);
}

void
shelf_meta_print(const struct shelf_meta *meta, struct buf *out)
{
    const struct caching *c = &meta->caching;
    struct fixed fixed = {
        .magic = MAGIC,
        .status = meta->status,
        .flags = flags_of(meta),
        .position_len = (uint32_t)meta->position.len,
        .fields = (uint32_t)meta->fields.count,
        .tag_fields = (uint32_t)meta->tag_fields.count,
        .vary = (uint32_t)meta->vary_count,
        .journal = meta->journal,
        .number = meta->number,
        .boot = meta->written.boot,
        .boot_ns = meta->written.boot_ns,
        .wall_ms = meta->written.wall_ms,
        .sent_ns = meta->sent_ns,
        .received_ns = meta->received_ns,
        .lifetime_s = bounded(c->lifetime_s),
        .initial_age_s = bounded(c->initial_age_s),
        .swr_s = bounded(c->swr_s),
        .sie_s = bounded(c->sie_s),
    };

    buf_add(out, &fixed, sizeof(fixed));
    buf_add_span(out, meta->position);
    for (size_t i = 0; i < meta->fields.count; i++)
        add_pair(&meta->fields.list[i], out);
    for (size_t i = 0; i < meta->tag_fields.count; i++)
        add_pair(&meta->tag_fields.list[i], out);
    for (size_t i = 0; i < meta->vary_count; i++)
        add_pair(&meta->vary[i], out);
}

/* ---- reading ---- */

/* Takes `len` bytes off the front; false: there are not so many. */
static bool
take(struct span *text, size_t len, struct span *part)
{
    if (len > text->len)
        return false;
    *part = span_sub(*text, 0, len);
    *text = span_sub(*text, len, text->len);
    return true;
}

static bool
take_pair(struct span *text, bool may_lack, struct field *field)
{
    uint32_t lengths[2];
    struct span head;

    if (!take(text, sizeof(lengths), &head))
        return false;
    memcpy(lengths, head.ptr, sizeof(lengths));
    if (!take(text, lengths[0], &field->name) || !token_valid(field->name))
        return false;
    field->value = SPAN_NONE;
    if (lengths[1] == ABSENT)
        return may_lack;
    return take(text, lengths[1], &field->value) &&
           field_value_valid(field->value);
}

static bool
take_fields(struct span *text, size_t count, struct fields *fields)
{
    struct field field;

    if (count > SHELF_FIELDS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!take_pair(text, false, &field))
            return false;
        fields_add(fields, field.name, field.value);
    }
    return true;
}

static bool
take_vary(struct span *text, size_t count, struct shelf_meta *meta)
{
    if (count > VARY_NAMES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!take_pair(text, true, &meta->vary[i]))
            return false;
    }
    meta->vary_count = count;
    return true;
}

static bool
sound(const struct fixed *fixed)
{
    return fixed->magic == MAGIC && fixed->status >= 100 &&
           fixed->status <= 999 && fixed->flags <= FLAGS && fixed->zero == 0 &&
           fixed->position_len <= POSITION_MAX &&
           fixed->lifetime_s <= SECONDS_MAX &&
           fixed->initial_age_s <= SECONDS_MAX && fixed->swr_s <= SECONDS_MAX &&
           fixed->sie_s <= SECONDS_MAX && fixed->sent_ns > 0 &&
           fixed->sent_ns <= fixed->received_ns &&
           fixed->received_ns <= fixed->boot_ns && fixed->wall_ms >= 0 &&
           fixed->wall_ms < INT64_MAX / 2;
}

static void
take_fixed(const struct fixed *fixed, struct shelf_meta *meta)
{
    uint32_t flags = fixed->flags;

    meta->journal = fixed->journal;
    meta->number = fixed->number;
    meta->written =
        (struct shelf_clock){fixed->boot, fixed->boot_ns, fixed->wall_ms};
    meta->sent_ns = fixed->sent_ns;
    meta->received_ns = fixed->received_ns;
    meta->status = fixed->status;
    meta->path_tag = (flags & FLAG_PATH_TAG) != 0;
    meta->caching = (struct caching){
        .storable = true,
        .lifetime_s = fixed->lifetime_s,
        .initial_age_s = fixed->initial_age_s,
        .swr_s = fixed->swr_s,
        .sie_s = fixed->sie_s,
        .revalidate_always = (flags & FLAG_REVALIDATE) != 0,
        .forbids_stale = (flags & FLAG_FORBIDS_STALE) != 0,
        .immutable = (flags & FLAG_IMMUTABLE) != 0,
        .explicit_lifetime = (flags & FLAG_EXPLICIT) != 0,
        .by_status = (flags & FLAG_BY_STATUS) != 0,
        .heuristic = (flags & FLAG_HEURISTIC) != 0,
        .shareable_with_auth = (flags & FLAG_WITH_AUTH) != 0,
        .has_etag = (flags & FLAG_ETAG) != 0,
        .etag_strong = (flags & FLAG_ETAG_STRONG) != 0,
        .has_last_modified = (flags & FLAG_LAST_MODIFIED) != 0,
        .omits_fields = (flags & FLAG_OMITS) != 0,
    };
}

static bool
parse(struct span text, struct shelf_meta *meta)
{
    struct position position;
    struct fixed fixed;
    struct span head;

    if (!take(&text, sizeof(fixed), &head))
        return false;
    memcpy(&fixed, head.ptr, sizeof(fixed));
    if (!sound(&fixed))
        return false;
    take_fixed(&fixed, meta);
    return take(&text, fixed.position_len, &meta->position) &&
           position_parse(meta->position, &position) &&
           take_fields(&text, fixed.fields, &meta->fields) &&
           take_fields(&text, fixed.tag_fields, &meta->tag_fields) &&
           take_vary(&text, fixed.vary, meta) && text.len == 0;
}

bool
shelf_meta_parse(struct span text, struct shelf_meta *meta)
{
    memset(meta, 0, sizeof(*meta));
    if (parse(text, meta))
        return true;
    shelf_meta_fini(meta);
    return false;
}

void
shelf_meta_fini(struct shelf_meta *meta)
{
    fields_fini(&meta->fields);
    fields_fini(&meta->tag_fields);
}

/* ---- what it means ---- */

uint64_t
shelf_variant(const struct field *vary, size_t count)
{
    struct buf text = {0};

    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        add_pair(&vary[i], &text);
    /* Of 32 bits, as the index keeps it; nor that of none. */
    uint64_t variant = hash_bytes(buf_span(&text), 0).lo & UINT32_MAX;

    buf_fini(&text);
    return variant != 0 ? variant : 1;
}

/* What lies between then and now; UINT64_MAX: nobody knows. */
static uint64_t
elapsed_ns(const struct shelf_meta *meta, const struct shelf_clock *now)
{
    const struct shelf_clock *then = &meta->written;

    if (hash_eq(then->boot, now->boot))
        return now->boot_ns >= then->boot_ns ? now->boot_ns - then->boot_ns
                                             : UINT64_MAX;
    if (now->wall_ms < then->wall_ms)
        return UINT64_MAX;
    uint64_t ms = (uint64_t)(now->wall_ms - then->wall_ms);

    return ms < UINT64_MAX / NS_PER_MS ? ms * NS_PER_MS : UINT64_MAX;
}

static uint64_t
before(uint64_t now_ns, uint64_t ago_ns, uint64_t more_ns)
{
    if (more_ns >= now_ns || ago_ns >= now_ns - more_ns)
        return 1;
    return now_ns - more_ns - ago_ns;
}

void
shelf_meta_times(const struct shelf_meta *meta, const struct shelf_clock *now,
                 struct shelf_times *times)
{
    uint64_t elapsed = elapsed_ns(meta, now);
    uint64_t written = meta->written.boot_ns;

    times->sent_ns = before(now->boot_ns, elapsed, written - meta->sent_ns);
    times->received_ns =
        before(now->boot_ns, elapsed, written - meta->received_ns);
    times->caching = meta->caching;
    if (elapsed == UINT64_MAX)
        times->caching.initial_age_s += meta->caching.lifetime_s;
}
