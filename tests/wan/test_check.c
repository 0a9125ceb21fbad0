/* The checker, on histories that are good and on histories known to be bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "check.h"

#define PLACES                                                                 \
    "place name=a1 role=node site=a\n"                                         \
    "place name=b1 role=node site=b\n"                                         \
    "place name=ra role=redis site=a\n"                                        \
    "place name=rb role=redis site=b\n"                                        \
    "place name=origin role=origin site=o\n"

/* The names of violations, with the begins of their lines: "cp stale-write
 * 10 50;". */
static void
note(void *arg, const struct check_violation *v)
{
    struct buf *seen = arg;

    buf_printf(seen, "%s %s", history_level_name(v->level),
               check_rule_name(v->rule));
    for (size_t i = 0; i < v->line_count; i++)
        buf_printf(seen, " %llu", (unsigned long long)v->lines[i].begin);
    buf_add_text(seen, ";");
}

static bool
add_all(struct check *check, const char *text, struct buf *why)
{
    struct span rest = span_of(text);
    struct span line;

    while (span_split(&rest, '\n', &line)) {
        if (line.len > 0 && !check_add(check, line, why))
            return false;
    }
    return true;
}

/* What is seen, or "malformed: WHY". */
static char *
verdict(const char *text)
{
    struct buf seen = {0};
    struct buf why = {0};
    struct check *check = check_new(note, &seen);

    if (!add_all(check, PLACES, &why) || !add_all(check, text, &why) ||
        !check_run(check, &why)) {
        buf_clear(&seen);
        buf_printf(&seen, "malformed: %s", why.data);
    }
    check_free(&check);
    buf_fini(&why);
    return buf_steal(&seen);
}

struct row {
    const char *what;
    const char *history;
    const char *want;
};

static void
try_rows(const struct row *rows, size_t count)
{
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        char *got = verdict(rows[i].history);

        if (strcmp(got, rows[i].want) != 0) {
            print_error("%s:\n  want %s\n  got  %s\n", rows[i].what,
                        rows[i].want, got);
            good = false;
        }
        free(got);
    }
    assert_true(good);
}

#define WRITE(key, value, begin, end)                                          \
    "write key=" key " value=" #value " begin=" #begin " end=" #end " out="    \
    "ok\n"
#define WRITE_OUT(key, value, begin, end, out)                                 \
    "write key=" key " value=" #value " begin=" #begin " end=" #end            \
    " out=" out "\n"
#define READ(key, value, begin, end)                                           \
    "read key=" key " at=a1 value=" #value " begin=" #begin " end=" #end       \
    " out=ok\n"
#define READ_AT(at, key, value, begin, end, more)                              \
    "read key=" key " at=" at " value=" #value " begin=" #begin " end=" #end   \
    " out=ok " more "\n"
#define FAILED(at, key, begin, end)                                            \
    "read key=" key " at=" at " begin=" #begin " end=" #end " out=failed\n"
#define PURGE(at, key, begin, end, more)                                       \
    "purge key=" key " at=" at " begin=" #begin " end=" #end " " more "\n"
#define FAULT(on, begin, end)                                                  \
    "fault what=cut on=" on " begin=" #begin " end=" #end "\n"

/* ---- cp ---- */

static void
test_cp(void **state)
{
    static const struct row rows[] = {
        {"nothing", "", ""},
        {"one after another",
         WRITE("cp/1", 1, 10, 20) READ("cp/1", 1, 30, 40)
             WRITE("cp/1", 2, 50, 60) READ("cp/1", 2, 70, 80),
         ""},
        {"either value while the write runs",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 50, 60)
             READ("cp/1", 1, 52, 55) READ("cp/1", 2, 51, 56),
         ""},
        {"the old value by a read that began before the write ended",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 50, 60)
             READ("cp/1", 1, 60, 90),
         ""},
        {"the old value after the write ended",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 50, 60)
             READ("cp/1", 1, 61, 90),
         "cp stale-write 50 61;"},
        {"of several later writes the first is shown",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 30, 40)
             WRITE("cp/1", 3, 50, 60) READ("cp/1", 1, 61, 90),
         "cp stale-write 30 61;"},
        {"what was there before the first write",
         WRITE("cp/1", 1, 10, 20) READ("cp/1", 0, 5, 8) READ("cp/1", 0, 30, 40),
         "cp stale-write 10 30;"},
        {"two reads inside a write, new before old",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 50, 100)
             READ("cp/1", 2, 55, 60) READ("cp/1", 1, 61, 70),
         "cp stale-read 55 61;"},
        {"the same, but the reads overlap",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 50, 100)
             READ("cp/1", 2, 55, 62) READ("cp/1", 1, 61, 70),
         ""},
        {"a short new read inside a long old one",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 50, 100) READ(
             "cp/1", 1, 51, 99) READ("cp/1", 2, 55, 60) READ("cp/1", 2, 70, 75),
         ""},
        {"other keys are other registers",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/2", 9, 10, 20)
             READ("cp/1", 1, 61, 90) READ("cp/2", 9, 61, 90),
         ""},
        {"an uncertain write that nobody saw may not have been",
         WRITE("cp/1", 1, 10, 20) WRITE_OUT("cp/1", 2, 50, 60, "maybe")
             READ("cp/1", 1, 70, 80),
         ""},
        {"an uncertain write that was seen has been, within its time",
         WRITE("cp/1", 1, 10, 20) WRITE_OUT("cp/1", 2, 50, 60, "maybe")
             READ("cp/1", 1, 70, 80) READ("cp/1", 2, 90, 95),
         "cp stale-write 50 70;"},
        {"a write that failed was not",
         WRITE("cp/1", 1, 10, 20) WRITE_OUT("cp/1", 2, 50, 60, "failed")
             READ("cp/1", 1, 70, 80),
         ""},
        {"a read that failed says nothing",
         WRITE("cp/1", 1, 10, 20) FAILED("a1", "cp/1", 70, 80), ""},
    };

    (void)state;
    try_rows(rows, ARRAY_LEN(rows));
}

/* ---- of every level ---- */

static void
test_values(void **state)
{
    static const struct row rows[] = {
        {"a value that nobody wrote",
         WRITE("ap/1", 1, 10, 20) READ("ap/1", 2, 70, 80), "ap unwritten 70;"},
        {"the value of a write that failed",
         WRITE("lease/1", 1, 10, 20) WRITE_OUT("lease/1", 2, 30, 40, "failed")
             READ("lease/1", 2, 70, 80),
         "lease unwritten 70;"},
        {"from the future",
         READ("session/1", 1, 5, 9) WRITE("session/1", 1, 10, 20),
         "session future 5 10;"},
        {"while it is written", READ("ap/1", 1, 5, 11) WRITE("ap/1", 1, 10, 20),
         ""},
        {"a body of two values",
         WRITE("ap/1", 1, 10, 20) READ_AT("a1", "ap/1", 1, 30, 40, "torn=1"),
         "ap torn 30;"},
    };

    (void)state;
    try_rows(rows, ARRAY_LEN(rows));
}

/* ---- lease ---- */

static void
test_lease(void **state)
{
    static const struct row rows[] = {
        {"stale before the acknowledgement",
         WRITE("lease/1", 1, 10, 20) WRITE("lease/1", 2, 30, 40)
             PURGE("a1", "lease/1", 50, 60, "out=ok all=1")
                 READ("lease/1", 1, 60, 70),
         ""},
        {"stale after it",
         WRITE("lease/1", 1, 10, 20) WRITE("lease/1", 2, 30, 40)
             PURGE("a1", "lease/1", 50, 60, "out=ok all=1")
                 READ("lease/1", 1, 61, 70),
         "lease stale-purge 30 50 61;"},
        {"published is not acknowledged",
         WRITE("lease/1", 1, 10, 20) WRITE("lease/1", 2, 30, 40) PURGE(
             "a1", "lease/1", 50, 60, "out=ok") READ("lease/1", 1, 61, 70),
         ""},
        {"nor is a purge that failed, or may have",
         WRITE("lease/1", 1, 10, 20) WRITE("lease/1", 2, 30, 40)
             PURGE("a1", "lease/1", 50, 60, "out=failed all=1")
                 PURGE("a1", "lease/1", 61, 63, "out=maybe all=1")
                     READ("lease/1", 1, 71, 80),
         ""},
        {"a write that overlaps the purge is not covered",
         WRITE("lease/1", 1, 10, 20) WRITE("lease/1", 2, 30, 55)
             PURGE("a1", "lease/1", 50, 60, "out=ok all=1")
                 READ("lease/1", 1, 61, 70),
         ""},
        {"new, then old, without a purge",
         WRITE("lease/1", 1, 10, 20) WRITE("lease/1", 2, 30, 40)
             READ("lease/1", 2, 50, 60) READ("lease/1", 1, 61, 70),
         ""},
        {"stale after a write that was acknowledged",
         WRITE("lease/1", 1, 10, 20) WRITE_OUT("lease/1", 2, 30, 40, "ok all=1")
             READ("lease/1", 1, 40, 70) READ("lease/1", 1, 41, 70),
         "lease stale-purge 30 41;"},
        {"one that only may have been is not acknowledged",
         WRITE("lease/1", 1, 10, 20) WRITE_OUT(
             "lease/1", 2, 30, 40, "maybe all=1") READ("lease/1", 1, 41, 70),
         ""},
        {"a late end of an early purge counts from there",
         WRITE("lease/1", 1, 10, 20)
             PURGE("a1", "lease/1", 25, 90, "out=ok all=1")
                 WRITE("lease/1", 2, 30, 40)
                     PURGE("b1", "lease/1", 45, 50, "out=ok all=1")
                         READ("lease/1", 1, 61, 70),
         "lease stale-purge 30 45 61;"},
    };

    (void)state;
    try_rows(rows, ARRAY_LEN(rows));
}

/* ---- bounded ---- */

static void
test_bounded(void **state)
{
    static const struct row rows[] = {
        {"within the bound",
         "set bound_us=100\n" WRITE("bounded/1", 1, 10, 20)
             WRITE("bounded/1", 2, 30, 40) READ("bounded/1", 1, 140, 900),
         ""},
        {"beyond it",
         "set bound_us=100\n" WRITE("bounded/1", 1, 10, 20)
             WRITE("bounded/1", 2, 30, 40) READ("bounded/1", 1, 141, 150),
         "bounded bound 30 141;"},
        {"without a bound there is nothing to say",
         WRITE("bounded/1", 1, 10, 20),
         "malformed: bounded needs \"set bound_us=...\""},
    };

    (void)state;
    try_rows(rows, ARRAY_LEN(rows));
}

/* ---- session ---- */

static void
test_session(void **state)
{
    static const struct row rows[] = {
        {"back to an older value at another node",
         WRITE("session/1", 1, 10, 20) WRITE("session/1", 2, 30, 40)
             READ_AT("a1", "session/1", 2, 50, 60, "session=7 got=1") READ_AT(
                 "b1", "session/1", 1, 70, 80, "session=7 sent=1 got=1"),
         "session back 50 70;"},
        {"the token was not sent",
         WRITE("session/1", 1, 10, 20) WRITE("session/1", 2, 30, 40)
             READ_AT("a1", "session/1", 2, 50, 60, "session=7 got=1")
                 READ_AT("b1", "session/1", 1, 70, 80, "session=7 got=1"),
         ""},
        {"the answer had no token",
         WRITE("session/1", 1, 10, 20) WRITE("session/1", 2, 30, 40)
             READ_AT("a1", "session/1", 2, 50, 60, "session=7") READ_AT(
                 "b1", "session/1", 1, 70, 80, "session=7 sent=1 got=1"),
         ""},
        {"another session",
         WRITE("session/1", 1, 10, 20) WRITE("session/1", 2, 30, 40)
             READ_AT("a1", "session/1", 2, 50, 60, "session=7 got=1") READ_AT(
                 "b1", "session/1", 1, 70, 80, "session=8 sent=1 got=1"),
         ""},
        {"it covers what came long before",
         WRITE("session/1", 1, 10, 20) WRITE("session/2", 1, 10, 20)
             WRITE("session/1", 2, 30, 40) READ_AT("a1", "session/1", 2, 50, 60,
                                                   "session=7 got=1")
                 READ_AT("a1", "session/2", 1, 61, 62, "session=7 sent=1 got=1")
                     READ_AT("b1", "session/1", 1, 70, 80,
                             "session=7 sent=1 got=1"),
         "session back 50 70;"},
        {"what the session wrote",
         WRITE("session/1", 1, 10,
               20) "write key=session/1 value=2 begin=30 end=40 out=ok "
                   "session=7 got=1\n" READ_AT("b1", "session/1", 1, 70, 80,
                                               "session=7 sent=1 got=1"),
         "session back 30 70;"},
        {"what the session purged",
         WRITE("session/1", 1, 10, 20) WRITE("session/1", 2, 30, 40)
             PURGE("a1", "session/1", 50, 60, "out=ok session=7 got=1") READ_AT(
                 "b1", "session/1", 1, 70, 80, "session=7 sent=1 got=1"),
         "session back 50 70;"},
        {"two at once are no session",
         WRITE("session/1", 1, 10, 20)
             READ_AT("a1", "session/1", 1, 50, 60, "session=7 got=1")
                 READ_AT("b1", "session/1", 1, 55, 80, "session=7 got=1"),
         "malformed: session 7 does two things at once"},
    };

    (void)state;
    try_rows(rows, ARRAY_LEN(rows));
}

/* ---- ap ---- */

#define SECOND "set converge_us=100\n"

static const struct row available_rows[] = {
    {"no answer, and nothing stood in the way of the origin",
     SECOND WRITE("ap/1", 1, 10, 20) FAILED("a1", "ap/1", 500, 600),
     "ap unavailable 500;"},
    {"the origin was cut off, and there was no copy",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700)
         FAILED("a1", "ap/1", 500, 600),
     ""},
    {"it was cut off the other way",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("origin>a1", 450, 700)
         FAILED("a1", "ap/1", 500, 600),
     ""},
    {"it was down",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("origin", 450, 700)
         FAILED("a1", "ap/1", 500, 600),
     ""},
    {"it had healed just before",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 300, 401)
         FAILED("a1", "ap/1", 500, 600),
     ""},
    {"it had healed long before",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 300, 399)
         FAILED("a1", "ap/1", 500, 600),
     "ap unavailable 500;"},
    {"the origin was cut off, but the node had a copy",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700) READ_AT(
         "a1", "ap/1", 1, 300, 310, "stored=1") FAILED("a1", "ap/1", 500, 600),
     "ap unavailable 300 500;"},
    {"the answer before was not kept",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700)
         READ("ap/1", 1, 300, 310) FAILED("a1", "ap/1", 500, 600),
     ""},
    {"the node had been killed since",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700)
         FAULT("a1", 320, 350) READ_AT("a1", "ap/1", 1, 300, 310, "stored=1")
             FAILED("a1", "ap/1", 500, 600),
     ""},
    {"the node is down",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1", 490, 700)
         FAILED("a1", "ap/1", 500, 600),
     ""},
    {"the whole machine stood still",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("*", 490, 700)
         FAILED("a1", "ap/1", 500, 600),
     ""},
    {"a fault that excuses nothing",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("-", 490, 700)
         FAILED("a1", "ap/1", 500, 600),
     "ap unavailable 500;"},
    {"a hard purge took the copy away",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700)
         READ_AT("a1", "ap/1", 1, 300, 310, "local=1")
             PURGE("b1", "ap/1", 320, 330, "out=ok hard=1")
                 FAILED("a1", "ap/1", 500, 600),
     ""},
    {"so does a write through a node, even one that failed",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700)
         READ_AT("a1", "ap/1", 1, 300, 310, "local=1")
             WRITE_OUT("ap/1", 2, 320, 330, "failed at=b1")
                 FAILED("a1", "ap/1", 500, 600),
     ""},
    {"a soft one does not",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700)
         READ_AT("a1", "ap/1", 1, 300, 310, "local=1") PURGE(
             "b1", "ap/1", 320, 330, "out=ok") FAILED("a1", "ap/1", 500, 600),
     "ap unavailable 300 500;"},
    {"a peer had a copy",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700) READ_AT(
         "b1", "ap/1", 1, 100, 110, "stored=1") FAILED("a1", "ap/1", 500, 600),
     "ap unavailable 100 500;"},
    {"a peer got one, but may not have told yet",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700) READ_AT(
         "b1", "ap/1", 1, 210, 220, "stored=1") FAILED("a1", "ap/1", 500, 600),
     ""},
    {"a peer had one, but was cut off",
     SECOND WRITE("ap/1", 1, 10, 20) FAULT("a1>origin", 450, 700)
         FAULT("b1>a1", 550, 560) READ_AT("b1", "ap/1", 1, 100, 110, "stored=1")
             FAILED("a1", "ap/1", 500, 600),
     ""},
};

static void
test_ap_available(void **state)
{
    (void)state;
    try_rows(available_rows, ARRAY_LEN(available_rows));
}

/* The second value is purged at a1 at 200; a1 is asked at 420 and at 520. */
#define STALE(purge, first, second)                                            \
    SECOND WRITE("ap/1", 1, 10, 20) WRITE("ap/1", 2, 30, 40)                   \
        purge READ_AT("b1", "ap/1", first, 420, 430, "status=200")             \
            READ_AT("b1", "ap/1", second, 520, 530, "status=200")
#define PUBLISHED PURGE("a1", "ap/1", 200, 210, "out=ok")

static void
test_ap_converges(void **state)
{
    static const struct row rows[] = {
        {"it converged", STALE(PUBLISHED, 2, 2), ""},
        {"the first may be answered by the copy that is made new",
         STALE(PUBLISHED, 1, 2), ""},
        {"the second may not", STALE(PUBLISHED, 1, 1),
         "ap diverged 30 200 520;"},
        {"nothing was purged", STALE("", 1, 1), ""},
        {"nor published",
         STALE(PURGE("a1", "ap/1", 200, 210, "out=local"), 1, 1), ""},
        {"not a second has passed",
         STALE(PURGE("a1", "ap/1", 200, 421, "out=ok"), 1, 1), ""},
        {"the node was cut from the site's Redis",
         STALE(PUBLISHED FAULT("b1>ra", 100, 421), 1, 1), ""},
        {"it was published at another site, from which the node was cut",
         STALE(PURGE("a1", "ap/1", 200, 210, "out=ok site=b")
                   FAULT("b1>rb", 100, 421),
               1, 1),
         ""},
        {"another site's Redis is of no matter",
         STALE(PUBLISHED FAULT("b1>rb", 100, 421), 1, 1),
         "ap diverged 30 200 520;"},
        {"it healed long ago", STALE(PUBLISHED FAULT("b1>ra", 100, 319), 1, 1),
         "ap diverged 30 200 520;"},
        {"the read before may have come before it was healed",
         STALE(PUBLISHED FAULT("b1>ra", 100, 321), 1, 1), ""},
        {"the Redis was down", STALE(PUBLISHED FAULT("ra", 100, 421), 1, 1),
         ""},
        {"the origin could not be asked",
         STALE(PUBLISHED FAULT("origin>b1", 500, 600), 1, 1), ""},
        {"the node did not run", STALE(PUBLISHED FAULT("b1", 500, 519), 1, 1),
         ""},
    };

    (void)state;
    try_rows(rows, ARRAY_LEN(rows));
}

/* ---- what is no history ---- */

static void
test_malformed(void **state)
{
    static const struct row rows[] = {
        {"writes that overlap",
         WRITE("cp/1", 1, 10, 20) WRITE("cp/1", 2, 15, 40),
         "malformed: cp/1: the write of 2 overlaps the one before, or its "
         "value is not larger"},
        {"values that fall", WRITE("cp/1", 3, 10, 20) WRITE("cp/1", 2, 25, 40),
         "malformed: cp/1: the write of 2 overlaps the one before, or its "
         "value is not larger"},
        {"a level that is none", WRITE("best/1", 1, 10, 20),
         "malformed: \"best/1\" is of no level"},
        {"a kind that is none", "guess key=cp/1\n",
         "malformed: \"guess\" is no kind of a line"},
        {"a field that is none", "read colour=red\n",
         "malformed: \"colour=red\" is no field"},
        {"a number that is none", "read key=cp/1 begin=soon\n",
         "malformed: \"begin=soon\" is no field"},
        {"a field that is missing",
         "read key=cp/1 at=a1 begin=1 end=2 value=1\n",
         "malformed: out is missing"},
        {"an end before the begin",
         "read key=cp/1 at=a1 begin=3 end=2 out=ok\n",
         "malformed: it ends before it begins"},
        {"a place that is none", "read key=cp/1 at=z9 begin=1 end=2 out=ok\n",
         "malformed: there is no place \"z9\""},
        {"a site that is none",
         "purge key=cp/1 at=a1 begin=1 end=2 out=ok site=z\n",
         "malformed: there is no site \"z\""},
        {"a fault of a place that is none",
         "fault what=cut on=a1>z9 begin=1 end=2\n",
         "malformed: there is no place \"a1>z9\""},
    };

    (void)state;
    try_rows(rows, ARRAY_LEN(rows));
}

/* ---- lines ---- */

static void
test_lines(void **state)
{
    static const char *const lines[] = {
        "read key=cp/1 at=a1 begin=1 end=2 out=ok value=7 status=200 local=1 "
        "stored=1 session=3 sent=1 got=1",
        "read key=cp/1 at=a1 begin=1 end=2 out=failed status=504",
        "write key=cp/1 begin=1 end=2 out=maybe value=7",
        "purge key=cp/1 at=a1 begin=1 end=2 out=ok hard=1 all=1 what=tag",
        "fault begin=1 end=0 what=cut on=a1>b1,b1>a1",
        "place name=a1 role=node site=a",
        "set bound_us=2000000 converge_us=1000000",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct history_line line;
        struct buf out = {0};

        assert_true(history_parse(span_of(lines[i]), &line, &out));
        history_format(&line, &out);
        assert_int_equal(out.len, strlen(lines[i]) + 1);
        assert_memory_equal(out.data, lines[i], strlen(lines[i]));
        buf_fini(&out);
    }
}

static void
test_counts(void **state)
{
    struct buf seen = {0};
    struct buf why = {0};
    struct check *check = check_new(note, &seen);
    uint64_t count;

    (void)state;
    assert_true(add_all(check,
                        PLACES WRITE("cp/1", 1, 10, 20) READ("cp/1", 0, 1, 2)
                            READ_AT("a1", "cp/1", 1, 30, 40,
                                    "local=1") FAILED("a1", "cp/1", 50, 60)
                                PURGE("a1", "cp/1", 70, 80, "out=ok all=1")
                                    PURGE("a1", "cp/1", 81, 82, "out=failed")
                                        FAULT("a1", 1, 2) FAULT("*", 3, 4),
                        &why));
    assert_true(check_run(check, &why));
    const struct check_level *cp = check_level(check, HISTORY_CP);

    assert_int_equal(cp->reads, 3);
    assert_int_equal(cp->answered, 2);
    assert_int_equal(cp->local, 1);
    assert_int_equal(cp->checked, 1);
    assert_int_equal(cp->writes, 1);
    assert_int_equal(cp->purges, 1);
    assert_int_equal(cp->acknowledged, 1);
    assert_int_equal(cp->violations, 0);
    assert_string_equal(check_fault(check, 0, &count), "cut");
    assert_int_equal(count, 2);
    assert_null(check_fault(check, 1, &count));
    check_free(&check);
    buf_fini(&seen);
    buf_fini(&why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cp),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_ap_available),
        cmocka_unit_test(test_ap_converges),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
