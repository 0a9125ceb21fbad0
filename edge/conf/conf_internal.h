/*
 * Inside the configuration layer.
 *
 * Loading goes: files -> trees (conf_tree.c: JSON values that remember the
 * file they came from, includes merged) -> the structs, by the table of
 * options (conf_table.c, conf_read.c) -> rules over several options
 * (conf_check.c). What describes options to people walks the same table
 * (conf_reference.c, conf_schema.c, conf_reload.c).
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include <jansson.h>

#include "base/buf.h"
#include "conf/conf.h"

/* ---- memory that is freed all at once ---- */

struct conf_arena *conf_arena_new(void);
void conf_arena_free(struct conf_arena **arena);
void *conf_arena_zalloc(struct conf_arena *arena, size_t size);
const char *conf_arena_strdup(struct conf_arena *arena, const char *text);
const char *conf_arena_printf(struct conf_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- the table of options ---- */

enum conf_type {
    CONF_BOOL,      /* bool */
    CONF_INT,       /* uint64_t */
    CONF_SIZE,      /* uint64_t: "64KiB" or bytes */
    CONF_DURATION,  /* uint64_t: "10s"; without a default: CONF_UNSET */
    CONF_FLOAT,     /* double */
    CONF_STRING,    /* const char * */
    CONF_ENUM,      /* an enum, by `choices` */
    CONF_STRINGS,   /* struct conf_strings */
    CONF_DURATIONS, /* struct conf_durations: keys by `text`, bounded values */
    CONF_OBJECT,    /* the struct of `table` */
    CONF_LIST,      /* pointer to the structs of `table`, and their number */
    CONF_MAP,       /* the same; keys go to the member at table->key_offset */
};

/* What a string must look like. Rows in conf_text.c. */
enum conf_text {
    CONF_TEXT_ANY,
    CONF_TEXT_NAME,
    CONF_TEXT_LISTEN,
    CONF_TEXT_ADDRESS,
    CONF_TEXT_BASE,
    CONF_TEXT_URL,
    CONF_TEXT_AUTHORITY,
    CONF_TEXT_HOST,
    CONF_TEXT_PATH,
    CONF_TEXT_METHOD,
    CONF_TEXT_FIELD,
    CONF_TEXT_CODING,
    CONF_TEXT_STATUS,
    CONF_TEXT_COOKIE,
    CONF_TEXT_PARAMETER,
    CONF_TEXT_SECRET,
    CONF_TEXT_TOKEN,
    CONF_TEXT_FILE, /* relative to the file that names it */
};

struct conf_choice {
    const char *name; /* NULL ends the list; the index is the value */
    const char *doc;
};

struct conf_table;

struct conf_option {
    const char *name;
    const char *doc;
    const char *initial;  /* the default, as JSON; NULL: required, or unset */
    const char *computed; /* words for a default that is computed */
    enum conf_type type;
    enum conf_text text;
    const struct conf_choice *choices;
    const struct conf_table *table;
    size_t offset;
    size_t count_offset; /* of a list or map: where its number goes */
    uint64_t min;        /* of integers, sizes, durations; items of a list */
    uint64_t max;        /* 0: none */
    double low;          /* of floats */
    double high;
    bool required;
    bool empty;  /* a string may be "" */
    bool reload; /* SIGHUP can change it; of a list, all of it */
};

struct conf_table {
    const char *what; /* "a route" */
    const struct conf_option *options;
    size_t count;
    size_t size; /* of the struct */
    size_t key_offset;
};

extern const struct conf_table conf_table_root;

/* NULL when there is none. */
const struct conf_option *conf_table_find(const struct conf_table *table,
                                          const char *name);
/* How many choices there are. */
size_t conf_choice_count(const struct conf_choice *choices);
/* Where the value of an option lies in the struct at `base`. */
void *conf_option_at(const struct conf_option *option, void *base);
const void *conf_option_in(const struct conf_option *option, const void *base);
/* "an integer from 1 to 256": what this option takes, for messages and docs. */
void conf_option_expected(const struct conf_option *option, struct buf *out);

/* ---- values ---- */

bool conf_parse_size(const char *text, uint64_t *bytes);
bool conf_parse_duration(const char *text, uint64_t *ms);
/* In the largest unit that leaves a whole number. */
void conf_format_size(uint64_t bytes, struct buf *out);
void conf_format_duration(uint64_t ms, struct buf *out);

struct conf_text_row {
    const char *expected; /* "a name such as \"paris-1\" (...)" */
    const char *pattern;  /* for the schema */
    bool secret;          /* never quoted */
    /* Writes the text as it is kept, when it is right. */
    bool (*accept)(struct span text, struct buf *out);
};
const struct conf_text_row *conf_text_row(enum conf_text text);

/* The candidate that is nearest to `word` by edit distance, or NULL when none
 * is near enough to be meant. */
struct conf_nearest {
    const char *word;
    const char *best;
    size_t distance;
};
struct conf_nearest conf_nearest_to(const char *word);
void conf_nearest_offer(struct conf_nearest *nearest, const char *candidate);

/* ---- trees ---- */

struct conf_tree {
    const char *file;
    const char *key; /* NULL in an array, and at the root */
    size_t index;
    struct conf_tree *parent;
    struct conf_tree *first; /* members and items, in the order written */
    struct conf_tree *last;
    struct conf_tree *next;
    json_t *value; /* borrowed from its file; of merged objects, the last */
    bool bad;      /* an error was reported here */
};

struct conf_loader {
    struct conf_arena *arena; /* of trees */
    struct conf_problems *problems;
    json_t *files; /* the values of all files, kept until the end */
};

/* The tree of a file with its includes merged in. NULL when a file cannot be
 * read or is no JSON. */
struct conf_tree *conf_tree_load(struct conf_loader *loader, const char *path);
struct conf_tree *conf_tree_of(struct conf_loader *loader, json_t *value,
                               const char *file);
/* NULL when `tree` is NULL or has no such member. */
struct conf_tree *conf_tree_get(const struct conf_tree *tree, const char *key);
/* "FILE: routes[2].match" and, with a member, "FILE: routes[2].match.path". */
void conf_tree_where(const struct conf_tree *tree, const char *member,
                     struct buf *out);
/* "\"text\"", "12", "an object": what was found. */
void conf_tree_found(const struct conf_tree *tree, bool secret,
                     struct buf *out);
/* `name` as the file at `file` means it. */
const char *conf_path_beside(struct conf_arena *arena, const char *file,
                             const char *name);

/* ---- from trees to structs ---- */

struct conf_reader {
    struct conf_arena *arena; /* of the configuration */
    struct conf_loader *loader;
};

/* Fills the struct at `base` from `tree`, NULL for all defaults. What is wrong
 * is reported, and has its default, or nothing. */
void conf_read(struct conf_reader *reader, const struct conf_table *table,
               struct conf_tree *tree, void *base);

/* Fills in what is computed, and reads the files of secrets. */
void conf_complete(struct conf *conf, struct conf_tree *root,
                   struct conf_problems *problems);
/* The rules over several options. */
void conf_check(const struct conf *conf, struct conf_tree *root,
                struct conf_problems *problems);
/* Those over routes. */
void conf_check_routes(const struct conf *conf, struct conf_tree *root,
                       struct conf_problems *problems);

/* "WHERE: MESSAGE", where is a member of a tree; NULL: the tree itself. */
void conf_error_at(struct conf_problems *problems, const struct conf_tree *tree,
                   const char *member, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void conf_warning_at(struct conf_problems *problems,
                     const struct conf_tree *tree, const char *member,
                     const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* ": did you mean ...", or nothing. */
void conf_nearest_add(const struct conf_nearest *nearest, struct buf *out);

#endif
