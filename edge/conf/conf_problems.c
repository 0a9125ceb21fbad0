/* Errors and warnings, collected. */
#include "conf/conf_problems.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "conf/conf_internal.h"

/* Takes `line` over. */
static void
add(struct conf_problem_list *list, char *line)
{
    if (list->count == CONF_PROBLEMS_MAX) {
        list->left_out++;
        free(line);
        return;
    }
    list->lines[list->count++] = line;
}

static char *__attribute__((format(printf, 1, 0)))
vformat(const char *format, va_list args)
{
    char *text = NULL;

    CHECK(vasprintf(&text, format, args) >= 0);
    return text;
}

void
conf_problems_error(struct conf_problems *problems, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(&problems->errors, vformat(format, args));
    va_end(args);
}

void
conf_problems_warning(struct conf_problems *problems, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(&problems->warnings, vformat(format, args));
    va_end(args);
}

/* Takes `message` over. */
static void
add_at(struct conf_problem_list *list, const struct conf_tree *tree,
       const char *member, char *message)
{
    struct buf line = {0};

    conf_tree_where(tree, member, &line);
    buf_printf(&line, ": %s", message);
    free(message);
    add(list, buf_steal(&line));
}

void
conf_error_at(struct conf_problems *problems, const struct conf_tree *tree,
              const char *member, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_at(&problems->errors, tree, member, vformat(format, args));
    va_end(args);
}

void
conf_warning_at(struct conf_problems *problems, const struct conf_tree *tree,
                const char *member, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_at(&problems->warnings, tree, member, vformat(format, args));
    va_end(args);
}

static void
print(const struct conf_problem_list *list, const char *kind, FILE *out)
{
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s: %s\n", kind, list->lines[i]);
    if (list->left_out > 0)
        fprintf(out, "%s: and %zu more\n", kind, list->left_out);
}

void
conf_problems_print(const struct conf_problems *problems, FILE *out)
{
    print(&problems->errors, "error", out);
    print(&problems->warnings, "warning", out);
}

static void
clear(struct conf_problem_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->lines[i]);
    memset(list, 0, sizeof(*list));
}

void
conf_problems_fini(struct conf_problems *problems)
{
    clear(&problems->errors);
    clear(&problems->warnings);
}
