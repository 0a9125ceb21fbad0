#include "purge_body_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "http/key.h"

#define KINDS "\"url\", \"prefix\", \"host\", \"tag\", \"group\" or \"all\""

/* One purge while it is read. */
struct reading {
    struct engine *engine;
    struct buf path; /* "$" or "$.purges[3]" */
    struct buf *why;
    const char *url;
    const char *host;
    const char *value;
    const char *tag;
    const char *group;
};

static const char *const members[] = {"kind", "url",   "host", "value",
                                      "tag",  "group", "soft"};

/* ---- what is wrong ---- */

static bool
wrong(struct reading *r, const char *member, const char *text)
{
    buf_printf(r->why, "%s%s%s: %s", r->path.data, member[0] != '\0' ? "." : "",
               member, text);
    return false;
}

static bool
unknown_member(struct reading *r, const char *name)
{
    buf_printf(r->why, "%s: there is no member \"", r->path.data);
    buf_add(r->why, name, strnlen(name, 64));
    buf_add_text(r->why, "\" in a purge; the members are");
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        buf_printf(r->why, "%s %s", i > 0 ? "," : "", members[i]);
    return false;
}

static bool
known(const char *name)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(name, members[i]) == 0)
            return true;
    }
    return false;
}

/* ---- members ---- */

/* NULL in *text when it is not there. */
static bool
get_text(struct reading *r, const json_t *object, const char *name,
         const char **text)
{
    const json_t *value = json_object_get(object, name);

    *text = NULL;
    if (value == NULL)
        return true;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return wrong(r, name, "expected a text that is not empty");
    *text = json_string_value(value);
    if (strlen(*text) != json_string_length(value))
        return wrong(r, name, "a NUL in the text");
    return true;
}

static bool
get_kind(struct reading *r, const json_t *object, struct purge *purge)
{
    const char *text;

    if (!get_text(r, object, "kind", &text))
        return false;
    if (text == NULL)
        return wrong(r, "kind", "missing; expected " KINDS);
    if (!inval_kind_parse(span_of(text), &purge->kind))
        return wrong(r, "kind", "expected " KINDS);
    return true;
}

static bool
get_members(struct reading *r, const json_t *object, struct purge *purge)
{
    const json_t *soft = json_object_get(object, "soft");
    const char *name;
    const json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!known(name))
            return unknown_member(r, name);
    }
    if (soft != NULL && !json_is_boolean(soft))
        return wrong(r, "soft", "expected true or false");
    purge->soft = soft != NULL && json_is_true(soft);
    return get_kind(r, object, purge) && get_text(r, object, "url", &r->url) &&
           get_text(r, object, "host", &r->host) &&
           get_text(r, object, "value", &r->value) &&
           get_text(r, object, "tag", &r->tag) &&
           get_text(r, object, "group", &r->group);
}

/* ---- kinds ---- */

/* Whether only members that belong to the kind are there. */
static bool
only(struct reading *r, enum inval_kind kind)
{
    bool path = kind == INVAL_URL || kind == INVAL_PREFIX;
    bool located = path || kind == INVAL_HOST;
    bool hosted = located || kind == INVAL_GROUP;

    if (r->url != NULL && !located)
        return wrong(r, "url", "does not belong to this kind");
    if (r->host != NULL && !hosted)
        return wrong(r, "host", "does not belong to this kind");
    if (r->value != NULL && !path && kind != INVAL_TAG)
        return wrong(r, "value", "does not belong to this kind");
    if (r->tag != NULL && kind != INVAL_TAG)
        return wrong(r, "tag", "does not belong to this kind");
    if (r->group != NULL && kind != INVAL_GROUP)
        return wrong(r, "group", "does not belong to this kind");
    return true;
}

/* As the keys of the route's objects have it. */
static bool
normalise(struct reading *r, const char *member, const char *url,
          struct purge *purge)
{
    struct buf scratch = {0};
    struct key key;
    const char *why = engine_subject(r->engine, span_of(url), &scratch, &key);

    if (why == NULL) {
        purge->host = mem_strndup(key.host.ptr, key.host.len);
        if (purge->kind == INVAL_URL || purge->kind == INVAL_PREFIX)
            purge->value = mem_strndup(key.path_query.ptr, key.path_query.len);
    }
    buf_fini(&scratch);
    if (why == NULL)
        return true;
    buf_printf(r->why, "%s.%s: %s; expected %s", r->path.data, member, why,
               r->url != NULL ? "an absolute URL, as http://example.com/path"
                              : "a host, as example.com");
    return false;
}

/* `path` is what stands behind the host. */
static bool
normalise_host(struct reading *r, const char *path, struct purge *purge)
{
    char *url = mem_printf("http://%s%s", r->host, path);
    bool good = strpbrk(r->host, "/?#@") == NULL
                    ? normalise(r, "host", url, purge)
                    : wrong(r, "host", "expected host or host:port alone");

    free(url);
    return good;
}

static bool
read_location(struct reading *r, struct purge *purge)
{
    bool host_only = purge->kind == INVAL_HOST;

    if (!only(r, purge->kind))
        return false;
    if (r->url != NULL && (r->host != NULL || r->value != NULL))
        return wrong(r, "url", "given beside host or value; give one of them");
    if (r->url != NULL)
        return normalise(r, "url", r->url, purge);
    if (r->host == NULL)
        return wrong(r, host_only ? "host" : "url",
                     host_only ? "missing; expected a host, as \"example.com\""
                               : "missing; expected an absolute URL, as "
                                 "\"http://example.com/path\", or host and "
                                 "value");
    if (!host_only && (r->value == NULL || r->value[0] != '/'))
        return wrong(r, "value", "expected a path that begins with '/'");
    return normalise_host(r, r->value != NULL ? r->value : "/", purge);
}

static bool
read_tag(struct reading *r, struct purge *purge)
{
    if (!only(r, purge->kind))
        return false;
    if ((r->tag == NULL) == (r->value == NULL))
        return wrong(r, "tag", "missing; expected the tag, as \"product-17\"");
    purge->value = mem_strdup(r->tag != NULL ? r->tag : r->value);
    return true;
}

static bool
read_group(struct reading *r, struct purge *purge)
{
    if (!only(r, purge->kind))
        return false;
    if (r->host == NULL)
        return wrong(r, "host",
                     "missing; expected the host whose group it is, as "
                     "\"example.com\"");
    if (r->group == NULL)
        return wrong(r, "group",
                     "missing; expected the group, as \"products\"");
    purge->value = mem_strdup(r->group);
    return normalise_host(r, "/", purge);
}

static bool
read_parts(struct reading *r, struct purge *purge)
{
    switch (purge->kind) {
    case INVAL_URL:
    case INVAL_PREFIX:
    case INVAL_HOST:
        return read_location(r, purge);
    case INVAL_TAG:
        return read_tag(r, purge);
    case INVAL_GROUP:
        return read_group(r, purge);
    case INVAL_ALL:
        return only(r, purge->kind);
    case INVAL_KINDS:
        break;
    }
    return wrong(r, "kind", "not a kind");
}

static bool
read_one(struct reading *r, const json_t *object, struct purge *purge)
{
    char why[256];

    if (!json_is_object(object))
        return wrong(r, "",
                     "expected an object, as {\"kind\": \"url\", "
                     "\"url\": \"http://example.com/path\"}");
    if (!get_members(r, object, purge) || !read_parts(r, purge))
        return false;
    return purge_valid(purge, why, sizeof(why)) || wrong(r, "", why);
}

/* ---- the whole ---- */

static bool
read_batch(struct reading *r, const json_t *root, struct purge_body *body)
{
    const json_t *list = json_object_get(root, "purges");
    size_t count = json_array_size(list);

    buf_add_text(&r->path, "$.purges");
    if (!json_is_array(list) || count == 0 || count > PURGE_BODY_MAX)
        return wrong(r, "",
                     "expected an array of 1 to 10000 purges; send more "
                     "in several requests");
    if (json_object_size(root) > 1)
        return wrong(r, "",
                     "expected no other member beside \"purges\" but wait, "
                     "deadline_ms and once");
    body->batch = true;
    body->list = mem_zalloc(count * sizeof(*body->list));
    for (size_t i = 0; i < count; i++) {
        buf_clear(&r->path);
        buf_printf(&r->path, "$.purges[%zu]", i);
        body->count = i + 1;
        if (!read_one(r, json_array_get(list, i), &body->list[i]))
            return false;
    }
    return true;
}

/* ---- how the answer is to be given ---- */

static bool
read_wait(struct reading *r, const char *text, struct purge_body *body)
{
    if (text == NULL)
        return true;
    for (int i = PURGE_WAIT_NONE; i <= PURGE_WAIT_ALL; i++) {
        if (strcmp(text, purge_wait_name((enum purge_wait)i)) != 0)
            continue;
        body->wait = (enum purge_wait)i;
        return true;
    }
    return wrong(r, "wait", "expected \"none\", \"site\" or \"all\"");
}

static bool
read_deadline(struct reading *r, const json_t *value, struct purge_body *body)
{
    body->deadline_ms = PURGE_BODY_DEADLINE_MS;
    if (value == NULL)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > 600000)
        return wrong(r, "deadline_ms", "expected a number from 1 to 600000");
    body->deadline_ms = (uint64_t)json_integer_value(value);
    return true;
}

/* Takes them out; what is left is the purge, or the batch. *once is good while
 * `kept` lives. */
static bool
read_options(struct reading *r, json_t *root, json_t *kept,
             struct purge_body *body, const char **once)
{
    static const char *const names[] = {"wait", "deadline_ms", "once"};
    const char *wait;

    buf_add_char(&r->path, '$');
    for (size_t i = 0; i < ARRAY_LEN(names) && json_is_object(root); i++) {
        json_t *value = json_object_get(root, names[i]);

        if (value == NULL)
            continue;
        CHECK(json_object_set(kept, names[i], value) == 0);
        json_object_del(root, names[i]);
    }
    if (!get_text(r, kept, "wait", &wait) || !read_wait(r, wait, body) ||
        !read_deadline(r, json_object_get(kept, "deadline_ms"), body) ||
        !get_text(r, kept, "once", once))
        return false;
    if (*once != NULL && strlen(*once) > PURGE_BODY_ONCE_MAX)
        return wrong(r, "once", "expected at most 128 bytes");
    buf_clear(&r->path);
    return true;
}

/* One key for each of a batch. */
static void
set_once(struct purge_body *body, const char *once)
{
    for (size_t i = 0; i < body->count && once != NULL; i++)
        body->list[i].once = mem_printf("client/%s/%zu", once, i);
}

static bool
read_purges(struct reading *r, const json_t *root, struct purge_body *body)
{
    if (json_object_get(root, "purges") != NULL)
        return read_batch(r, root, body);
    buf_add_char(&r->path, '$');
    body->list = mem_zalloc(sizeof(*body->list));
    body->count = 1;
    return read_one(r, root, &body->list[0]);
}

static bool
read_root(struct reading *r, json_t *root, struct purge_body *body)
{
    json_t *kept = json_object();
    const char *once;
    bool good =
        read_options(r, root, kept, body, &once) && read_purges(r, root, body);

    if (good)
        set_once(body, once);
    json_decref(kept);
    return good;
}

bool
purge_body_read(struct engine *engine, struct span text,
                struct purge_body *body, struct buf *why)
{
    struct reading r = {.engine = engine, .why = why};
    json_error_t error;
    json_t *root =
        json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);

    *body = (struct purge_body){0};
    if (root == NULL) {
        buf_printf(why,
                   "the body is no JSON: line %d, column %d: %s; expected an "
                   "object, as {\"kind\": \"url\", \"url\": "
                   "\"http://example.com/path\"}",
                   error.line, error.column, error.text);
        return false;
    }
    bool good = read_root(&r, root, body);

    json_decref(root);
    buf_fini(&r.path);
    if (!good)
        purge_body_fini(body);
    return good;
}

void
purge_body_fini(struct purge_body *body)
{
    for (size_t i = 0; i < body->count; i++) {
        free(body->list[i].host);
        free(body->list[i].value);
        free(body->list[i].once);
    }
    free(body->list);
    *body = (struct purge_body){0};
}
