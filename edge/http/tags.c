#include "http/tags.h"

#include "base/check.h"
#include "http/structured.h"

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

static const struct span tag_fields[] = {
    [TAGS_SURROGATE_KEY] = NAME("Surrogate-Key"),
    [TAGS_CACHE_TAG] = NAME("Cache-Tag"),
    [TAGS_CACHE_GROUPS] = NAME("Cache-Groups"),
};

static const struct span internal_fields[] = {
    NAME("Surrogate-Key"),
    NAME("Cache-Tag"),
};

/* The next line of this name becomes cursor->rest. */
static bool
next_line(const struct fields *response, struct span name,
          struct tags_cursor *cursor)
{
    while (cursor->line < response->count) {
        const struct field *field = &response->list[cursor->line++];

        if (span_eq_nocase(field->name, name)) {
            cursor->rest = field->value;
            cursor->begun = false;
            return true;
        }
    }
    return false;
}

/* ---- words between separators ---- */

static bool
is_separator(char c, enum tags_kind kind)
{
    if (kind == TAGS_CACHE_TAG)
        return c == ',';
    return c == ' ' || c == '\t';
}

static bool
next_word(struct tags_cursor *cursor, struct span *tag)
{
    while (cursor->rest.len > 0) {
        struct span rest = cursor->rest;
        size_t end = 0;

        while (end < rest.len && !is_separator(rest.ptr[end], cursor->kind))
            end++;
        *tag = span_trim(span_sub(rest, 0, end));
        cursor->rest = span_sub(rest, end + 1, rest.len);
        if (tag->len > 0)
            return true;
    }
    return false;
}

static bool
next_tag(const struct fields *response, struct tags_cursor *cursor,
         struct span *tag)
{
    do {
        if (next_word(cursor, tag))
            return true;
    } while (next_line(response, tag_fields[cursor->kind], cursor));
    return false;
}

/* ---- Lists of Strings ---- */

static bool
all_strings(struct span line)
{
    struct structured_cursor cursor = structured_cursor_of(line);
    struct structured_item item;
    enum structured_result result;

    while ((result = structured_list(&cursor, &item)) == STRUCTURED_MEMBER) {
        if (item.type != STRUCTURED_STRING)
            return false;
    }
    return result == STRUCTURED_END;
}

/* One bad line spoils the field, so all are looked at first. */
static bool
groups_valid(const struct fields *response, struct span name)
{
    for (size_t i = 0; i < response->count; i++) {
        if (span_eq_nocase(response->list[i].name, name) &&
            !all_strings(response->list[i].value))
            return false;
    }
    return true;
}

/* Strings with escapes are copied; the rest is borrowed. */
static void
string_value(struct tags_cursor *cursor, struct span text, struct span *tag)
{
    *tag = text;
    if (span_find(text, '\\', 0) == text.len)
        return;
    buf_clear(&cursor->text);
    structured_unescape(text, &cursor->text);
    *tag = buf_span(&cursor->text);
}

static bool
next_group(const struct fields *response, struct span name,
           struct tags_cursor *cursor, struct span *tag)
{
    struct structured_item item;

    if (!cursor->checked) {
        cursor->checked = true;
        if (!groups_valid(response, name))
            cursor->line = response->count;
    }
    do {
        struct structured_cursor at = {cursor->rest, cursor->begun};

        if (!cursor->begun)
            at = structured_cursor_of(cursor->rest);
        while (structured_list(&at, &item) == STRUCTURED_MEMBER) {
            if (item.text.len == 0)
                continue;
            cursor->rest = at.rest;
            cursor->begun = true;
            string_value(cursor, item.text, tag);
            return true;
        }
        cursor->rest = SPAN_NONE;
        cursor->begun = false;
    } while (next_line(response, name, cursor));
    return false;
}

/* ---- all kinds ---- */

bool
tags_next(const struct fields *response, struct tags_cursor *cursor,
          struct span *tag)
{
    while (cursor->kind != TAGS_CACHE_GROUPS) {
        if (next_tag(response, cursor, tag))
            return true;
        cursor->kind++;
        cursor->line = 0;
        cursor->rest = SPAN_NONE;
    }
    if (next_group(response, tag_fields[TAGS_CACHE_GROUPS], cursor, tag))
        return true;
    tags_stop(cursor);
    return false;
}

void
tags_stop(struct tags_cursor *cursor)
{
    buf_fini(&cursor->text);
}

bool
tags_next_invalidated(const struct fields *response, struct tags_cursor *cursor,
                      struct span *group)
{
    cursor->kind = TAGS_CACHE_GROUPS;
    if (next_group(response, SPAN("Cache-Group-Invalidation"), cursor, group))
        return true;
    tags_stop(cursor);
    return false;
}

/* ---- kept apart ---- */

void
tags_split(struct fields *response, struct fields *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < response->count; i++) {
        const struct field field = response->list[i];

        if (tags_internal_field(field.name))
            fields_add(out, field.name, field.value);
        else
            response->list[kept++] = field;
    }
    response->count = kept;
}

static void
add_named(struct fields *out, const struct fields *from, struct span name)
{
    for (size_t i = 0; i < from->count; i++) {
        if (span_eq_nocase(from->list[i].name, name))
            fields_add(out, from->list[i].name, from->list[i].value);
    }
}

void
tags_update(const struct fields *stored, const struct fields *fresh,
            struct fields *out)
{
    for (size_t i = 0; i < ARRAY_LEN(internal_fields); i++) {
        struct span name = internal_fields[i];

        add_named(out, fields_has(fresh, name) ? fresh : stored, name);
    }
}

void
tags_write(const struct fields *tags, struct buf *out)
{
    for (size_t i = 0; i < tags->count; i++) {
        buf_add_span(out, tags->list[i].name);
        buf_add_text(out, ": ");
        buf_add_span(out, tags->list[i].value);
        buf_add_char(out, '\n');
    }
}

bool
tags_read(struct span text, struct fields *out)
{
    while (text.len > 0) {
        size_t colon = span_find(text, ':', 0);
        size_t end = span_find(text, '\n', 0);
        struct span name = span_sub(text, 0, colon);

        if (colon > end || end == text.len || !tags_internal_field(name))
            return false;
        struct span value = span_trim(span_sub(text, colon + 1, end));

        if (!field_value_valid(value))
            return false;
        fields_add(out, name, value);
        text = span_sub(text, end + 1, text.len);
    }
    return true;
}

size_t
tags_bytes(const struct fields *response)
{
    size_t bytes = 0;

    for (size_t i = 0; i < response->count; i++) {
        for (size_t kind = 0; kind < ARRAY_LEN(tag_fields); kind++) {
            if (span_eq_nocase(response->list[i].name, tag_fields[kind]))
                bytes += response->list[i].value.len;
        }
    }
    return bytes;
}

bool
tags_internal_field(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(internal_fields); i++) {
        if (span_eq_nocase(name, internal_fields[i]))
            return true;
    }
    return false;
}
