#include "http/date.h"

#include <string.h>

#define DAY_S INT64_C(86400)
/* 50 years of the Gregorian calendar, on average. */
#define FIFTY_YEARS_S (INT64_C(50) * 31556952)
#define YEAR_1_S INT64_C(-62135596800)
#define YEAR_9999_END_S INT64_C(253402300799)

static const char *const day_names[7] = {
    "Sunday",   "Monday", "Tuesday",  "Wednesday",
    "Thursday", "Friday", "Saturday",
};

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct moment {
    int64_t year;
    int month; /* 1 to 12 */
    int day;
    int hour;
    int minute;
    int second;
};

/* ---- the calendar: days since 1970, proleptic Gregorian ---- */

/* Counts years from March, so that the leap day is the last of its year. */
static int64_t
days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t from_march = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
    int64_t day_of_era =
        of_era * 365 + of_era / 4 - of_era / 100 + from_march + day - 1;

    return era * 146097 + day_of_era - 719468;
}

static void
civil_of(int64_t days, struct moment *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    out->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = yoe + era * 400 + (out->month <= 2 ? 1 : 0);
}

static int
days_in_month(int64_t year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30,
                                 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static int64_t
seconds_of(const struct moment *m)
{
    return days_of(m->year, m->month, m->day) * DAY_S +
           m->hour * INT64_C(3600) + m->minute * INT64_C(60) + m->second;
}

/* ---- reading: each takes what it recognises off the front of *s ---- */

static bool
take(struct span *s, struct span want)
{
    if (s->len < want.len || !span_eq_nocase(span_sub(*s, 0, want.len), want))
        return false;
    *s = span_sub(*s, want.len, s->len);
    return true;
}

static bool
take_digits(struct span *s, size_t count, int *value)
{
    int n = 0;

    if (s->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        n = n * 10 + (s->ptr[i] - '0');
    }
    *value = n;
    *s = span_sub(*s, count, s->len);
    return true;
}

/* Three letters in one number, in lower case. Other bytes give no letters. */
static uint32_t
letters(const char *p)
{
    return ((uint32_t)(unsigned char)p[0] << 16 |
            (uint32_t)(unsigned char)p[1] << 8 | (unsigned char)p[2]) |
           0x202020;
}

static bool
take_day_name(struct span *s, bool whole)
{
    if (s->len < 3)
        return false;
    for (size_t i = 0; i < 7; i++) {
        if (letters(s->ptr) != letters(day_names[i]))
            continue;
        size_t len = whole ? strlen(day_names[i]) : 3;

        if (s->len >= len && span_eq_nocase(span_sub(*s, 0, len),
                                            (struct span){day_names[i], len})) {
            *s = span_sub(*s, len, s->len);
            return true;
        }
    }
    return false;
}

static bool
take_month(struct span *s, int *month)
{
    for (int i = 0; i < 12 && s->len >= 3; i++) {
        if (letters(s->ptr) == letters(month_names + (ptrdiff_t)i * 3)) {
            *month = i + 1;
            *s = span_sub(*s, 3, s->len);
            return true;
        }
    }
    return false;
}

static bool
take_time(struct span *s, struct moment *m)
{
    return take_digits(s, 2, &m->hour) && take(s, SPAN(":")) &&
           take_digits(s, 2, &m->minute) && take(s, SPAN(":")) &&
           take_digits(s, 2, &m->second);
}

static bool
take_year(struct span *s, struct moment *m)
{
    int year;

    /* There was no year 0, and date_format writes none. */
    if (!take_digits(s, 4, &year) || year == 0)
        return false;
    m->year = year;
    return true;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool
read_fixdate(struct span s, struct moment *m)
{
    return take_day_name(&s, false) && take(&s, SPAN(", ")) &&
           take_digits(&s, 2, &m->day) && take(&s, SPAN(" ")) &&
           take_month(&s, &m->month) && take(&s, SPAN(" ")) &&
           take_year(&s, m) && take(&s, SPAN(" ")) && take_time(&s, m) &&
           take(&s, SPAN(" GMT")) && s.len == 0;
}

/* Sunday, 06-Nov-94 08:49:37 GMT; the year is left as two digits. */
static bool
read_rfc850(struct span s, struct moment *m)
{
    int year;

    if (!(take_day_name(&s, true) && take(&s, SPAN(", ")) &&
          take_digits(&s, 2, &m->day) && take(&s, SPAN("-")) &&
          take_month(&s, &m->month) && take(&s, SPAN("-")) &&
          take_digits(&s, 2, &year) && take(&s, SPAN(" ")) &&
          take_time(&s, m) && take(&s, SPAN(" GMT")) && s.len == 0))
        return false;
    m->year = year;
    return true;
}

/* Sun Nov  6 08:49:37 1994 */
static bool
read_asctime(struct span s, struct moment *m)
{
    if (!(take_day_name(&s, false) && take(&s, SPAN(" ")) &&
          take_month(&s, &m->month) && take(&s, SPAN(" "))))
        return false;
    if (take(&s, SPAN(" ")) ? !take_digits(&s, 1, &m->day)
                            : !take_digits(&s, 2, &m->day))
        return false;
    return take(&s, SPAN(" ")) && take_time(&s, m) && take(&s, SPAN(" ")) &&
           take_year(&s, m) && s.len == 0;
}

/* A leap second may be written (RFC 9110 section 5.6.7). */
static bool
moment_valid(const struct moment *m)
{
    return m->day >= 1 && m->day <= days_in_month(m->year, m->month) &&
           m->hour <= 23 && m->minute <= 59 && m->second <= 60;
}

/* The latest year that ends in these digits and does not put the moment more
 * than 50 years ahead. False when the day is in no such year. */
static bool
settle_century(struct moment *m, int64_t now_s)
{
    struct moment now = {0};

    civil_of((now_s >= 0 ? now_s : now_s - (DAY_S - 1)) / DAY_S, &now);
    m->year += now.year - now.year % 100 + 100;
    while (m->year > 99 && seconds_of(m) - now_s > FIFTY_YEARS_S)
        m->year -= 100;
    return moment_valid(m);
}

bool
date_parse(struct span text, int64_t now_s, int64_t *seconds)
{
    struct moment m = {0};

    if (now_s < YEAR_1_S)
        now_s = YEAR_1_S;
    if (now_s > YEAR_9999_END_S)
        now_s = YEAR_9999_END_S;
    if (read_fixdate(text, &m) || read_asctime(text, &m)) {
        if (!moment_valid(&m))
            return false;
    } else if (!read_rfc850(text, &m) || !settle_century(&m, now_s)) {
        return false;
    }
    *seconds = seconds_of(&m);
    return true;
}

/* ---- writing ---- */

static void
put_digits(char *at, size_t count, int64_t value)
{
    while (count > 0) {
        at[--count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void
date_format(int64_t seconds, char out[DATE_SIZE])
{
    struct moment m = {0};

    if (seconds < YEAR_1_S)
        seconds = YEAR_1_S;
    if (seconds > YEAR_9999_END_S)
        seconds = YEAR_9999_END_S;
    int64_t days = (seconds >= 0 ? seconds : seconds - (DAY_S - 1)) / DAY_S;
    int64_t rest = seconds - days * DAY_S;

    civil_of(days, &m);
    memcpy(out, "Day, 00 Mon 0000 00:00:00 GMT", DATE_SIZE);
    /* Day 0 was a Thursday; year 1 began 719162 days before. */
    memcpy(out, day_names[(days + 719162 + 1) % 7], 3);
    put_digits(out + 5, 2, m.day);
    memcpy(out + 8, month_names + (ptrdiff_t)(m.month - 1) * 3, 3);
    put_digits(out + 12, 4, m.year);
    put_digits(out + 17, 2, rest / 3600);
    put_digits(out + 20, 2, rest / 60 % 60);
    put_digits(out + 23, 2, rest % 60);
}
