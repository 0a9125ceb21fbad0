#include "http/error.h"

#include "http/status.h"

/* ---- Accept ---- */

/* Weights in thousandths (RFC 9110 section 12.4.2), -1: not named. */
struct wishes {
    int problem; /* application/problem+json or application/json */
    int text;    /* text/plain, text/html or text/... */
    int any;
};

/* "0.8": 800. A weight that is none is 0: such a member wishes nothing. */
static int
parse_weight(struct span text)
{
    static const int unit[] = {100, 10, 1};
    int weight;

    if (text.len == 0 || text.len > 5 ||
        (text.ptr[0] != '0' && text.ptr[0] != '1'))
        return 0;
    weight = (text.ptr[0] - '0') * 1000;
    if (text.len > 1 && text.ptr[1] != '.')
        return 0;
    for (size_t i = 2; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
        weight += (text.ptr[i] - '0') * unit[i - 2];
    }
    return weight > 1000 ? 0 : weight;
}

static int
weight_of(struct span parameters)
{
    struct span part;

    while (span_split(&parameters, ';', &part)) {
        part = span_trim(part);
        if (span_eq_nocase(span_sub(part, 0, 2), SPAN("q=")))
            return parse_weight(span_sub(part, 2, part.len));
    }
    return 1000;
}

static void
raise_to(int *wish, int weight)
{
    if (weight > *wish)
        *wish = weight;
}

static void
note_member(struct wishes *wishes, struct span member)
{
    struct span parameters = member;
    struct span type;

    if (!span_split(&parameters, ';', &type))
        return;
    type = span_trim(type);
    int weight = weight_of(parameters);

    if (span_eq_nocase(type, SPAN("application/problem+json")) ||
        span_eq_nocase(type, SPAN("application/json")))
        raise_to(&wishes->problem, weight);
    else if (span_eq_nocase(span_sub(type, 0, 5), SPAN("text/")))
        raise_to(&wishes->text, weight);
    else if (span_eq(type, SPAN("*/*")))
        raise_to(&wishes->any, weight);
}

bool
error_wants_problem(const struct fields *request)
{
    struct wishes wishes = {-1, -1, -1};
    struct member_cursor cursor = {0};
    struct span member;

    while (fields_next_member(request, SPAN("Accept"), &cursor, &member))
        note_member(&wishes, member);
    int text = wishes.text >= 0 ? wishes.text : wishes.any;

    return wishes.problem > 0 && wishes.problem >= text;
}

/* ---- pages ---- */

struct span
error_content_type(bool problem)
{
    return problem ? SPAN("application/problem+json")
                   : SPAN("text/plain; charset=utf-8");
}

static void
add_text(const struct error_page *page, struct buf *out)
{
    buf_add_u64(out, (uint64_t)page->status);
    buf_add_char(out, ' ');
    buf_add_text(out, status_reason(page->status));
    if (page->detail != NULL) {
        buf_add_text(out, ": ");
        buf_add_text(out, page->detail);
    }
    if (page->instance.len > 0) {
        buf_add_text(out, " (request ");
        buf_add_span(out, page->instance);
        buf_add_char(out, ')');
    }
    buf_add_char(out, '\n');
}

static void
add_string(struct buf *out, const char *name, struct span value)
{
    buf_add_text(out, ",\"");
    buf_add_text(out, name);
    buf_add_text(out, "\":\"");
    buf_add_json(out, value);
    buf_add_char(out, '"');
}

static void
add_problem(const struct error_page *page, struct buf *out)
{
    buf_add_text(out, "{\"type\":\"about:blank\",\"status\":");
    buf_add_u64(out, (uint64_t)page->status);
    add_string(out, "title", span_of(status_reason(page->status)));
    if (page->detail != NULL)
        add_string(out, "detail", span_of(page->detail));
    if (page->instance.len > 0)
        add_string(out, "instance", page->instance);
    buf_add_text(out, "}\n");
}

void
error_body(const struct error_page *page, bool problem, struct buf *out)
{
    if (problem)
        add_problem(page, out);
    else
        add_text(page, out);
}
