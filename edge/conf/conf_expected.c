/* What an option takes, in words: for errors and for the reference. */
#include <inttypes.h>

#include "base/check.h"
#include "conf/conf_internal.h"

typedef void (*add_fn)(uint64_t value, struct buf *out);

/* "from A to B", in the option's own unit. */
static void
add_bounds(const struct conf_option *option, add_fn add, struct buf *out)
{
    buf_add_text(out, " from ");
    add(option->min, out);
    CHECK(option->max > 0);
    buf_add_text(out, " to ");
    add(option->max, out);
}

static void
add_integer(uint64_t value, struct buf *out)
{
    buf_add_u64(out, value);
}

static void
add_choices(const struct conf_choice *choices, struct buf *out)
{
    size_t count = conf_choice_count(choices);

    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_text(out, i + 1 == count ? " or " : ", ");
        buf_printf(out, "\"%s\"", choices[i].name);
    }
}

static void
add_duration(const struct conf_option *option, struct buf *out)
{
    buf_add_text(out, "a duration such as \"500ms\", \"10s\", \"5m\", "
                      "\"1h\" or \"7d\",");
    add_bounds(option, conf_format_duration, out);
}

static void
add_list(const struct conf_option *option, struct buf *out)
{
    buf_add_text(out, "a list");
    if (option->min > 0)
        buf_printf(out, " of at least %" PRIu64, option->min);
    if (option->max > 0)
        buf_printf(out, "%s at most %" PRIu64, option->min ? " and" : " of",
                   option->max);
    if (option->type == CONF_STRINGS)
        buf_printf(out, ", each %s", conf_text_row(option->text)->expected);
    else
        buf_printf(out, ", each an object: %s", option->table->what);
}

void
conf_option_expected(const struct conf_option *option, struct buf *out)
{
    switch (option->type) {
    case CONF_BOOL:
        buf_add_text(out, "true or false");
        break;
    case CONF_INT:
        buf_add_text(out, "an integer");
        add_bounds(option, add_integer, out);
        break;
    case CONF_SIZE:
        buf_add_text(out, "a size in bytes, or such as \"64KiB\" or "
                          "\"256MiB\",");
        add_bounds(option, conf_format_size, out);
        break;
    case CONF_DURATION:
        add_duration(option, out);
        break;
    case CONF_DURATIONS:
        buf_printf(out, "an object, each key %s, each value ",
                   conf_text_row(option->text)->expected);
        add_duration(option, out);
        break;
    case CONF_FLOAT:
        buf_printf(out, "a number from %g to %g", option->low, option->high);
        break;
    case CONF_STRING:
        buf_add_text(out, conf_text_row(option->text)->expected);
        if (option->empty)
            buf_add_text(out, ", or an empty string");
        break;
    case CONF_ENUM:
        add_choices(option->choices, out);
        break;
    case CONF_STRINGS:
    case CONF_LIST:
        add_list(option, out);
        break;
    case CONF_OBJECT:
        buf_printf(out, "an object: %s", option->table->what);
        break;
    case CONF_MAP:
        buf_printf(out,
                   "an object with names as keys, each value an object: "
                   "%s",
                   option->table->what);
        break;
    }
}
