#include "http/no_vary_search.h"

#include <stdlib.h>

#include "base/check.h"
#include "http/structured.h"

#define NAMES_MAX 64
#define QUERY_MAX ((size_t)4096)
#define PARAMETERS_MAX 128

static void
cut_off(struct buf *buf, size_t end)
{
    buf->len = end;
    if (buf->data != NULL)
        buf->data[end] = '\0';
}

/* ---- one form for all ways to write a name or a value ---- */

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static void
add_byte(unsigned char byte, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                 (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' ||
                 byte == '_' || byte == '~';

    if (plain) {
        buf_add_char(out, (char)byte);
        return;
    }
    buf_add_char(out, '%');
    buf_add_char(out, digits[byte >> 4]);
    buf_add_char(out, digits[byte & 15]);
}

/* Decoded as application/x-www-form-urlencoded is, and encoded again. */
static void
add_form(struct span raw, struct buf *out)
{
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char byte = (unsigned char)raw.ptr[i];

        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%' && raw.len - i > 2 &&
                   hex_value(raw.ptr[i + 1]) >= 0 &&
                   hex_value(raw.ptr[i + 2]) >= 0) {
            byte = (unsigned char)(hex_value(raw.ptr[i + 1]) * 16 +
                                   hex_value(raw.ptr[i + 2]));
            i += 2;
        }
        add_byte(byte, out);
    }
}

/* ---- reading the field ---- */

/* What the dictionary has under the keys that we know; the last value of each
 * counts. */
struct said {
    bool has_key_order, has_params, has_except;
    struct structured_item key_order, params, except;
};

static bool
read_dictionary(struct span text, struct said *said)
{
    struct structured_cursor cursor = structured_cursor_of(text);
    struct structured_item item;
    struct span key;
    enum structured_result result;

    *said = (struct said){0};
    while ((result = structured_dictionary(&cursor, &key, &item)) ==
           STRUCTURED_MEMBER) {
        if (span_eq(key, SPAN("key-order"))) {
            said->has_key_order = true;
            said->key_order = item;
        } else if (span_eq(key, SPAN("params"))) {
            said->has_params = true;
            said->params = item;
        } else if (span_eq(key, SPAN("except"))) {
            said->has_except = true;
            said->except = item;
        }
    }
    return result == STRUCTURED_END;
}

static bool
is_true(const struct structured_item *item)
{
    return item->type == STRUCTURED_BOOLEAN && item->integer != 0;
}

/* `except` means something beside `params` alone only. */
static bool
types_right(const struct said *said)
{
    if (said->has_key_order && said->key_order.type != STRUCTURED_BOOLEAN)
        return false;
    if (said->has_params && said->params.type != STRUCTURED_BOOLEAN &&
        said->params.type != STRUCTURED_INNER)
        return false;
    return !said->has_except || (said->has_params && is_true(&said->params) &&
                                 said->except.type == STRUCTURED_INNER);
}

/* Names in their form, one after the other in `text`. */
struct names {
    struct buf text;
    struct {
        size_t at;
        size_t len;
    } list[NAMES_MAX];
    size_t count;
};

static struct span
name_of(const struct names *names, size_t i)
{
    return (struct span){names->text.data + names->list[i].at,
                         names->list[i].len};
}

/* Sorted, each once. False: too many. */
static bool
put_name(struct names *names, size_t from)
{
    size_t len = names->text.len - from;
    struct span name = {names->text.data + from, len};
    size_t at = 0;

    while (at < names->count && span_cmp(name_of(names, at), name) < 0)
        at++;
    if (at < names->count && span_eq(name_of(names, at), name)) {
        cut_off(&names->text, from);
        return true;
    }
    if (names->count == NAMES_MAX)
        return false;
    for (size_t i = names->count; i > at; i--)
        names->list[i] = names->list[i - 1];
    names->list[at].at = from;
    names->list[at].len = len;
    names->count++;
    return true;
}

/* The strings of an inner list; false when it has anything else. */
static bool
read_names(struct span list, struct names *names)
{
    struct structured_cursor cursor = structured_cursor_of(list);
    struct structured_item item;
    struct buf plain = {0};
    bool right = true;

    buf_reserve(&names->text, 1); /* the name may be empty */
    while (right && structured_inner(&cursor, &item) == STRUCTURED_MEMBER) {
        size_t from = names->text.len;

        right = item.type == STRUCTURED_STRING;
        if (!right)
            break;
        buf_clear(&plain);
        structured_unescape(item.text, &plain);
        add_form(buf_span(&plain), &names->text);
        right = put_name(names, from);
    }
    buf_fini(&plain);
    return right;
}

static void
write_variance(bool ordered, bool only, const struct names *names,
               struct buf *out)
{
    if (ordered)
        buf_add_char(out, 'o');
    buf_add_char(out, only ? '+' : '-');
    for (size_t i = 0; i < names->count; i++) {
        buf_add_span(out, name_of(names, i));
        buf_add_char(out, '&');
    }
}

/* False: the default, or nothing that can be used. */
static bool
interpret(const struct said *said, struct buf *out)
{
    struct names names = {0};
    bool ordered = said->has_key_order && is_true(&said->key_order);
    bool only = said->has_params && is_true(&said->params);
    bool listed = said->has_params && said->params.type == STRUCTURED_INNER;
    bool right = true;

    if (listed)
        right = read_names(said->params.text, &names);
    else if (said->has_except)
        right = read_names(said->except.text, &names);
    right = right && (ordered || only || names.count > 0) &&
            names.text.len + names.count < NO_VARY_SEARCH_MAX - 2;
    if (right)
        write_variance(ordered, only, &names, out);
    buf_fini(&names.text);
    return right;
}

bool
no_vary_search_read(const struct fields *response, struct buf *out)
{
    struct buf joined = {0};
    struct said said;
    bool read = fields_join(response, SPAN("No-Vary-Search"), &joined) &&
                read_dictionary(buf_span(&joined), &said) &&
                types_right(&said) && interpret(&said, out);

    buf_fini(&joined);
    return read;
}

/* ---- applying it ---- */

struct parameter {
    size_t at; /* of "name=value" */
    size_t name_len;
    size_t len;
    const char *base; /* of the text that `at` counts in, for sorting */
};

struct parameters {
    struct buf text;
    struct parameter list[PARAMETERS_MAX];
    size_t count;
};

/* Whether the variance, less its "o", lists the name. */
static bool
listed(struct span names, struct span name)
{
    struct span one;

    while (names.len > 0 && span_split(&names, '&', &one)) {
        if (span_eq(one, name))
            return true;
    }
    return false;
}

/* Takes one "name=value" in, unless it does not count. False: too many. */
static bool
take_parameter(struct parameters *parameters, struct span raw, bool only,
               struct span names)
{
    struct buf *text = &parameters->text;
    size_t equals = span_find(raw, '=', 0);
    size_t at = text->len;

    add_form(span_sub(raw, 0, equals), text);
    size_t name_len = text->len - at;
    struct span name = span_sub(buf_span(text), at, text->len);

    if (listed(names, name) != only) {
        cut_off(text, at);
        return true;
    }
    if (parameters->count == PARAMETERS_MAX)
        return false;
    buf_add_char(text, '=');
    add_form(span_sub(raw, equals + 1, raw.len), text);
    parameters->list[parameters->count++] = (struct parameter){
        .at = at, .name_len = name_len, .len = text->len - at};
    return true;
}

/* By name, then as they came. */
static int
compare_parameters(const void *a, const void *b)
{
    const struct parameter *one = a;
    const struct parameter *other = b;
    int order =
        span_cmp((struct span){one->base + one->at, one->name_len},
                 (struct span){other->base + other->at, other->name_len});

    if (order != 0)
        return order;
    return one->at < other->at ? -1 : one->at > other->at;
}

static void
write_parameters(struct parameters *parameters, bool ordered, struct buf *out)
{
    for (size_t i = 0; i < parameters->count; i++)
        parameters->list[i].base = parameters->text.data;
    if (ordered && parameters->count > 1)
        qsort(parameters->list, parameters->count, sizeof(struct parameter),
              compare_parameters);
    for (size_t i = 0; i < parameters->count; i++) {
        const struct parameter *one = &parameters->list[i];

        if (i > 0)
            buf_add_char(out, '&');
        buf_add(out, one->base + one->at, one->len);
    }
}

bool
no_vary_search_apply(struct span variance, struct span query, struct buf *out)
{
    struct parameters parameters = {0};
    bool ordered = variance.len > 0 && variance.ptr[0] == 'o';
    struct span names = span_sub(variance, ordered ? 1 : 0, variance.len);
    bool only = names.len > 0 && names.ptr[0] == '+';
    bool fits = query.len <= QUERY_MAX;
    struct span raw;

    names = span_sub(names, 1, names.len);
    buf_reserve(&parameters.text, 1); /* the first name may be empty */
    while (fits && span_split(&query, '&', &raw)) {
        if (raw.len > 0)
            fits = take_parameter(&parameters, raw, only, names);
    }
    if (fits)
        write_parameters(&parameters, ordered, out);
    buf_fini(&parameters.text);
    return fits;
}
