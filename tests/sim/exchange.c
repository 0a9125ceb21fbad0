/* Requests to nodes: the front of the simulation (engine/tx.h). */
#include "node_internal.h"

#include <stdlib.h>

#include "base/mem.h"

struct exchange {
    struct list_link link;
    struct node *node;
    struct loop *loop;
    struct tx *tx;
    struct tx_request request;
    struct pack *fields;
    struct buf method, target, body;
    size_t uploaded;
    bool upload_over;
    exchange_fn fn; /* NULL: nobody wants it any more */
    void *arg;
    unsigned status;
    struct pack *answer_fields;
    struct buf answer_body;
    bool streams;
    bool broken;
    struct event *end;
};

static void
exchange_free(struct exchange *x)
{
    list_remove(&x->link);
    event_cancel(&x->end);
    if (x->tx != NULL) {
        struct tx_end end = {.complete = !x->broken && x->status != 0};

        sim_become(&x->node->machine);
        tx_end(&x->tx, &end);
    }
    pack_unref(&x->fields);
    if (x->answer_fields != NULL)
        pack_unref(&x->answer_fields);
    buf_fini(&x->method);
    buf_fini(&x->target);
    buf_fini(&x->body);
    buf_fini(&x->answer_body);
    free(x);
}

static void
on_end(void *arg)
{
    struct exchange *x = arg;
    static const struct fields none;
    struct exchange_answer answer = {
        .status = x->broken ? 0 : x->status,
        .fields =
            x->answer_fields != NULL ? pack_fields(x->answer_fields) : &none,
        .body = buf_span(&x->answer_body)};

    x->end = NULL;
    if (x->fn != NULL)
        x->fn(x->arg, &answer);
    exchange_free(x);
}

static void
over(struct exchange *x, bool broken)
{
    x->broken = broken;
    if (x->end == NULL)
        x->end = event_in(US, x->loop, on_end, x);
}

static void
read_body(struct exchange *x)
{
    char text[4096];
    size_t len;
    enum err err;

    while ((err = tx_read(x->tx, text, sizeof(text), &len)) == ERR_OK)
        buf_add(&x->answer_body, text, len);
    if (err != ERR_AGAIN)
        over(x, err != ERR_END);
}

static bool
on_reply_again(void *client, struct tx_identity identity)
{
    (void)client;
    (void)identity;
    return false;
}

static void
on_begin_reading(void *arg)
{
    struct exchange *x = arg;

    x->end = NULL;
    read_body(x);
}

static void
on_reply(void *client, const struct tx_reply *reply)
{
    struct exchange *x = client;

    x->status = reply->status;
    x->answer_fields = pack_new(reply->fields);
    if (reply->body == TX_BODY_FLAT) {
        buf_add_span(&x->answer_body, reply->flat);
        if (reply->release != NULL)
            reply->release(reply->owner);
    }
    x->streams = reply->body == TX_BODY_STREAM;
    if (!x->streams)
        over(x, false);
    else
        x->end = event_in(US, x->loop, on_begin_reading, x);
}

static void
on_interim(void *client, unsigned status, const struct fields *fields)
{
    (void)client;
    (void)status;
    (void)fields;
}

static void
on_readable(void *client)
{
    struct exchange *x = client;

    if (x->streams && x->end == NULL)
        read_body(x);
}

static void
upload(struct exchange *x)
{
    while (x->uploaded < x->body.len) {
        size_t taken = 0;
        enum err err = tx_upload(x->tx, x->body.data + x->uploaded,
                                 x->body.len - x->uploaded, &taken);

        if (err == ERR_END)
            return;
        x->uploaded += taken;
        if (err == ERR_AGAIN || taken == 0)
            return;
    }
    if (!x->upload_over)
        tx_upload_end(x->tx);
    x->upload_over = true;
}

static void
on_writable(void *client)
{
    struct exchange *x = client;

    if (x->tx != NULL && x->request.has_body && !x->upload_over)
        upload(x);
}

static const struct tx_ops ops = {on_reply_again, on_reply, on_interim,
                                  on_readable, on_writable};

static const struct sockaddr_storage nowhere;

struct exchange *
exchange_start(struct node *node, unsigned worker, struct span method,
               struct span target, const struct fields *fields,
               struct span body, exchange_fn fn, void *arg)
{
    struct exchange *x = mem_zalloc(sizeof(*x));

    x->node = node;
    x->loop = node->worker_loops[worker];
    x->fn = fn;
    x->arg = arg;
    buf_add_span(&x->method, method);
    buf_add_span(&x->target, target);
    buf_add_span(&x->body, body);
    x->fields = pack_new(fields);
    x->request = (struct tx_request){
        .method = buf_span(&x->method),
        .target = buf_span(&x->target),
        .fields = pack_fields(x->fields),
        .client = (const struct sockaddr *)(const void *)&nowhere,
        .minor = 1,
        .has_body = body.len > 0,
        .body_len = (int64_t)body.len,
        .arrived_ns = clock_boot_ns(),
    };
    list_push_back(&node->exchanges, &x->link);
    x->tx = tx_start(node->workers[worker], &x->request, &ops, x);
    if (x->request.has_body)
        upload(x);
    return x;
}

void
exchange_abort(struct exchange *exchange)
{
    exchange->fn = NULL;
    exchange_free(exchange);
}

void
exchanges_abort(struct node *node)
{
    struct exchange *x, *next;
    static const struct fields none;
    struct exchange_answer nothing = {.fields = &none};

    list_for_each_safe (x, next, &node->exchanges, link) {
        exchange_fn fn = x->fn;
        void *arg = x->arg;

        exchange_free(x);
        if (fn != NULL)
            fn(arg, &nothing);
    }
}
