#include "cluster/rtt.h"

#include "base/check.h"

const char *
rtt_state_name(enum rtt_state state)
{
    switch (state) {
    case RTT_UNKNOWN:
        return "unknown";
    case RTT_UP:
        return "up";
    case RTT_DOWN:
        return "down";
    }
    CHECK(!"a state");
    return "";
}

static bool
move(struct rtt *rtt, enum rtt_state state)
{
    bool changed = rtt->state != state;

    rtt->state = state;
    return changed;
}

bool
rtt_success(struct rtt *rtt, uint64_t sample_us)
{
    uint64_t sample = sample_us < UINT32_MAX ? sample_us : UINT32_MAX;
    uint64_t old = rtt->estimate_us;

    if (sample == 0)
        sample = 1; /* 0 says that there is none */
    rtt->failures = 0;
    rtt->estimate_us =
        (uint32_t)(old == 0 ? sample : (old * 7 + sample * 3 + 5) / 10);
    return move(rtt, RTT_UP);
}

bool
rtt_failure(struct rtt *rtt)
{
    if (rtt->failures < RTT_FAILURES)
        rtt->failures++;
    return rtt->failures >= RTT_FAILURES && move(rtt, RTT_DOWN);
}
