/*
 * What is said about a resource besides its content: Cache-Control, tags, and
 * further fields. It comes from rules in the configuration and from the
 * Atlas-Set-* fields of the PUT that made the resource, and is kept as JSON.
 */
#ifndef ORIGIN_POLICY_H
#define ORIGIN_POLICY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

#define POLICY_TAGS 64
#define POLICY_TAG_MAX 128
#define POLICY_HEADERS 64
#define POLICY_VALUE_MAX 4096

struct policy_header {
    char *name;
    char *value;
};

/* Zero-initialise; policy_fini to end. */
struct policy {
    char *cache_control; /* NULL: nothing is said */
    char **tags;
    size_t tag_count, tag_cap;
    struct policy_header *headers;
    size_t header_count, header_cap;
};

void policy_fini(struct policy *policy);

/* Adds what `over` says: its Cache-Control and headers replace those of the
 * same name, its tags come in addition (up to POLICY_TAGS). */
void policy_merge(struct policy *policy, const struct policy *over);

/* These give false, and do nothing, for what may not stand in a field. An
 * empty value takes away what was set. */
bool policy_set_cache_control(struct policy *policy, struct span value);
bool policy_add_tag(struct policy *policy, struct span tag);
/* Replaces all tags by the members of a comma-separated list. */
bool policy_set_tags(struct policy *policy, struct span list);
bool policy_set_header(struct policy *policy, struct span name,
                       struct span value);

bool policy_has_tag(const struct policy *policy, struct span tag);
const char *policy_header(const struct policy *policy, const char *name);
bool policy_empty(const struct policy *policy);

/* A token of visible ASCII without ',', '"' and '\', POLICY_TAG_MAX at most. */
bool policy_tag_valid(struct span tag);

/*
 * Takes the keys "cache_control", "tags" and "headers" of an object. `also`
 * names one more key that may be there ("path"), or NULL. False, with a text
 * that names the JSON path below `where`, when something is wrong.
 */
bool policy_from_json(struct policy *policy, const json_t *object,
                      const char *where, const char *also, struct buf *why);
/* A new reference. */
json_t *policy_to_json(const struct policy *policy);

/* ---- rules ---- */

struct rule {
    char *path; /* with '*' for any run of characters */
    struct policy policy;
};

/* Whether `path` ("/news/1") fits; linear in practice, at worst the product
 * of both lengths. */
bool rule_matches(const char *pattern, const char *path);

/* `defaults`, then every rule that fits in turn, into *policy. */
void rules_apply(const struct policy *defaults, const struct rule *rules,
                 size_t count, const char *path, struct policy *policy);

#endif
