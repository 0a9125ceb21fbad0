/*
 * Who belongs to the cluster: what the sites' node tables and the
 * configuration say, put together. Pure: time is an argument.
 *
 * Each node writes one row into the node table of every site that it can
 * reach, and reads all rows there. A row counts until its heartbeat is
 * MEMBERSHIP_TTL_MS old. A site that could not be read for that long is away:
 * its rows stay as they were. A member is
 *
 * - present when a site that is not away has a row of it, or it is static;
 * - orphaned when only sites that are away have: nobody knows, and the owner
 *   keeps it while it answers probes;
 * - gone otherwise.
 *
 * A Redis that lost its table takes nobody away: rows that it no longer lists
 * stay for MEMBERSHIP_TTL_MS, in which their nodes write them anew.
 *
 * Rows are keyed by node id and incarnation, a random number of each start:
 * of two incarnations the one with the younger heartbeat counts. One thread.
 */
#ifndef CLUSTER_MEMBERSHIP_H
#define CLUSTER_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define MEMBERSHIP_TTL_MS 5000
#define MEMBERSHIP_ID_SIZE 64
#define MEMBERSHIP_SITE_SIZE 64
#define MEMBERSHIP_URL_SIZE 280        /* "http://" host ":" port */
#define MEMBERSHIP_INCARNATION_SIZE 33 /* 32 hex digits */
#define MEMBERSHIP_MAX 1024            /* members; more are left out */

/* A node as it describes itself. The incarnation of a static one is empty. */
struct membership_node {
    char id[MEMBERSHIP_ID_SIZE];
    char site[MEMBERSHIP_SITE_SIZE];
    char url[MEMBERSHIP_URL_SIZE]; /* "http://host:port", no slash at the end */
    char incarnation[MEMBERSHIP_INCARNATION_SIZE];
};

/* Adds a row's key, "ID/INCARNATION", and its payload, "v=1 site=S url=U". */
void membership_print(const struct membership_node *node, struct buf *key,
                      struct buf *payload);
/* Reads a row. False, and *node untouched, when any of it is not exactly as
 * membership_print writes it. */
bool membership_parse(struct span key, struct span payload,
                      struct membership_node *node);
/* Whether a URL may be a node's: "http://" host [":" port], and that is all;
 * the host a name, an IPv4 or a bracketed IPv6 address; at most
 * MEMBERSHIP_URL_SIZE - 1 bytes. */
bool membership_url_valid(struct span url);

struct membership;

/* A node of `own`'s id never becomes a member. Copied. Sites are numbered from
 * 0 to site_count - 1 by the caller. */
struct membership *membership_new(const struct membership_node *own,
                                  size_t site_count);
void membership_free(struct membership **membership);

/* A row as read from a site's table. Borrowed. */
struct membership_row {
    struct span key;
    struct span payload;
    uint64_t age_ms; /* of its heartbeat */
};

struct membership_reading {
    size_t foreign; /* rows that are no node's: left out */
    bool twin; /* another node has our id, and its heartbeat is younger than
                * half of MEMBERSHIP_TTL_MS. Right after a restart that is this
                * node's own past. */
};

/* A site's whole table was read. */
struct membership_reading membership_read(struct membership *membership,
                                          size_t site,
                                          const struct membership_row *rows,
                                          size_t count, uint64_t now_ms);
/* A site could not be read, or did not answer yet. */
void membership_unread(struct membership *membership, size_t site,
                       uint64_t now_ms);
/* Replaces the static members. Rows of the same id take precedence. */
void membership_set_static(struct membership *membership,
                           const struct membership_node *nodes, size_t count);
/* Forgets an orphan, until a site lists it again. */
void membership_forget(struct membership *membership, const char *id);

struct membership_member {
    struct membership_node node;
    bool is_static; /* in no table */
    bool orphaned;
};

/* All members, ordered by id. Valid until the next call but this. */
const struct membership_member *membership_list(struct membership *membership,
                                                size_t *count);

#endif
