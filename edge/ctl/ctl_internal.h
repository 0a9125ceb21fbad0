/* What the commands of atlasctl share. */
#ifndef CTL_INTERNAL_H
#define CTL_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* How atlasctl ends; told by --help. */
enum ctl_exit {
    CTL_DONE = 0,
    CTL_NOT_DONE = 1, /* a purge reached this node only; FILE is wrong */
    CTL_USAGE = 2,    /* the command was wrong */
    CTL_NO_NODE = 3,  /* the node cannot be reached */
    CTL_REFUSED = 4,  /* the node refused: the token, or what was asked */
};

/* What is to be purged. */
struct ctl_target {
    const char *kind; /* as in the API */
    const char *text; /* NULL for "all" */
};

/* The command line. */
struct ctl {
    const char *admin; /* "http://host:port" */
    char *token;       /* malloc'd; NULL: none given */
    const char *method;
    char **headers; /* "Name: value" */
    size_t header_count;
    struct ctl_target *targets;
    size_t target_count;
    bool soft;
    const char *wait; /* for whose acknowledgement; NULL: nobody's */
    const char *once; /* NULL: none */
    bool json;
    char **words; /* behind the command */
    size_t word_count;
};

enum ctl_exit cmd_purge(const struct ctl *ctl);
enum ctl_exit cmd_status(const struct ctl *ctl);
enum ctl_exit cmd_explain(const struct ctl *ctl);
enum ctl_exit cmd_check(const struct ctl *ctl);

/* To standard error, after "atlasctl: ". */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- asking the node ---- */

struct call {
    long status;
    json_t *json; /* the answer, an object */
    struct buf text;
};

/* GET, or POST of `body` when it is not NULL. CTL_DONE when the node answered
 * with a JSON object, whatever its status; else the reason has been said. */
enum ctl_exit call_node(const struct ctl *ctl, const char *path,
                        const char *body, struct call *call);
void call_fini(struct call *call);

/* Says what the node has against it, by call->json. */
enum ctl_exit call_refused(const struct call *call);

/* Members of an answer; "" , 0 and false when they are not there. */
const char *call_text(const json_t *object, const char *name);
long long call_number(const json_t *object, const char *name);
bool call_true(const json_t *object, const char *name);

#endif
