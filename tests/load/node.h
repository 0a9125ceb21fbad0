/* An atlas-edge of the load tests: started, reloaded, ended by its pid. */
#ifndef LOAD_NODE_H
#define LOAD_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct node {
    pid_t pid; /* 0: not running */
    int port;
    char conf_path[512];
    char err_path[512]; /* its standard error */
};

/* Starts `program` with this configuration, in files work/NAME.json and
 * work/NAME.err, and waits until it serves. It ends with the driver at the
 * latest. False, with a word on standard error, when it does not. */
bool node_start(struct node *node, const char *program, const char *work,
                const char *name, const char *conf);
/* Writes the configuration, and sends SIGHUP. */
void node_reload(const struct node *node, const char *conf);
void node_term(const struct node *node);
/* Waits for its end, at most so long, then kills it. Its exit code, or -1. */
int node_wait(struct node *node, unsigned seconds);
/* How often the text stands in its standard error. */
size_t node_said(const struct node *node, const char *text);

#endif
