/*
 * Where this node was in the sites' streams when it last wrote it down, so that
 * after a restart it goes on reading there, and applies what it has missed.
 *
 * One small file beside the outbox, replaced whole about once a second while it
 * changes. A node with a disk tier goes by its journal (journal.h) instead; of
 * any other nothing that is stored outlives the process, so that the position
 * may be ahead of nothing, and one that is old, or lost, costs no more than a
 * floor.
 *
 * All of this belongs to the control thread.
 */
#ifndef CLUSTER_BOOKMARK_H
#define CLUSTER_BOOKMARK_H

#include "base/span.h"
#include "cluster/position.h"

struct loop;
struct bookmark;

#define BOOKMARK_EVERY_MS 1000

/* Reads what was written down: the empty vector when there is nothing that can
 * be read, which is said. */
struct bookmark *bookmark_open(struct loop *loop, const char *folder,
                               struct position *position);
/* The text form of a position (position_write), to be written soon. */
void bookmark_note(struct bookmark *bookmark, struct span text);
/* Waits until the last one is on the disk, or has failed. */
void bookmark_close(struct bookmark **bookmark);

#endif
