/*
 * What stands behind the levels: session tokens, which clients bring, and lines
 * of the outbox, which a disk gives back. Each is tried as it is, and with its
 * signature or checksum made right, so that the rest of the parser is reached.
 * What is accepted is written again as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/secret.h"
#include "cluster/outbox_internal.h"
#include "cluster/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct span key = {"0123456789abcdef0123456789abcdef", 32};

static void
try_token(struct span text)
{
    struct session session;
    struct buf again = {0};

    if (session_parse(text, key, &session)) {
        struct session twice;

        session_write(&session, key, &again);
        CHECK(session_parse(buf_span(&again), key, &twice));
        CHECK(twice.date_s == session.date_s && twice.kept == session.kept);
        CHECK(position_covers(&twice.position, &session.position));
    } else {
        CHECK(session.position.count == 0 && !session.kept);
    }
    buf_fini(&again);
}

static void
try_line(struct span text)
{
    struct outbox_record record;
    struct buf again = {0};

    if (!outbox_parse(text, &record))
        return;
    outbox_print(&record, &again);
    CHECK(again.len == text.len + 1 &&
          memcmp(again.data, text.ptr, text.len) == 0);
    if (record.line == OUTBOX_LINE_ADD) {
        free(record.entry.purge.host);
        free(record.entry.purge.value);
        free(record.entry.purge.once);
    }
    buf_fini(&again);
}

static void
try_signed(struct span text)
{
    unsigned char mac[SECRET_MAC_LEN];
    char hex[SECRET_MAC_HEX];
    struct buf token = {0};

    secret_mac(key, text, mac);
    secret_hex(mac, sizeof(mac), hex);
    buf_add_span(&token, text);
    buf_add_char(&token, '.');
    buf_add(&token, hex, 32);
    try_token(buf_span(&token));
    buf_fini(&token);
}

static void
try_summed(struct span text)
{
    struct buf line = {0};

    buf_add_span(&line, text);
    buf_printf(&line, " %016llx", (unsigned long long)hash_bytes(text, 0).lo);
    try_line(buf_span(&line));
    buf_fini(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);

    CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    struct span text = {copy, size};

    try_token(text);
    try_signed(text);
    try_line(text);
    try_summed(text);
    free(copy);
    return 0;
}
