/* Shared by scripted.c and scripted_raw.c, which breaks the protocol. */
#ifndef ORIGIN_SCRIPTED_INTERNAL_H
#define ORIGIN_SCRIPTED_INTERNAL_H

#include "server.h"

void run_garbage(struct exchange *x, struct span rest);
void run_reset(struct exchange *x, struct span rest);
/* The answer's head, a byte each `every_ms`; then a short body. */
void trickle_head(struct exchange *x, uint64_t every_ms);

#endif
