/* What the scenarios of the load driver share. */
#ifndef LOAD_DRIVER_H
#define LOAD_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "node.h"
#include "origin.h"

#define LOAD_TOKEN "load-token"
#define LOAD_THREADS 256

struct buf;

/* A client that takes one step after another until the load stops. */
struct thread {
    pthread_t thread;
    struct client client;
    unsigned index; /* among those of its kind */
    void (*step)(struct thread *thread);
};

extern struct load {
    const char *program;
    const char *work;
    unsigned seconds;
    int origin_port;
    struct thread threads[LOAD_THREADS];
    size_t thread_count;
    _Atomic bool stop;
    _Atomic bool ending; /* the node was told to end: requests may fail */

    _Atomic uint64_t requests;
    _Atomic uint64_t reconnects;
    _Atomic uint64_t failures;
    _Atomic uint64_t backwards; /* answers older than they may be */
    _Atomic uint64_t twice;     /* keys that were fetched more than once */
    _Atomic uint64_t shared;    /* private answers that two clients got */
    int exit_code;              /* of the node; not 0 if any was not */
    size_t reports;             /* of sanitizers */
    const char *why;            /* anything else; NULL: nothing */
} load;

/* The configuration; variants differ in their routes. */
void driver_conf(struct buf *out, const char *name, unsigned variant);
/* Starts a node, or ends the program. */
void driver_start(struct node *node, const char *name);
void driver_threads(unsigned count, const struct node *node,
                    void (*step)(struct thread *thread));
/* For as long as the command line says. */
void driver_run(void);
/* Ends the threads. */
void driver_join(void);
/* Ends the node, and looks at how it ended. */
void driver_stop(struct node *node);
/* The same when it was told to end before. */
void driver_check_end(struct node *node);

/* Counts what went wrong, and tells the first few. */
void driver_fail(const struct thread *thread, const char *target, int status);
void driver_backwards(const char *target, uint64_t got, uint64_t least);

void scenario_coalesce(void);
void scenario_purge(void);
void scenario_reload(void);
void scenario_shutdown(void);
void scenario_peers(void);
void scenario_parts(void);
void scenario_disk(void);

#endif
