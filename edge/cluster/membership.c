#include "cluster/membership.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* A row of a site's table. */
struct row {
    struct membership_node node;
    uint64_t beat_ms; /* when its heartbeat was, on our clock */
    bool listed;      /* by the latest reading */
};

struct site {
    struct row *rows;
    size_t count;
    size_t cap;
    uint64_t read_ms; /* the last good reading */
    bool was_read;
    bool away; /* not read for MEMBERSHIP_TTL_MS: the rows are frozen */
};

struct membership {
    struct membership_node own;
    size_t site_count;
    struct site *sites;
    struct membership_node *statics;
    size_t static_count;
    bool stale; /* `members` must be put together anew */
    struct membership_member *members;
    size_t member_count;
};

struct membership *
membership_new(const struct membership_node *own, size_t site_count)
{
    struct membership *membership = mem_zalloc(sizeof(*membership));

    membership->own = *own;
    membership->site_count = site_count;
    membership->sites = mem_zalloc((site_count + 1) * sizeof(struct site));
    return membership;
}

void
membership_free(struct membership **membership)
{
    struct membership *m = *membership;

    if (m == NULL)
        return;
    for (size_t i = 0; i < m->site_count; i++)
        free(m->sites[i].rows);
    free(m->sites);
    free(m->statics);
    free(m->members);
    free(m);
    *membership = NULL;
}

/* Equal rows (of one node and incarnation) beside each other, the listed one
 * first. */
static int
by_key(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int order = strcmp(a->node.id, b->node.id);

    if (order == 0)
        order = strcmp(a->node.incarnation, b->node.incarnation);
    return order != 0 ? order : b->listed - a->listed;
}

/* Joins what the latest reading lists with the rows from before, and takes
 * out those whose heartbeat is too old. */
static void
tidy(struct site *site, uint64_t now_ms)
{
    size_t kept = 0;

    if (site->count > 0)
        qsort(site->rows, site->count, sizeof(*site->rows), by_key);
    for (size_t i = 0; i < site->count && kept < MEMBERSHIP_MAX; i++) {
        struct row *row = &site->rows[i];
        const struct row *last = kept > 0 ? &site->rows[kept - 1] : NULL;

        if (last != NULL && strcmp(last->node.id, row->node.id) == 0 &&
            strcmp(last->node.incarnation, row->node.incarnation) == 0)
            continue;
        /* Those who were there before the site went away, and are not listed
         * now, have as long as others to come back. */
        if (site->away && !row->listed)
            row->beat_ms = now_ms;
        if (now_ms - row->beat_ms <= MEMBERSHIP_TTL_MS)
            site->rows[kept++] = *row;
    }
    site->count = kept;
    site->away = false;
}

static void
take_row(struct membership *m, struct site *site,
         const struct membership_row *row, uint64_t now_ms,
         struct membership_reading *reading)
{
    struct membership_node node;

    if (!membership_parse(row->key, row->payload, &node)) {
        reading->foreign++;
        return;
    }
    if (strcmp(node.id, m->own.id) == 0) {
        if (strcmp(node.incarnation, m->own.incarnation) != 0 &&
            row->age_ms < MEMBERSHIP_TTL_MS / 2)
            reading->twin = true;
        return;
    }
    if (row->age_ms > MEMBERSHIP_TTL_MS)
        return;
    MEM_GROW(site->rows, site->count, site->cap);
    site->rows[site->count++] = (struct row){
        node, now_ms > row->age_ms ? now_ms - row->age_ms : 0, true};
}

struct membership_reading
membership_read(struct membership *membership, size_t site,
                const struct membership_row *rows, size_t count,
                uint64_t now_ms)
{
    struct membership_reading reading = {0, false};

    CHECK(site < membership->site_count);
    struct site *s = &membership->sites[site];

    for (size_t i = 0; i < s->count; i++)
        s->rows[i].listed = false;
    /* More than twice as many rows as can be members are no node table. */
    for (size_t i = 0; i < count && i < 2 * MEMBERSHIP_MAX; i++)
        take_row(membership, s, &rows[i], now_ms, &reading);
    tidy(s, now_ms);
    s->read_ms = now_ms;
    s->was_read = true;
    membership->stale = true;
    return reading;
}

void
membership_unread(struct membership *membership, size_t site, uint64_t now_ms)
{
    CHECK(site < membership->site_count);
    struct site *s = &membership->sites[site];

    if (!s->was_read || s->away)
        return;
    if (now_ms - s->read_ms > MEMBERSHIP_TTL_MS) {
        s->away = true;
        membership->stale = true;
    }
}

void
membership_set_static(struct membership *membership,
                      const struct membership_node *nodes, size_t count)
{
    free(membership->statics);
    membership->statics = mem_zalloc((count + 1) * sizeof(*nodes));
    membership->static_count = count;
    for (size_t i = 0; i < count; i++)
        membership->statics[i] = nodes[i];
    membership->stale = true;
}

void
membership_forget(struct membership *membership, const char *id)
{
    for (size_t i = 0; i < membership->site_count; i++) {
        struct site *site = &membership->sites[i];
        size_t kept = 0;

        for (size_t k = 0; k < site->count; k++) {
            if (!site->away || strcmp(site->rows[k].node.id, id) != 0)
                site->rows[kept++] = site->rows[k];
        }
        site->count = kept;
    }
    membership->stale = true;
}

/* What one site, or the configuration, says of a node. */
struct claim {
    const struct membership_node *node;
    int rank; /* lower counts more */
    uint64_t beat_ms;
};

/* A row of a site that is away comes before what the configuration says:
 * the latter knows no incarnation, and is not lost. */
enum { RANK_ROW, RANK_AWAY, RANK_STATIC };

static int
by_id_then_worth(const void *left, const void *right)
{
    const struct claim *a = left;
    const struct claim *b = right;
    int order = strcmp(a->node->id, b->node->id);

    if (order == 0)
        order = a->rank - b->rank;
    if (order == 0)
        order = a->beat_ms > b->beat_ms ? -1 : a->beat_ms < b->beat_ms;
    if (order == 0)
        order = strcmp(b->node->incarnation, a->node->incarnation);
    return order;
}

static size_t
gather(const struct membership *m, struct claim *claims)
{
    size_t count = 0;

    for (size_t i = 0; i < m->site_count; i++) {
        const struct site *site = &m->sites[i];

        for (size_t k = 0; k < site->count; k++)
            claims[count++] = (struct claim){&site->rows[k].node,
                                             site->away ? RANK_AWAY : RANK_ROW,
                                             site->rows[k].beat_ms};
    }
    for (size_t i = 0; i < m->static_count; i++) {
        if (strcmp(m->statics[i].id, m->own.id) != 0)
            claims[count++] = (struct claim){&m->statics[i], RANK_STATIC, 0};
    }
    return count;
}

static void
rebuild(struct membership *m)
{
    size_t room = m->static_count;

    for (size_t i = 0; i < m->site_count; i++)
        room += m->sites[i].count;
    struct claim *claims = mem_alloc((room + 1) * sizeof(*claims));
    size_t count = gather(m, claims);

    qsort(claims, count, sizeof(*claims), by_id_then_worth);
    free(m->members);
    m->members = mem_alloc((count + 1) * sizeof(*m->members));
    m->member_count = 0;
    for (size_t i = 0; i < count && m->member_count < MEMBERSHIP_MAX; i++) {
        if (i > 0 && strcmp(claims[i - 1].node->id, claims[i].node->id) == 0)
            continue;
        m->members[m->member_count++] = (struct membership_member){
            .node = *claims[i].node,
            .is_static = claims[i].rank == RANK_STATIC,
            .orphaned = claims[i].rank == RANK_AWAY};
    }
    free(claims);
    m->stale = false;
}

const struct membership_member *
membership_list(struct membership *membership, size_t *count)
{
    if (membership->stale)
        rebuild(membership);
    *count = membership->member_count;
    return membership->members;
}
