#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/date.h"

#define NOW INT64_C(1767225600) /* 2026-01-01 */
#define BAD INT64_MIN

static const struct {
    const char *what;
    const char *text;
    int64_t want;
} rows[] = {
    {"IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"asctime", "Sun Nov  6 08:49:37 1994", 784111777},
    {"asctime, two-digit day", "Sun Nov 16 08:49:37 1994", 784975777},
    {"the epoch", "Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"before the epoch", "Wed, 31 Dec 1969 23:59:59 GMT", -1},
    {"2038, past 32 bits", "Tue, 19 Jan 2038 14:14:08 GMT", 2147523248},
    {"2286", "Sun, 21 Nov 2286 04:46:39 GMT", INT64_C(10000039599)},
    {"RFC 850 in 2050", "Thursday, 18-Aug-50 02:01:18 GMT", 2544400878},
    {"asctime in 2050", "Thu Aug  8 02:01:18 2050", 2543536878},
    {"RFC 850, just within 50 years", "Tuesday, 31-Dec-75 00:00:00 GMT",
     3344976000},
    {"RFC 850, over 50 years ahead: the century before",
     "Friday, 31-Dec-76 00:00:00 GMT", 220838400},
    {"leap day", "Sat, 29 Feb 2020 00:00:00 GMT", 1582934400},
    {"leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
    {"weekday in wrong case", "THU, 18 Aug 2050 02:01:18 GMT", 2544400878},
    {"month in wrong case", "Thu, 18 AUG 2050 02:01:18 GMT", 2544400878},
    {"zone in wrong case", "Thu, 18 Aug 2050 02:01:18 gMT", 2544400878},
    {"weekday of another day", "Mon, 18 Aug 2050 02:01:18 GMT", 2544400878},

    {"UTC", "Thu, 18 Aug 2050 02:01:18 UTC", BAD},
    {"AEST", "Thu, 18 Aug 2050 02:01:18 AEST", BAD},
    {"no zone", "Thu, 18 Aug 2050 02:01:18", BAD},
    {"no year", "Sat, 01 Jan 0000 00:00:00 GMT", BAD},
    {"no year, asctime", "Thu Aug  8 02:01:19 0000", BAD},
    {"the first year", "Mon, 01 Jan 0001 00:00:00 GMT", INT64_C(-62135596800)},
    {"an offset", "Thu, 18 Aug 2050 02:01:18 +0000", BAD},
    {"two-digit year in a fixdate", "Thu, 18 Aug 50 02:01:18 GMT", BAD},
    {"no comma", "Thu 18 Aug 2050 02:01:18 GMT", BAD},
    {"two spaces behind the comma", "Thu,  18 Aug 2050 02:01:18 GMT", BAD},
    {"two spaces before the time", "Thu, 18 Aug 2050  02:01:18 GMT", BAD},
    {"dashes in a fixdate", "Thu, 18-Aug-2050 02:01:18 GMT", BAD},
    {"dashes, full weekday, full year", "Thursday, 18-Aug-2050 02:01:18 GMT",
     BAD},
    {"dots in the time", "Thu, 18 Aug 2050 02.01.18 GMT", BAD},
    {"one-digit hour", "Thu, 18 Aug 2050 2:01:18 GMT", BAD},
    {"one-digit day", "Thu, 8 Aug 2050 02:01:18 GMT", BAD},
    {"two dates",
     "Thu, 18 Aug 2050 02:01:18 GMT, "
     "Thu, 18 Aug 2050 02:01:19 GMT",
     BAD},
    {"something behind", "Thu, 18 Aug 2050 02:01:18 GMT ", BAD},
    {"something before", " Thu, 18 Aug 2050 02:01:18 GMT", BAD},
    {"full weekday in a fixdate", "Thursday, 18 Aug 2050 02:01:18 GMT", BAD},
    {"short weekday in RFC 850", "Thu, 18-Aug-50 02:01:18 GMT", BAD},
    {"asctime with GMT", "Thu Aug  8 02:01:18 2050 GMT", BAD},
    {"asctime, bare one-digit day", "Thu Aug 8 02:01:18 2050", BAD},
    {"no such weekday", "Foo, 18 Aug 2050 02:01:18 GMT", BAD},
    {"no such month", "Thu, 18 Foo 2050 02:01:18 GMT", BAD},
    {"day 0", "Thu, 00 Aug 2050 02:01:18 GMT", BAD},
    {"day 31 of a short month", "Thu, 31 Apr 2050 02:01:18 GMT", BAD},
    {"29 February in a common year", "Thu, 29 Feb 2100 02:01:18 GMT", BAD},
    {"hour 24", "Thu, 18 Aug 2050 24:01:18 GMT", BAD},
    {"minute 60", "Thu, 18 Aug 2050 02:60:18 GMT", BAD},
    {"second 61", "Thu, 18 Aug 2050 02:01:61 GMT", BAD},
    {"a sign", "Thu, +8 Aug 2050 02:01:18 GMT", BAD},
    {"zero", "0", BAD},
    {"minus one", "-1", BAD},
    {"empty", "", BAD},
    {"ISO 8601", "2050-08-18T02:01:18Z", BAD},
};

static void
reads_dates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = BAD;
        bool ok = date_parse(span_of(rows[i].text), NOW, &got);

        if (ok != (rows[i].want != BAD) || got != rows[i].want)
            fail_msg("%s: got %lld", rows[i].what, (long long)got);
    }
}

/* Cut anywhere, none is a date, and no byte behind the end is looked at. */
static void
refuses_cut_dates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span text = span_of(rows[i].text);

        for (size_t len = 0; rows[i].want != BAD && len < text.len; len++) {
            int64_t got;

            if (date_parse(span_sub(text, 0, len), NOW, &got))
                fail_msg("%s: cut to %zu", rows[i].what, len);
        }
    }
}

static void
writes_dates(void **state)
{
    static const struct {
        int64_t seconds;
        const char *want;
    } written[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {1582934400, "Sat, 29 Feb 2020 00:00:00 GMT"},
        {INT64_MIN, "Mon, 01 Jan 0001 00:00:00 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    char out[DATE_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(written); i++) {
        date_format(written[i].seconds, out);
        assert_string_equal(out, written[i].want);
    }
}

static void
reads_what_it_writes(void **state)
{
    char out[DATE_SIZE];

    (void)state;
    for (int64_t s = -62135596800; s < INT64_C(253402300799);
         s += INT64_C(7654321)) {
        int64_t got = BAD;

        date_format(s, out);
        assert_true(date_parse(span_of(out), NOW, &got));
        assert_int_equal(got, s);
    }
}

/* The century of two-digit years, whatever time it is. */
static void
settles_centuries(void **state)
{
    static const struct {
        int64_t now;
        const char *text;
        int64_t want;
    } centuries[] = {
        {4070908800 /* 2099 */, "Sunday, 06-Nov-10 08:49:37 GMT",
         4444706977 /* 2110 */},
        {4070908800, "Sunday, 06-Nov-94 08:49:37 GMT", 3939871777},
        {0 /* 1970 */, "Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {0, "Sunday, 06-Nov-21 08:49:37 GMT", -1519571423},
        {INT64_MAX, "Sunday, 29-Feb-00 08:49:37 GMT", 0},
        {INT64_MIN, "Sunday, 06-Nov-94 08:49:37 GMT", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(centuries); i++) {
        int64_t got = 0;

        date_parse(span_of(centuries[i].text), centuries[i].now, &got);
        if (centuries[i].want != 0)
            assert_int_equal(got, centuries[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_dates),
        cmocka_unit_test(refuses_cut_dates),
        cmocka_unit_test(writes_dates),
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(settles_centuries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
