/*
 * The form of an entry in a stream: fields and values.
 *
 *   v      1
 *   kind   url, prefix, host, tag, group, all
 *   soft   0 or 1
 *   host   at most 255 bytes, empty when the kind has none; a url or prefix
 *          may be below the empty one, of HTTP/1.0 requests that name none
 *   value  at most 8 KiB, empty when the kind has none
 *   node   who published it
 *   time   when, by that node's wall clock, in ms (for people)
 */
#include "stream_internal.h"

#include <stdio.h>

#define ITEMS_MAX 64 /* of which we look at, in an entry of others */

static bool
clean(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

static bool
host_clean(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == '/' || c == '?' || c == '#' ||
            c == '@')
            return false;
    }
    return true;
}

const char *
stream_entry_problem(const struct inval_entry *entry)
{
    bool wants_path = entry->kind == INVAL_URL || entry->kind == INVAL_PREFIX;
    bool wants_host =
        wants_path || entry->kind == INVAL_HOST || entry->kind == INVAL_GROUP;
    bool wants_value =
        wants_path || entry->kind == INVAL_TAG || entry->kind == INVAL_GROUP;

    /* What is below a host may have none: HTTP/1.0 requests need not name
     * one. */
    if (entry->kind == INVAL_HOST && entry->host.len == 0)
        return "the host is missing";
    if (!wants_host && entry->host.len > 0)
        return "a host does not belong to this kind";
    if (entry->host.len > INVAL_HOST_MAX)
        return "the host is longer than 255 bytes";
    if (!host_clean(entry->host))
        return "the host has characters that no host has";
    if (wants_value && entry->value.len == 0)
        return wants_path                   ? "the path is missing"
               : entry->kind == INVAL_GROUP ? "the group is missing"
                                            : "the tag is missing";
    if (!wants_value && entry->value.len > 0)
        return "a value does not belong to this kind";
    if (entry->value.len > INVAL_VALUE_MAX)
        return "the value is longer than 8192 bytes; a prefix can be shorter";
    if (wants_path && entry->value.ptr[0] != '/')
        return "the path does not begin with '/'";
    if (!clean(entry->value))
        return "the value has control characters";
    return NULL;
}

enum field {
    FIELD_VERSION,
    FIELD_KIND,
    FIELD_SOFT,
    FIELD_HOST,
    FIELD_VALUE,
    FIELD_NODE,
    FIELD_TIME,
    FIELDS
};
_Static_assert(STREAM_ITEMS == 2 * FIELDS, "names and values");

static const char *const names[FIELDS] = {"v",     "kind", "soft", "host",
                                          "value", "node", "time"};

static bool
collect(const struct span *items, size_t count, struct span found[FIELDS])
{
    if (count % 2 != 0 || count > ITEMS_MAX)
        return false;
    for (size_t i = 0; i < count; i += 2) {
        for (size_t f = 0; f < FIELDS; f++) {
            if (!span_eq(items[i], span_of(names[f])))
                continue;
            if (found[f].ptr != NULL || items[i + 1].ptr == NULL)
                return false;
            found[f] = items[i + 1];
        }
    }
    for (size_t f = 0; f < FIELDS; f++) {
        if (found[f].ptr == NULL)
            return false;
    }
    return true;
}

bool
stream_decode(const struct span *items, size_t count, struct inval_entry *entry)
{
    struct span found[FIELDS] = {{0}};
    uint64_t time;

    if (!collect(items, count, found) ||
        !span_eq(found[FIELD_VERSION], SPAN("1")) ||
        !inval_kind_parse(found[FIELD_KIND], &entry->kind))
        return false;
    entry->soft = span_eq(found[FIELD_SOFT], SPAN("1"));
    if (!entry->soft && !span_eq(found[FIELD_SOFT], SPAN("0")))
        return false;
    entry->host = found[FIELD_HOST];
    entry->value = found[FIELD_VALUE];
    return found[FIELD_NODE].len <= INVAL_HOST_MAX &&
           found[FIELD_TIME].len <= 20 &&
           span_u64(found[FIELD_TIME], UINT64_MAX, &time) &&
           stream_entry_problem(entry) == NULL;
}

void
stream_encode(const struct inval_entry *entry, const char *node,
              int64_t time_ms, char time[24], struct span items[STREAM_ITEMS])
{
    snprintf(time, 24, "%lld", (long long)(time_ms > 0 ? time_ms : 0));
    struct span values[FIELDS] = {
        [FIELD_VERSION] = SPAN("1"),
        [FIELD_KIND] = span_of(inval_kind_name(entry->kind)),
        [FIELD_SOFT] = entry->soft ? SPAN("1") : SPAN("0"),
        [FIELD_HOST] = entry->host,
        [FIELD_VALUE] = entry->value,
        [FIELD_NODE] = span_of(node),
        [FIELD_TIME] = span_of(time),
    };

    for (size_t f = 0; f < FIELDS; f++) {
        items[2 * f] = span_of(names[f]);
        items[2 * f + 1] = values[f].len > 0 ? values[f] : SPAN("");
    }
}
