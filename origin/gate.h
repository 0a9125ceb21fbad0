/* The state of the link that a listener stands for, as the tests set it. */
#ifndef ORIGIN_GATE_H
#define ORIGIN_GATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

#define GATE_DELAY_MAX_MS 3600000

enum gate_mode {
    GATE_UP,
    GATE_CUT, /* connections are reset, new ones at once */
    GATE_HANG /* connections are taken, requests get no answer */
};

struct gate_state {
    enum gate_mode mode;
    uint64_t delay_ms; /* of GATE_UP: before each answer */
};

/* "up", "cut", "hang", "slow 300ms", "slow 2s"; blanks and line ends around it
 * are allowed. False for anything else. */
bool gate_parse(struct span text, struct gate_state *state);
/* Adds it in the same form. */
void gate_write(struct gate_state state, struct buf *out);

#endif
