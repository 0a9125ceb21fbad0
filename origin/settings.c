#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void
settings_defaults(struct settings *settings)
{
    settings->idle_timeout_s = 120;
    settings->publish_wait_ms = 2000;
}

static void
listen_fini(struct settings_listen *listen)
{
    free(listen->name);
    free(listen->host);
    *listen = (struct settings_listen){0};
}

void
settings_fini(struct settings *s)
{
    for (size_t i = 0; i < s->listen_count; i++)
        listen_fini(&s->listens[i]);
    listen_fini(&s->control);
    for (size_t i = 0; i < s->rule_count; i++) {
        free(s->rules[i].path);
        policy_fini(&s->rules[i].policy);
    }
    for (size_t i = 0; i < s->host_count; i++)
        free(s->hosts[i]);
    policy_fini(&s->defaults);
    free(s->listens);
    free(s->rules);
    free(s->hosts);
    free(s->root);
    free(s->redis_site);
    free(s->redis_host);
    *s = (struct settings){0};
}

/* ---- names and addresses ---- */

static bool
name_valid(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (!isalnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return name.len > 0 && name.len <= 63;
}

/* "HOST:PORT" or "[V6]:PORT". */
static bool
split_address(struct span text, char **host, unsigned *port)
{
    size_t colon = text.len;
    uint64_t number;

    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 ||
        !span_u64(span_sub(text, colon, text.len), 65536, &number) ||
        number > 65535)
        return false;
    struct span part = span_sub(text, 0, colon - 1);

    if (part.len > 2 && part.ptr[0] == '[' && part.ptr[part.len - 1] == ']')
        part = span_sub(part, 1, part.len - 1);
    else if (span_find(part, ':', 0) < part.len)
        return false;
    if (part.len == 0)
        return false;
    *host = mem_strndup(part.ptr, part.len);
    *port = (unsigned)number;
    return true;
}

static bool
set_listen(struct settings_listen *listen, struct span name,
           struct span address, struct buf *why)
{
    char *host;
    unsigned port;

    if (!name_valid(name)) {
        buf_printf(why,
                   "\"%.*s\" is no name of a listener: 1 to 63 letters, "
                   "digits, '.', '_' and '-'",
                   SPAN_FMT(name));
        return false;
    }
    if (!split_address(address, &host, &port)) {
        buf_printf(why,
                   "\"%.*s\" is no address: expected ADDRESS:PORT, such as "
                   "127.0.0.1:7001 or [::1]:0",
                   SPAN_FMT(address));
        return false;
    }
    listen_fini(listen);
    listen->name = mem_strndup(name.ptr, name.len);
    listen->host = host;
    listen->port = port;
    return true;
}

static bool
add_listen(struct settings *s, struct span name, struct span address,
           struct buf *why)
{
    struct settings_listen listen = {0};

    if (!set_listen(&listen, name, address, why))
        return false;
    MEM_GROW(s->listens, s->listen_count, s->listen_cap);
    s->listens[s->listen_count++] = listen;
    return true;
}

bool
settings_add_listen(struct settings *settings, const char *text,
                    struct buf *why)
{
    struct span whole = span_of(text);
    size_t equal = span_find(whole, '=', 0);

    if (equal == whole.len) {
        buf_printf(why, "\"%s\": expected NAME=ADDRESS:PORT", text);
        return false;
    }
    return add_listen(settings, span_sub(whole, 0, equal),
                      span_sub(whole, equal + 1, whole.len), why);
}

bool
settings_set_control(struct settings *settings, const char *text,
                     struct buf *why)
{
    return set_listen(&settings->control, SPAN("control"), span_of(text), why);
}

static bool
set_redis(struct settings *s, struct span site, struct span address,
          struct buf *why)
{
    char *host = NULL;
    unsigned port;

    if (!name_valid(site)) {
        buf_printf(why, "\"%.*s\" is no name of a site", SPAN_FMT(site));
        return false;
    }
    if (!split_address(address, &host, &port) || port == 0) {
        buf_printf(why, "\"%.*s\" is no address of a Redis: expected HOST:PORT",
                   SPAN_FMT(address));
        free(host);
        return false;
    }
    free(s->redis_site);
    free(s->redis_host);
    s->redis_site = mem_strndup(site.ptr, site.len);
    s->redis_host = host;
    s->redis_port = port;
    return true;
}

bool
settings_set_redis(struct settings *settings, const char *text, struct buf *why)
{
    struct span whole = span_of(text);
    size_t equal = span_find(whole, '=', 0);

    if (equal == whole.len) {
        buf_printf(why, "\"%s\": expected SITE=HOST:PORT", text);
        return false;
    }
    return set_redis(settings, span_sub(whole, 0, equal),
                     span_sub(whole, equal + 1, whole.len), why);
}

bool
settings_add_host(struct settings *settings, const char *text, struct buf *why)
{
    size_t len = strlen(text);

    if (len == 0 || len > 255 || strpbrk(text, "/ \t?#@\\\"") != NULL) {
        buf_printf(why,
                   "\"%s\" is no host: expected a name as in URLs, such as "
                   "www.example.com or localhost:8080",
                   text);
        return false;
    }
    char *host = mem_strdup(text);

    for (char *c = host; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    MEM_GROW(settings->hosts, settings->host_count, settings->host_cap);
    settings->hosts[settings->host_count++] = host;
    return true;
}

/* ---- the file ---- */

typedef bool (*take_fn)(struct settings *s, json_t *value, struct buf *why);

static bool
take_text(char **to, const json_t *value, struct buf *why)
{
    if (!json_is_string(value) || json_string_length(value) == 0) {
        buf_add_text(why, "expected a string");
        return false;
    }
    free(*to);
    *to = mem_strdup(json_string_value(value));
    return true;
}

static bool
take_bool(bool *to, const json_t *value, struct buf *why)
{
    if (!json_is_boolean(value)) {
        buf_add_text(why, "expected true or false");
        return false;
    }
    *to = json_is_true(value);
    return true;
}

static bool
take_number(unsigned *to, const json_t *value, unsigned max, struct buf *why)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number > (json_int_t)max) {
        buf_printf(why, "expected a whole number from 0 to %u", max);
        return false;
    }
    *to = (unsigned)number;
    return true;
}

static bool
take_root(struct settings *s, json_t *value, struct buf *why)
{
    return take_text(&s->root, value, why);
}

static bool
take_listen(struct settings *s, json_t *value, struct buf *why)
{
    const char *name;
    json_t *address;

    if (!json_is_object(value)) {
        buf_add_text(why, "expected an object, name to address");
        return false;
    }
    json_object_foreach(value, name, address)
    {
        const char *text = json_string_value(address);

        if (!add_listen(s, span_of(name), span_of(text ? text : ""), why))
            return false;
    }
    return true;
}

static bool
take_control(struct settings *s, json_t *value, struct buf *why)
{
    const char *text = json_string_value(value);

    return settings_set_control(s, text ? text : "", why);
}

static bool
take_cache_control(struct settings *s, json_t *value, struct buf *why)
{
    const char *text = json_string_value(value);

    if (text != NULL && policy_set_cache_control(&s->defaults, span_of(text)))
        return true;
    buf_add_text(why, "expected the value of a Cache-Control field");
    return false;
}

static bool
take_rules(struct settings *s, json_t *value, struct buf *why)
{
    if (!json_is_array(value)) {
        buf_add_text(why, "expected an array of rules");
        return false;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *object = json_array_get(value, i);
        const char *path = json_string_value(json_object_get(object, "path"));
        struct rule rule = {0};
        char where[32];

        snprintf(where, sizeof(where), "[%zu]", i);
        if (path == NULL || (path[0] != '/' && path[0] != '*')) {
            buf_printf(why, "%s.path: expected a pattern such as \"/news/*\"",
                       where);
            return false;
        }
        if (!policy_from_json(&rule.policy, object, where, "path", why)) {
            policy_fini(&rule.policy);
            return false;
        }
        rule.path = mem_strdup(path);
        MEM_GROW(s->rules, s->rule_count, s->rule_cap);
        s->rules[s->rule_count++] = rule;
    }
    return true;
}

static bool
take_redis(struct settings *s, json_t *value, struct buf *why)
{
    const char *site = NULL;
    const char *address = NULL;
    json_error_t error;

    if (json_unpack_ex(value, &error, JSON_STRICT, "{s:s, s:s}", "site", &site,
                       "address", &address) == 0)
        return set_redis(s, span_of(site), span_of(address), why);
    buf_printf(why, "%s; expected {\"site\": NAME, \"address\": \"HOST:PORT\"}",
               error.text);
    return false;
}

static bool
take_hosts(struct settings *s, json_t *value, struct buf *why)
{
    if (!json_is_array(value)) {
        buf_add_text(why, "expected an array of host names");
        return false;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *host = json_string_value(json_array_get(value, i));

        if (!settings_add_host(s, host ? host : "", why))
            return false;
    }
    return true;
}

static bool
take_watch(struct settings *s, json_t *value, struct buf *why)
{
    return take_bool(&s->watch, value, why);
}

static bool
take_durable(struct settings *s, json_t *value, struct buf *why)
{
    return take_bool(&s->durable, value, why);
}

static bool
take_invalidate(struct settings *s, json_t *value, struct buf *why)
{
    const char *text = json_string_value(value);

    s->hard = text != NULL && strcmp(text, "hard") == 0;
    if (s->hard || (text != NULL && strcmp(text, "soft") == 0))
        return true;
    buf_add_text(why, "expected \"soft\" or \"hard\"");
    return false;
}

static bool
take_test_paths(struct settings *s, json_t *value, struct buf *why)
{
    return take_bool(&s->test_paths, value, why);
}

static bool
take_idle_timeout(struct settings *s, json_t *value, struct buf *why)
{
    return take_number(&s->idle_timeout_s, value, 86400, why);
}

static bool
take_publish_wait(struct settings *s, json_t *value, struct buf *why)
{
    return take_number(&s->publish_wait_ms, value, 60000, why);
}

static const struct {
    const char *key;
    take_fn take;
} keys[] = {
    {"root", take_root},
    {"listen", take_listen},
    {"control", take_control},
    {"cache_control", take_cache_control},
    {"rules", take_rules},
    {"redis", take_redis},
    {"hosts", take_hosts},
    {"watch", take_watch},
    {"durable", take_durable},
    {"invalidate", take_invalidate},
    {"test_paths", take_test_paths},
    {"idle_timeout_s", take_idle_timeout},
    {"publish_wait_ms", take_publish_wait},
};

static bool
read_key(struct settings *settings, const char *key, json_t *value,
         struct buf *why)
{
    struct buf inner = {0};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].key, key) != 0)
            continue;
        bool good = keys[i].take(settings, value, &inner);

        if (!good)
            buf_printf(why, "$.%s%s%s", key, inner.data[0] == '[' ? "" : ": ",
                       inner.data);
        buf_fini(&inner);
        return good;
    }
    buf_printf(why, "$.%s: unknown key; there are", key);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        buf_printf(why, " %s", keys[i].key);
    return false;
}

static bool
read_root(struct settings *settings, json_t *root, const json_error_t *error,
          struct buf *why)
{
    const char *key;
    json_t *value;
    bool good = true;

    if (root == NULL) {
        buf_printf(why, "line %d, column %d: %s", error->line, error->column,
                   error->text);
        return false;
    }
    if (!json_is_object(root)) {
        buf_add_text(why, "$: expected an object");
        good = false;
    }
    json_object_foreach(root, key, value)
    {
        if (!good)
            break;
        good = read_key(settings, key, value, why);
    }
    json_decref(root);
    return good;
}

bool
settings_read_json(struct settings *settings, const char *text, struct buf *why)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    return read_root(settings, root, &error, why);
}

bool
settings_read_file(struct settings *settings, const char *file, struct buf *why)
{
    json_error_t error;
    json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &error);

    buf_printf(why, "%s: ", file);
    if (!read_root(settings, root, &error, why))
        return false;
    buf_clear(why);
    return true;
}

bool
settings_check(const struct settings *s, struct buf *why)
{
    if (s->root == NULL) {
        buf_add_text(why, "no folder to serve: give --root DIR, or \"root\" "
                          "in the configuration");
        return false;
    }
    if (s->listen_count == 0) {
        buf_add_text(why, "no listener: give --listen NAME=ADDRESS:PORT, or "
                          "\"listen\" in the configuration");
        return false;
    }
    for (size_t i = 0; i < s->listen_count; i++) {
        bool taken = strcmp(s->listens[i].name, "control") == 0;

        for (size_t j = 0; j < i; j++)
            taken |= strcmp(s->listens[i].name, s->listens[j].name) == 0;
        if (taken) {
            buf_printf(why, "two listeners are named \"%s\"",
                       s->listens[i].name);
            return false;
        }
    }
    return true;
}
