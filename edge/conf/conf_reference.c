/* The reference page of all options, in Markdown. */
#include "base/check.h"
#include "conf/conf_internal.h"

static const char intro[] =
    "# Configuration reference\n"
    "\n"
    "<!-- Written from the table of options (edge/conf/conf_table.c). -->\n"
    "\n"
    "A configuration is one JSON object. Every option is listed here by its\n"
    "path in the file: `limits.idle_timeout` is the member `idle_timeout` of\n"
    "the object `limits`, `routes[].name` is the member `name` of each item "
    "of\n"
    "`routes`, and `origins.NAME.servers` is the member `servers` of each\n"
    "member of `origins`, whatever its name.\n"
    "\n"
    "- **Sizes** are bytes, or strings with a unit: `\"512B\"`, `\"64KiB\"`,\n"
    "  `\"256MiB\"`, `\"4GiB\"`, `\"1TiB\"`.\n"
    "- **Durations** are strings with a unit: `\"500ms\"`, `\"10s\"`, "
    "`\"5m\"`,\n"
    "  `\"1h\"`, `\"7d\"`. Zero needs none.\n"
    "- **Reload** says whether SIGHUP can change an option. When others have\n"
    "  changed too, they are named in the log, and nothing is changed: they "
    "need\n"
    "  a restart.\n"
    "\n"
    "`atlas-edge -c FILE --check` says what is wrong with a file. Point "
    "`$schema`\n"
    "at [schema.json](schema.json) and an editor does so while you type.\n";

/* The inside of a Markdown table's cell. */
static void
cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static bool
has_members(const struct conf_option *option)
{
    return option->type == CONF_OBJECT || option->type == CONF_LIST ||
           option->type == CONF_MAP;
}

static void
write_default(const struct conf_option *option, FILE *out)
{
    if (option->required)
        fputs("**required**", out);
    else if (option->computed != NULL)
        fputs(option->computed, out);
    else if (option->initial == NULL)
        fputs("not set", out);
    else
        fprintf(out, "`%s`", option->initial);
}

static void
write_doc(const struct conf_option *option, FILE *out)
{
    cell(option->doc, out);
    for (size_t i = 0; option->choices && option->choices[i].name; i++) {
        fprintf(out, "%s `%s`: ", i ? ";" : "", option->choices[i].name);
        cell(option->choices[i].doc, out);
    }
    if (option->choices != NULL)
        fputs(".", out);
}

static void
write_row(const struct conf_option *option, const char *prefix, bool reload,
          FILE *out)
{
    struct buf takes = {0};

    conf_option_expected(option, &takes);
    fprintf(out, "| `%s%s` | ", prefix, option->name);
    cell(takes.data, out);
    fputs(" | ", out);
    write_default(option, out);
    fprintf(out, " | %s | ", reload ? "yes" : "no");
    write_doc(option, out);
    fputs(" |\n", out);
    buf_fini(&takes);
}

static void write_table(const struct conf_table *table, const char *prefix,
                        bool reload, FILE *out);

static void
write_inner(const struct conf_option *option, const char *prefix, bool reload,
            FILE *out)
{
    static const char *const between[] = {
        [CONF_OBJECT] = ".", [CONF_LIST] = "[].", [CONF_MAP] = ".NAME."};
    struct buf path = {0};

    buf_printf(&path, "%s%s", prefix, option->name);
    fprintf(out, "\n## `%s`: %s\n\n%s\n", path.data, option->table->what,
            option->doc);
    buf_add_text(&path, between[option->type]);
    write_table(option->table, path.data, reload, out);
    buf_fini(&path);
}

/* The options of one struct, then the structs inside it. */
static void
write_table(const struct conf_table *table, const char *prefix, bool reload,
            FILE *out)
{
    fputs("\n| option | takes | default | reload | what it does |\n"
          "| --- | --- | --- | --- | --- |\n",
          out);
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];

        if (option->type != CONF_OBJECT)
            write_row(option, prefix, reload || option->reload, out);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];

        if (has_members(option))
            write_inner(option, prefix, reload || option->reload, out);
    }
}

void
conf_write_reference(FILE *out)
{
    fputs(intro, out);
    fputs("\n## The top\n", out);
    write_table(&conf_table_root, "", false, out);
}
