/* What other nodes, or whoever poses as one, send: the Atlas-Peer field, and
 * rows of a node table. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/secret.h"
#include "cluster/auth.h"
#include "cluster/membership.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct auth *
shared_auth(void)
{
    static struct auth *auth;

    if (auth == NULL) {
        struct auth_options options = {.secret = SPAN("a shared secret"),
                                       .node = "tokyo-2",
                                       .max_skew_ms = 30000};

        auth = auth_new(&options);
    }
    return auth;
}

/* Nothing that is made up is ever accepted. */
static void
verify(struct span value)
{
    struct auth_request request = {
        .method = SPAN("GET"), .host = SPAN("h"), .target = SPAN("/")};
    struct auth_claims claims;

    CHECK(auth_verify(shared_auth(), value, &request, INT64_C(1700000000000),
                      &claims) != AUTH_OK);
}

/* What is read is written in the same way: the first line is the key. */
static void
parse_row(struct span text)
{
    struct membership_node node;
    struct buf key = {0};
    struct buf payload = {0};
    size_t end = span_find(text, '\n', 0);
    struct span row_key = span_sub(text, 0, end);
    struct span row_payload = span_sub(text, end + 1, text.len);

    if (!membership_parse(row_key, row_payload, &node))
        return;
    membership_print(&node, &key, &payload);
    CHECK(span_eq(buf_span(&key), row_key));
    CHECK(span_eq(buf_span(&payload), row_payload));
    buf_fini(&key);
    buf_fini(&payload);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {size > 0 ? (const char *)data : "", size};

    verify(text);
    parse_row(text);
    membership_url_valid(text);
    return 0;
}
