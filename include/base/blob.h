/*
 * A body that is being written by one thread and read by many.
 *
 * It grows by appending; what was appended never changes. Readers on any
 * thread follow it and are woken by their watchers. A blob keeps everything
 * until blob_slide makes it a sliding window of bounded size: then what every
 * reader has read is freed, and
 *  - while all readers are slow, the writer is told to wait (ERR_AGAIN);
 *  - with `leave_slow`, a reader that lags by a whole window behind one that
 *    has read everything is left behind: it reads ERR_LOST, and must get the
 *    rest elsewhere. So a slow reader never stalls a fast one.
 */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct blob;
struct blob_reader;
struct watcher;

/* `expected` is the length when known, else 0: then it grows by pieces. */
struct blob *blob_new(uint64_t expected);
struct blob *blob_ref(struct blob *blob);
/* The last reference frees it. Any thread. */
void blob_unref(struct blob **blob);

/* ---- the writer ---- */

/* ERR_OK: all was taken. ERR_AGAIN: nothing was; `room` (below) will be woken.
 * ERR_NOMEM. Not after blob_finish. */
enum err blob_append(struct blob *blob, const void *data, size_t len);
/* The end: ERR_OK when the body is whole, else why it is not. */
void blob_finish(struct blob *blob, enum err result);
/* From now on keep at most about `window` bytes. `room` is woken when an
 * append that was refused may be tried again; the blob takes a reference. */
void blob_slide(struct blob *blob, size_t window, bool leave_slow,
                struct watcher *room);

/* ---- anybody ---- */

/* Bytes appended so far. */
uint64_t blob_len(const struct blob *blob);
/* ERR_AGAIN while it grows, ERR_OK when whole, else why it failed. */
enum err blob_state(const struct blob *blob);
/* Bytes of memory held, as counted against a budget. */
size_t blob_cost(const struct blob *blob);
/* How many readers are open. */
size_t blob_readers(const struct blob *blob);
/* The whole body when it is finished, whole, and all of it still there in one
 * piece (of a window too, when it was that small); else false. Valid as long as
 * the caller's reference. */
bool blob_flat(const struct blob *blob, struct span *body);

/* ---- a reader ---- */

/* Reads from `pos` on. `watcher` (may be NULL for a finished blob) is woken
 * when a read that gave ERR_AGAIN may give more. Takes references to both.
 * NULL when `pos` has left the window. */
struct blob_reader *blob_reader_new(struct blob *blob, uint64_t pos,
                                    struct watcher *watcher);
void blob_reader_free(struct blob_reader **reader);
/* Copies up to `max` bytes at the reader's position, and moves it.
 * ERR_OK: *len > 0. ERR_AGAIN, ERR_END, ERR_LOST, or why the blob failed:
 * *len is 0. */
enum err blob_read(struct blob_reader *reader, void *out, size_t max,
                   size_t *len);
uint64_t blob_reader_pos(const struct blob_reader *reader);

#endif
