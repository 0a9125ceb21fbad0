/*
 * What is wrong with a configuration: errors, which make it unusable, and
 * warnings. Each is one line that names the file, the JSON path, what was
 * expected, what was found, and the nearest valid name where one is wanted.
 * Secrets are never quoted.
 */
#ifndef CONF_PROBLEMS_H
#define CONF_PROBLEMS_H

#include <stddef.h>
#include <stdio.h>

#define CONF_PROBLEMS_MAX 20

struct conf_problem_list {
    char *lines[CONF_PROBLEMS_MAX];
    size_t count;    /* of lines */
    size_t left_out; /* found beyond CONF_PROBLEMS_MAX */
};

/* Zero-initialise to begin, conf_problems_fini to end. */
struct conf_problems {
    struct conf_problem_list errors;
    struct conf_problem_list warnings;
};

void conf_problems_error(struct conf_problems *problems, const char *format,
                         ...) __attribute__((format(printf, 2, 3)));
void conf_problems_warning(struct conf_problems *problems, const char *format,
                           ...) __attribute__((format(printf, 2, 3)));

/* A line each: "error: ..." or "warning: ...". */
void conf_problems_print(const struct conf_problems *problems, FILE *out);
/* Frees the lines; the struct is empty again. */
void conf_problems_fini(struct conf_problems *problems);

#endif
