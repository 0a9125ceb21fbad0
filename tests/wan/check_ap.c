/*
 * `ap`: answered whenever a usable copy could be reached, and convergent.
 *
 * Both are about time, so only what leaves no doubt counts: whatever a node
 * needs must have been clear of faults not only during the read, but for as
 * long before it as healing may take (`converge_us`).
 */
#include <string.h>

#include "base/check.h"
#include "check_internal.h"

/* What peers tell each other about what they hold may be so many times as
 * old. */
#define HEARSAY 3

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool
has_role(const struct check *check, size_t place, const char *role)
{
    return strcmp(check->places[place].role, role) == 0;
}

static uint64_t
before(const struct check *check, uint64_t time, uint64_t times)
{
    uint64_t need = times * check->converge_us;

    return time > need ? time - need : 0;
}

/* Until when the node, or the way to a place of this role (and site, unless
 * NULL), was disturbed, as seen at `time`. */
static uint64_t
disturbed(const struct check *check, size_t node, const char *role,
          const char *site, uint64_t time)
{
    uint64_t last = check_process_disturbed(check, node, time);

    for (size_t i = 0; i < check->place_count; i++) {
        if (!has_role(check, i, role) ||
            (site != NULL && strcmp(check->places[i].site, site) != 0))
            continue;
        last = later(last, check_process_disturbed(check, i, time));
        last = later(last, check_link_disturbed(check, node, i, time));
    }
    return last;
}

/* ---- availability ---- */

/* The last read that shows that the node held a copy at `time`, and kept it
 * until `until`; or NULL. */
static const struct check_op *
held(const struct check *check, const struct check_key *key, size_t node,
     uint64_t time, uint64_t until)
{
    if (key->removed <= until)
        return NULL;
    for (size_t i = key->read_count; i > 0; i--) {
        const struct check_op *read = &key->reads[i - 1];

        if (read->place != node || read->outcome != HISTORY_OK ||
            read->end >= time || !(read->local || read->stored))
            continue;
        return check_process_disturbed(check, node, until) < read->begin ? read
                                                                         : NULL;
    }
    return NULL;
}

/* A peer that held a copy, and could be asked, during the read; or NULL. */
static const struct check_op *
peer_held(const struct check *check, const struct check_key *key,
          const struct check_op *read)
{
    uint64_t since = before(check, read->begin, HEARSAY);

    for (size_t i = 0; i < check->place_count; i++) {
        if (i == read->place || !has_role(check, i, "node") ||
            check_process_disturbed(check, i, read->end) >= since ||
            check_link_disturbed(check, read->place, i, read->end) >= since)
            continue;
        const struct check_op *copy = held(check, key, i, since, read->end);

        if (copy != NULL)
            return copy;
    }
    return NULL;
}

static void
check_failed_read(struct check *check, const struct check_key *key,
                  const struct check_op *read)
{
    uint64_t since = before(check, read->begin, 1);
    const struct check_op *ops[] = {NULL, read};

    if (check_process_disturbed(check, read->place, read->end) >= since)
        return;
    ops[0] = held(check, key, read->place, read->begin, read->end);
    if (ops[0] == NULL)
        ops[0] = peer_held(check, key, read);
    if (ops[0] != NULL ||
        disturbed(check, read->place, "origin", NULL, read->end) < since)
        check_report(check, RULE_UNAVAILABLE, ops, ARRAY_LEN(ops));
}

/* ---- convergence ---- */

/* The newest purge published at this site that ended before `time`. */
static const struct check_op *
newest_purge(const struct check *check, const struct check_key *key,
             const char *site, uint64_t time)
{
    const struct check_op *newest = NULL;

    for (size_t i = 0; i < key->purge_count; i++) {
        const struct check_op *purge = &key->purges[i];

        if (purge->begin > time)
            break;
        if (purge->outcome == HISTORY_OK && purge->end < time &&
            strcmp(check->places[purge->site].site, site) == 0 &&
            (newest == NULL || purge->value > newest->value))
            newest = purge;
    }
    return newest;
}

/* A copy that may have missed something answers one request while it is made
 * new. So an old value counts when another read had come before: when the node
 * was to be healed, and early enough to have had the copy made new. */
static bool
was_asked(const struct check *check, const struct check_key *key,
          const struct check_op *read, uint64_t healed)
{
    uint64_t from = healed + check->converge_us;
    uint64_t to = read->begin - check->converge_us / 4;

    for (const struct check_op *r = read; r-- > key->reads;) {
        if (r->begin < from)
            break;
        if (r->place == read->place && r->outcome == HISTORY_OK && r->end < to)
            return true;
    }
    return false;
}

/* Against what was published at one site. Whether there was something. */
static bool
check_site(struct check *check, const struct check_key *key,
           const struct check_op *read, const char *site)
{
    uint64_t since = before(check, read->begin, 1);
    uint64_t healed =
        later(disturbed(check, read->place, "origin", NULL, read->end),
              disturbed(check, read->place, "redis", site, read->end));
    const struct check_op *purge = newest_purge(check, key, site, since);

    if (healed >= since || purge == NULL || purge->value == 0)
        return false;
    healed = later(healed, purge->end);
    if (purge->value <= read->value)
        return true;
    if (!was_asked(check, key, read, healed)) {
        check->levels[HISTORY_AP].refreshing++;
    } else {
        const struct check_op *ops[] = {
            check_first_over(key, read->value, purge->begin), purge, read};

        check_report(check, RULE_DIVERGED, ops, ARRAY_LEN(ops));
    }
    return true;
}

void
check_ap(struct check *check, const struct check_key *key)
{
    for (size_t i = 0; i < key->read_count; i++) {
        const struct check_op *read = &key->reads[i];
        bool held_against = false;

        if (read->outcome != HISTORY_OK) {
            check_failed_read(check, key, read);
            continue;
        }
        for (size_t k = 0; k < check->place_count; k++) {
            if (check_site_of(check, span_of(check->places[k].site)) == k)
                held_against =
                    check_site(check, key, read, check->places[k].site) ||
                    held_against;
        }
        check->levels[HISTORY_AP].checked++;
        check->levels[HISTORY_AP].converged += held_against;
    }
}
