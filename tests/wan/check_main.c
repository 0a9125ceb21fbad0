/*
 * check [-n MAX] [-j FILE] HISTORY...: holds histories against the promises.
 *
 * Prints each violation with the lines that show it (at most MAX of each rule,
 * 3 unless told), and a table. -j writes the numbers as JSON. The exit code is
 * 0 without violations, 1 with, and 2 when the histories prove nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"

struct teller {
    uint64_t max;
    uint64_t told[HISTORY_LEVELS][RULE_COUNT];
};

static void
tell(void *arg, const struct check_violation *v)
{
    struct teller *teller = arg;
    struct buf out = {0};

    if (teller->told[v->level][v->rule]++ >= teller->max)
        return;
    buf_printf(&out, "VIOLATION of %s (%s): %s\n", history_level_name(v->level),
               check_rule_name(v->rule), check_rule_text(v->rule));
    for (size_t i = 0; i < v->line_count; i++) {
        buf_add_text(&out, "    ");
        history_format(&v->lines[i], &out);
    }
    for (size_t i = 0; i < v->fault_count; i++)
        buf_printf(&out, "  while %.*s\n", SPAN_FMT(v->faults[i]));
    fputs(out.data, stdout);
    buf_fini(&out);
}

static bool
read_file(struct check *check, const char *path)
{
    FILE *file = fopen(path, "r");
    struct buf why = {0};
    char *line = NULL;
    size_t cap = 0;
    uint64_t number = 0;
    ssize_t len;

    if (file == NULL) {
        fprintf(stderr, "check: %s: %s\n", path, strerror(errno));
        return false;
    }
    while (why.len == 0 && (len = getline(&line, &cap, file)) > 0) {
        number++;
        if (line[len - 1] != '\n')
            buf_add_text(&why, "the line has no end");
        else
            check_add(check, (struct span){line, (size_t)len - 1}, &why);
    }
    if (why.len > 0)
        fprintf(stderr, "check: %s:%llu: %s\n", path,
                (unsigned long long)number, why.data);
    bool good = why.len == 0;

    free(line);
    buf_fini(&why);
    fclose(file);
    return good;
}

/* ---- numbers ---- */

static void
print_table(const struct check *check)
{
    printf("%-8s %9s %9s %9s %9s %9s %8s %8s %8s %10s\n", "level", "reads",
           "answered", "local", "checked", "converged", "writes", "purges",
           "by all", "violations");
    for (int i = 0; i < HISTORY_LEVELS; i++) {
        const struct check_level *l = check_level(check, (enum history_level)i);

        if (l->reads + l->writes == 0)
            continue;
        printf("%-8s %9llu %9llu %9llu %9llu %9llu %8llu %8llu %8llu %10llu\n",
               history_level_name((enum history_level)i),
               (unsigned long long)l->reads, (unsigned long long)l->answered,
               (unsigned long long)l->local, (unsigned long long)l->checked,
               (unsigned long long)l->converged, (unsigned long long)l->writes,
               (unsigned long long)l->purges,
               (unsigned long long)l->acknowledged,
               (unsigned long long)l->violations);
    }
}

static void
add_number(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, "%s\"%s\": %llu",
               out->data[out->len - 1] == '{' ? "" : ", ", name,
               (unsigned long long)value);
}

static void
add_level(struct buf *out, const struct check_level *l)
{
    buf_add_text(out, "{");
    add_number(out, "reads", l->reads);
    add_number(out, "answered", l->answered);
    add_number(out, "local", l->local);
    add_number(out, "checked", l->checked);
    add_number(out, "converged", l->converged);
    add_number(out, "refreshing", l->refreshing);
    add_number(out, "writes", l->writes);
    add_number(out, "purges", l->purges);
    add_number(out, "acknowledged", l->acknowledged);
    add_number(out, "violations", l->violations);
    buf_add_text(out, ", \"by_rule\": {");
    for (int i = 0; i < RULE_COUNT; i++) {
        if (l->by_rule[i] > 0)
            add_number(out, check_rule_name((enum check_rule)i), l->by_rule[i]);
    }
    buf_add_text(out, "}}");
}

static void
add_faults(struct buf *out, const struct check *check)
{
    const char *name;
    uint64_t count;
    uint64_t sum = 0;

    buf_add_text(out, "{\n  \"faults\": {");
    for (size_t i = 0; (name = check_fault(check, i, &count)) != NULL; i++) {
        add_number(out, name, count);
        /* A stall of the machine is no fault that was injected. */
        if (strcmp(name, "stall") != 0)
            sum += count;
    }
    buf_printf(out, "},\n  \"injected\": %llu", (unsigned long long)sum);
}

static bool
write_json(const struct check *check, const char *path)
{
    struct buf out = {0};
    bool first = true;
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        fprintf(stderr, "check: %s: %s\n", path, strerror(errno));
        return false;
    }
    add_faults(&out, check);
    buf_add_text(&out, ",\n  \"levels\": {");
    for (int i = 0; i < HISTORY_LEVELS; i++) {
        const struct check_level *l = check_level(check, (enum history_level)i);

        if (l->reads + l->writes == 0)
            continue;
        buf_printf(&out, "%s\n    \"%s\": ", first ? "" : ",",
                   history_level_name((enum history_level)i));
        add_level(&out, l);
        first = false;
    }
    buf_add_text(&out, "\n  }\n}\n");
    bool good = fwrite(out.data, 1, out.len, file) == out.len;

    good = fclose(file) == 0 && good;
    buf_fini(&out);
    return good;
}

static uint64_t
violations(const struct check *check)
{
    uint64_t sum = 0;

    for (int i = 0; i < HISTORY_LEVELS; i++)
        sum += check_level(check, (enum history_level)i)->violations;
    return sum;
}

int
main(int argc, char **argv)
{
    struct teller teller = {.max = 3};
    const char *json = NULL;
    struct buf why = {0};
    int option;

    while ((option = getopt(argc, argv, "n:j:")) != -1) {
        if (option == 'n') {
            teller.max = strtoull(optarg, NULL, 10);
        } else if (option == 'j') {
            json = optarg;
        } else {
            fprintf(stderr, "usage: check [-n MAX] [-j FILE] HISTORY...\n");
            return 2;
        }
    }
    struct check *check = check_new(tell, &teller);
    bool good = optind < argc;

    for (; good && optind < argc; optind++)
        good = read_file(check, argv[optind]);
    if (good && !check_run(check, &why)) {
        fprintf(stderr, "check: %s\n", why.data);
        good = false;
    }
    if (good) {
        print_table(check);
        good = json == NULL || write_json(check, json);
    }
    int code = !good ? 2 : violations(check) > 0;

    buf_fini(&why);
    check_free(&check);
    return code;
}
