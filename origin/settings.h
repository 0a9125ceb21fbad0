/* The settings of atlas-origin: a JSON file, and the command line over it. */
#ifndef ORIGIN_SETTINGS_H
#define ORIGIN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "policy.h"

struct settings_listen {
    char *name; /* "control" for the control listener */
    char *host; /* an address, without brackets */
    unsigned port;
};

/* Zero-initialise, settings_defaults; settings_fini to end. */
struct settings {
    char *root;
    struct settings_listen *listens;
    size_t listen_count, listen_cap;
    struct settings_listen control; /* host NULL: none */

    struct policy defaults; /* of every response to a file */
    struct rule *rules;
    size_t rule_count, rule_cap;

    char *redis_site; /* NULL: nothing is published */
    char *redis_host;
    unsigned redis_port;
    /* Under which names the world sees this origin: those that invalidations
     * of a URL are published for. In lower case, with a port if there is one
     * in the URLs. */
    char **hosts;
    size_t host_count, host_cap;

    bool watch;
    bool durable;
    bool hard; /* changes are told as hard invalidations */
    bool test_paths;
    unsigned idle_timeout_s;
    unsigned publish_wait_ms;
};

void settings_defaults(struct settings *settings);
void settings_fini(struct settings *settings);

/* Both give false with a text for people in *why. */
bool settings_read_file(struct settings *settings, const char *file,
                        struct buf *why);
bool settings_read_json(struct settings *settings, const char *text,
                        struct buf *why);

/* "NAME=ADDR:PORT", as on the command line; IPv6 in brackets. */
bool settings_add_listen(struct settings *settings, const char *text,
                         struct buf *why);
bool settings_set_control(struct settings *settings, const char *text,
                          struct buf *why);
/* "SITE=HOST:PORT" */
bool settings_set_redis(struct settings *settings, const char *text,
                        struct buf *why);
bool settings_add_host(struct settings *settings, const char *text,
                       struct buf *why);
/* What only the whole shows: a root, a listener, names that are unique. */
bool settings_check(const struct settings *settings, struct buf *why);

#endif
