#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "cluster/rtt.h"

#define FAIL UINT64_MAX

/* What happens to one peer, in turn, and how it stands after each. */
static const struct {
    uint64_t sample_us; /* or FAIL */
    enum rtt_state state;
    uint32_t estimate_us;
    bool changed;
} steps[] = {
    {FAIL, RTT_UNKNOWN, 0, false},
    {FAIL, RTT_UNKNOWN, 0, false},
    {5000, RTT_UP, 5000, true},
    {15000, RTT_UP, 8000, false},
    {8000, RTT_UP, 8000, false},
    {FAIL, RTT_UP, 8000, false},
    {FAIL, RTT_UP, 8000, false},
    {18000, RTT_UP, 11000, false},
    {FAIL, RTT_UP, 11000, false},
    {FAIL, RTT_UP, 11000, false},
    {FAIL, RTT_DOWN, 11000, true},
    {FAIL, RTT_DOWN, 11000, false},
    {1000, RTT_UP, 8000, true},
    {0, RTT_UP, 5600, false},
    {UINT64_MAX - 1, RTT_UP, 1288494109, false},
};

static void
test_steps(void **state)
{
    struct rtt rtt = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        bool changed = steps[i].sample_us == FAIL
                           ? rtt_failure(&rtt)
                           : rtt_success(&rtt, steps[i].sample_us);

        if (changed != steps[i].changed || rtt.state != steps[i].state ||
            rtt.estimate_us != steps[i].estimate_us)
            fail_msg("step %zu: %s, %u us", i, rtt_state_name(rtt.state),
                     rtt.estimate_us);
    }
}

static void
test_never_answered(void **state)
{
    struct rtt rtt = {0};

    (void)state;
    assert_false(rtt_failure(&rtt));
    assert_false(rtt_failure(&rtt));
    assert_true(rtt_failure(&rtt));
    assert_int_equal(rtt.state, RTT_DOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_never_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
