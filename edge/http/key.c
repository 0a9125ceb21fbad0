#include "http/key.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/no_vary_search.h"

/* Query parameters that are sorted without an allocation. */
#define SORT_ON_STACK 64

/* ---- the parts of the text ---- */

/* Adds `s` with ASCII letters in lower case. */
static void
add_lower(struct buf *buf, struct span s)
{
    buf_reserve(buf, s.len);
    char *to = buf->data + buf->len;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        to[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    buf->len += s.len;
    buf->data[buf->len] = '\0';
}

static bool
name_listed(struct span name, const struct key_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        struct span want = names->list[i];

        if (want.len > 0 && want.ptr[want.len - 1] == '*') {
            if (span_starts(name, span_sub(want, 0, want.len - 1)))
                return true;
        } else if (span_eq(name, want)) {
            return true;
        }
    }
    return false;
}

/* Empty parameters, as in "a&&b", mean nothing; only the exact policy keeps
 * them. */
static bool
parameter_selected(const struct key_policy *policy, struct span parameter)
{
    struct span name = span_sub(parameter, 0, span_find(parameter, '=', 0));

    switch (policy->query) {
    case KEY_QUERY_ALL:
        return parameter.len > 0;
    case KEY_QUERY_NONE:
        return false;
    case KEY_QUERY_ALLOW:
        return parameter.len > 0 && name_listed(name, &policy->query_names);
    case KEY_QUERY_DENY:
        return parameter.len > 0 && !name_listed(name, &policy->query_names);
    }
    return false;
}

static void
add_parameter(struct buf *buf, bool *any, struct span parameter)
{
    buf_add_char(buf, *any ? '&' : '?');
    buf_add_span(buf, parameter);
    *any = true;
}

struct parameter {
    struct span text;
    struct span name;
};

/* By name, then by position: "a=2&a=1" keeps its order, which a program may
 * depend on. */
static int
compare_parameters(const void *a, const void *b)
{
    const struct parameter *pa = a;
    const struct parameter *pb = b;
    int order = span_cmp(pa->name, pb->name);

    if (order != 0)
        return order;
    return pa->text.ptr < pb->text.ptr ? -1 : pa->text.ptr > pb->text.ptr;
}

static void
add_sorted(struct buf *buf, const struct key_policy *policy, struct span query)
{
    struct parameter few[SORT_ON_STACK];
    struct parameter *list = few;
    size_t room = 1;
    size_t count = 0;
    bool any = false;
    struct span text;

    for (size_t i = 0; i < query.len; i++)
        room += query.ptr[i] == '&';
    if (room > SORT_ON_STACK)
        list = mem_alloc(room * sizeof(*list));
    while (span_split(&query, '&', &text)) {
        if (parameter_selected(policy, text))
            list[count++] = (struct parameter){
                text, span_sub(text, 0, span_find(text, '=', 0))};
    }
    qsort(list, count, sizeof(*list), compare_parameters);
    for (size_t i = 0; i < count; i++)
        add_parameter(buf, &any, list[i].text);
    if (list != few)
        free(list);
}

static void
add_query(struct buf *buf, const struct key_policy *policy, struct span query)
{
    bool any = false;
    struct span parameter;

    if (query.ptr == NULL || policy->query == KEY_QUERY_NONE)
        return;
    if (policy->sort_query) {
        add_sorted(buf, policy, query);
        return;
    }
    if (policy->query == KEY_QUERY_ALL) {
        buf_add_char(buf, '?');
        buf_add_span(buf, query);
        return;
    }
    while (span_split(&query, '&', &parameter)) {
        if (parameter_selected(policy, parameter))
            add_parameter(buf, &any, parameter);
    }
}

static void
add_line(struct buf *buf, char kind, struct span name, const struct span *value)
{
    char head[3] = {'\n', kind, ':'};

    buf_add(buf, head, sizeof(head));
    if (kind == 'h')
        add_lower(buf, name);
    else
        buf_add_span(buf, name);
    if (value != NULL) {
        buf_add_char(buf, '=');
        buf_add_span(buf, *value);
    }
}

static void
cut_off(struct buf *buf, size_t end)
{
    buf->len = end;
    buf->data[end] = '\0';
}

static void
add_headers(struct buf *buf, const struct key_policy *policy,
            const struct fields *request)
{
    for (size_t i = 0; i < policy->headers.count; i++) {
        struct span name = policy->headers.list[i];

        add_line(buf, 'h', name, NULL);
        size_t end = buf->len;

        buf_add_char(buf, '=');
        if (vary_cut_down(name)
                ? !vary_normalise(request, name, &policy->codings, buf)
                : !fields_join(request, name, buf))
            cut_off(buf, end);
    }
}

/* Every cookie of this name: which of several a program takes is unknown. */
static void
add_cookie(struct buf *buf, struct span name, const struct fields *request)
{
    struct span pair;
    bool any = false;

    for (size_t i = 0; i < request->count; i++) {
        struct span rest = request->list[i].value;

        if (!span_eq_nocase(request->list[i].name, SPAN("Cookie")))
            continue;
        while (span_split(&rest, ';', &pair)) {
            pair = span_trim(pair);
            size_t equal = span_find(pair, '=', 0);
            struct span value = span_sub(pair, equal + 1, pair.len);

            if (equal == pair.len || !span_eq(span_sub(pair, 0, equal), name))
                continue;
            add_line(buf, 'c', name, &value);
            any = true;
        }
    }
    if (!any)
        add_line(buf, 'c', name, NULL);
}

/* ---- keys ---- */

static void
add_port(struct buf *buf, const struct target *target)
{
    if (target->port == target_default_port(target->scheme))
        return;
    buf_add_char(buf, ':');
    buf_add_u64(buf, target->port);
}

void
key_build(const struct key_policy *policy, const struct target *target,
          const struct fields *request, struct buf *scratch, struct key *out)
{
    buf_clear(scratch);
    buf_reserve(scratch, target->host.len + target->path_query.len + 16);
    buf_add_span(scratch, target->scheme);
    buf_add(scratch, "://", 3);
    size_t host = scratch->len;

    add_lower(scratch, target->host);
    add_port(scratch, target);
    size_t path = scratch->len;

    if (policy->ignore_path_case)
        add_lower(scratch, target->path);
    else
        buf_add_span(scratch, target->path);
    add_query(scratch, policy, target->query);
    size_t end = scratch->len;

    add_headers(scratch, policy, request);
    for (size_t i = 0; i < policy->cookies.count; i++)
        add_cookie(scratch, policy->cookies.list[i], request);

    out->text = buf_span(scratch);
    out->host = span_sub(out->text, host, path);
    out->path_query = span_sub(out->text, path, end);
    out->hash = hash_bytes(out->text, hash_seed());
}

/* Up to the query, of a plain key. */
static struct span
without_query(const struct key *plain)
{
    size_t host = (size_t)(plain->path_query.ptr - plain->text.ptr);

    return span_sub(plain->text, 0,
                    host + span_find(plain->path_query, '?', 0));
}

static struct span
behind_query(const struct key *plain)
{
    const char *end = plain->path_query.ptr + plain->path_query.len;

    return span_sub(plain->text, (size_t)(end - plain->text.ptr),
                    plain->text.len);
}

bool
key_build_search(const struct key *plain, struct span variance,
                 struct buf *scratch, struct key *out)
{
    struct span head = without_query(plain);
    size_t mark = span_find(plain->path_query, '?', 0);
    size_t host = (size_t)(plain->host.ptr - plain->text.ptr);
    size_t path = (size_t)(plain->path_query.ptr - plain->text.ptr);

    buf_clear(scratch);
    buf_add_span(scratch, head);
    buf_add_char(scratch, '?');
    if (!no_vary_search_apply(
            variance,
            span_sub(plain->path_query, mark + 1, plain->path_query.len),
            scratch))
        return false;
    if (scratch->len == head.len + 1)
        cut_off(scratch, head.len);
    size_t end = scratch->len;

    buf_add_span(scratch, behind_query(plain));
    buf_add_text(scratch, "\nq:");
    buf_add_span(scratch, variance);
    out->text = buf_span(scratch);
    out->host = span_sub(out->text, host, host + plain->host.len);
    out->path_query = span_sub(out->text, path, end);
    out->hash = hash_bytes(out->text, hash_seed());
    return true;
}

struct span
key_variance(const struct key *key)
{
    struct span lines = behind_query(key);
    size_t last = lines.len;

    while (last > 0 && lines.ptr[last - 1] != '\n')
        last--;
    if (last == 0 || lines.len - last < 2 || lines.ptr[last] != 'q' ||
        lines.ptr[last + 1] != ':')
        return SPAN_NONE;
    return span_sub(lines, last + 2, lines.len);
}

bool
key_answers(const struct key *stored, const struct key *plain,
            struct buf *scratch)
{
    struct span variance = key_variance(stored);
    struct key search;

    if (variance.ptr == NULL)
        return span_eq(stored->text, plain->text);
    return key_build_search(plain, variance, scratch, &search) &&
           span_eq(stored->text, search.text);
}

struct hash128
key_path_hash(const struct key *plain)
{
    return hash_bytes(without_query(plain), hash_seed());
}

/* Behind "http://" or "https://"; 0 when there is neither. */
static size_t
host_start(struct span text)
{
    if (span_starts(text, SPAN("http://")))
        return 7;
    return span_starts(text, SPAN("https://")) ? 8 : 0;
}

bool
key_parse(struct span text, struct key *out)
{
    size_t host = host_start(text);
    size_t path = host;
    size_t end = span_find(text, '\n', 0);

    if (host == 0)
        return false;
    while (path < end && text.ptr[path] != '/' && text.ptr[path] != '*')
        path++;
    if (path == end)
        return false;
    out->text = text;
    out->host = span_sub(text, host, path);
    out->path_query = span_sub(text, path, end);
    out->hash = hash_bytes(text, hash_seed());
    return true;
}

void
key_of_target(const struct key_policy *policy, const struct target *target,
              struct buf *scratch, struct key *out)
{
    static const struct key_policy exact;
    struct key_policy bare = policy ? *policy : exact;
    const struct fields none = {0};

    bare.headers.count = 0;
    bare.cookies.count = 0;
    key_build(&bare, target, &none, scratch, out);
}

const char *
key_subject(const struct key_policy *policy, struct span url,
            struct buf *scratch, struct key *out)
{
    struct target target;
    const char *why = target_parse_url(url, &target);

    if (why == NULL)
        key_of_target(policy, &target, scratch, out);
    return why;
}
