/* Which options differ between two configurations, and need a restart. */
#include <string.h>

#include "conf/conf_internal.h"

static size_t
count_of(const struct conf_option *option, const void *base)
{
    size_t count;

    memcpy(&count, (const char *)base + option->count_offset, sizeof(count));
    return count;
}

static const char *
pointer_of(const struct conf_option *option, const void *base)
{
    const char *pointer;

    memcpy(&pointer, conf_option_in(option, base), sizeof(pointer));
    return pointer;
}

static const char *
key_of(const struct conf_table *table, const char *item)
{
    const char *key;

    memcpy(&key, item + table->key_offset, sizeof(key));
    return key;
}

static bool
same_strings(const struct conf_strings *a, const struct conf_strings *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->list[i], b->list[i]) != 0)
            return false;
    }
    return true;
}

static bool
same_durations(const struct conf_durations *a, const struct conf_durations *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->list[i].ms != b->list[i].ms ||
            strcmp(a->list[i].key, b->list[i].key) != 0)
            return false;
    }
    return true;
}

static bool same(const struct conf_option *option, const void *a,
                 const void *b);

static bool
same_struct(const struct conf_table *table, const void *a, const void *b)
{
    for (size_t i = 0; i < table->count; i++) {
        if (!same(&table->options[i], a, b))
            return false;
    }
    return true;
}

static bool
same_structs(const struct conf_option *option, const void *a, const void *b)
{
    const struct conf_table *table = option->table;
    size_t count = count_of(option, a);

    if (count != count_of(option, b))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *one = pointer_of(option, a) + i * table->size;
        const char *other = pointer_of(option, b) + i * table->size;

        if (option->type == CONF_MAP &&
            strcmp(key_of(table, one), key_of(table, other)) != 0)
            return false;
        if (!same_struct(table, one, other))
            return false;
    }
    return true;
}

/* `a` and `b` are the structs that have the option. */
static bool
same(const struct conf_option *option, const void *a, const void *b)
{
    const void *one = conf_option_in(option, a);
    const void *other = conf_option_in(option, b);

    switch (option->type) {
    case CONF_BOOL:
        return *(const bool *)one == *(const bool *)other;
    case CONF_INT:
    case CONF_SIZE:
    case CONF_DURATION:
        return *(const uint64_t *)one == *(const uint64_t *)other;
    case CONF_FLOAT:
        return memcmp(one, other, sizeof(double)) == 0;
    case CONF_STRING:
        return strcmp(pointer_of(option, a), pointer_of(option, b)) == 0;
    case CONF_ENUM:
        return memcmp(one, other, sizeof(unsigned)) == 0;
    case CONF_STRINGS:
        return same_strings(one, other);
    case CONF_DURATIONS:
        return same_durations(one, other);
    case CONF_OBJECT:
        return same_struct(option->table, one, other);
    case CONF_LIST:
    case CONF_MAP:
        return same_structs(option, a, b);
    }
    return false;
}

/* The value in a few words, or "" for what is secret or long. */
static void
add_value(const struct conf_option *option, const void *base, struct buf *out)
{
    const void *at = conf_option_in(option, base);

    if (option->type == CONF_BOOL)
        buf_add_text(out, *(const bool *)at ? "true" : "false");
    else if (option->type == CONF_INT)
        buf_add_u64(out, *(const uint64_t *)at);
    else if (option->type == CONF_SIZE)
        conf_format_size(*(const uint64_t *)at, out);
    else if (option->type == CONF_DURATION)
        conf_format_duration(*(const uint64_t *)at, out);
    else if (option->type == CONF_STRING &&
             !conf_text_row(option->text)->secret)
        buf_printf(out, "\"%s\"", pointer_of(option, base));
}

struct walk {
    const char *path; /* of the new file */
    struct conf_problems *problems;
    bool fine;
};

static void
report(struct walk *walk, const char *prefix, const struct conf_option *option,
       const void *old, const void *new)
{
    struct buf from = {0};
    struct buf to = {0};

    add_value(option, old, &from);
    add_value(option, new, &to);
    conf_problems_error(walk->problems,
                        "%s: %s%s: changed%s%s%s%s, which needs "
                        "a restart",
                        walk->path, prefix, option->name,
                        from.len ? " from " : "", from.len ? from.data : "",
                        from.len ? " to " : "", from.len ? to.data : "");
    buf_fini(&from);
    buf_fini(&to);
    walk->fine = false;
}

static void
compare(struct walk *walk, const char *prefix, const struct conf_table *table,
        const void *old, const void *new)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];

        if (option->reload || same(option, old, new))
            continue;
        if (option->type != CONF_OBJECT) {
            report(walk, prefix, option, old, new);
            continue;
        }
        struct buf inner = {0};

        buf_printf(&inner, "%s%s.", prefix, option->name);
        compare(walk, inner.data, option->table, conf_option_in(option, old),
                conf_option_in(option, new));
        buf_fini(&inner);
    }
}

bool
conf_reload_check(const struct conf *old, const struct conf *new,
                  struct conf_problems *problems)
{
    struct walk walk = {new->path, problems, true};

    compare(&walk, "", &conf_table_root, old, new);
    return walk.fine;
}
