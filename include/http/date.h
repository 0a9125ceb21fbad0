/*
 * HTTP dates (RFC 9110 section 5.6.7), as whole seconds since 1970 UTC.
 * Pure functions; the system's locale and time zone are never looked at.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/span.h"

#define DATE_SIZE 30 /* of an IMF-fixdate, with its NUL */

/*
 * Reads an IMF-fixdate, an RFC 850 date or an asctime date; the whole span,
 * nothing before or after. Names of days and months, and "GMT", are taken in
 * any case; all else is strict: one space, two digits, "GMT" and no other
 * zone, a day that the month has. The day of the week is not compared with
 * the date. A two-digit year that would lie more than 50 years after `now_s`
 * is of the century before. False, and *seconds untouched, for anything else.
 */
bool date_parse(struct span text, int64_t now_s, int64_t *seconds);

/* Writes an IMF-fixdate and its NUL. Times outside the years 1 to 9999 are
 * written as the nearest of them. */
void date_format(int64_t seconds, char out[DATE_SIZE]);

#endif
