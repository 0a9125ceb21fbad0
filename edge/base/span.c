#include "base/span.h"

#include <string.h>
#include <strings.h>

struct span
span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

struct span
span_sub(struct span s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    /* Not even 0 may be added to NULL. */
    return (struct span){from > 0 ? s.ptr + from : s.ptr, to - from};
}

bool
span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static unsigned char
lower(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

bool
span_eq_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] != b.ptr[i] && lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool
span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

struct span
span_trim(struct span s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

size_t
span_find(struct span s, char c, size_t from)
{
    if (from >= s.len)
        return s.len;
    const char *at = memchr(s.ptr + from, c, s.len - from);

    return at ? (size_t)(at - s.ptr) : s.len;
}

bool
span_split(struct span *s, char separator, struct span *part)
{
    if (s->ptr == NULL)
        return false;
    size_t at = span_find(*s, separator, 0);

    *part = span_sub(*s, 0, at);
    *s = at < s->len ? span_sub(*s, at + 1, s->len) : SPAN_NONE;
    return true;
}

bool
span_u64(struct span s, uint64_t max, uint64_t *value)
{
    uint64_t n = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');

        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    *value = n > max ? max : n;
    return true;
}

int
span_cmp(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

size_t
span_put(char *text, size_t size, size_t at, struct span s)
{
    size_t len = s.len < size - 1 - at ? s.len : size - 1 - at;

    if (len > 0)
        memcpy(text + at, s.ptr, len);
    text[at + len] = '\0';
    return at + len;
}
