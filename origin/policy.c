#include "policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/fields.h"

/* Fields that say how the message is framed, or that only this server can
 * know. */
static const char *const reserved[] = {
    "Connection",
    "Content-Length",
    "Content-Range",
    "Date",
    "ETag",
    "Keep-Alive",
    "Last-Modified",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Accept-Ranges",
    "Cache-Control",
    "Cache-Tag",
};

static void
drop_tags(struct policy *policy)
{
    for (size_t i = 0; i < policy->tag_count; i++)
        free(policy->tags[i]);
    policy->tag_count = 0;
}

void
policy_fini(struct policy *policy)
{
    drop_tags(policy);
    free(policy->tags);
    for (size_t i = 0; i < policy->header_count; i++) {
        free(policy->headers[i].name);
        free(policy->headers[i].value);
    }
    free(policy->headers);
    free(policy->cache_control);
    *policy = (struct policy){0};
}

void
policy_merge(struct policy *policy, const struct policy *over)
{
    if (over->cache_control != NULL)
        policy_set_cache_control(policy, span_of(over->cache_control));
    for (size_t i = 0; i < over->tag_count; i++)
        policy_add_tag(policy, span_of(over->tags[i]));
    for (size_t i = 0; i < over->header_count; i++)
        policy_set_header(policy, span_of(over->headers[i].name),
                          span_of(over->headers[i].value));
}

bool
policy_set_cache_control(struct policy *policy, struct span value)
{
    value = span_trim(value);
    if (value.len > POLICY_VALUE_MAX || !field_value_valid(value))
        return false;
    free(policy->cache_control);
    policy->cache_control =
        value.len == 0 ? NULL : mem_strndup(value.ptr, value.len);
    return true;
}

bool
policy_tag_valid(struct span tag)
{
    for (size_t i = 0; i < tag.len; i++) {
        unsigned char c = (unsigned char)tag.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == ',' || c == '"' || c == '\\')
            return false;
    }
    return tag.len > 0 && tag.len <= POLICY_TAG_MAX;
}

bool
policy_has_tag(const struct policy *policy, struct span tag)
{
    for (size_t i = 0; i < policy->tag_count; i++) {
        if (span_eq(span_of(policy->tags[i]), tag))
            return true;
    }
    return false;
}

bool
policy_add_tag(struct policy *policy, struct span tag)
{
    if (!policy_tag_valid(tag))
        return false;
    if (policy_has_tag(policy, tag))
        return true;
    if (policy->tag_count == POLICY_TAGS)
        return false;
    MEM_GROW(policy->tags, policy->tag_count, policy->tag_cap);
    policy->tags[policy->tag_count++] = mem_strndup(tag.ptr, tag.len);
    return true;
}

bool
policy_set_tags(struct policy *policy, struct span list)
{
    struct policy fresh = {0};
    struct span part;
    bool good = true;

    for (struct span rest = list; good && span_split(&rest, ',', &part);) {
        part = span_trim(part);
        good = part.len == 0 || policy_add_tag(&fresh, part);
    }
    if (good) {
        drop_tags(policy);
        for (size_t i = 0; i < fresh.tag_count; i++)
            policy_add_tag(policy, span_of(fresh.tags[i]));
    }
    policy_fini(&fresh);
    return good;
}

static struct policy_header *
find_header(const struct policy *policy, struct span name)
{
    for (size_t i = 0; i < policy->header_count; i++) {
        if (span_eq_nocase(span_of(policy->headers[i].name), name))
            return &policy->headers[i];
    }
    return NULL;
}

const char *
policy_header(const struct policy *policy, const char *name)
{
    const struct policy_header *header = find_header(policy, span_of(name));

    return header == NULL ? NULL : header->value;
}

static bool
header_allowed(struct span name, struct span value)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (span_eq_nocase(name, span_of(reserved[i])))
            return false;
    }
    return token_valid(name) && name.len <= 128 && field_value_valid(value) &&
           value.len <= POLICY_VALUE_MAX;
}

static void
remove_header(struct policy *policy, struct policy_header *header)
{
    free(header->name);
    free(header->value);
    *header = policy->headers[--policy->header_count];
}

bool
policy_set_header(struct policy *policy, struct span name, struct span value)
{
    struct policy_header *header = find_header(policy, name);

    value = span_trim(value);
    if (!header_allowed(name, value))
        return false;
    if (value.len == 0) {
        if (header != NULL)
            remove_header(policy, header);
        return true;
    }
    if (header == NULL) {
        if (policy->header_count == POLICY_HEADERS)
            return false;
        MEM_GROW(policy->headers, policy->header_count, policy->header_cap);
        header = &policy->headers[policy->header_count++];
        header->name = mem_strndup(name.ptr, name.len);
        header->value = NULL;
    }
    free(header->value);
    header->value = mem_strndup(value.ptr, value.len);
    return true;
}

bool
policy_empty(const struct policy *policy)
{
    return policy->cache_control == NULL && policy->tag_count == 0 &&
           policy->header_count == 0;
}

/* ---- JSON ---- */

static bool
take_tags(struct policy *policy, const json_t *tags, const char *where,
          struct buf *why)
{
    if (!json_is_array(tags)) {
        buf_printf(why, "%s.tags: expected an array of strings", where);
        return false;
    }
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const char *tag = json_string_value(json_array_get(tags, i));

        if (tag != NULL && policy_add_tag(policy, span_of(tag)))
            continue;
        buf_printf(why,
                   "%s.tags[%zu]: expected 1 to %d visible ASCII characters "
                   "without ',', '\"' and '\\', and at most %d tags",
                   where, i, POLICY_TAG_MAX, POLICY_TAGS);
        return false;
    }
    return true;
}

static bool
take_headers(struct policy *policy, json_t *headers, const char *where,
             struct buf *why)
{
    const char *name;
    json_t *value;

    if (!json_is_object(headers)) {
        buf_printf(why, "%s.headers: expected an object", where);
        return false;
    }
    json_object_foreach(headers, name, value)
    {
        if (json_is_string(value) &&
            policy_set_header(policy, span_of(name),
                              span_of(json_string_value(value))))
            continue;
        buf_printf(why,
                   "%s.headers.%s: expected the value of a field that this "
                   "server does not write itself",
                   where, name);
        return false;
    }
    return true;
}

static bool
take_key(struct policy *policy, const char *key, json_t *value,
         const char *where, struct buf *why)
{
    if (strcmp(key, "tags") == 0)
        return take_tags(policy, value, where, why);
    if (strcmp(key, "headers") == 0)
        return take_headers(policy, value, where, why);
    if (strcmp(key, "cache_control") != 0) {
        buf_printf(why,
                   "%s.%s: unknown key; there are cache_control, tags and "
                   "headers",
                   where, key);
        return false;
    }
    const char *text = json_string_value(value);

    if (text != NULL && policy_set_cache_control(policy, span_of(text)))
        return true;
    buf_printf(why, "%s.cache_control: expected the value of a field", where);
    return false;
}

bool
policy_from_json(struct policy *policy, const json_t *object, const char *where,
                 const char *also, struct buf *why)
{
    if (!json_is_object(object)) {
        buf_printf(why, "%s: expected an object", where);
        return false;
    }
    for (void *i = json_object_iter((json_t *)(uintptr_t)object); i != NULL;
         i = json_object_iter_next((json_t *)(uintptr_t)object, i)) {
        const char *key = json_object_iter_key(i);

        if (also != NULL && strcmp(key, also) == 0)
            continue;
        if (!take_key(policy, key, json_object_iter_value(i), where, why))
            return false;
    }
    return true;
}

json_t *
policy_to_json(const struct policy *policy)
{
    json_t *object = json_object();

    if (policy->cache_control != NULL)
        json_object_set_new(object, "cache_control",
                            json_string(policy->cache_control));
    if (policy->tag_count > 0) {
        json_t *tags = json_array();

        for (size_t i = 0; i < policy->tag_count; i++)
            json_array_append_new(tags, json_string(policy->tags[i]));
        json_object_set_new(object, "tags", tags);
    }
    if (policy->header_count > 0) {
        json_t *headers = json_object();

        for (size_t i = 0; i < policy->header_count; i++)
            json_object_set_new(headers, policy->headers[i].name,
                                json_string(policy->headers[i].value));
        json_object_set_new(object, "headers", headers);
    }
    return object;
}

/* ---- rules ---- */

bool
rule_matches(const char *pattern, const char *path)
{
    const char *star = NULL; /* the last one met, and where it began to eat */
    const char *from = NULL;

    while (*path != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = path;
        } else if (*pattern == *path) {
            pattern++;
            path++;
        } else if (star != NULL) {
            pattern = star + 1;
            path = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

void
rules_apply(const struct policy *defaults, const struct rule *rules,
            size_t count, const char *path, struct policy *policy)
{
    policy_merge(policy, defaults);
    for (size_t i = 0; i < count; i++) {
        if (rule_matches(rules[i].path, path))
            policy_merge(policy, &rules[i].policy);
    }
}
