/*
 * JSON files as trees of values that know the file they came from, with the
 * files they include merged in.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/mem.h"
#include "conf/conf_internal.h"

#define INCLUDE_DEPTH 8
#define FILE_MAX_BYTES (16u << 20)
#define FOUND_MAX 60

/* ---- building ---- */

static void
append(struct conf_tree *parent, struct conf_tree *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

static struct conf_tree *
tree_new(struct conf_loader *loader, json_t *value, const char *file)
{
    struct conf_tree *tree = conf_arena_zalloc(loader->arena, sizeof(*tree));

    tree->value = value;
    tree->file = file;
    return tree;
}

/* The values are borrowed: the loader keeps their file. Depth is bounded by
 * jansson's (JSON_PARSER_MAX_DEPTH). */
static struct conf_tree *
build(struct conf_loader *loader, json_t *value, const char *file)
{
    struct conf_tree *tree = tree_new(loader, value, file);
    const char *key;
    json_t *item;
    size_t i;

    json_object_foreach(value, key, item)
    {
        struct conf_tree *member = build(loader, item, file);

        member->key = conf_arena_strdup(loader->arena, key);
        append(tree, member);
    }
    json_array_foreach(value, i, item)
    {
        struct conf_tree *member = build(loader, item, file);

        member->index = i;
        append(tree, member);
    }
    return tree;
}

struct conf_tree *
conf_tree_of(struct conf_loader *loader, json_t *value, const char *file)
{
    json_array_append(loader->files, value);
    return build(loader, value, file);
}

struct conf_tree *
conf_tree_get(const struct conf_tree *tree, const char *key)
{
    if (tree == NULL)
        return NULL;
    for (struct conf_tree *at = tree->first; at != NULL; at = at->next) {
        if (at->key != NULL && strcmp(at->key, key) == 0)
            return at;
    }
    return NULL;
}

/* Moves what `over` has into `under`. */
static void
merge(struct conf_tree *under, struct conf_tree *over)
{
    struct conf_tree *next;

    under->file = over->file;
    under->value = over->value;
    for (struct conf_tree *member = over->first; member; member = next) {
        struct conf_tree *old = conf_tree_get(under, member->key);

        next = member->next;
        if (old == NULL) {
            append(under, member);
        } else if (json_is_object(old->value) &&
                   json_is_object(member->value)) {
            merge(old, member);
        } else {
            old->file = member->file;
            old->value = member->value;
            old->first = member->first;
            old->last = member->last;
            for (struct conf_tree *at = old->first; at; at = at->next)
                at->parent = old;
        }
    }
}

/* ---- reading files ---- */

const char *
conf_path_beside(struct conf_arena *arena, const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');

    if (name[0] == '/' || slash == NULL)
        return conf_arena_strdup(arena, name);
    return conf_arena_printf(arena, "%.*s/%s", (int)(slash - file), file, name);
}

/* The file that is being read, and those that include it. */
struct chain {
    const struct chain *outer;
    const char *file;
    const struct conf_tree *from; /* the item of `include`, or NULL */
    size_t depth;
};

static void
unreadable(const struct conf_loader *loader, const struct chain *chain,
           const char *why)
{
    if (chain->from == NULL)
        conf_problems_error(loader->problems,
                            "%s: expected a readable file: %s", chain->file,
                            why);
    else
        conf_error_at(loader->problems, chain->from, NULL,
                      "expected a readable file, found \"%s\": %s", chain->file,
                      why);
}

/* Everything in the file, or NULL and *why. The caller frees. */
static char *
read_all(const char *file, size_t *len, const char **why)
{
    FILE *in = fopen(file, "re");
    struct stat about;

    if (in == NULL) {
        *why = strerror(errno);
        return NULL;
    }
    char *text = NULL;

    *why = NULL;
    if (fstat(fileno(in), &about) == 0 && S_ISDIR(about.st_mode)) {
        *why = strerror(EISDIR);
    } else {
        text = mem_alloc(FILE_MAX_BYTES + 1);
        *len = fread(text, 1, FILE_MAX_BYTES + 1, in);
        if (ferror(in))
            *why = strerror(errno);
        else if (*len > FILE_MAX_BYTES)
            *why = "it is larger than 16MiB";
    }
    fclose(in);
    if (*why == NULL)
        return text;
    free(text);
    return NULL;
}

/* jansson tells the text near the fault. A string there may be a secret; only
 * the name of a duplicate member is told. */
static void
syntax_error(const struct conf_loader *loader, const struct chain *chain,
             json_error_t *error)
{
    static const char near_string[] = " near '\"";
    char *cut = strstr(error->text, near_string);

    if (cut != NULL && strncmp(error->text, "duplicate", 9) != 0)
        *cut = '\0';
    conf_problems_error(loader->problems, "%s:%d:%d: expected JSON: %s",
                        chain->file, error->line, error->column, error->text);
}

static json_t *
parse(const struct conf_loader *loader, const struct chain *chain)
{
    const char *why;
    size_t len = 0;
    char *text = read_all(chain->file, &len, &why);
    json_error_t error;

    if (text == NULL) {
        unreadable(loader, chain, why);
        return NULL;
    }
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

    explicit_bzero(text, len);
    free(text);
    if (value == NULL)
        syntax_error(loader, chain, &error);
    else
        json_array_append_new(loader->files, value);
    return value;
}

static struct conf_tree *load(struct conf_loader *loader,
                              const struct chain *chain);

static bool
allowed(const struct conf_loader *loader, const struct chain *chain)
{
    for (const struct chain *at = chain->outer; at != NULL; at = at->outer) {
        if (strcmp(at->file, chain->file) == 0) {
            conf_error_at(loader->problems, chain->from, NULL,
                          "expected another file, found \"%s\", which includes "
                          "this one",
                          chain->file);
            return false;
        }
    }
    if (chain->depth <= INCLUDE_DEPTH)
        return true;
    conf_error_at(loader->problems, chain->from, NULL,
                  "expected includes at most %d deep, found one more",
                  INCLUDE_DEPTH);
    return false;
}

/* One item of `include`; its tree, or NULL. */
static struct conf_tree *
include(struct conf_loader *loader, const struct chain *outer,
        const struct conf_tree *item)
{
    struct buf found = {0};

    if (!json_is_string(item->value) ||
        json_string_value(item->value)[0] == '\0') {
        conf_tree_found(item, false, &found);
        conf_error_at(loader->problems, item, NULL,
                      "expected the path of a file, found %s", found.data);
        buf_fini(&found);
        return NULL;
    }
    struct chain chain = {outer,
                          conf_path_beside(loader->arena, outer->file,
                                           json_string_value(item->value)),
                          item, outer->depth + 1};

    return allowed(loader, &chain) ? load(loader, &chain) : NULL;
}

/* All that `tree` includes, merged; empty when it includes nothing. */
static struct conf_tree *
includes(struct conf_loader *loader, const struct chain *chain,
         const struct conf_tree *tree)
{
    struct conf_tree *list = conf_tree_get(tree, "include");
    struct conf_tree *all = tree_new(loader, tree->value, tree->file);

    if (list == NULL)
        return all;
    if (!json_is_array(list->value)) {
        conf_error_at(loader->problems, list, NULL, "expected a list of files");
        return NULL;
    }
    bool whole = true;

    for (struct conf_tree *item = list->first; item; item = item->next) {
        struct conf_tree *one = include(loader, chain, item);

        if (one != NULL)
            merge(all, one);
        else
            whole = false;
    }
    return whole ? all : NULL;
}

static struct conf_tree *
load(struct conf_loader *loader, const struct chain *chain)
{
    json_t *value = parse(loader, chain);

    if (value == NULL)
        return NULL;
    struct conf_tree *tree =
        build(loader, value, conf_arena_strdup(loader->arena, chain->file));

    if (!json_is_object(value)) {
        conf_error_at(loader->problems, tree, NULL,
                      "expected an object of options at the top");
        return NULL;
    }
    struct conf_tree *all = includes(loader, chain, tree);

    if (all != NULL)
        merge(all, tree);
    return all;
}

struct conf_tree *
conf_tree_load(struct conf_loader *loader, const char *path)
{
    struct chain chain = {NULL, path, NULL, 0};

    return load(loader, &chain);
}

/* ---- saying where and what ---- */

static void
add_path(const struct conf_tree *tree, struct buf *out)
{
    if (tree->parent == NULL)
        return;
    add_path(tree->parent, out);
    if (tree->key == NULL)
        buf_printf(out, "[%zu]", tree->index);
    else
        buf_printf(out, "%s%s", tree->parent->parent ? "." : "", tree->key);
}

void
conf_tree_where(const struct conf_tree *tree, const char *member,
                struct buf *out)
{
    const struct conf_tree *at = member ? conf_tree_get(tree, member) : tree;

    if (at == NULL)
        at = tree;
    else
        member = NULL;
    buf_add_text(out, at->file);
    if (at->parent != NULL || member != NULL)
        buf_add_text(out, ": ");
    add_path(at, out);
    if (member != NULL)
        buf_printf(out, "%s%s", at->parent ? "." : "", member);
}

static void
add_quoted(const char *text, struct buf *out)
{
    size_t len = strlen(text);
    size_t shown = len;

    if (len > FOUND_MAX) {
        shown = FOUND_MAX;
        /* Not in the middle of a character. */
        while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
            shown--;
    }
    buf_add_char(out, '"');
    buf_add_json(out, (struct span){text, shown});
    buf_add_text(out, shown < len ? "...\"" : "\"");
}

void
conf_tree_found(const struct conf_tree *tree, bool secret, struct buf *out)
{
    const json_t *value = tree->value;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        buf_add_text(out, "an object");
        break;
    case JSON_ARRAY:
        buf_add_text(out,
                     json_array_size(value) > 0 ? "a list" : "an empty list");
        break;
    case JSON_STRING:
        if (secret)
            buf_printf(out, "one of %zu bytes", json_string_length(value));
        else
            add_quoted(json_string_value(value), out);
        break;
    case JSON_INTEGER:
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        buf_printf(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
        buf_add_text(out, "true");
        break;
    case JSON_FALSE:
        buf_add_text(out, "false");
        break;
    case JSON_NULL:
        buf_add_text(out, "null");
        break;
    }
}
