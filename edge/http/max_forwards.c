#include "http/max_forwards.h"

#include "base/check.h"

enum max_forwards
max_forwards_of(struct span method, const struct fields *request,
                uint64_t *left)
{
    uint64_t number;

    if ((!span_eq(method, SPAN("TRACE")) &&
         !span_eq(method, SPAN("OPTIONS"))) ||
        !fields_has(request, SPAN("Max-Forwards")))
        return MAX_FORWARDS_NONE;
    if (fields_count(request, SPAN("Max-Forwards")) != 1 ||
        !span_u64(fields_get(request, SPAN("Max-Forwards")), UINT64_MAX,
                  &number))
        return MAX_FORWARDS_BAD;
    if (number == 0)
        return MAX_FORWARDS_HERE;
    *left = number - 1 < MAX_FORWARDS_MAX ? number - 1 : MAX_FORWARDS_MAX;
    return MAX_FORWARDS_LEFT;
}

static bool
is_secret(struct span name)
{
    static const struct span secrets[] = {
        {"Authorization", 13},
        {"Proxy-Authorization", 19},
        {"Cookie", 6},
        {"Atlas-Peer", 10},
    };

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (span_eq_nocase(name, secrets[i]))
            return true;
    }
    return false;
}

void
max_forwards_reflect(struct span method, struct span target, unsigned minor,
                     const struct fields *request, struct buf *out)
{
    buf_add_span(out, method);
    buf_add_char(out, ' ');
    buf_add_span(out, target);
    buf_printf(out, " HTTP/1.%u\r\n", minor);
    for (size_t i = 0; i < request->count; i++) {
        const struct field *field = &request->list[i];

        if (is_secret(field->name))
            continue;
        buf_add_span(out, field->name);
        buf_add_text(out, ": ");
        buf_add_span(out, field->value);
        buf_add_text(out, "\r\n");
    }
    buf_add_text(out, "\r\n");
}
