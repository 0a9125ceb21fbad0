#include "line_internal.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "cluster/inval.h"

#define SUM_DIGITS 16

void
line_add_hex(struct buf *out, struct span text)
{
    static const char digits[] = "0123456789abcdef";

    if (text.len == 0)
        buf_add_char(out, '-');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        buf_add_char(out, digits[c >> 4]);
        buf_add_char(out, digits[c & 15]);
    }
}

int
line_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *
line_from_hex(struct span hex)
{
    if (span_eq(hex, SPAN("-")))
        return mem_strdup("");
    if (hex.len == 0 || hex.len % 2 != 0 || hex.len > 2 * INVAL_VALUE_MAX)
        return NULL;
    char *text = mem_alloc(hex.len / 2 + 1);

    for (size_t i = 0; i < hex.len / 2; i++) {
        int high = line_digit(hex.ptr[2 * i]);
        int low = line_digit(hex.ptr[2 * i + 1]);

        if (high < 0 || low < 0 || high + low == 0) {
            free(text);
            return NULL;
        }
        text[i] = (char)(high << 4 | low);
    }
    text[hex.len / 2] = '\0';
    return text;
}

void
line_add_sum(struct buf *out, size_t from)
{
    struct hash128 sum =
        hash_bytes((struct span){out->data + from, out->len - from}, 0);

    buf_printf(out, " %016llx\n", (unsigned long long)sum.lo);
}

bool
line_check_sum(struct span *line)
{
    struct buf want = {0};

    if (line->len < SUM_DIGITS + 1)
        return false;
    struct span text = span_sub(*line, 0, line->len - SUM_DIGITS - 1);
    struct span rest = span_sub(*line, text.len, line->len);
    struct hash128 sum = hash_bytes(text, 0);

    buf_printf(&want, " %016llx", (unsigned long long)sum.lo);
    bool good = span_eq(rest, buf_span(&want));

    buf_fini(&want);
    *line = text;
    return good;
}
