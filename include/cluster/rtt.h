/*
 * Round-trip times and health of one peer, from samples and failures. Pure.
 *
 * The estimate is an exponentially weighted moving average: the first sample
 * as it is, then 0.3 of each new one. RTT_FAILURES failures in a row make the
 * peer down; one success makes it up.
 */
#ifndef CLUSTER_RTT_H
#define CLUSTER_RTT_H

#include <stdbool.h>
#include <stdint.h>

#define RTT_FAILURES 3

enum rtt_state { RTT_UNKNOWN, RTT_UP, RTT_DOWN };

/* Zero-initialise. */
struct rtt {
    enum rtt_state state;
    uint32_t estimate_us; /* 0: no sample yet */
    unsigned failures;    /* in a row */
};

/* "unknown", "up", "down". Static. */
const char *rtt_state_name(enum rtt_state state);

/* Both say whether the state changed. */
bool rtt_success(struct rtt *rtt, uint64_t sample_us);
bool rtt_failure(struct rtt *rtt);

#endif
