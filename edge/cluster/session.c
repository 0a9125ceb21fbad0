#include "cluster/session.h"

#include <string.h>

#include "base/secret.h"

#define MAC_DIGITS 32
#define TOKEN_MAX 8192

static void
add_mac(struct buf *out, size_t from, struct span key)
{
    unsigned char mac[SECRET_MAC_LEN];
    char hex[SECRET_MAC_HEX];
    struct span text = {out->data + from, out->len - from};

    secret_mac(key, text, mac);
    secret_hex(mac, sizeof(mac), hex);
    buf_add_char(out, '.');
    buf_add(out, hex, MAC_DIGITS);
}

void
session_write(const struct session *session, struct span key, struct buf *out)
{
    size_t from = out->len;

    buf_add_text(out, "1.");
    position_write(&session->position, out);
    buf_add_char(out, '.');
    buf_add_u64(out, session->date_s > 0 ? (uint64_t)session->date_s : 0);
    buf_printf(out, ".%016llx", (unsigned long long)session->read);
    buf_add_text(out, session->kept ? ".k" : ".-");
    add_mac(out, from, key);
}

static bool
mac_fits(struct span text, struct span mac, struct span key)
{
    struct buf want = {0};

    buf_add_span(&want, text);
    add_mac(&want, 0, key);
    bool fits =
        secret_eq(span_sub(buf_span(&want), text.len + 1, want.len), mac);

    buf_fini(&want);
    return fits;
}

/* The part behind the last dot, taken off. Names of sites may have dots. */
static struct span
take_last(struct span *text)
{
    size_t at = text->len;

    while (at > 0 && text->ptr[at - 1] != '.')
        at--;
    struct span last = span_sub(*text, at, text->len);

    *text = at > 0 ? span_sub(*text, 0, at - 1) : SPAN("");
    return last;
}

static bool
parse_hex(struct span text, uint64_t *value)
{
    static const char digits[] = "0123456789abcdef";

    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(digits, text.ptr[i], 16);

        if (digit == NULL)
            return false;
        *value = *value << 4 | (uint64_t)(digit - digits);
    }
    return text.len == 16;
}

static bool
parse(struct span text, struct session *session)
{
    struct span flags = take_last(&text);
    struct span read = take_last(&text);
    struct span date = take_last(&text);
    uint64_t date_s;

    if (!span_starts(text, SPAN("1.")) || !span_u64(date, INT64_MAX, &date_s) ||
        !parse_hex(read, &session->read) ||
        (!span_eq(flags, SPAN("k")) && !span_eq(flags, SPAN("-"))))
        return false;
    session->date_s = (int64_t)date_s;
    session->kept = span_eq(flags, SPAN("k"));
    return position_parse(span_sub(text, 2, text.len), &session->position);
}

bool
session_parse(struct span text, struct span key, struct session *session)
{
    *session = (struct session){0};
    if (text.len > TOKEN_MAX)
        return false;
    struct span mac = take_last(&text);

    if (mac.len == MAC_DIGITS && mac_fits(text, mac, key) &&
        parse(text, session))
        return true;
    *session = (struct session){0};
    return false;
}

void
session_merge(struct session *session, const struct position *position)
{
    for (size_t i = 0; i < position->count; i++) {
        const struct position_site *theirs = &position->sites[i];
        struct span name = span_of(theirs->site);
        const struct position_site *ours =
            position_find(&session->position, name);

        if (ours == NULL || position_order(ours, theirs) != POSITION_AHEAD)
            position_set(&session->position, name, theirs->epoch, theirs->term,
                         theirs->n);
    }
}

void
session_read(struct session *session, int64_t date_s, uint64_t read)
{
    if (date_s < session->date_s)
        return;
    session->date_s = date_s;
    session->read = read;
}

bool
session_behind(const struct session *session, int64_t date_s, uint64_t read)
{
    if (date_s != session->date_s)
        return date_s < session->date_s;
    /* Of one second: only what was read itself is surely not older. */
    return session->date_s != 0 && (read == 0 || read != session->read);
}
