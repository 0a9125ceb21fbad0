/*
 * Session tokens: what a client has seen, so that it never goes back. A token
 * holds the position of the node that answered, the Date of the newest
 * response read and what that was, and whether a write of the session is not
 * published yet; it is signed, so that nobody makes us wait for what does not
 * exist.
 *
 *   1.POSITION.DATE.READ.FLAGS.MAC
 *
 * with POSITION as in position.h, DATE in seconds since 1970, READ in 16 hex
 * digits, FLAGS "k" or "-", and MAC the first 32 hex digits of HMAC-SHA-256
 * over what is before it. A value type; pure functions.
 */
#ifndef CLUSTER_SESSION_H
#define CLUSTER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "cluster/position.h"

#define SESSION_FIELD "Atlas-Session"

struct session {
    struct position position;
    int64_t date_s; /* 0: none was read */
    uint64_t read;  /* names the response that had this Date, since others may
                     * have it, too; 0: nothing does */
    bool kept;      /* a write of it is in an outbox: nothing stored is sure */
};

/* Adds the token. */
void session_write(const struct session *session, struct span key,
                   struct buf *out);
/* False, and *session empty, for anything that session_write with this key
 * did not write. */
bool session_parse(struct span text, struct span key, struct session *session);
/* Takes in what else was seen: of each site the further position, where both
 * are of one history, else the other's. */
void session_merge(struct session *session, const struct position *position);
/* And a response that was read. */
void session_read(struct session *session, int64_t date_s, uint64_t read);
/* Whether a response is older than what was read, or may be. */
bool session_behind(const struct session *session, int64_t date_s,
                    uint64_t read);

#endif
