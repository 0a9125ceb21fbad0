/* From trees to structs, by the table of options. */
#include <string.h>

#include "base/check.h"
#include "conf/conf_internal.h"

/* One value on its way. */
struct slot {
    struct conf_reader *reader;
    const struct conf_option *option;
    struct conf_tree *tree;
    void *base; /* the struct that has the option */
};

/* Members are written as bytes: the table knows their types, C does not. */
static void
put(const struct slot *slot, const void *value, size_t size)
{
    memcpy(conf_option_at(slot->option, slot->base), value, size);
}

static void
put_count(const struct slot *slot, size_t count)
{
    memcpy((char *)slot->base + slot->option->count_offset, &count,
           sizeof(count));
}

static void
wrong_with(struct conf_reader *reader, struct conf_tree *tree, bool secret,
           const char *expected, const struct conf_nearest *nearest)
{
    struct buf message = {0};

    buf_printf(&message, "expected %s, found ", expected);
    conf_tree_found(tree, secret, &message);
    if (nearest != NULL)
        conf_nearest_add(nearest, &message);
    conf_error_at(reader->loader->problems, tree, NULL, "%s", message.data);
    buf_fini(&message);
    tree->bad = true;
}

/* Reports what the option takes. Gives false, for returns. */
static bool
wrong(const struct slot *slot)
{
    struct buf expected = {0};

    conf_option_expected(slot->option, &expected);
    wrong_with(slot->reader, slot->tree,
               slot->option->type == CONF_STRING &&
                   conf_text_row(slot->option->text)->secret,
               expected.data, NULL);
    buf_fini(&expected);
    return false;
}

/* ---- scalars ---- */

static bool
read_bool(const struct slot *slot)
{
    if (!json_is_boolean(slot->tree->value))
        return wrong(slot);
    bool value = json_is_true(slot->tree->value);

    put(slot, &value, sizeof(value));
    return true;
}

static bool
put_bounded(const struct slot *slot, uint64_t value)
{
    if (value < slot->option->min || value > slot->option->max)
        return wrong(slot);
    put(slot, &value, sizeof(value));
    return true;
}

/* A whole number that is not negative. */
static bool
whole_number(const json_t *value, uint64_t *number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static bool
read_integer(const struct slot *slot)
{
    uint64_t number;

    if (!whole_number(slot->tree->value, &number))
        return wrong(slot);
    return put_bounded(slot, number);
}

static bool
read_size(const struct slot *slot)
{
    const char *text = json_string_value(slot->tree->value);
    uint64_t bytes;

    if (text != NULL ? !conf_parse_size(text, &bytes)
                     : !whole_number(slot->tree->value, &bytes))
        return wrong(slot);
    return put_bounded(slot, bytes);
}

/* Of bare numbers, only zero needs no unit. */
static bool
duration_of(const json_t *value, uint64_t *ms)
{
    const char *text = json_string_value(value);

    if (text != NULL)
        return conf_parse_duration(text, ms);
    return whole_number(value, ms) && *ms == 0;
}

static bool
read_duration(const struct slot *slot)
{
    uint64_t ms;

    if (!duration_of(slot->tree->value, &ms))
        return wrong(slot);
    return put_bounded(slot, ms);
}

static bool
read_float(const struct slot *slot)
{
    double value = json_number_value(slot->tree->value);

    if (!json_is_number(slot->tree->value) || value < slot->option->low ||
        value > slot->option->high)
        return wrong(slot);
    put(slot, &value, sizeof(value));
    return true;
}

static bool
read_enum(const struct slot *slot)
{
    const struct conf_choice *choices = slot->option->choices;
    const char *text = json_string_value(slot->tree->value);

    if (text == NULL)
        return wrong(slot);
    struct conf_nearest nearest = conf_nearest_to(text);

    for (unsigned i = 0; choices[i].name != NULL; i++) {
        if (strcmp(choices[i].name, text) == 0) {
            put(slot, &i, sizeof(i));
            return true;
        }
        conf_nearest_offer(&nearest, choices[i].name);
    }
    struct buf expected = {0};

    conf_option_expected(slot->option, &expected);
    wrong_with(slot->reader, slot->tree, false, expected.data, &nearest);
    buf_fini(&expected);
    return false;
}

/* ---- strings ---- */

/* The string as it is kept, or NULL when it is not what it must be. */
static const char *
accepted(struct conf_reader *reader, const struct conf_tree *tree,
         enum conf_text text)
{
    const char *value = json_string_value(tree->value);
    struct buf kept = {0};

    if (value == NULL || value[0] == '\0')
        return NULL;
    if (text == CONF_TEXT_FILE)
        return conf_path_beside(reader->arena, tree->file, value);
    bool right = conf_text_row(text)->accept(span_of(value), &kept);
    const char *copy =
        right && kept.data ? conf_arena_strdup(reader->arena, kept.data) : NULL;

    if (conf_text_row(text)->secret && kept.data != NULL)
        explicit_bzero(kept.data, kept.len);
    buf_fini(&kept);
    return copy;
}

static bool
read_string(const struct slot *slot)
{
    const char *value = accepted(slot->reader, slot->tree, slot->option->text);

    if (value == NULL && slot->option->empty &&
        json_is_string(slot->tree->value) &&
        json_string_length(slot->tree->value) == 0)
        value = "";
    if (value == NULL)
        return wrong(slot);
    put(slot, &value, sizeof(value));
    return true;
}

static bool
bounded_list(const struct slot *slot)
{
    const struct conf_option *option = slot->option;
    size_t count = json_array_size(slot->tree->value);

    if (!json_is_array(slot->tree->value) || count < option->min ||
        (option->max > 0 && count > option->max)) {
        (void)wrong(slot);
        return false;
    }
    return true;
}

static bool
read_strings(const struct slot *slot)
{
    if (!bounded_list(slot))
        return false;
    size_t count = json_array_size(slot->tree->value);
    const char **list =
        conf_arena_zalloc(slot->reader->arena, (count + 1) * sizeof(*list));
    bool right = true;
    size_t i = 0;

    for (struct conf_tree *item = slot->tree->first; item; item = item->next) {
        list[i] = accepted(slot->reader, item, slot->option->text);
        if (list[i] == NULL) {
            wrong_with(slot->reader, item, false,
                       conf_text_row(slot->option->text)->expected, NULL);
            slot->tree->bad = true;
            right = false;
        }
        i++;
    }
    struct conf_strings strings = {list, count};

    if (right)
        put(slot, &strings, sizeof(strings));
    return right;
}

/* ---- durations by key ---- */

static size_t
member_count(const struct conf_tree *tree)
{
    size_t count = 0;

    /* Of a merged object, the tree has all members; the value has not. */
    for (const struct conf_tree *item = tree->first; item; item = item->next)
        count++;
    return count;
}

/* Reports a key that is not what `text` asks for. Gives the key as it is kept,
 * or NULL. */
static const char *
read_key(struct conf_reader *reader, struct conf_tree *item,
         enum conf_text text)
{
    const struct conf_text_row *row = conf_text_row(text);
    struct buf kept = {0};
    const char *key = NULL;

    if (row->accept(span_of(item->key), &kept) && kept.data != NULL)
        key = conf_arena_strdup(reader->arena, kept.data);
    else
        conf_error_at(reader->loader->problems, item, NULL,
                      "expected as its key %s", row->expected);
    buf_fini(&kept);
    return key;
}

static bool
read_durations(const struct slot *slot)
{
    struct conf_durations durations = {0};

    if (!json_is_object(slot->tree->value))
        return wrong(slot);
    struct conf_duration *list = conf_arena_zalloc(
        slot->reader->arena, (member_count(slot->tree) + 1) * sizeof(*list));

    for (struct conf_tree *item = slot->tree->first; item; item = item->next) {
        struct conf_duration *one = &list[durations.count];
        struct conf_option value = {.type = CONF_DURATION,
                                    .min = slot->option->min,
                                    .max = slot->option->max,
                                    .offset =
                                        offsetof(struct conf_duration, ms)};
        struct slot inner = {slot->reader, &value, item, one};

        one->key = read_key(slot->reader, item, slot->option->text);
        if (read_duration(&inner) && one->key != NULL)
            durations.count++;
    }
    durations.list = list;
    put(slot, &durations, sizeof(durations));
    return true;
}

/* ---- structs ---- */

static bool
read_object(const struct slot *slot)
{
    void *base = conf_option_at(slot->option, slot->base);
    bool object = json_is_object(slot->tree->value);

    if (!object)
        (void)wrong(slot);
    conf_read(slot->reader, slot->option->table, object ? slot->tree : NULL,
              base);
    return true;
}

/* Makes room for `count` structs, and points the member at them. */
static char *
put_structs(const struct slot *slot, size_t count)
{
    char *list = conf_arena_zalloc(slot->reader->arena,
                                   (count + 1) * slot->option->table->size);

    put(slot, &list, sizeof(list));
    put_count(slot, count);
    return list;
}

static bool
read_list(const struct slot *slot)
{
    const struct conf_table *table = slot->option->table;

    if (!bounded_list(slot))
        return false;
    char *at = put_structs(slot, json_array_size(slot->tree->value));

    for (struct conf_tree *item = slot->tree->first; item; item = item->next) {
        struct conf_option one = {.type = CONF_OBJECT, .table = table};
        struct slot inner = {slot->reader, &one, item, at};

        (void)read_object(&inner);
        at += table->size;
    }
    return true;
}

/* The key of a map's item goes into the struct. */
static void
put_key(const struct slot *slot, struct conf_tree *item, char *at)
{
    const char *name = read_key(slot->reader, item, CONF_TEXT_NAME);

    if (name == NULL) /* reported; whoever reads on finds a string */
        name = conf_arena_strdup(slot->reader->arena, item->key);
    memcpy(at + slot->option->table->key_offset, &name, sizeof(name));
}

static bool
read_map(const struct slot *slot)
{
    const struct conf_table *table = slot->option->table;

    if (!json_is_object(slot->tree->value))
        return wrong(slot);
    char *at = put_structs(slot, member_count(slot->tree));

    for (struct conf_tree *item = slot->tree->first; item; item = item->next) {
        struct conf_option one = {.type = CONF_OBJECT, .table = table};
        struct slot inner = {slot->reader, &one, item, at};

        put_key(slot, item, at);
        (void)read_object(&inner);
        at += table->size;
    }
    return true;
}

/* False when nothing was put; that was reported. */
static bool
read_value(const struct slot *slot)
{
    switch (slot->option->type) {
    case CONF_BOOL:
        return read_bool(slot);
    case CONF_INT:
        return read_integer(slot);
    case CONF_SIZE:
        return read_size(slot);
    case CONF_DURATION:
        return read_duration(slot);
    case CONF_FLOAT:
        return read_float(slot);
    case CONF_STRING:
        return read_string(slot);
    case CONF_ENUM:
        return read_enum(slot);
    case CONF_STRINGS:
        return read_strings(slot);
    case CONF_DURATIONS:
        return read_durations(slot);
    case CONF_OBJECT:
        return read_object(slot);
    case CONF_LIST:
        return read_list(slot);
    case CONF_MAP:
        return read_map(slot);
    }
    return false;
}

/* ---- options ---- */

/* What an option without a default has when it is not given. */
static void
put_nothing(const struct slot *slot)
{
    const char *empty = "";
    uint64_t unset = CONF_UNSET;

    if (slot->option->type == CONF_STRING)
        put(slot, &empty, sizeof(empty));
    else if (slot->option->type == CONF_DURATION)
        put(slot, &unset, sizeof(unset));
}

static void
put_default(struct slot slot)
{
    if (slot.option->initial == NULL) {
        put_nothing(&slot);
        return;
    }
    json_t *value = json_loads(slot.option->initial, JSON_DECODE_ANY, NULL);

    CHECK(value != NULL);
    slot.tree = conf_tree_of(slot.reader->loader, value, "(default)");
    /* 0 may stand for "none" though the option's own bounds exclude it. */
    CHECK(read_value(&slot));
    json_decref(value);
}

static void
missing(struct conf_reader *reader, const struct conf_option *option,
        const struct conf_tree *tree)
{
    struct buf expected = {0};

    conf_option_expected(option, &expected);
    conf_error_at(reader->loader->problems, tree, option->name,
                  "expected %s, found nothing", expected.data);
    buf_fini(&expected);
}

static void
unknown(struct conf_reader *reader, const struct conf_table *table,
        const struct conf_tree *member)
{
    struct conf_nearest nearest = conf_nearest_to(member->key);
    struct buf message = {0};

    for (size_t i = 0; i < table->count; i++)
        conf_nearest_offer(&nearest, table->options[i].name);
    buf_printf(&message, "no such option of %s", table->what);
    conf_nearest_add(&nearest, &message);
    if (nearest.best == NULL) {
        buf_add_text(&message, "; expected one of ");
        for (size_t i = 0; i < table->count; i++)
            buf_printf(&message, "%s%s", i ? ", " : "", table->options[i].name);
    }
    conf_error_at(reader->loader->problems, member, NULL, "%s", message.data);
    buf_fini(&message);
}

void
conf_read(struct conf_reader *reader, const struct conf_table *table,
          struct conf_tree *tree, void *base)
{
    struct conf_tree *first = tree ? tree->first : NULL;

    for (struct conf_tree *member = first; member; member = member->next) {
        if (conf_table_find(table, member->key) == NULL)
            unknown(reader, table, member);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];
        struct slot slot = {reader, option, conf_tree_get(tree, option->name),
                            base};

        if (slot.tree == NULL && option->required && tree != NULL)
            missing(reader, option, tree);
        if (slot.tree == NULL || !read_value(&slot))
            put_default(slot);
    }
}
