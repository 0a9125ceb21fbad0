/*
 * The places of the lab: processes, each in a network namespace of its own,
 * and the sites they are of. From a file with lines
 *
 *   place NAME ROLE SITE ADDRESS SHARED    SHARED: 10.97.200.SHARED, 0: none
 *   delay SITE SITE US                     one way
 */
#ifndef WAN_PLACE_H
#define WAN_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACES_MAX 32
#define PLACE_DELAYS 64
#define PLACE_NAME 24

enum place_role { PLACE_NODE, PLACE_REDIS, PLACE_ORIGIN, PLACE_ROLES };

struct place {
    char name[PLACE_NAME];
    enum place_role role;
    char site[PLACE_NAME];
    char address[PLACE_NAME];
    unsigned shared;
    int netns;
};

struct place_delay {
    char from[PLACE_NAME];
    char to[PLACE_NAME];
    unsigned us;
};

struct places {
    struct place list[PLACES_MAX];
    size_t count;
    struct place_delay delays[PLACE_DELAYS];
    size_t delay_count;
    int home; /* our own namespace */
};

/* Reads the file and opens the namespaces; ends the program, with a word, when
 * something is wrong. */
void places_read(struct places *places, const char *path);
const char *place_role_name(enum place_role role);
/* One way between two places; 0 within a site unless the file tells. */
unsigned place_delay_us(const struct places *places, const struct place *a,
                        const struct place *b);

/* A stream socket in the namespace of the place; -1 with errno. */
int place_socket(const struct places *places, const struct place *place);
/* The same, not blocking, on its way to a port of the place itself. */
int place_connect(const struct places *places, const struct place *place,
                  unsigned port);
/* Enters the namespace for good: for a child. */
bool place_enter(const struct place *place);

#endif
