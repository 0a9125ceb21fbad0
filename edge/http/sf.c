#include "http/sf_internal.h"

#include "http/fields_internal.h"

void
sf_add_string(struct buf *out, struct span s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '"' || c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, c >= 0x20 && c < 0x7f ? c : '?');
    }
    buf_add_char(out, '"');
}

/* RFC 9651 section 3.3.4. */
static bool
is_sf_token(struct span s)
{
    if (s.len == 0)
        return false;
    char first = (char)(s.ptr[0] | 0x20);

    if (s.ptr[0] != '*' && (first < 'a' || first > 'z'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!token_char(s.ptr[i]) && s.ptr[i] != ':' && s.ptr[i] != '/')
            return false;
    }
    return true;
}

void
sf_add_name(struct buf *out, struct span s)
{
    if (is_sf_token(s))
        buf_add_span(out, s);
    else
        sf_add_string(out, s);
}

void
sf_add_members(struct buf *out, const struct fields *fields, struct span name)
{
    struct member_cursor cursor = {0};
    struct span member;

    while (fields_next_member(fields, name, &cursor, &member)) {
        if (!quotes_closed(member))
            continue;
        buf_add_span(out, member);
        buf_add_text(out, ", ");
    }
}
