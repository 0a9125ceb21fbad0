/* Fields of messages between nodes, beside Atlas-Peer (cluster/auth.h). They
 * are taken out of everything that comes from or goes to a client. */
#ifndef PEER_FIELDS_INTERNAL_H
#define PEER_FIELDS_INTERNAL_H

/* Of an answer: "hit", "stale" or "miss". An answer without it is not from a
 * node that took the request for a peer's, and counts as a miss. */
#define PEER_RESULT_FIELD "Atlas-Peer-Result"
/* Of an answer: the sender's position, read before its lookup. Not there when
 * the copy is stale because it is below the sender's floor. */
#define PEER_POSITION_FIELD "Atlas-Position"
/* Of an answer: so many bytes of tag fields (tags_write) come before its body,
 * since the head has no room for them. */
#define PEER_TAGS_FIELD "Atlas-Tags"
/* Of a request: a stale copy will do. */
#define PEER_STALE_FIELD "Atlas-Peer-Stale"

#endif
