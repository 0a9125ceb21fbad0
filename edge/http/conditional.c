#include "http/conditional.h"

#include "http/date.h"
#include "http/status.h"

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

static const struct span condition_names[] = {
    NAME("If-Match"),
    NAME("If-None-Match"),
    NAME("If-Modified-Since"),
    NAME("If-Unmodified-Since"),
};
#define CONDITION_NAMES (sizeof(condition_names) / sizeof(condition_names[0]))

/* ---- entity tags ---- */

static bool
is_weak(struct span etag)
{
    return span_starts(etag, SPAN("W/"));
}

static struct span
opaque(struct span etag)
{
    return is_weak(etag) ? span_sub(etag, 2, etag.len) : etag;
}

bool
etag_valid(struct span etag)
{
    struct span tag = opaque(etag);

    if (tag.len < 2 || tag.ptr[0] != '"' || tag.ptr[tag.len - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < tag.len; i++) {
        unsigned char c = (unsigned char)tag.ptr[i];

        if (c < 0x21 || c == '"' || c == 0x7f)
            return false;
    }
    return true;
}

bool
etag_is_strong(struct span etag)
{
    return !is_weak(etag) && etag_valid(etag);
}

bool
etag_strong_equal(struct span a, struct span b)
{
    return etag_is_strong(a) && span_eq(a, b);
}

bool
etag_weak_equal(struct span a, struct span b)
{
    return opaque(a).len > 0 && span_eq(opaque(a), opaque(b));
}

/* Takes the next entity tag off the front of *list. Not the list walk of
 * other fields: a backslash inside a tag escapes nothing (RFC 9110 section
 * 8.8.3), and a comma inside its quotes separates nothing. */
static bool
next_etag(struct span *list, struct span *etag)
{
    while (list->len > 0) {
        size_t end = 0;
        bool quoted = false;

        while (end < list->len && (quoted || list->ptr[end] != ',')) {
            quoted ^= list->ptr[end] == '"';
            end++;
        }
        *etag = span_trim(span_sub(*list, 0, end));
        *list = span_sub(*list, end + 1, list->len);
        if (etag->len > 0)
            return true;
    }
    return false;
}

/* Whether a field of this name, over all its lines, is "*" or lists `etag`. */
static bool
list_matches(const struct fields *request, struct span name, struct span etag,
             bool strong)
{
    struct span member;

    for (size_t i = 0; i < request->count; i++) {
        struct span list = request->list[i].value;

        if (!span_eq_nocase(request->list[i].name, name))
            continue;
        while (next_etag(&list, &member)) {
            if (span_eq(member, SPAN("*")))
                return true;
            if (strong ? etag_strong_equal(member, etag)
                       : etag_weak_equal(member, etag))
                return true;
        }
    }
    return false;
}

/* ---- dates ---- */

bool
conditional_strong_last_modified(const struct fields *stored)
{
    /* A form with a two-digit year reads differently from these two times. */
    static const int64_t then = 0;
    static const int64_t later = INT64_C(7258118400); /* in 2200 */
    struct span texts[2] = {fields_get(stored, SPAN("Last-Modified")),
                            fields_get(stored, SPAN("Date"))};
    int64_t seconds[2];

    for (size_t i = 0; i < 2; i++) {
        int64_t other;

        if (!date_parse(texts[i], then, &seconds[i]) ||
            !date_parse(texts[i], later, &other) || other != seconds[i])
            return false;
    }
    return seconds[0] < seconds[1];
}

/* The date in the request's field of this name. False when there is none, or
 * it is none: then it does not count (RFC 9110 section 13.1.3). */
static bool
request_date(const struct fields *request, struct span name, int64_t now_s,
             int64_t *seconds)
{
    struct span value = fields_get(request, name);

    return value.ptr != NULL && fields_count(request, name) == 1 &&
           date_parse(value, now_s, seconds);
}

static bool
is_read(struct span method)
{
    return span_eq(method, SPAN("GET")) || span_eq(method, SPAN("HEAD"));
}

/* ---- verdicts ---- */

bool
conditional_present(const struct fields *request)
{
    for (size_t i = 0; i < CONDITION_NAMES; i++) {
        if (fields_has(request, condition_names[i]))
            return true;
    }
    return false;
}

bool
conditional_needs_origin(const struct fields *request)
{
    return fields_has(request, SPAN("If-Match")) ||
           fields_has(request, SPAN("If-Unmodified-Since"));
}

enum condition
conditional_evaluate(struct span method, const struct fields *request,
                     int status, const struct fields *stored,
                     int64_t received_s)
{
    int64_t since;
    int64_t modified = received_s;

    if (!conditional_present(request))
        return CONDITION_NONE;
    if (conditional_needs_origin(request))
        return CONDITION_ORIGIN;
    if (!is_read(method) || status < 200 || status > 299)
        return CONDITION_NONE;
    if (fields_has(request, SPAN("If-None-Match")))
        return list_matches(request, SPAN("If-None-Match"),
                            fields_get(stored, SPAN("ETag")), false)
                   ? CONDITION_NOT_MODIFIED
                   : CONDITION_NONE;
    if (!request_date(request, SPAN("If-Modified-Since"), received_s, &since))
        return CONDITION_NONE;
    if (!date_parse(fields_get(stored, SPAN("Last-Modified")), received_s,
                    &modified))
        (void)date_parse(fields_get(stored, SPAN("Date")), received_s,
                         &modified);
    return modified <= since ? CONDITION_NOT_MODIFIED : CONDITION_NONE;
}

/* If-Match, else If-Unmodified-Since: whether the request may go on. */
static bool
may_go_on(const struct fields *request, const struct fields *current,
          int64_t now_s)
{
    int64_t since;
    int64_t modified;

    if (fields_has(request, SPAN("If-Match")))
        return current != NULL &&
               list_matches(request, SPAN("If-Match"),
                            fields_get(current, SPAN("ETag")), true);
    if (!request_date(request, SPAN("If-Unmodified-Since"), now_s, &since))
        return true;
    return current != NULL &&
           date_parse(fields_get(current, SPAN("Last-Modified")), now_s,
                      &modified) &&
           modified <= since;
}

enum condition
conditional_evaluate_origin(struct span method, const struct fields *request,
                            const struct fields *current, int64_t now_s)
{
    int64_t since;
    int64_t modified;

    if (!conditional_present(request))
        return CONDITION_NONE;
    if (!may_go_on(request, current, now_s))
        return CONDITION_FAILED;
    if (fields_has(request, SPAN("If-None-Match"))) {
        if (current == NULL ||
            !list_matches(request, SPAN("If-None-Match"),
                          fields_get(current, SPAN("ETag")), false))
            return CONDITION_NONE;
        return is_read(method) ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
    }
    if (is_read(method) && current != NULL &&
        request_date(request, SPAN("If-Modified-Since"), now_s, &since) &&
        date_parse(fields_get(current, SPAN("Last-Modified")), now_s,
                   &modified) &&
        modified <= since)
        return CONDITION_NOT_MODIFIED;
    return CONDITION_NONE;
}

/* ---- fields ---- */

bool
conditional_for_validation(const struct fields *stored, bool strong,
                           struct fields *out)
{
    struct span etag = fields_get(stored, SPAN("ETag"));
    struct span modified = fields_get(stored, SPAN("Last-Modified"));
    size_t before = out->count;

    if (strong && !etag_is_strong(etag))
        return false;
    if (etag.len > 0)
        fields_add(out, SPAN("If-None-Match"), etag);
    if (modified.len > 0)
        fields_add(out, SPAN("If-Modified-Since"), modified);
    return out->count > before;
}

void
conditional_strip(struct fields *request)
{
    for (size_t i = 0; i < CONDITION_NAMES; i++)
        fields_remove(request, condition_names[i]);
    fields_remove(request, SPAN("If-Range"));
}

void
conditional_not_modified_fields(const struct fields *stored, struct fields *out)
{
    static const struct span of_the_body[] = {
        NAME("Content-Type"),     NAME("Content-Length"),
        NAME("Content-Encoding"), NAME("Content-Language"),
        NAME("Content-Range"),    NAME("Content-MD5"),
        NAME("Content-Digest"),   NAME("Repr-Digest"),
        NAME("Digest"),           NAME("Content-Disposition"),
        NAME("Accept-Ranges"),
    };

    for (size_t i = 0; i < stored->count; i++) {
        struct span name = stored->list[i].name;
        bool of_body = false;

        for (size_t k = 0; k < sizeof(of_the_body) / sizeof(*of_the_body); k++)
            of_body |= span_eq_nocase(name, of_the_body[k]);
        if (!of_body)
            fields_add(out, name, stored->list[i].value);
    }
}
