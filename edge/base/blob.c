/*
 * Bytes sit in pieces, in a list. One mutex guards the list, the length, the
 * state and the readers. A reader copies outside the lock: it pins its piece,
 * and bytes below the length it saw are never written again.
 */
#include "base/blob.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/watcher.h"

/* What the allocator is asked for is a power of two, where it is up to us. */
#define PIECE_MIN (4096 - sizeof(struct piece))
#define PIECE_MAX (256 * 1024 - sizeof(struct piece))
#define PIECE_WHOLE (64 * 1024 * 1024) /* expected lengths up to this: one */
#define WINDOW_PIECES                                                          \
    8 /* a window is made of so many, since one is freed whole */

struct piece {
    struct piece *next;
    uint64_t start; /* the body's offset of bytes[0] */
    size_t cap;
    size_t len;            /* under the mutex */
    _Atomic unsigned pins; /* the list's, and readers' that copy now */
    char bytes[];
};

struct blob_reader {
    struct list_link link;
    struct blob *blob;
    struct watcher *watcher; /* may be NULL */
    uint64_t pos;
    bool lost;
    bool waiting; /* was told ERR_AGAIN */
};

struct blob {
    _Atomic unsigned refs;
    _Atomic uint64_t len;
    _Atomic int state; /* enum err */
    _Atomic size_t cost;
    uint64_t expected;

    pthread_mutex_t mutex; /* guards the rest */
    struct piece *first;
    struct piece *last;
    struct list_link readers;
    size_t reader_count;
    uint64_t start; /* what is before this is gone */
    size_t window;  /* 0: keep everything */
    bool leave_slow;
    bool writer_waits;
    struct watcher *room;
};

struct blob *
blob_new(uint64_t expected)
{
    struct blob *blob = mem_zalloc(sizeof(*blob));

    atomic_init(&blob->refs, 1);
    atomic_init(&blob->state, ERR_AGAIN);
    atomic_init(&blob->cost, mem_size(blob));
    blob->expected = expected;
    CHECK(pthread_mutex_init(&blob->mutex, NULL) == 0);
    list_init(&blob->readers);
    return blob;
}

struct blob *
blob_ref(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

static void
piece_unpin(struct piece *piece)
{
    if (atomic_fetch_sub(&piece->pins, 1) == 1)
        free(piece);
}

void
blob_unref(struct blob **blob)
{
    struct blob *b = *blob;

    *blob = NULL;
    if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    CHECK(list_empty(&b->readers));
    while (b->first != NULL) {
        struct piece *piece = b->first;

        b->first = piece->next;
        piece_unpin(piece);
    }
    watcher_unref(&b->room);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

/* How large the next piece is: the whole body when its length is known and
 * it is kept, else twice the last one. */
static size_t
piece_size(const struct blob *blob, size_t need)
{
    size_t size = blob->last ? 2 * (sizeof(struct piece) + blob->last->cap) -
                                   sizeof(struct piece)
                             : PIECE_MIN;
    size_t max = PIECE_MAX;
    uint64_t len = atomic_load(&blob->len);

    if (blob->window > 0 && blob->window / WINDOW_PIECES < max)
        max = blob->window / WINDOW_PIECES;
    if (blob->window == 0 && blob->expected > len &&
        blob->expected - len <= PIECE_WHOLE)
        size = (size_t)(blob->expected - len);
    else if (size > max)
        size = max > PIECE_MIN ? max : PIECE_MIN;
    return size < need ? need : size;
}

static struct piece *
piece_add(struct blob *blob, size_t need)
{
    size_t cap = piece_size(blob, need);
    struct piece *piece = malloc(sizeof(*piece) + cap);

    if (piece == NULL)
        return NULL;
    piece->next = NULL;
    piece->start = atomic_load(&blob->len);
    piece->cap = cap;
    piece->len = 0;
    atomic_init(&piece->pins, 1);
    if (blob->last != NULL)
        blob->last->next = piece;
    else
        blob->first = piece;
    blob->last = piece;
    atomic_fetch_add(&blob->cost, mem_size(piece));
    return piece;
}

static void
wake_readers(struct blob *blob)
{
    struct blob_reader *reader;

    list_for_each (reader, &blob->readers, link) {
        if (!reader->waiting)
            continue;
        reader->waiting = false;
        if (reader->watcher != NULL)
            watcher_wake(reader->watcher);
    }
}

/* Frees the pieces that end at or before blob->start. */
static void
drop_pieces(struct blob *blob)
{
    while (blob->first != NULL && blob->first != blob->last &&
           blob->first->start + blob->first->len <= blob->start) {
        struct piece *piece = blob->first;

        blob->first = piece->next;
        atomic_fetch_sub(&blob->cost, mem_size(piece));
        piece_unpin(piece);
    }
}

/* Moves the window up to the slowest reader. */
static void
trim(struct blob *blob)
{
    struct blob_reader *reader;
    uint64_t slowest = atomic_load(&blob->len);

    if (blob->window == 0 || blob->reader_count == 0)
        return;
    list_for_each (reader, &blob->readers, link) {
        if (!reader->lost && reader->pos < slowest)
            slowest = reader->pos;
    }
    if (slowest > blob->start)
        blob->start = slowest;
    drop_pieces(blob);
}

/* True when some reader has read everything and waits for more. */
static bool
somebody_hungry(const struct blob *blob)
{
    struct blob_reader *reader;
    uint64_t len = atomic_load(&blob->len);

    list_for_each (reader, &blob->readers, link) {
        if (!reader->lost && reader->pos >= len)
            return true;
    }
    return false;
}

/* Leaves behind the readers in the older half of the window. */
static void
leave_slow_ones(struct blob *blob)
{
    struct blob_reader *reader;
    uint64_t len = atomic_load(&blob->len);

    list_for_each (reader, &blob->readers, link) {
        if (reader->lost || reader->pos >= len ||
            len - reader->pos <= blob->window / 2)
            continue;
        reader->lost = true;
        if (reader->watcher != NULL)
            watcher_wake(reader->watcher);
    }
    trim(blob);
}

static bool
window_full(struct blob *blob)
{
    if (blob->window == 0)
        return false;
    trim(blob);
    if (atomic_load(&blob->len) - blob->start < blob->window)
        return false;
    if (!blob->leave_slow || !somebody_hungry(blob))
        return true;
    leave_slow_ones(blob);
    return atomic_load(&blob->len) - blob->start >= blob->window;
}

enum err
blob_append(struct blob *blob, const void *data, size_t len)
{
    const char *from = data;
    enum err err = ERR_OK;

    pthread_mutex_lock(&blob->mutex);
    CHECK(atomic_load(&blob->state) == ERR_AGAIN);
    if (len > 0 && window_full(blob)) {
        blob->writer_waits = true;
        pthread_mutex_unlock(&blob->mutex);
        return ERR_AGAIN;
    }
    while (len > 0) {
        struct piece *piece = blob->last;

        if (piece == NULL || piece->len == piece->cap)
            piece = piece_add(blob, 1);
        if (piece == NULL) {
            err = ERR_NOMEM;
            break;
        }
        size_t n = piece->cap - piece->len;

        n = n < len ? n : len;
        memcpy(piece->bytes + piece->len, from, n);
        piece->len += n;
        from += n;
        len -= n;
        atomic_fetch_add(&blob->len, n);
    }
    wake_readers(blob);
    pthread_mutex_unlock(&blob->mutex);
    return err;
}

void
blob_finish(struct blob *blob, enum err result)
{
    pthread_mutex_lock(&blob->mutex);
    CHECK(atomic_load(&blob->state) == ERR_AGAIN && result != ERR_AGAIN);
    atomic_store(&blob->state, (int)result);
    wake_readers(blob);
    watcher_unref(&blob->room);
    pthread_mutex_unlock(&blob->mutex);
}

void
blob_slide(struct blob *blob, size_t window, bool leave_slow,
           struct watcher *room)
{
    pthread_mutex_lock(&blob->mutex);
    CHECK(window > 0 && blob->room == NULL);
    blob->window = window;
    blob->leave_slow = leave_slow;
    blob->room = watcher_ref(room);
    trim(blob);
    pthread_mutex_unlock(&blob->mutex);
}

uint64_t
blob_len(const struct blob *blob)
{
    return atomic_load(&blob->len);
}

enum err
blob_state(const struct blob *blob)
{
    return (enum err)atomic_load(&blob->state);
}

size_t
blob_cost(const struct blob *blob)
{
    return atomic_load(&blob->cost);
}

size_t
blob_readers(const struct blob *blob)
{
    struct blob *b = (struct blob *)(uintptr_t)blob;

    pthread_mutex_lock(&b->mutex);
    size_t count = b->reader_count;

    pthread_mutex_unlock(&b->mutex);
    return count;
}

bool
blob_flat(const struct blob *blob, struct span *body)
{
    struct blob *b = (struct blob *)(uintptr_t)blob;
    const struct piece *piece;

    if (atomic_load(&b->state) != ERR_OK)
        return false;
    /* Once the state is final nothing but a window changes the pieces; and the
     * last one is never taken from under a reader. */
    if (b->window == 0) {
        piece = b->first;
        if (piece != b->last)
            return false;
    } else {
        pthread_mutex_lock(&b->mutex);
        piece = b->first;
        bool alone = piece == b->last && (piece == NULL || piece->start == 0);

        pthread_mutex_unlock(&b->mutex);
        if (!alone)
            return false;
    }
    *body = piece ? (struct span){piece->bytes, piece->len} : SPAN("");
    return true;
}

struct blob_reader *
blob_reader_new(struct blob *blob, uint64_t pos, struct watcher *watcher)
{
    struct blob_reader *reader = mem_zalloc(sizeof(*reader));

    reader->blob = blob_ref(blob);
    reader->watcher = watcher ? watcher_ref(watcher) : NULL;
    reader->pos = pos;
    pthread_mutex_lock(&blob->mutex);
    bool gone = pos < blob->start;

    list_push_back(&blob->readers, &reader->link);
    blob->reader_count++;
    pthread_mutex_unlock(&blob->mutex);
    if (gone)
        blob_reader_free(&reader);
    return reader;
}

/* Tells a waiting writer when there may be room again. */
static void
tell_writer(struct blob *blob)
{
    if (!blob->writer_waits || blob->room == NULL || window_full(blob))
        return;
    blob->writer_waits = false;
    watcher_wake(blob->room);
}

void
blob_reader_free(struct blob_reader **reader)
{
    struct blob_reader *r = *reader;

    *reader = NULL;
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->blob->mutex);
    list_remove(&r->link);
    r->blob->reader_count--;
    tell_writer(r->blob);
    pthread_mutex_unlock(&r->blob->mutex);
    watcher_unref(&r->watcher);
    blob_unref(&r->blob);
    free(r);
}

/* The piece that holds `pos`, pinned; NULL when there are no bytes yet. */
static struct piece *
pin_piece(struct blob *blob, uint64_t pos, const char **from, size_t *len)
{
    struct piece *piece = blob->first;

    while (piece != NULL && pos >= piece->start + piece->len)
        piece = piece->next;
    if (piece == NULL)
        return NULL;
    atomic_fetch_add(&piece->pins, 1);
    *from = piece->bytes + (pos - piece->start);
    *len = (size_t)(piece->start + piece->len - pos);
    return piece;
}

enum err
blob_read(struct blob_reader *reader, void *out, size_t max, size_t *len)
{
    struct blob *blob = reader->blob;
    const char *from = NULL;
    size_t have = 0;

    *len = 0;
    pthread_mutex_lock(&blob->mutex);
    if (reader->lost) {
        pthread_mutex_unlock(&blob->mutex);
        return ERR_LOST;
    }
    struct piece *piece = pin_piece(blob, reader->pos, &from, &have);

    if (piece == NULL) {
        enum err state = (enum err)atomic_load(&blob->state);

        reader->waiting = state == ERR_AGAIN;
        tell_writer(blob);
        pthread_mutex_unlock(&blob->mutex);
        return state == ERR_OK ? ERR_END : state;
    }
    pthread_mutex_unlock(&blob->mutex);
    have = have < max ? have : max;
    memcpy(out, from, have);
    piece_unpin(piece);
    *len = have;

    pthread_mutex_lock(&blob->mutex);
    reader->pos += have;
    tell_writer(blob);
    pthread_mutex_unlock(&blob->mutex);
    return ERR_OK;
}

uint64_t
blob_reader_pos(const struct blob_reader *reader)
{
    return reader->pos;
}
