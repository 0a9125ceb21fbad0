#include "http/structured.h"

#include <string.h>

/*
 * Every take_ function takes what it recognises off the front of *s; when it
 * gives false, the field has a syntax error and *s is of no more use.
 */

static bool
at(struct span s, char c)
{
    return s.len > 0 && s.ptr[0] == c;
}

static void
drop(struct span *s, size_t count)
{
    *s = span_sub(*s, count, s->len);
}

static void
skip_spaces(struct span *s)
{
    while (at(*s, ' '))
        drop(s, 1);
}

static void
skip_ows(struct span *s)
{
    while (at(*s, ' ') || at(*s, '\t'))
        drop(s, 1);
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool
is_alpha(char c)
{
    return is_lower((char)(c | 0x20));
}

static bool
in_set(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* ---- bare items ---- */

/* At most `max` digits, added to *value. */
static size_t
take_digits(struct span *s, size_t max, int64_t *value)
{
    size_t count = 0;

    while (count < s->len && is_digit(s->ptr[count]) && count < max) {
        *value = *value * 10 + (s->ptr[count] - '0');
        count++;
    }
    drop(s, count);
    return count;
}

/* RFC 9651 section 4.2.4: 15 digits, or 12 and up to 3 behind a dot. */
static bool
take_number(struct span *s, struct structured_item *item)
{
    bool negative = at(*s, '-');
    int64_t value = 0;

    if (negative)
        drop(s, 1);
    size_t whole = take_digits(s, 15, &value);

    if (whole == 0 || (s->len > 0 && is_digit(s->ptr[0])))
        return false;
    item->type = STRUCTURED_INTEGER;
    if (at(*s, '.')) {
        drop(s, 1);
        size_t behind = take_digits(s, 3, &value);

        if (whole > 12 || behind == 0 || (s->len > 0 && is_digit(s->ptr[0])))
            return false;
        for (; behind < 3; behind++)
            value *= 10;
        item->type = STRUCTURED_DECIMAL;
    }
    item->integer = negative ? -value : value;
    return true;
}

static bool
take_string(struct span *s, struct structured_item *item)
{
    size_t i = 1;

    while (i < s->len && s->ptr[i] != '"') {
        char c = s->ptr[i];

        if (c < 0x20 || c > 0x7e)
            return false;
        if (c == '\\') {
            i++;
            if (i == s->len || (s->ptr[i] != '"' && s->ptr[i] != '\\'))
                return false;
        }
        i++;
    }
    if (i >= s->len)
        return false;
    item->type = STRUCTURED_STRING;
    item->text = span_sub(*s, 1, i);
    drop(s, i + 1);
    return true;
}

static bool
take_token(struct span *s, struct structured_item *item)
{
    size_t i = 1;

    while (i < s->len && (is_alpha(s->ptr[i]) || is_digit(s->ptr[i]) ||
                          in_set(s->ptr[i], "!#$%&'*+-.^_`|~:/")))
        i++;
    item->type = STRUCTURED_TOKEN;
    item->text = span_sub(*s, 0, i);
    drop(s, i);
    return true;
}

static bool
take_bytes(struct span *s, struct structured_item *item)
{
    size_t end = span_find(*s, ':', 1);

    if (end == s->len)
        return false;
    for (size_t i = 1; i < end; i++) {
        if (!is_alpha(s->ptr[i]) && !is_digit(s->ptr[i]) &&
            !in_set(s->ptr[i], "+/="))
            return false;
    }
    item->type = STRUCTURED_BYTES;
    item->text = span_sub(*s, 1, end);
    drop(s, end + 1);
    return true;
}

static bool
take_boolean(struct span *s, struct structured_item *item)
{
    if (s->len < 2 || (s->ptr[1] != '0' && s->ptr[1] != '1'))
        return false;
    item->type = STRUCTURED_BOOLEAN;
    item->integer = s->ptr[1] - '0';
    drop(s, 2);
    return true;
}

static bool
take_date(struct span *s, struct structured_item *item)
{
    drop(s, 1);
    if (!take_number(s, item) || item->type != STRUCTURED_INTEGER)
        return false;
    item->type = STRUCTURED_DATE;
    return true;
}

/* Lower case only (RFC 9651 section 4.2.10). */
static int
hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What may follow in a UTF-8 sequence: how many bytes, and the bounds of the
 * next one, which rule out long forms, surrogates and what is past U+10FFFF. */
struct utf8 {
    int more;
    unsigned low;
    unsigned high;
};

static bool
utf8_step(struct utf8 *state, unsigned byte)
{
    if (state->more > 0) {
        if (byte < state->low || byte > state->high)
            return false;
        *state = (struct utf8){state->more - 1, 0x80, 0xbf};
        return true;
    }
    *state = (struct utf8){0, 0x80, 0xbf};
    if (byte < 0x80)
        return true;
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    state->more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0)
        state->low = 0xa0;
    else if (byte == 0xed)
        state->high = 0x9f;
    else if (byte == 0xf0)
        state->low = 0x90;
    else if (byte == 0xf4)
        state->high = 0x8f;
    return true;
}

static bool
take_display(struct span *s, struct structured_item *item)
{
    struct utf8 state = {0};
    size_t i = 2;

    if (s->len < 2 || s->ptr[1] != '"')
        return false;
    for (; i < s->len && s->ptr[i] != '"'; i++) {
        unsigned byte = (unsigned char)s->ptr[i];

        if (byte < 0x20 || byte > 0x7e)
            return false;
        if (byte == '%') {
            int high = i + 2 < s->len ? hex_value(s->ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(s->ptr[i + 2]) : -1;

            if (low < 0)
                return false;
            byte = (unsigned)(high << 4 | low);
            i += 2;
        }
        if (!utf8_step(&state, byte))
            return false;
    }
    if (i >= s->len || state.more > 0)
        return false;
    item->type = STRUCTURED_DISPLAY;
    item->text = span_sub(*s, 2, i);
    drop(s, i + 1);
    return true;
}

static bool
take_bare_item(struct span *s, struct structured_item *item)
{
    char c = s->len > 0 ? s->ptr[0] : '\0';

    *item = (struct structured_item){0};
    if (c == '-' || is_digit(c))
        return take_number(s, item);
    if (c == '*' || is_alpha(c))
        return take_token(s, item);
    switch (c) {
    case '"':
        return take_string(s, item);
    case ':':
        return take_bytes(s, item);
    case '?':
        return take_boolean(s, item);
    case '@':
        return take_date(s, item);
    case '%':
        return take_display(s, item);
    default:
        return false;
    }
}

/* ---- parameters, items, inner lists ---- */

static bool
take_key(struct span *s, struct span *key)
{
    size_t i = 1;

    if (s->len == 0 || (!is_lower(s->ptr[0]) && s->ptr[0] != '*'))
        return false;
    while (i < s->len && (is_lower(s->ptr[i]) || is_digit(s->ptr[i]) ||
                          in_set(s->ptr[i], "_-.*")))
        i++;
    *key = span_sub(*s, 0, i);
    drop(s, i);
    return true;
}

static struct structured_item
boolean_true(void)
{
    return (struct structured_item){.type = STRUCTURED_BOOLEAN, .integer = 1};
}

/* One ";key" or ";key=value". */
static bool
take_parameter(struct span *s, struct span *key, struct structured_item *value)
{
    drop(s, 1);
    skip_spaces(s);
    if (!take_key(s, key))
        return false;
    *value = boolean_true();
    if (!at(*s, '='))
        return true;
    drop(s, 1);
    return take_bare_item(s, value);
}

static bool
take_parameters(struct span *s, struct span *parameters)
{
    struct span begin = *s;
    struct span key;
    struct structured_item value;

    while (at(*s, ';')) {
        if (!take_parameter(s, &key, &value))
            return false;
    }
    *parameters = span_sub(begin, 0, begin.len - s->len);
    return true;
}

static bool
take_item(struct span *s, struct structured_item *item)
{
    return take_bare_item(s, item) && take_parameters(s, &item->parameters);
}

static bool
take_inner_list(struct span *s, struct structured_item *list)
{
    struct span begin = span_sub(*s, 1, s->len);
    struct structured_item item;

    drop(s, 1);
    for (;;) {
        skip_spaces(s);
        if (at(*s, ')'))
            break;
        if (!take_item(s, &item) || (!at(*s, ' ') && !at(*s, ')')))
            return false;
    }
    *list = (struct structured_item){.type = STRUCTURED_INNER};
    list->text = span_sub(begin, 0, begin.len - s->len);
    drop(s, 1);
    return take_parameters(s, &list->parameters);
}

static bool
take_member(struct span *s, struct structured_item *item)
{
    return at(*s, '(') ? take_inner_list(s, item) : take_item(s, item);
}

/* ---- cursors ---- */

struct structured_cursor
structured_cursor_of(struct span text)
{
    skip_spaces(&text);
    return (struct structured_cursor){text, false};
}

/* Goes to the next member: MEMBER when one must be there now. */
static enum structured_result
next_of_list(struct structured_cursor *cursor)
{
    if (!cursor->begun) {
        cursor->begun = true;
        return cursor->rest.len > 0 ? STRUCTURED_MEMBER : STRUCTURED_END;
    }
    skip_ows(&cursor->rest);
    if (cursor->rest.len == 0)
        return STRUCTURED_END;
    if (!at(cursor->rest, ','))
        return STRUCTURED_ERROR;
    drop(&cursor->rest, 1);
    skip_ows(&cursor->rest);
    return cursor->rest.len > 0 ? STRUCTURED_MEMBER : STRUCTURED_ERROR;
}

enum structured_result
structured_list(struct structured_cursor *cursor, struct structured_item *item)
{
    enum structured_result result = next_of_list(cursor);

    if (result == STRUCTURED_MEMBER && !take_member(&cursor->rest, item))
        return STRUCTURED_ERROR;
    return result;
}

enum structured_result
structured_dictionary(struct structured_cursor *cursor, struct span *key,
                      struct structured_item *item)
{
    enum structured_result result = next_of_list(cursor);

    if (result != STRUCTURED_MEMBER)
        return result;
    if (!take_key(&cursor->rest, key))
        return STRUCTURED_ERROR;
    if (at(cursor->rest, '=')) {
        drop(&cursor->rest, 1);
        return take_member(&cursor->rest, item) ? STRUCTURED_MEMBER
                                                : STRUCTURED_ERROR;
    }
    *item = boolean_true();
    return take_parameters(&cursor->rest, &item->parameters) ? STRUCTURED_MEMBER
                                                             : STRUCTURED_ERROR;
}

bool
structured_item(struct span text, struct structured_item *item)
{
    skip_spaces(&text);
    if (!take_item(&text, item))
        return false;
    skip_spaces(&text);
    return text.len == 0;
}

enum structured_result
structured_inner(struct structured_cursor *cursor, struct structured_item *item)
{
    bool spaced = !cursor->begun || at(cursor->rest, ' ');

    cursor->begun = true;
    skip_spaces(&cursor->rest);
    if (cursor->rest.len == 0)
        return STRUCTURED_END;
    return spaced && take_item(&cursor->rest, item) ? STRUCTURED_MEMBER
                                                    : STRUCTURED_ERROR;
}

enum structured_result
structured_parameter(struct structured_cursor *cursor, struct span *key,
                     struct structured_item *value)
{
    if (cursor->rest.len == 0)
        return STRUCTURED_END;
    return at(cursor->rest, ';') && take_parameter(&cursor->rest, key, value)
               ? STRUCTURED_MEMBER
               : STRUCTURED_ERROR;
}

bool
structured_list_valid(struct span text)
{
    struct structured_cursor cursor = structured_cursor_of(text);
    struct structured_item item;
    enum structured_result result;

    do
        result = structured_list(&cursor, &item);
    while (result == STRUCTURED_MEMBER);
    return result == STRUCTURED_END;
}

bool
structured_dictionary_valid(struct span text)
{
    struct structured_cursor cursor = structured_cursor_of(text);
    struct structured_item item;
    struct span key;
    enum structured_result result;

    do
        result = structured_dictionary(&cursor, &key, &item);
    while (result == STRUCTURED_MEMBER);
    return result == STRUCTURED_END;
}

/* ---- strings ---- */

void
structured_unescape(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len)
            i++;
        buf_add_char(out, text.ptr[i]);
    }
}

void
structured_add_string(struct buf *out, struct span text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '"' || c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, c < 0x20 || c > 0x7e ? '?' : c);
    }
    buf_add_char(out, '"');
}
