/*
 * One request inside the engine. Its steps, in the order they come:
 *
 *   tx_start   the target, the route, who asks
 *   tx_decide  what is stored, and the verdict (plan.h)
 *   then by verdict: tx_deliver_object, tx_forward, tx_fail; a forwarded one
 *   tx_on_fill what came of it: deliver it, or back to tx_decide
 *   tx_write_begin  before an unsafe method: what it will invalidate is on disk
 *   tx_settle  after an unsafe method: its invalidation is out first
 *   tx_read    the body goes out
 *   tx_end     the access log; all is given back
 *
 * A transaction that waits holds references to what it keeps (object, fill);
 * one that is answered at once holds none but the front's.
 */
#ifndef TX_INTERNAL_H
#define TX_INTERNAL_H

#include "base/buf.h"
#include "cluster/auth.h"
#include "cluster/purge.h"
#include "engine/tx.h"
#include "engine_internal.h"
#include "fill_internal.h"
#include "http/cache_control.h"
#include "http/cache_status.h"
#include "http/proxy_status.h"
#include "http/range.h"
#include "http/target.h"

#define TX_TAG UINT32_C(0x7a117a11)

/* What Allow says of every route. */
#define TX_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"

/* The level that a request asks for, or an answer meets. */
#define TX_LEVEL_FIELD "Atlas-Consistency"

struct tx_purge_wait;
struct tx_session;
struct tx_ranges;
struct tx_preface;

struct tx {
    TAG_FIELD;
    struct tx *next; /* in the worker's pool, when it is free */
    struct worker *worker;
    const struct tx_request *request;
    const struct tx_ops *ops;
    void *client;
    struct snapshot_use *use;
    const struct policy *policy; /* NULL: no route */

    struct target target;
    struct key key;      /* where its answer is looked for, and filled */
    struct key plain;    /* of the URL itself; mostly the same */
    struct buf key_text; /* these hold them; kept with the pool */
    struct buf search_text;
    struct cache_control cc;
    uint64_t now_ns; /* when the latest verdict was made */

    unsigned needs;             /* enum plan_needs: the route's and its own */
    uint64_t confirmed_ns;      /* of the leases, when they were looked at */
    struct tx_session *session; /* NULL: none is kept */

    struct plan_request ask;
    struct plan_found found;
    struct plan_tried tried;
    struct plan plan;
    bool other_variants;
    /* See tx_part.c. */
    struct {
        bool usable;   /* parts may be */
        bool asked;    /* for one range: `spec` */
        bool forwards; /* nothing is stored whole: the origin is asked for it */
        bool beside;   /* some part is stored, which does not answer alone */
        struct range_spec spec;
    } part;
    unsigned relooks; /* verdicts given up, since another fill came first */
    unsigned rejoins; /* of fills that an invalidation overtook */

    struct object *object; /* borrowed, until `object_held` */
    bool object_held;

    struct fill *fill; /* a reference */
    bool leads;        /* it was made for us */
    struct fill_client lead;
    struct flight_waiter waiter;
    struct watcher *watcher; /* made when first needed */
    enum tx_waits {
        TX_WAITS_NOT,
        TX_WAITS_FILL,    /* for the head of a response */
        TX_WAITS_BODY,    /* for more of a body */
        TX_WAITS_RESUME,  /* for the rest of a body, from the origin */
        TX_WAITS_PURGE,   /* for an invalidation */
        TX_WAITS_SESSION, /* for our position to cover the session's */
        TX_WAITS_INTENT,  /* for an intent to be on the disk */
        TX_WAITS_SHELF    /* for a record to be read from the disk */
    } waits;

    struct tx_preface *preface; /* goes out before the body; NULL: nothing */
    struct blob_reader *reader;
    struct tx_ranges *ranges; /* several ranges of it go out; NULL: not */
    struct object *reading;   /* held while its body is streamed: its bytes stay
                               * charged to the store's budget */
    uint64_t body_pos;        /* of the next byte, in the whole body */
    uint64_t body_left; /* of what is to be sent; UINT64_MAX: to the end */
    enum err broken;    /* why the body cannot be finished */

    struct {                   /* see tx_shelf.c */
        struct list_link link; /* while it waits */
        unsigned stage;        /* which key comes next; 2: none */
        unsigned follows;      /* waits for what others read */
        uint64_t serial;       /* of what was found; 0: nothing */
        struct object *object; /* that, if the store has no room for it; a
                                * reference */
    } shelf;

    struct tx_purge_wait *purging;
    struct tx_intending *intending; /* an intent is being written */
    uint64_t intent;                /* of ours, durable; 0: none */
    bool body_over;                 /* it was, while that was written */
    struct {                        /* see tx_post.c */
        bool stores;                /* its answer, when nothing comes between */
        unsigned urls; /* entries for its own URL; 0: not all were applied */
        struct inval_own own;
    } post;
    bool invalidates; /* an unsafe request was sent: others must hear of it */
    bool unacknowledged; /* not by all who are waited for */
    const char *hint; /* what lacks of its invalidation: "pending", "kept" (in
                       * the outbox), "local"; NULL: nothing */

    struct auth_claims claims; /* of a peer that asks */
    struct buf position;       /* ours, read before the lookup; for a peer */

    /* for the access log and Cache-Status */
    bool replied;
    uint64_t replied_ns;
    unsigned status;
    const char *cache; /* "hit", ...: static */
    char upstream[96];
    enum err error;
    const char *proxy_error; /* static */
    char detail[200];
    char note[200]; /* of Cache-Status: its detail */
};

void tx_pool_free(struct worker *worker);

/* Looks and decides, and does what was decided. */
void tx_decide(struct tx *tx);
/* What is stored for the request, into tx->object and tx->found. */
void tx_find(struct tx *tx);
/* Nothing was found in memory: looks on disk, and finds anew. True: it waits,
 * and tx_decide comes later. */
bool tx_shelf(struct tx *tx);
/* At the end of a transaction. */
void tx_shelf_forget(struct tx *tx);
/* When a worker goes: what is being read for it. */
void tx_shelf_end(struct worker *worker);
/* How it stands with the invalidations, as of now. */
enum validity tx_validity(struct tx *tx, struct object *object);
/* Keeps a borrowed object beyond this turn of the loop. */
void tx_hold_object(struct tx *tx);
void tx_drop_object(struct tx *tx);
struct watcher *tx_watcher(struct tx *tx);

/* ---- forwarding ---- */

/* By tx->plan: joins or leads a shared fill, or goes alone. */
void tx_forward(struct tx *tx);
/* Refreshes the stored object behind the client's back. */
void tx_refresh(struct tx *tx);
/* The rest of a body that went on without us. False: it cannot be had. */
bool tx_resume(struct tx *tx);
void tx_drop_fill(struct tx *tx);

/* ---- answers ---- */

void tx_deliver_object(struct tx *tx, struct object *object);
void tx_deliver_fill(struct tx *tx);
/* An error of our own, with Proxy-Status; the second with more fields. */
void tx_fail(struct tx *tx, unsigned status, const char *detail);
void tx_fail_with(struct tx *tx, unsigned status, const char *detail,
                  const struct fields *more);
/* For tx->plan PLAN_FAIL: the status by what was tried. */
void tx_fail_planned(struct tx *tx);
/* Any other answer of ours. `type` NULL: no body. Takes text as it is. */
void tx_answer(struct tx *tx, unsigned status, const char *type,
               struct span body, const struct fields *more);
/* Hands a reply to the front, with Cache-Status put in. */
void tx_reply(struct tx *tx, struct tx_reply *reply, struct fields *fields,
              const struct cache_status *cache_status);
/* The response's own fields, less what is for caches only (a peer is one). */
void tx_add_visible(const struct tx *tx, const struct fields *stored,
                    struct fields *out);
void tx_set_age(struct fields *fields, uint64_t age_s, struct buf *text);

/* ---- stored parts ---- */

/* What the request makes of parts; once. */
void tx_part_init(struct tx *tx);
/* Whether a range is nobody else's where nothing is stored. */
bool tx_part_passes(const struct tx *tx);
/* Nothing is stored whole: the part that answers, borrowed; or NULL. */
struct object *tx_part_find(struct tx *tx);
/* By which those find each other who may share an answer. */
struct hash128 tx_flight_key(const struct tx *tx);
/* What range the origin is asked for, by the plan; NULL: the whole. */
const struct range_spec *tx_part_range(const struct tx *tx);
/* A stored part that the whole can begin with, borrowed; or NULL. */
struct object *tx_part_prefix(struct tx *tx);
/* False for a part that the request's If-Range does not want. */
bool tx_part_answers(const struct tx *tx, unsigned status,
                     const struct fields *fields);

/* ---- parts of a body ---- */

/* What a Range asks for, of `length` bytes. */
enum range_result tx_range(const struct tx *tx, uint64_t length,
                           const struct fields *stored, struct range_set *set);
/* Make the reply, and the fields of the whole, those of a part: one range
 * (its bytes are the caller's); several, which tx_read then gives out of
 * `body` (kept by reference); none, a 416. New values are in `text`. */
void tx_range_one(struct tx_reply *reply, struct fields *fields,
                  struct range range, uint64_t length, struct buf *text);
void tx_range_many(struct tx *tx, struct tx_reply *reply, struct fields *fields,
                   const struct range_set *set, struct blob *body,
                   uint64_t length);
void tx_range_none(struct tx_reply *reply, struct fields *fields,
                   uint64_t length, struct buf *text);
/* tx_read, while tx->ranges. */
enum err tx_range_read(struct tx *tx, void *buffer, size_t max, size_t *len);
void tx_range_free(struct tx *tx);

/* ---- what an answer says about itself ---- */

enum cache_fwd tx_fwd(const struct tx *tx);
/* Of an answer from a stored object, of one from tx->fill, of one of our own
 * with this status. Their detail is in tx->note. */
struct cache_status
tx_status_of_object(struct tx *tx, const struct object *object, uint64_t age_s);
struct cache_status tx_status_of_fill(struct tx *tx);
struct cache_status tx_status_of_error(struct tx *tx, unsigned status);
/* Puts in Cache-Status, with this node's name, after those of others. `value`
 * holds the text. */
void tx_status_add(const struct tx *tx, const struct cache_status *status,
                   struct fields *fields, struct buf *value);
/* Puts in Proxy-Status, for an error of our own with this status. */
void tx_proxy_status_add(const struct tx *tx, unsigned status,
                         struct fields *fields, struct buf *value);
/* The same for a stale copy that stands in for what could not be had; else
 * nothing. */
void tx_proxy_status_stale(const struct tx *tx, struct fields *fields,
                           struct buf *value);
/* The error type of this name (RFC 9209 section 2.3). */
enum proxy_error tx_proxy_error(const char *name);

/* ---- Max-Forwards (RFC 9110 section 7.6.2) ---- */

/* True: the request goes no further, and was answered. */
bool tx_hops(struct tx *tx);
/* Of the fields that go upstream. `text` holds the new value. */
#define TX_HOPS_SIZE 8
void tx_hops_update(const struct tx *tx, struct fields *fields,
                    char text[TX_HOPS_SIZE]);

/* ---- tags ---- */

/* The tag fields of the response, for those who get them: other nodes, and
 * clients when the route says so, where the head has room. A node that finds
 * none there gets them before the body (tx_preface_...). False: neither is
 * possible, and the node must not get the response. */
bool tx_add_tags(struct tx *tx, unsigned status, const struct pack *tags,
                 struct fields *fields);
/* Bytes that go out before the body; 0: none. */
size_t tx_preface_len(const struct tx *tx);
/* Says so to the node, in the head. */
void tx_preface_field(const struct tx *tx, struct fields *fields);
/* The next bytes of it; 0: that was all. */
size_t tx_preface_read(struct tx *tx, void *buffer, size_t max);
void tx_preface_free(struct tx *tx);

/* ---- levels: tx_level.c ---- */

/* What it needs. False: it was answered. */
bool tx_level_ask(struct tx *tx);
/* How this node stands to that; before each lookup. */
void tx_level_look(struct tx *tx);
/* How the object that was found does. */
void tx_level_judge(struct tx *tx, const struct object *object);
/* Whether the answer to others, tx->fill, is recent enough. */
bool tx_level_joinable(const struct tx *tx);
/* Goes on with tx_decide when our position covers the session's, or at the end
 * of the route's patience. */
void tx_level_wait(struct tx *tx);
/* An invalidation of this session's. */
void tx_level_published(struct tx *tx, const struct purge_result *result);
unsigned tx_level_confirmed_s(const struct tx *tx);
/* Adds Atlas-Session, if one is kept. The value lives as long as tx. */
void tx_level_add_session(struct tx *tx, struct fields *fields);
/* Adds Atlas-Consistency and Atlas-Session; `text` holds the former. */
void tx_level_add(struct tx *tx, uint64_t validated_s, struct fields *fields,
                  struct buf *text);
void tx_level_free(struct tx *tx);

/* ---- peers and purges ---- */

/* The first verdict, once nothing stands in the way of forwarding. */
void tx_proceed(struct tx *tx);
/* A write is not forwarded when its invalidation could not be published, nor
 * before that is on the disk. True: it was answered, or tx_proceed comes
 * later. */
bool tx_write_begin(struct tx *tx);
/* At the end of a transaction: gives back an intent that nothing came of. */
void tx_write_end(struct tx *tx);
/* A request with an Atlas-Peer field. True: it was answered. */
bool tx_peer(struct tx *tx);
/* PURGE on the client side. */
void tx_purge(struct tx *tx);
/* Publishes what an unsafe request invalidates (RFC 9111 section 4.4) and then
 * goes on with tx_deliver_fill or tx_fail_planned. */
void tx_settle(struct tx *tx);
/* The client has left before it was settled. */
void tx_settle_alone(struct tx *tx);
void tx_purge_forget(struct tx *tx);
/* What an invalidation of this URL is, as the route that a GET of it takes
 * makes its key. True: of the URL itself; false: of what begins like it, since
 * no entry can hold it. The texts are the caller's to free. */
bool tx_purge_of(const struct tx *tx, const struct target *target, bool soft,
                 struct purge *purge);

/* ---- what a POST leaves for GET ---- */

/* Whether its answer may be stored, if it says so, under the key and by the
 * rules of a GET of its URL (NULL: no route takes that). */
bool tx_post_may_store(const struct tx *tx, const struct policy *get,
                       const struct key *key);
/* Around its invalidation: right before it is submitted, and when it has been
 * applied here as `own` entries for its URL (0: not all were). */
void tx_post_begin(struct tx *tx);
void tx_post_end(struct tx *tx, unsigned own);

#endif
