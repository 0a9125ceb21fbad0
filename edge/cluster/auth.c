/*
 * The Atlas-Peer field: written, read and judged. Not offered: encryption, or
 * any integrity of answers (that is TLS's), or rotation of the secret without
 * a restart of the nodes.
 */
#include "cluster/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/nonces_internal.h"

#define NONCE_BYTES 16
#define NONCE_HEX_MIN 16
#define NONCE_HEX_MAX 64
#define TIME_DIGITS_MAX 15
#define MAC_HEX ((size_t)(SECRET_MAC_HEX - 1))

struct auth {
    char node[AUTH_NODE_SIZE];
    uint64_t max_skew_ms;
    int64_t started_ms;
    uint64_t nonce_seed;
    struct nonces *nonces;
    size_t secret_len;
    char *secret;
};

static const char *const op_names[AUTH_OPS] = {
    [AUTH_GET] = "get",
    [AUTH_FILL] = "fill",
    [AUTH_PING] = "ping",
    [AUTH_DIGEST] = "digest",
};

static const char *const verdict_names[AUTH_VERDICTS] = {
    [AUTH_OK] = "ok",         [AUTH_MALFORMED] = "malformed",
    [AUTH_FORGED] = "forged", [AUTH_WRONG_NODE] = "wrong_node",
    [AUTH_SKEWED] = "skewed", [AUTH_REPLAYED] = "replayed",
    [AUTH_FULL] = "full",
};

/* The members of the field, as they stand in it. */
struct parts {
    struct span node;
    struct span to;
    struct span op;
    struct span time;
    struct span nonce;
    struct span mac;
};

struct auth *
auth_new(const struct auth_options *options)
{
    size_t max = options->max_nonces ? options->max_nonces : AUTH_NONCES;
    struct auth *auth = mem_zalloc(sizeof(*auth));

    CHECK(options->secret.len > 0);
    CHECK(auth_node_valid(span_of(options->node)));
    memcpy(auth->node, options->node, strlen(options->node) + 1);
    auth->max_skew_ms = options->max_skew_ms;
    auth->started_ms = options->started_ms;
    secret_random(&auth->nonce_seed, sizeof(auth->nonce_seed));
    auth->nonces = nonces_new(max, options->max_skew_ms);
    auth->secret_len = options->secret.len;
    auth->secret = mem_strndup(options->secret.ptr, options->secret.len);
    return auth;
}

void
auth_free(struct auth **auth)
{
    if (*auth == NULL)
        return;
    nonces_free(&(*auth)->nonces);
    explicit_bzero((*auth)->secret, (*auth)->secret_len);
    free((*auth)->secret);
    free(*auth);
    *auth = NULL;
}

static bool
node_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool
auth_node_valid(struct span node)
{
    if (node.len == 0 || node.len >= AUTH_NODE_SIZE)
        return false;
    for (size_t i = 0; i < node.len; i++) {
        if (!node_char(node.ptr[i]))
            return false;
    }
    return true;
}

const char *
auth_op_name(enum auth_op op)
{
    CHECK(op < AUTH_OPS);
    return op_names[op];
}

const char *
auth_verdict_name(enum auth_verdict verdict)
{
    CHECK(verdict < AUTH_VERDICTS);
    return verdict_names[verdict];
}

/* With its length before it, a part cannot run into the next. */
static void
add_part(struct buf *message, struct span part)
{
    buf_add_u64(message, part.len);
    buf_add_char(message, ':');
    buf_add_span(message, part);
    buf_add_char(message, ',');
}

static void
mac_of(const struct auth *auth, const struct parts *parts,
       const struct auth_request *request, char hex[SECRET_MAC_HEX])
{
    unsigned char mac[SECRET_MAC_LEN];
    struct buf message = {0};

    buf_add_text(&message, "atlas-peer-1:");
    add_part(&message, parts->node);
    add_part(&message, parts->to);
    add_part(&message, parts->op);
    add_part(&message, parts->time);
    add_part(&message, parts->nonce);
    add_part(&message, request->method);
    add_part(&message, request->host);
    add_part(&message, request->target);
    secret_mac((struct span){auth->secret, auth->secret_len},
               buf_span(&message), mac);
    secret_hex(mac, sizeof(mac), hex);
    buf_fini(&message);
}

void
auth_sign(const struct auth *auth, const struct auth_request *request,
          int64_t wall_ms, struct buf *value)
{
    unsigned char random[NONCE_BYTES];
    char nonce[2 * NONCE_BYTES + 1];
    char mac[SECRET_MAC_HEX];
    struct buf now = {0};

    CHECK(request->op < AUTH_OPS && auth_node_valid(request->to));
    secret_random(random, sizeof(random));
    secret_hex(random, sizeof(random), nonce);
    buf_add_u64(&now, wall_ms > 0 ? (uint64_t)wall_ms : 0);

    struct parts parts = {.node = span_of(auth->node),
                          .to = request->to,
                          .op = span_of(op_names[request->op]),
                          .time = buf_span(&now),
                          .nonce = span_of(nonce)};

    mac_of(auth, &parts, request, mac);
    buf_printf(value, "node=%s; to=%.*s; op=%s; t=%s; n=%s; mac=%s", auth->node,
               SPAN_FMT(request->to), op_names[request->op], now.data, nonce,
               mac);
    buf_fini(&now);
}

/* Takes "; " (but for the first), the name and its value off the front. */
static bool
take(struct span *rest, const char *name, struct span *value)
{
    struct span prefix = span_of(name);

    if (!span_starts(*rest, prefix))
        return false;
    size_t end = span_find(*rest, ';', prefix.len);

    *value = span_sub(*rest, prefix.len, end);
    *rest = span_sub(*rest, end, rest->len);
    return true;
}

static bool
is_hex(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool
parse_op(struct span name, enum auth_op *op)
{
    for (int i = 0; i < AUTH_OPS; i++) {
        if (span_eq(name, span_of(op_names[i]))) {
            *op = (enum auth_op)i;
            return true;
        }
    }
    return false;
}

/* One way to write each time: no sign, no leading zero. */
static bool
parse_time(struct span text, uint64_t *ms)
{
    return text.len <= TIME_DIGITS_MAX && text.len > 0 && text.ptr[0] != '0' &&
           span_u64(text, UINT64_MAX, ms);
}

static bool
parse(struct span value, struct parts *parts, enum auth_op *op,
      uint64_t *sent_ms)
{
    return take(&value, "node=", &parts->node) &&
           take(&value, "; to=", &parts->to) &&
           take(&value, "; op=", &parts->op) &&
           take(&value, "; t=", &parts->time) &&
           take(&value, "; n=", &parts->nonce) &&
           take(&value, "; mac=", &parts->mac) && value.len == 0 &&
           auth_node_valid(parts->node) && auth_node_valid(parts->to) &&
           parse_op(parts->op, op) && parse_time(parts->time, sent_ms) &&
           parts->nonce.len >= NONCE_HEX_MIN &&
           parts->nonce.len <= NONCE_HEX_MAX && is_hex(parts->nonce) &&
           parts->mac.len == MAC_HEX && is_hex(parts->mac);
}

static bool
is_skewed(const struct auth *auth, uint64_t sent_ms, uint64_t now_ms)
{
    uint64_t apart = sent_ms > now_ms ? sent_ms - now_ms : now_ms - sent_ms;

    return apart > auth->max_skew_ms ||
           (auth->started_ms > 0 && sent_ms < (uint64_t)auth->started_ms);
}

/* Nonces are each sender's own. */
static struct hash128
nonce_hash(const struct auth *auth, const struct parts *parts)
{
    char text[AUTH_NODE_SIZE + 1 + NONCE_HEX_MAX];
    size_t len = parts->node.len;

    memcpy(text, parts->node.ptr, len);
    text[len++] = ';';
    memcpy(text + len, parts->nonce.ptr, parts->nonce.len);
    len += parts->nonce.len;
    return hash_bytes((struct span){text, len}, auth->nonce_seed);
}

static enum auth_verdict
remember(struct auth *auth, const struct parts *parts, uint64_t sent_ms,
         uint64_t now_ms)
{
    switch (
        nonces_add(auth->nonces, nonce_hash(auth, parts), sent_ms, now_ms)) {
    case NONCES_NEW:
        return AUTH_OK;
    case NONCES_SEEN:
        return AUTH_REPLAYED;
    case NONCES_PAST:
        return AUTH_SKEWED;
    case NONCES_FULL:
        break;
    }
    return AUTH_FULL;
}

enum auth_verdict
auth_verify(struct auth *auth, struct span value,
            const struct auth_request *request, int64_t wall_ms,
            struct auth_claims *claims)
{
    uint64_t now_ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
    char mac[SECRET_MAC_HEX];
    struct parts parts;
    enum auth_op op;
    uint64_t sent_ms;

    if (!parse(value, &parts, &op, &sent_ms))
        return AUTH_MALFORMED;
    mac_of(auth, &parts, request, mac);
    if (!secret_eq(parts.mac, span_of(mac)))
        return AUTH_FORGED;
    if (!span_eq(parts.to, span_of(auth->node)))
        return AUTH_WRONG_NODE;
    if (is_skewed(auth, sent_ms, now_ms))
        return AUTH_SKEWED;
    enum auth_verdict verdict = remember(auth, &parts, sent_ms, now_ms);

    if (verdict == AUTH_OK) {
        memcpy(claims->node, parts.node.ptr, parts.node.len);
        claims->node[parts.node.len] = '\0';
        claims->op = op;
    }
    return verdict;
}

uint64_t
auth_derive(struct span secret, const char *purpose)
{
    unsigned char mac[SECRET_MAC_LEN];
    struct buf message = {0};
    uint64_t number = 0;

    buf_add_text(&message, "atlas-derive-1:");
    add_part(&message, span_of(purpose));
    secret_mac(secret, buf_span(&message), mac);
    buf_fini(&message);
    for (size_t i = 0; i < sizeof(number); i++)
        number = number << 8 | mac[i];
    return number;
}
