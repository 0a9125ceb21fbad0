#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "fetch/origin.h"

static const char *const three[] = {"http://a:1", "http://b:2", "http://c:3"};

static const uint64_t T0 = UINT64_C(1000) * 1000 * 1000 * 1000;

static uint64_t
after(uint64_t ms)
{
    return T0 + ms * NS_PER_MS;
}

static size_t
pick(struct origin *origin, uint64_t now_ns)
{
    uint64_t tried = 0;
    size_t index;
    struct span url;

    assert_true(origin_pick(origin, now_ns, &tried, &index, &url));
    assert_int_equal(tried, 1u << index);
    return index;
}

static void
fail_times(struct origin *origin, size_t index, unsigned times, uint64_t now_ns)
{
    for (unsigned i = 0; i < times; i++)
        origin_report(origin, index, false, now_ns);
}

static void
test_turns(void **state)
{
    struct origin *origin = origin_new("o", three, 3);
    unsigned seen[3] = {0};

    (void)state;
    for (int i = 0; i < 30; i++)
        seen[pick(origin, T0)]++;
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen[i], 10);
    assert_string_equal(origin_name(origin), "o");
    assert_int_equal(origin_count(origin), 3);
    origin_unref(&origin);
    assert_null(origin);
}

static void
test_tried(void **state)
{
    struct origin *origin = origin_new("o", three, 3);
    uint64_t tried = 0;
    size_t index;
    struct span url;
    unsigned seen = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(origin_pick(origin, T0, &tried, &index, &url));
        assert_true(span_eq(url, span_of(three[index])));
        seen |= 1u << index;
    }
    assert_int_equal(seen, 7);
    assert_false(origin_pick(origin, T0, &tried, &index, &url));
    origin_unref(&origin);
}

static void
test_ejection(void **state)
{
    struct origin *origin = origin_new("o", three, 3);
    struct origin_status status;

    (void)state;
    fail_times(origin, 1, ORIGIN_EJECT_AFTER - 1, T0);
    origin_report(origin, 1, true, T0);
    fail_times(origin, 1, ORIGIN_EJECT_AFTER - 1, T0);
    origin_status(origin, 1, T0, &status);
    assert_int_equal(status.ejected_ms, 0);
    fail_times(origin, 1, 1, T0);
    origin_status(origin, 1, T0, &status);
    assert_int_equal(status.ejected_ms, ORIGIN_EJECT_MIN_MS);
    for (int i = 0; i < 30; i++)
        assert_int_not_equal(pick(origin, after(1)), 1);

    /* Late reports of the same outage change nothing. */
    fail_times(origin, 1, 50, after(1));
    origin_status(origin, 1, T0, &status);
    assert_int_equal(status.ejected_ms, ORIGIN_EJECT_MIN_MS);
    assert_int_equal(status.failures_in_row, ORIGIN_EJECT_AFTER);
    assert_true(origin_healthy(origin, after(1)));

    /* Then one tries it, and no other until that one has reported. */
    unsigned seen = 0;

    for (int i = 0; i < 30; i++)
        seen += pick(origin, after(501)) == 1;
    assert_int_equal(seen, 1);
    origin_report(origin, 1, false, after(502));
    origin_status(origin, 1, after(502), &status);
    assert_int_equal(status.ejected_ms, 2 * ORIGIN_EJECT_MIN_MS);

    seen = 0;
    for (int i = 0; i < 30; i++)
        seen += pick(origin, after(1600)) == 1;
    assert_int_equal(seen, 1);
    origin_report(origin, 1, true, after(1601));
    seen = 0;
    for (int i = 0; i < 30; i++)
        seen += pick(origin, after(1602)) == 1;
    assert_int_equal(seen, 10);
    origin_unref(&origin);
}

static void
test_bound(void **state)
{
    struct origin *origin = origin_new("o", three, 1);
    struct origin_status status;
    uint64_t now = T0;

    (void)state;
    fail_times(origin, 0, ORIGIN_EJECT_AFTER, now);
    for (int i = 0; i < 100; i++) {
        origin_status(origin, 0, now, &status);
        assert_true(status.ejected_ms <= ORIGIN_EJECT_MAX_MS);
        now += (status.ejected_ms + 1) * NS_PER_MS;
        assert_int_equal(pick(origin, now), 0);
        origin_report(origin, 0, false, now);
    }
    origin_status(origin, 0, now, &status);
    assert_int_equal(status.ejected_ms, ORIGIN_EJECT_MAX_MS);
    origin_unref(&origin);
}

static void
test_all_ejected(void **state)
{
    struct origin *origin = origin_new("o", three, 3);
    unsigned seen[3] = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        fail_times(origin, i, ORIGIN_EJECT_AFTER, T0);
    assert_false(origin_healthy(origin, after(1)));
    for (int i = 0; i < 30; i++)
        seen[pick(origin, after(1))]++;
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen[i], 10);
    assert_true(origin_healthy(origin, after(60000)));
    origin_unref(&origin);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),       cmocka_unit_test(test_tried),
        cmocka_unit_test(test_ejection),    cmocka_unit_test(test_bound),
        cmocka_unit_test(test_all_ejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
