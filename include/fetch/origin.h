/*
 * An origin group: a few servers that answer as one, and which of them to ask.
 *
 * Servers take turns. One that could not be reached ORIGIN_EJECT_AFTER times
 * in a row is left alone for a while, each time twice as long up to a bound;
 * then one request tries it, and the others follow when that went well. With
 * all of them left alone they are asked all the same: a wrong guess here must
 * not become an error of ours.
 *
 * Any thread. No locks: a pick costs some atomic reads and an addition.
 */
#ifndef FETCH_ORIGIN_H
#define FETCH_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define ORIGIN_SERVERS_MAX 64
#define ORIGIN_EJECT_AFTER 3
#define ORIGIN_EJECT_MIN_MS 500
#define ORIGIN_EJECT_MAX_MS 30000

struct origin;
struct pace;

struct origin_status {
    const char *url; /* valid as long as the origin */
    uint64_t requests;
    uint64_t failures;
    unsigned failures_in_row;
    uint64_t ejected_ms; /* left alone for so long from now; 0: in use */
};

/* Copies the name and the URLs ("http://host:port"); 1 to ORIGIN_SERVERS_MAX
 * of them. The caller holds one reference. */
struct origin *origin_new(const char *name, const char *const *servers,
                          size_t count);
struct origin *origin_ref(struct origin *origin);
void origin_unref(struct origin **origin);

const char *origin_name(const struct origin *origin);
size_t origin_count(const struct origin *origin);

/*
 * The server to ask. *tried is a set of those already asked for this request
 * (bit i for server i; begin with 0): the chosen one is added. False when all
 * were tried. *url is valid as long as the origin.
 */
bool origin_pick(struct origin *origin, uint64_t now_ns, uint64_t *tried,
                 size_t *index, struct span *url);
/* What came of it. `ok` is true when the server answered at all, whatever the
 * status; one who gave up early reports nothing. */
void origin_report(struct origin *origin, size_t index, bool ok,
                   uint64_t now_ns);

/* Of revalidations that can wait (fetch/pace.h). Valid as long as the origin.
 */
struct pace *origin_pace(struct origin *origin);

/* True when some server is not left alone. */
bool origin_healthy(const struct origin *origin, uint64_t now_ns);
void origin_status(const struct origin *origin, size_t index, uint64_t now_ns,
                   struct origin_status *status);

#endif
