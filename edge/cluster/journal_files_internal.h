/*
 * The journal's files: "invalidations.00000001" and so on in one folder, each
 * up to 4 MiB; the oldest goes when there are more than four. Knows nothing of
 * what is in them. One thread at a time; reading and beginning wait for the
 * disk, and so does writing, which is for the pool.
 */
#ifndef CLUSTER_JOURNAL_FILES_INTERNAL_H
#define CLUSTER_JOURNAL_FILES_INTERNAL_H

#include "base/buf.h"

struct journal_files;

struct journal_files *journal_files_new(const char *folder);
void journal_files_free(struct journal_files **files);
const char *journal_files_folder(const struct journal_files *files);

/* Calls `take` for each, the oldest first: it gives how much of the text is
 * good. What is behind that in the last one is cut off, and *cut says so; there
 * writing goes on. 0, or errno. */
typedef size_t (*journal_take_fn)(void *arg, struct span text);
int journal_files_read(struct journal_files *files, journal_take_fn take,
                       void *arg, bool *cut);
/* Removes what there is, and makes the first file. 0, or errno. */
int journal_files_begin(struct journal_files *files, const struct buf *head);
/* Makes the next file, durably. 0, or errno. */
int journal_files_next(struct journal_files *files, const struct buf *head);
/* Whether `more` bytes would make the present file too large. */
bool journal_files_full(const struct journal_files *files, size_t more);
/* Adds to the present file; then, unless `head` is empty, makes the next one
 * with it. Durably. 0, or errno. */
int journal_files_write(struct journal_files *files, const struct buf *group,
                        const struct buf *head);
/* All of them. False, and errno: not all could be. */
bool journal_files_remove(struct journal_files *files);

#endif
