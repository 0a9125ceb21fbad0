/* A borrowed run of bytes: pointer and length, not NUL-terminated. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *ptr;
    size_t len;
};

/* A span of a string literal, usable in initialisers. */
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_NONE ((struct span){NULL, 0})
/* The two arguments of a printf "%.*s". */
#define SPAN_FMT(s) (int)(s).len, (s).ptr

struct span span_of(const char *text); /* NULL gives the empty span */
struct span span_sub(struct span s, size_t from, size_t to);
bool span_eq(struct span a, struct span b);
bool span_eq_nocase(struct span a, struct span b); /* ASCII only */
bool span_starts(struct span s, struct span prefix);
/* Without spaces and tabs at both ends (OWS, RFC 9110 section 5.6.3). */
struct span span_trim(struct span s);
/* The index of `c` at or after `from`; s.len when there is none. */
size_t span_find(struct span s, char c, size_t from);
/* Takes the part before the first `separator` off the front of *s, and the
 * separator with it. False when *s is at its end (ptr NULL). "a,,b" gives
 * three parts, "" gives one empty part. */
bool span_split(struct span *s, char separator, struct span *part);
/* Decimal digits only, the whole span, at least one. Values over `max` give
 * `max`. False when the span is anything else. */
bool span_u64(struct span s, uint64_t max, uint64_t *value);
/* Copies `s` to text[at], cut to what `size` leaves, and a NUL behind it. Gives
 * where that is: the `at` of what comes next. */
size_t span_put(char *text, size_t size, size_t at, struct span s);
/* Orders like memcmp, then by length. */
int span_cmp(struct span a, struct span b);

#endif
