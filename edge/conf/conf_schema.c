/* The JSON Schema (draft 2020-12) of a configuration file. */
#include <string.h>

#include "base/check.h"
#include "conf/conf_internal.h"

#define SCHEMA_BASE "https://json-schema.org/draft/2020-12/schema"

static void
set(json_t *object, const char *key, json_t *value)
{
    CHECK(json_object_set_new(object, key, value) == 0);
}

static json_t *
of_type(const char *type)
{
    json_t *schema = json_object();

    set(schema, "type", json_string(type));
    return schema;
}

static json_t *
either(json_t *one, json_t *other)
{
    json_t *schema = json_object();
    json_t *list = json_array();

    json_array_append_new(list, one);
    json_array_append_new(list, other);
    set(schema, "anyOf", list);
    return schema;
}

static json_t *
of_bounds(const char *type, uint64_t min, uint64_t max)
{
    json_t *schema = of_type(type);

    set(schema, "minimum", json_integer((json_int_t)min));
    set(schema, "maximum", json_integer((json_int_t)max));
    return schema;
}

static json_t *
of_pattern(const char *pattern)
{
    json_t *schema = of_type("string");

    if (pattern != NULL)
        set(schema, "pattern", json_string(pattern));
    return schema;
}

static json_t *
of_text(const struct conf_option *option, bool empty)
{
    json_t *schema = of_pattern(conf_text_row(option->text)->pattern);

    if (empty && conf_text_row(option->text)->pattern != NULL) {
        json_t *none = json_object();

        set(none, "const", json_string(""));
        return either(schema, none);
    }
    if (!empty && conf_text_row(option->text)->pattern == NULL)
        set(schema, "minLength", json_integer(1));
    return schema;
}

static json_t *
of_choices(const struct conf_choice *choices)
{
    json_t *schema = json_object();
    json_t *names = json_array();

    for (size_t i = 0; choices[i].name != NULL; i++)
        json_array_append_new(names, json_string(choices[i].name));
    set(schema, "enum", names);
    return schema;
}

static json_t *
of_size(const struct conf_option *option)
{
    return either(of_pattern("^[0-9]+(B|KiB|MiB|GiB|TiB)$"),
                  of_bounds("integer", option->min, option->max));
}

static json_t *
of_duration(void)
{
    json_t *zero = json_object();

    set(zero, "const", json_integer(0));
    return either(of_pattern("^[0-9]+(ms|s|m|h|d)$"), zero);
}

static json_t *
of_float(const struct conf_option *option)
{
    json_t *schema = of_type("number");

    set(schema, "minimum", json_real(option->low));
    set(schema, "maximum", json_real(option->high));
    return schema;
}

static json_t *
of_list(const struct conf_option *option, json_t *item)
{
    json_t *schema = of_type("array");

    set(schema, "items", item);
    if (option->min > 0)
        set(schema, "minItems", json_integer((json_int_t)option->min));
    if (option->max > 0)
        set(schema, "maxItems", json_integer((json_int_t)option->max));
    return schema;
}

static json_t *of_table(const struct conf_table *table, bool top);

static json_t *
of_map(const struct conf_option *option)
{
    json_t *schema = of_type("object");

    set(schema, "propertyNames",
        of_pattern(conf_text_row(CONF_TEXT_NAME)->pattern));
    set(schema, "additionalProperties", of_table(option->table, false));
    return schema;
}

static json_t *
of_durations(const struct conf_option *option)
{
    json_t *schema = of_type("object");

    set(schema, "propertyNames",
        of_pattern(conf_text_row(option->text)->pattern));
    set(schema, "additionalProperties", of_duration());
    return schema;
}

static json_t *
of_option(const struct conf_option *option)
{
    switch (option->type) {
    case CONF_BOOL:
        return of_type("boolean");
    case CONF_INT:
        return of_bounds("integer", option->min, option->max);
    case CONF_SIZE:
        return of_size(option);
    case CONF_DURATION:
        return of_duration();
    case CONF_FLOAT:
        return of_float(option);
    case CONF_STRING:
        return of_text(option, option->empty);
    case CONF_ENUM:
        return of_choices(option->choices);
    case CONF_STRINGS:
        return of_list(option, of_text(option, false));
    case CONF_DURATIONS:
        return of_durations(option);
    case CONF_OBJECT:
        return of_table(option->table, false);
    case CONF_LIST:
        return of_list(option, of_table(option->table, false));
    case CONF_MAP:
        return of_map(option);
    }
    return json_object();
}

/* The documentation: what it does, what it takes, what it means. */
static void
describe(const struct conf_option *option, json_t *schema)
{
    struct buf text = {0};

    buf_printf(&text, "%s", option->doc);
    for (size_t i = 0; option->choices && option->choices[i].name; i++)
        buf_printf(&text, "%s %s: %s", i ? ";" : "", option->choices[i].name,
                   option->choices[i].doc);
    if (option->computed != NULL)
        buf_printf(&text, " Default: %s.", option->computed);
    set(schema, "description", json_string(text.data));
    if (option->initial != NULL)
        set(schema, "default",
            json_loads(option->initial, JSON_DECODE_ANY, NULL));
    buf_fini(&text);
}

/* At the top nothing is required: an included file may be a part. */
static json_t *
of_table(const struct conf_table *table, bool top)
{
    json_t *schema = of_type("object");
    json_t *properties = json_object();
    json_t *required = json_array();

    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];
        json_t *inner = of_option(option);

        describe(option, inner);
        set(properties, option->name, inner);
        if (option->required)
            json_array_append_new(required, json_string(option->name));
    }
    set(schema, "properties", properties);
    if (json_array_size(required) > 0 && !top)
        set(schema, "required", json_incref(required));
    json_decref(required);
    set(schema, "additionalProperties", json_false());
    return schema;
}

void
conf_write_schema(FILE *out)
{
    json_t *schema = json_object();
    json_t *body = of_table(&conf_table_root, true);

    set(schema, "$schema", json_string(SCHEMA_BASE));
    set(schema, "title", json_string("Atlas configuration"));
    CHECK(json_object_update(schema, body) == 0);
    json_decref(body);
    CHECK(json_dumpf(schema, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ==
          0);
    fputc('\n', out);
    json_decref(schema);
}
