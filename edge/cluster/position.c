#include "cluster/position.h"

#include <string.h>

#include "base/check.h"

bool
position_site_valid(struct span name)
{
    if (name.len == 0 || name.len >= POSITION_NAME)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

const struct position_site *
position_find(const struct position *position, struct span site)
{
    for (size_t i = 0; i < position->count; i++) {
        if (span_eq(span_of(position->sites[i].site), site))
            return &position->sites[i];
    }
    return NULL;
}

bool
position_set(struct position *position, struct span site, uint64_t epoch,
             uint64_t term, uint64_t n)
{
    size_t i = 0;

    if (!position_site_valid(site))
        return false;
    while (i < position->count &&
           !span_eq(span_of(position->sites[i].site), site))
        i++;
    if (i == POSITION_SITES)
        return false;
    if (i == position->count) {
        memcpy(position->sites[i].site, site.ptr, site.len);
        position->sites[i].site[site.len] = '\0';
        position->count++;
    }
    position->sites[i].epoch = epoch;
    position->sites[i].term = term;
    position->sites[i].n = n;
    return true;
}

enum position_order
position_order(const struct position_site *a, const struct position_site *b)
{
    if (a == NULL || b == NULL || a->epoch != b->epoch || a->term != b->term)
        return POSITION_UNRELATED;
    if (a->n == b->n)
        return POSITION_EQUAL;
    return a->n < b->n ? POSITION_BEHIND : POSITION_AHEAD;
}

bool
position_covers(const struct position *a, const struct position *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct position_site *have =
            position_find(a, span_of(b->sites[i].site));
        enum position_order order = position_order(have, &b->sites[i]);

        if (order != POSITION_EQUAL && order != POSITION_AHEAD)
            return false;
    }
    return true;
}

void
position_write(const struct position *position, struct buf *out)
{
    for (size_t i = 0; i < position->count; i++) {
        const struct position_site *site = &position->sites[i];

        buf_printf(out, "%s%s=%llx/%llx/%llu", i > 0 ? ";" : "", site->site,
                   (unsigned long long)site->epoch,
                   (unsigned long long)site->term, (unsigned long long)site->n);
    }
}

static bool
parse_hex(struct span text, uint64_t *value)
{
    uint64_t sum = 0;

    if (text.len == 0 || text.len > 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c >= '0' && c <= '9')
            sum = sum << 4 | (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            sum = sum << 4 | ((unsigned)(c - 'a') + 10);
        else
            return false;
    }
    *value = sum;
    return true;
}

/* The largest number is not one that a stream gives. */
static bool
parse_n(struct span text, uint64_t *value)
{
    return text.len <= 20 && span_u64(text, UINT64_MAX, value) &&
           *value < UINT64_MAX;
}

static bool
parse_site(struct span text, struct position *position)
{
    struct span name, epoch_text, term_text;
    uint64_t epoch, term, n;

    if (!span_split(&text, '=', &name) || text.ptr == NULL ||
        !span_split(&text, '/', &epoch_text) || text.ptr == NULL ||
        !span_split(&text, '/', &term_text) || text.ptr == NULL)
        return false;
    return parse_hex(epoch_text, &epoch) && parse_hex(term_text, &term) &&
           parse_n(text, &n) && position_find(position, name) == NULL &&
           position_set(position, name, epoch, term, n);
}

bool
position_parse(struct span text, struct position *position)
{
    struct span part;

    position->count = 0;
    if (text.len == 0)
        return true;
    while (span_split(&text, ';', &part)) {
        if (!parse_site(part, position)) {
            position->count = 0;
            return false;
        }
    }
    return true;
}
