/* The text format of Prometheus: escapes, counters, the histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/counter.h"
#include "report/metrics.h"

/* The value of the line that begins with `name`; aborts when there is none. */
static double
value_of(const struct buf *text, const char *name)
{
    char line[256];

    snprintf(line, sizeof(line), "\n%s ", name);
    const char *found = strstr(text->data, line);

    if (found == NULL)
        fail_msg("no line %s in:\n%s", name, text->data);
    return strtod(found + strlen(line), NULL);
}

static void
test_format(void **state)
{
    static const struct {
        const char *what;
        const char *value;
        const char *want;
    } rows[] = {
        {"plain", "paris", "m{site=\"paris\",x=\"1\"} 7\n"},
        {"quote", "a\"b", "m{site=\"a\\\"b\",x=\"1\"} 7\n"},
        {"backslash", "a\\b", "m{site=\"a\\\\b\",x=\"1\"} 7\n"},
        {"newline", "a\nb", "m{site=\"a\\nb\",x=\"1\"} 7\n"},
        {"empty", "", "m{site=\"\",x=\"1\"} 7\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct metrics_label labels[] = {{"site", rows[i].value}, {"x", "1"}};
        struct buf out = {0};

        metrics_u64(&out, "m", labels, 2, 7);
        if (strcmp(out.data, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].what, out.data);
        buf_fini(&out);
    }
}

static void
test_family(void **state)
{
    struct buf out = {0};

    (void)state;
    metrics_gauge(&out, "atlas_x_bytes", "A \\ and\na newline, \"quoted\".",
                  UINT64_MAX);
    assert_string_equal(out.data,
                        "# HELP atlas_x_bytes A \\\\ and\\na newline, "
                        "\"quoted\".\n"
                        "# TYPE atlas_x_bytes gauge\n"
                        "atlas_x_bytes 18446744073709551615\n");
    buf_clear(&out);
    metrics_real(&out, "r", NULL, 0, 0.00034);
    assert_string_equal(out.data, "r 0.00034\n");
    buf_fini(&out);
}

/* Each metric is introduced once, before its first sample. */
static void
test_once(void **state)
{
    struct buf out = {0};
    char line[128];

    (void)state;
    metrics_counters(&out);
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const char *name = counter_row((enum counter)i)->name;

        if (strstr(name, "_request_seconds") != NULL)
            continue;
        snprintf(line, sizeof(line), "# TYPE %s counter\n", name);
        const char *first = strstr(out.data, line);

        assert_non_null(first);
        assert_null(strstr(first + 1, line));
    }
    assert_non_null(
        strstr(out.data, "# TYPE atlas_request_seconds histogram\n"));
    assert_null(strstr(out.data, "_bucket counter"));
    assert_null(strstr(out.data, "_sum counter"));
    buf_fini(&out);
}

static void
test_counts(void **state)
{
    struct buf out = {0};

    (void)state;
    counter_add(COUNTER_REQ_HIT, 3);
    counter_add(COUNTER_TIME_1MS, 5);
    counter_add(COUNTER_TIME_100MS, 2);
    counter_add(COUNTER_TIME_INF, 1);
    counter_add(COUNTER_TIME_SUM_US, 2500000);
    metrics_counters(&out);
    assert_true(value_of(&out, "atlas_requests_total{result=\"hit\"}") == 3);
    assert_true(value_of(&out, "atlas_requests_total{result=\"pass\"}") == 0);
    assert_true(value_of(&out, "atlas_request_seconds_bucket{le=\"0.001\"}") ==
                5);
    assert_true(value_of(&out, "atlas_request_seconds_bucket{le=\"0.01\"}") ==
                5);
    assert_true(value_of(&out, "atlas_request_seconds_bucket{le=\"10\"}") == 7);
    assert_true(value_of(&out, "atlas_request_seconds_bucket{le=\"+Inf\"}") ==
                8);
    assert_true(value_of(&out, "atlas_request_seconds_count") == 8);
    assert_true(fabs(value_of(&out, "atlas_request_seconds_sum") - 2.5) < 1e-9);
    buf_fini(&out);
}

static void
test_process(void **state)
{
    struct buf out = {0};

    (void)state;
    buf_add_char(&out, '\n');
    metrics_process(&out);
    double age =
        (double)time(NULL) - value_of(&out, "process_start_time_seconds");

    assert_true(age > -5 && age < 3600);
    assert_true(value_of(&out, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(&out, "process_open_fds") >= 1);
    assert_true(value_of(&out, "process_cpu_seconds_total") > 0);
    buf_fini(&out);
}

static void
test_promtool(void **state)
{
    struct buf out = {0};

    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    metrics_counters(&out);
    metrics_process(&out);
    FILE *tool = popen("promtool check metrics >&2", "w");

    assert_non_null(tool);
    assert_int_equal(fwrite(out.data, 1, out.len, tool), out.len);
    assert_int_equal(pclose(tool), 0);
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),  cmocka_unit_test(test_family),
        cmocka_unit_test(test_once),    cmocka_unit_test(test_counts),
        cmocka_unit_test(test_process), cmocka_unit_test(test_promtool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
