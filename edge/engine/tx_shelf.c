/*
 * What is not in memory may be on disk. A record whose pages are in memory is
 * read at once; others by the pool, once for all who wait on this worker. Then
 * it is an object in memory like any other, and the verdict is made anew.
 */
#include <stdlib.h>

#include "base/blob.h"
#include "base/counter.h"
#include "base/loop.h"
#include "base/mem.h"
#include "shelf_internal.h"
#include "store/store.h"
#include "tx_internal.h"

/* More than this is the pool's, warm or not. */
#define NOW_MAX ((uint64_t)128 * 1024)
/* How often one request waits for what others read. */
#define FOLLOWS_MAX 3
/* Of the pool's threads, those of all workers together: the journal, the outbox
 * and the bookmark are written there, too. */
#define READS_MAX 12

/* One that the pool reads. It belongs to its worker. */
struct shelf_job {
    struct list_link link; /* in worker->shelf_jobs */
    struct worker *worker;
    struct work *work; /* NULL: its turn has not come */
    struct key key;
    char *text;
    bool begun;                 /* its turn has come */
    struct pack *request;       /* that of who was first, for Vary */
    struct disk_record *record; /* once it was found; NULL: not yet */
    size_t reserved;            /* of the store's budget, for its body */
    uint32_t changes; /* of the key's bucket, before it was looked up (H2) */
    struct shelf_found found;
    enum err err;
    struct list_link waiters; /* tx->shelf.link */
};

static struct shelf *
shelf_of(const struct worker *worker)
{
    return worker->engine->parts.shelf;
}

/* ---- into memory ---- */

/* H2: what was read before a change is not what there is after it. */
static bool
unchanged(struct shelf *shelf, const struct key *key, uint32_t changes)
{
    struct shelf_bucket *bucket = shelf_bucket(shelf, key);

    return atomic_load(&bucket->changes) == changes &&
           atomic_load(&bucket->pending) == 0;
}

/* The object, with a reference, and in the store if there is room: NULL when
 * it is of no use. */
static struct object *
promote(struct worker *worker, const struct key *key,
        const struct shelf_found *found, uint32_t changes, size_t reserved)
{
    struct shelf *shelf = shelf_of(worker);
    struct store *store = worker->engine->parts.store;
    struct object *object = shelf_object(shelf, key, found);

    if (object == NULL) {
        store_release(store, reserved);
        return NULL;
    }
    struct object *stored = object_ref(object);

    /* One that is in no store is nobody's to replace. */
    if (!store_insert(store, &stored, reserved))
        atomic_store(&object->dead, true);
    /* First in, then looked: whoever changes it meanwhile either finds it
     * there, or is found here. */
    if (unchanged(shelf, key, changes))
        return object;
    store_remove(store, object);
    object_unref(&object);
    return NULL;
}

/* Where there was no room for it, this request is answered from it. */
static void
take(struct tx *tx, struct object *object)
{
    tx->shelf.serial = object->serial;
    object_unref(&tx->shelf.object);
    if (!object_alive(object) && vary_match(object->vary, tx->request->fields))
        tx->shelf.object = object_ref(object);
}

static void
count_miss(enum err err)
{
    counter_add(err == ERR_IO ? COUNTER_DISK_ERROR : COUNTER_DISK_MISS, 1);
}

/* ---- the pool: first what it is, then, when there is room, its body ---- */

static void
run_find(void *arg)
{
    struct shelf_job *job = arg;

    job->err = shelf_find(shelf_of(job->worker), &job->key,
                          pack_fields(job->request), DISK_WAIT, &job->record);
}

static void
run_read(void *arg)
{
    struct shelf_job *job = arg;

    job->err = shelf_read(job->record, DISK_WAIT, &job->found);
}

static void
job_free(struct shelf_job *job)
{
    list_remove(&job->link);
    disk_record_unref(&job->record);
    shelf_found_fini(&job->found);
    pack_unref(&job->request);
    free(job->text);
    free(job);
}

static void start_next(struct worker *worker);

static void
job_over(struct shelf_job *job)
{
    struct object *object = NULL;

    job->worker->shelf_reads--;
    start_next(job->worker);
    if (job->err == ERR_OK)
        object = promote(job->worker, &job->key, &job->found, job->changes,
                         job->reserved);
    else
        count_miss(job->err);
    if (job->err != ERR_OK)
        store_release(job->worker->engine->parts.store, job->reserved);
    /* Out of the list first: who finds nothing may want to read again. */
    list_remove(&job->link);
    list_init(&job->link);
    while (!list_empty(&job->waiters)) {
        struct tx *tx = list_first(&job->waiters, struct tx, shelf.link);

        TAG_CHECK(tx, TX_TAG);
        list_remove(&tx->shelf.link);
        tx->waits = TX_WAITS_NOT;
        if (object != NULL)
            take(tx, object);
        tx_decide(tx);
    }
    object_unref(&object);
    job_free(job);
}

static void
on_read(void *arg)
{
    struct shelf_job *job = arg;

    job->work = NULL;
    job_over(job);
}

/* Small ones need no room taken for them before: they are as many as there are
 * reads. */
static bool
take_room(struct shelf_job *job)
{
    struct worker *worker = job->worker;
    uint64_t length = disk_record_length(job->record);

    if (length > worker->use->snapshot->conf->max_object_bytes)
        return false;
    if (length <= NOW_MAX)
        return true;
    if (!store_reserve(worker->engine->parts.store, (size_t)length))
        return false;
    job->reserved = (size_t)length;
    return true;
}

static void
on_found(void *arg)
{
    struct shelf_job *job = arg;
    struct worker *worker = job->worker;

    job->work = NULL;
    if (job->err == ERR_OK && !take_room(job))
        job->err = ERR_LIMIT;
    if (job->err != ERR_OK) {
        job_over(job);
        return;
    }
    job->work = work_start(worker->loop, run_read, on_read, job);
}

static size_t
reads_max(const struct worker *worker)
{
    size_t share = READS_MAX / (size_t)worker->use->snapshot->conf->workers;

    return share > 0 ? share : 1;
}

/* Those whose turn it is, but not for nobody. */
static void
start_next(struct worker *worker)
{
    struct shelf_job *job;
    struct shelf_job *next;

    list_for_each_safe (job, next, &worker->shelf_jobs, link) {
        if (worker->shelf_reads >= reads_max(worker))
            return;
        if (job->begun)
            continue;
        if (list_empty(&job->waiters)) {
            job_free(job);
            continue;
        }
        job->begun = true;
        worker->shelf_reads++;
        job->work = work_start(worker->loop, run_find, on_found, job);
    }
}

static struct shelf_job *
job_find(struct worker *worker, const struct key *key)
{
    struct shelf_job *job;

    list_for_each (job, &worker->shelf_jobs, link) {
        if (hash_eq(job->key.hash, key->hash) &&
            span_eq(job->key.text, key->text))
            return job;
    }
    return NULL;
}

static struct shelf_job *
job_start(struct tx *tx, const struct key *key, uint32_t changes)
{
    struct shelf_job *job = mem_zalloc(sizeof(*job));
    struct worker *worker = tx->worker;

    job->worker = worker;
    job->text = mem_strndup(key->text.ptr, key->text.len);
    CHECK(key_parse((struct span){job->text, key->text.len}, &job->key));
    job->request = pack_new(tx->request->fields);
    job->changes = changes;
    list_init(&job->waiters);
    list_push_back(&worker->shelf_jobs, &job->link);
    return job;
}

void
tx_shelf_end(struct worker *worker)
{
    struct shelf_job *job;
    struct shelf_job *next;

    list_for_each_safe (job, next, &worker->shelf_jobs, link) {
        CHECK(list_empty(&job->waiters));
        if (job->work != NULL)
            work_finish(&job->work, true);
        store_release(worker->engine->parts.store, job->reserved);
        job_free(job);
    }
}

/* ---- looking ---- */

static void
wait_for(struct tx *tx, struct shelf_job *job)
{
    list_push_back(&job->waiters, &tx->shelf.link);
    tx->waits = TX_WAITS_SHELF;
}

enum look {
    LOOK_NOTHING, /* here: on to the next key */
    LOOK_FOUND,   /* it is in memory now */
    LOOK_WAITS
};

static enum look
look(struct tx *tx, const struct key *key)
{
    struct shelf *shelf = shelf_of(tx->worker);
    struct shelf_job *job = job_find(tx->worker, key);
    struct shelf_found found;

    if (job != NULL && tx->shelf.follows++ < FOLLOWS_MAX) {
        wait_for(tx, job);
        return LOOK_WAITS;
    }
    uint32_t changes = atomic_load(&shelf_bucket(shelf, key)->changes);

    if (job != NULL || !shelf_may_have(shelf, key) ||
        !unchanged(shelf, key, changes))
        return LOOK_NOTHING;
    tx->shelf.stage++;
    enum err err =
        shelf_read_now(shelf, key, tx->request->fields, NOW_MAX, &found);

    if (err == ERR_AGAIN) {
        wait_for(tx, job_start(tx, key, changes));
        start_next(tx->worker);
        return LOOK_WAITS;
    }
    if (err != ERR_OK) {
        count_miss(err);
        return LOOK_NOTHING;
    }
    struct object *object = promote(tx->worker, key, &found, changes, 0);

    shelf_found_fini(&found);
    if (object == NULL)
        return LOOK_NOTHING;
    take(tx, object);
    object_unref(&object);
    return LOOK_FOUND;
}

static bool
wanted(const struct tx *tx)
{
    return tx->object == NULL && tx->ask.readable && !tx->ask.origin_only &&
           !tx->policy->plan.pass && !tx->found.uncacheable;
}

bool
tx_shelf(struct tx *tx)
{
    if (shelf_of(tx->worker) == NULL || !wanted(tx))
        return false;
    while (tx->shelf.stage < 2) {
        /* First under the search key, where there is one. */
        bool second = tx->shelf.stage == 1;
        unsigned stage = tx->shelf.stage;

        if (second && tx->key.text.ptr == tx->plain.text.ptr)
            break;
        switch (look(tx, second ? &tx->plain : &tx->key)) {
        case LOOK_WAITS:
            return true;
        case LOOK_FOUND:
            tx_find(tx);
            return false;
        case LOOK_NOTHING:
            tx->shelf.stage = stage + 1;
            break;
        }
    }
    tx->shelf.stage = 2;
    return false;
}

void
tx_shelf_forget(struct tx *tx)
{
    if (tx->waits == TX_WAITS_SHELF)
        list_remove(&tx->shelf.link);
    object_unref(&tx->shelf.object);
}
