/*
 * Who belongs to the cluster: what the sites' node tables and the
 * configuration say, put together. Pure: time is an argument.
 *
 * Each node writes one row into the node table of every site that it can
 * reach, and reads all rows there. A row is listed while its heartbeat is
 * younger than MEMBERSHIP_TTL_MS. A member is
 *
 * - present while at least one site's latest reading lists it, or it is static;
 * - orphaned when no reading lists it, but a site that listed it last cannot
 *   be read now: nobody knows; the owner keeps it while it answers probes;
 * - gone otherwise.
 *
 * Node ids are unique; the incarnation tells a node that was restarted, or
 * moved, from itself before. One thread.
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

/* Adds a row's payload, "v=1 site=S url=U inc=I", without the id. */
void membership_print(const struct membership_node *node, struct buf *payload);
/* Reads one, of a row with this id. False, and *node untouched, when any of it
 * is not exactly as membership_print writes it. */
bool membership_parse(struct span id, struct span payload,
                      struct membership_node *node);
/* Whether a URL may be a node's: "http://" host [":" port], and that is all;
 * the host a name, an IPv4 or a bracketed IPv6 address; at most
 * MEMBERSHIP_URL_SIZE - 1 bytes. */
bool membership_url_valid(struct span url);

struct membership;

/* `own_id` never becomes a member. Both are copied. Sites are numbered from 0
 * to site_count - 1 by the caller. */
struct membership *membership_new(const char *own_id, size_t site_count);
void membership_free(struct membership **membership);

/* A row as read from a site's table. Borrowed. */
struct membership_row {
    struct span id;
    struct span payload;
    uint64_t age_ms; /* since its heartbeat, by one clock at that site */
};

/* Replaces what is known from one site by a reading of its whole table. Gives
 * how many rows were no nodes' (foreign or damaged: left out). */
size_t membership_read(struct membership *membership, size_t site,
                       const struct membership_row *rows, size_t count,
                       uint64_t now_ms);
/* A site could not be read. What it listed last stays as orphaned once
 * MEMBERSHIP_TTL_MS passed since the last good reading. */
void membership_unread(struct membership *membership, size_t site,
                       uint64_t now_ms);
/* Replaces the static members. A row of the same id takes precedence. */
void membership_set_static(struct membership *membership,
                           const struct membership_node *nodes, size_t count);
/* Forgets an orphan, until a site lists it again. */
void membership_forget(struct membership *membership, const char *id);

enum membership_state { MEMBERSHIP_PRESENT, MEMBERSHIP_ORPHANED };

/* Calls fn for each member, ordered by id. fn must not change `membership`. */
typedef void (*membership_fn)(void *arg, const struct membership_node *node,
                              enum membership_state state);
void membership_each(const struct membership *membership, membership_fn fn,
                     void *arg);

#endif
