/*
 * sign: the Atlas-Peer field of a request between nodes, as a node would sign
 * it; for tests that replay, forge and delay such requests.
 *
 *   sign SECRET FROM TO OP METHOD HOST TARGET [OFFSET_MS]
 *
 * OP is get, fill, ping or digest. OFFSET_MS is added to the clock. Prints the
 * field's value.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "cluster/auth.h"

static enum auth_op
op_named(const char *name)
{
    unsigned op = 0;

    while (op < AUTH_OPS &&
           !span_eq(span_of(auth_op_name((enum auth_op)op)), span_of(name)))
        op++;
    return (enum auth_op)op;
}

int
main(int argc, char **argv)
{
    if (argc < 8 || argc > 9 || op_named(argv[4]) == AUTH_OPS ||
        !auth_node_valid(span_of(argv[2])) ||
        !auth_node_valid(span_of(argv[3]))) {
        fprintf(stderr, "usage: sign SECRET FROM TO get|fill|ping|digest "
                        "METHOD HOST TARGET [OFFSET_MS]\n");
        return 2;
    }
    secret_init();
    struct auth_options options = {
        .secret = span_of(argv[1]), .node = argv[2], .max_skew_ms = 1000};
    struct auth_request request = {
        .op = op_named(argv[4]),
        .to = span_of(argv[3]),
        .method = span_of(argv[5]),
        .host = span_of(argv[6]),
        .target = span_of(argv[7]),
    };
    int64_t offset_ms = argc > 8 ? strtoll(argv[8], NULL, 10) : 0;
    struct auth *auth = auth_new(&options);
    struct buf value = {0};

    auth_sign(auth, &request, clock_wall_ms() + offset_ms, &value);
    puts(value.data);
    buf_fini(&value);
    auth_free(&auth);
    return 0;
}
