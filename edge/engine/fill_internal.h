/*
 * A fill: one exchange with an upstream, an origin or peers, whose response
 * goes to those who wait for it and, where that is right, into the store.
 *
 * It belongs to the worker that began it, not to a client: it goes on when its
 * first client leaves, as long as somebody waits or it is worth storing. Those
 * who wait may be on other workers. They hold a reference to the flight, wait
 * for its state to reach FLIGHT_HEAD or FLIGHT_ENDED, and then read what the
 * owner wrote before; nothing of that changes afterwards. The body is a blob
 * of its own, read by blob readers.
 *
 *   made --fill_start--> asking --head--> body --done--> over
 *            (strict ones may be held back by the flight table first)
 *
 * Invariants (fill_check runs the first three):
 *  L1 `position` and `sent_ns` are read before the request is sent, and are
 *     never moved later: a retry keeps those of the first sending;
 *  L2 `outcome` changes once, before the flight is published or ended;
 *  L3 what is stored was whole: its blob ended with ERR_OK and never slid;
 *  L4 only the exact object whose validator was sent is made new by a 304;
 *  L5 a response that is not shareable is read by the client that led it, and
 *     by nobody else.
 */
#ifndef FILL_INTERNAL_H
#define FILL_INTERNAL_H

#include "cluster/inval.h"
#include "cluster/peers.h"
#include "cluster/tag_set.h"
#include "engine_internal.h"
#include "fetch/fetch.h"
#include "http/target.h"
#include "store/object.h"

/* Peers asked one after the other; and as a last resort. */
#define FILL_PEERS_MAX 3
#define FILL_PEERS_LAST 16
/* What a body that is not kept may hold at a time. */
#define FILL_WINDOW (512 * 1024)
/* The most tags and groups of one response: those of 64 KiB, and old ones that
 * it has kept through validations. */
#define FILL_TAGS_MAX ((size_t)65536)
/* A response head that goes to clients: libmicrohttpd keeps it, with the
 * request's, in a pool of bounded size. Tags are not in it. */
#define FILL_HEAD_MAX ((size_t)16 * 1024)
/* How long a key counts as uncacheable after an answer that was. */
#define FILL_UNCACHEABLE_MS 10000

enum fill_outcome {
    FILL_PENDING,
    FILL_RESPONSE, /* a response: status, fields, body */
    FILL_UPDATED,  /* a 304 made the stored copy new: `object` */
    FILL_NO_PEER,  /* no peer had a valid copy */
    FILL_FAILED    /* no response: why, proxy_error, detail */
};

/* What the client that leads a fill wants to hear, on the same worker. */
struct fill_client {
    void (*interim)(void *client, unsigned status, const struct fields *fields);
    /* The request's body has been taken in part: there is room again. */
    void (*room)(void *client);
    void *client;
};

/* Whether its own invalidation must be out before it may be stored. */
enum fill_word {
    FILL_WORD_NONE,    /* it has none */
    FILL_WORD_AWAITED, /* it has: fill_word will say */
    FILL_WORD_GIVEN
};

/* What to ask, of whom. Spans are copied by fill_new. */
struct fill_spec {
    struct worker *worker;
    struct snapshot *snapshot; /* a reference is taken */
    const struct policy *policy;
    /* By which the answer is stored; NULL: the same. That of a GET, when this
     * is another method. */
    const struct policy *rules;
    const struct key *key;
    const struct key *plain; /* of the URL itself; NULL: the same */
    const struct target *target;
    struct span method;
    const struct fields *request;  /* the client's, as received */
    const struct fields *upstream; /* what to send, without validators */
    struct object *base;           /* to be validated; NULL: none */
    struct object *prefix; /* a part that begins the whole, of which only the
                            * rest is asked for; NULL: none */
    bool ranged;           /* `upstream` has a Range, and the part that is the
                            * answer may be stored and shared */
    const struct peer_choice *peers; /* ask these, in this order, instead of
                                      * the origin */
    size_t peer_count;
    bool peer_stale; /* a stale copy will do */
    bool strict;     /* ask with no-cache, in a batch of its own */
    bool cp;         /* and trust only strong validators, and no answer that
                      * has spent time in a cache (an Age over 0) */
    bool shared;     /* it is in the flight table */
    bool store;      /* keep the response if the rules allow */
    bool purges;     /* a POST: to be stored after its own invalidation */
    bool updates;    /* a HEAD, whose answer is about what is stored too */
    bool keyed;      /* ask for what the key says, not for the raw target: what
                      * is no part of the key must not shape what is stored */
    bool has_body;
    int64_t body_len;
    /* Going on with a body that was left behind: see tx_resume. */
    uint64_t resume_at;
    struct span resume_etag; /* empty: not resuming */
};

struct fill {
    TAG_FIELD;
    struct flight flight;
    struct list_link link; /* in worker->fills until it is over */
    struct worker *worker;
    struct snapshot *snapshot;
    const struct policy *policy;
    const struct policy *rules;
    struct watcher *nudge;    /* something about it has changed: look */
    struct fill_client *lead; /* NULL: none, or it has left */

    /* the question */
    struct key key;
    char *key_text;
    struct key plain; /* of the URL itself: that is what is asked for */
    char *plain_text; /* NULL: it is the same */
    char *method;
    char *target;          /* path and query, raw */
    struct pack *request;  /* the client's, for Vary */
    struct pack *upstream; /* what is sent */
    struct object *base;
    struct object
        *prefix; /* that the answer is the rest of, once it is there */
    struct peer_choice *peers;
    size_t peer_count;
    bool peer_stale, strict, cp, shared, store, updates, has_body, safe,
        resuming, ranged;
    int64_t body_len;
    uint64_t resume_at;
    char *resume_etag;

    /* the exchange */
    struct fetch *fetch;
    struct fill_preface *preface; /* of a peer's answer: tags before the body
                                   * that are to come; NULL: none */
    struct timer *patience;       /* with a home node; NULL: none was asked */
    size_t peer_next;
    uint64_t tried; /* servers of the origin group */
    size_t server;  /* the one being asked */
    unsigned attempts;
    uint64_t position;   /* L1 */
    uint64_t sent_ns;    /* L1; 0: not sent */
    uint64_t attempt_ns; /* when this attempt was sent */
    bool paused;
    size_t discarded;   /* bytes of a body that nobody wants */
    size_t reserved;    /* bytes of the store's budget */
    _Atomic bool keeps; /* the body is kept, to be stored */
    enum fill_word word;
    bool never_sent;     /* no server could be connected to */
    struct object *kept; /* what it became in the store: held as long as the
                          * fill is read, so that its bytes stay charged */
    struct fill_upload *upload;

    /* the answer: written by the owner before it is published (L2) */
    enum fill_outcome outcome;
    unsigned status;
    struct pack *fields;        /* for the client that led */
    struct pack *stored_fields; /* for all others, and the store */
    struct pack *tag_fields;    /* Surrogate-Key and Cache-Tag, which are in
                                 * neither; NULL: none */
    struct tag_set tags;        /* of these and of its groups */
    size_t tag_bytes;           /* of all their values */
    bool tags_refused;          /* they are too many, or missing */
    int64_t length;             /* of the body; -1 unknown */
    bool no_body;
    bool is_part;        /* `body` is one, of a 206 that may be stored */
    bool shareable;      /* L5 */
    bool is_private;     /* the response forbids sharing, to anybody */
    const char *why_not; /* it was to be stored, and is not: why, as in
                          * caching.why_not; else NULL */
    bool from_peer;
    bool peer_is_stale; /* the peer said so */
    struct caching caching;
    struct key stored; /* where it is kept: by what the response says */
    struct buf stored_text;
    struct vary *vary;
    uint64_t answer_position; /* of the copy: ours, or the peer's */
    uint64_t received_ns;
    struct blob *body;
    struct object *object;  /* FILL_UPDATED */
    char upstream_name[96]; /* "origin web", "peer tokyo-1" */
    enum err error;
    const char *proxy_error; /* static */
    char detail[200];
};

/* For FLIGHT tables: of the flight inside. */
struct fill *fill_of(struct flight *flight);

/* Makes a fill with one reference, the owner's. It is not started. */
struct fill *fill_new(const struct fill_spec *spec);
/* Starts it, or lets it wait for its turn when it is strict. On the owner's
 * thread, once. No callback comes from inside. */
void fill_start(struct fill *fill);
/* Instead of that: it is not needed. Who has joined it meanwhile is sent to
 * look again. */
void fill_forgo(struct fill *fill);
/* The client that leads: interim responses and room. It must take itself out
 * (NULL) before it goes. */
void fill_lead(struct fill *fill, struct fill_client *lead);
/* For FILL_WORD_AWAITED, on the owner's thread, once or more: its invalidation
 * is out, and it may be stored under this position; 0: it is not to be stored.
 * The first word counts. The fill may be over on return. */
void fill_word(struct fill *fill, uint64_t position);
/* Gives up a reference, on any thread, and lets the owner see whether anybody
 * is left. */
void fill_leave(struct fill **fill);

/* The request's body, on the owner's thread: as tx_upload in engine/tx.h. */
enum err fill_upload(struct fill *fill, const void *data, size_t len,
                     size_t *taken);
void fill_upload_end(struct fill *fill);

/* Ends every fill of a worker that is going. */
void fill_give_up_all(struct worker *worker);

/* ---- between the fill's own modules ---- */

#define FILL_TAG UINT32_C(0xf111f111)

/* Ends it; the fill may be gone on return. */
void fill_over(struct fill *fill);
/* Writes the outcome and lets it be seen. */
void fill_publish(struct fill *fill, enum fill_outcome outcome);
void fill_fail(struct fill *fill, enum err err, const char *proxy_error,
               const char *detail);
/* The head of a response, from an origin or a peer: what it is worth. */
void fill_judge(struct fill *fill, const struct fetch_head *head);
/* What may be done with a response of these fields to this request. */
void fill_caching(struct fill *fill, unsigned status,
                  const struct fields *fields, struct caching *caching);
/* What the response says that it was chosen by. */
struct vary *fill_vary(const struct fill *fill, const struct fields *fields);
/* Whether it is the response that forbids storing, and not this request (its
 * Authorization, its no-store): one client must not keep a key from being
 * cached for all others. */
bool fill_private_to_all(const struct fill *fill);
/* Lets joiners have the response, or lets them go: nobody is kept waiting for
 * nothing. */
void fill_settle_sharing(struct fill *fill);
/* Not more than FILL_HEAD_MAX; one that a 304 adds to may grow beyond. */
bool fill_head_fits(const struct fields *fields);
/* The response is of no use: asks anew, for all of it. */
void fill_ask_whole(struct fill *fill);
/* Takes room for a body of this length; false: there is none. */
bool fill_reserve_whole(struct fill *fill, uint64_t length);
/* A 304 to the validators of the base: publishes the updated object, or asks
 * again for the whole. */
void fill_judge_not_modified(struct fill *fill, const struct fields *fields);
/* A 200 to a HEAD, for what is stored of GET; `length` is its Content-Length,
 * or -1. */
void fill_judge_head(struct fill *fill, const struct fields *fields,
                     int64_t length);
/* Which queries the response is for, by its fields: sets fill->stored. */
void fill_search_key(struct fill *fill, const struct fields *fields);
/* What is stored, before this response, for the request that led it. */
struct object *fill_search_find(const struct fill *fill);
void fill_search_fini(struct fill *fill);
/* Whether what is stored as `base` is for other queries now. */
bool fill_search_moved(const struct fill *fill, const struct object *base);
/* Whether what is, or would be, stored under a key of this fill answers a
 * request of this plain key. */
bool fill_search_answers(const struct fill *fill, const struct key *stored,
                         const struct key *plain);

/* ---- parts (fill_part.c) ---- */

/* Whether a 206 was asked for. */
bool fill_asked_part(const struct fill *fill);
/* Sets is_part. */
void fill_part_judge(struct fill *fill, const struct fetch_head *head,
                     const struct fields *fields);
/* The status by which a response is judged: a part as the whole would be. */
unsigned fill_status_kept(const struct fill *fill, unsigned status);
/* What part it is, now that all of it is there. False: of none. */
bool fill_part_of(const struct fill *fill, struct range_part *part);
/* The fields of a part, less what makes it one. */
struct pack *fill_fields_of_whole(const struct fields *fields);
/* Adds what asks for the rest behind the prefix; `range` holds a value. */
void fill_prefix_fields(struct fill *fill, struct fields *fields,
                        struct buf *range);
/* A 206 that is the rest, of what may be stored: gives the fields of the whole
 * (borrowed), takes room for it, and the facts of the prefix. False: it is of
 * no use. */
bool fill_prefix_judge(struct fill *fill, const struct fetch_head *head,
                       const struct fields *fields, struct fields *whole);
/* Puts the bytes of the prefix into the body. */
enum err fill_prefix_put(struct fill *fill);
/* The part is stored: when there are all, makes the whole of them. */
void fill_assemble(struct fill *fill, struct object *part);

/* The whole body is there: into the store with it. */
void fill_keep(struct fill *fill);
/* The body is over, whole or not. When it broke off, clients saw the head of a
 * good response: only the logs can tell them from those who left. */
void fill_end_body(struct fill *fill, const struct fetch_result *result);
/* Whether to store it, an error of a server, would take the place of a copy
 * that may be used while the error lasts (RFC 5861 section 4). */
bool fill_would_hide(const struct fill *fill);
/* What an invalidation would match of this response. */
struct inval_subject fill_subject(const struct fill *fill);
/* Takes the tag fields out of a response's, into the fill. */
void fill_tags_take(struct fill *fill, struct fields *fields);
/* After a 304 or a HEAD: `fields` are those of the stored object `base`, as it
 * changes them. The object keeps its old tags beside the new ones. */
void fill_tags_update(struct fill *fill, const struct object *base,
                      const struct fields *fields);
/* Why a response with these tags is not stored, as fill->caching.why_not, or
 * NULL; it is logged. */
const char *fill_tags_refusal(struct fill *fill);
void fill_tags_free(struct fill *fill);
/* A peer's answer whose tags come before its body is judged when they are
 * there. True: this one is such, and waits, or is of no use. */
bool fill_preface_begin(struct fill *fill, const struct fetch_head *head);
/* Takes them off the front of the body. False: that was all of it. */
bool fill_preface_take(struct fill *fill, const void **data, size_t *len);
void fill_preface_free(struct fill *fill);
/* No more of the body is kept than a window. */
void fill_slide(struct fill *fill);

/* The moment that decides what the answer may be used for (L1): the position
 * is read, then the batch is closed, then the request goes out. */
void fill_send(struct fill *fill);
/* Whom it asks, as the logs name it: "origin web", "peer tokyo-1". */
void fill_name_upstream(struct fill *fill, struct span kind, const char *name);
/* Asks a server of the origin group that was not tried yet. */
void fill_ask_again(struct fill *fill);
const struct fetch_ops *fill_fetch_ops(void);
/* Asks the next peer; false when there is none. */
bool fill_ask_peer(struct fill *fill);
/* The peer that is being asked is taken for dead: asks the next one. The fill
 * may be gone on return. */
void fill_peer_lost(struct fill *fill);
/* The answer of a peer: false when it has no copy that counts here. */
bool fill_judge_peer(struct fill *fill, const struct fetch_head *head);

#endif
