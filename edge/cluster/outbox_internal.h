/* The lines of the outbox; pure. */
#ifndef CLUSTER_OUTBOX_INTERNAL_H
#define CLUSTER_OUTBOX_INTERNAL_H

#include "base/buf.h"
#include "cluster/outbox.h"

/*
 *   name HEX                                         the first line
 *   add ID purge|intent hard|soft KIND HOST VALUE    host and value in hex, "-"
 *                                                    for none
 *   done ID
 * each followed by a blank and the 16 hex digits of its XXH3 checksum.
 */
enum outbox_line { OUTBOX_LINE_NAME, OUTBOX_LINE_ADD, OUTBOX_LINE_DONE };

struct outbox_record {
    enum outbox_line line;
    char name[33];
    struct outbox_entry entry; /* ADD: the purge's texts are the caller's to
                                * free; DONE: the id alone */
};

void outbox_print(const struct outbox_record *record, struct buf *out);
/* `line` without its line feed. False, and nothing to free, when any of it is
 * not as outbox_print writes it. */
bool outbox_parse(struct span line, struct outbox_record *record);

#endif
