/* The body of an origin's response, cut anywhere: what comes of it must not
 * depend on where the network cut it. The first byte chooses the kind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "fetch/body_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct buf body;
    enum body_event event;
    size_t left; /* bytes behind the body */
};

static void
begin(struct body *body, uint8_t how)
{
    static const enum body_kind kinds[] = {BODY_CHUNKED, BODY_LENGTH,
                                           BODY_UNTIL_CLOSE, BODY_NONE};

    body_init(body, kinds[how & 3], how >> 2);
}

/* In steps of `step` bytes, of which `take` are taken of each piece shown. */
static void
decode(uint8_t how, struct span in, size_t step, size_t take,
       struct outcome *outcome)
{
    struct body body;
    struct span data;
    const char *why = NULL;

    *outcome = (struct outcome){.event = BODY_MORE};
    begin(&body, how);
    for (size_t at = 0; outcome->event == BODY_MORE; at += step) {
        struct span part = span_sub(in, at, at + step);
        size_t part_len = part.len;

        while ((outcome->event = body_next(&body, &part, &data, &why)) ==
               BODY_DATA) {
            size_t n = data.len < take ? data.len : take;

            CHECK(data.len > 0 && data.ptr == part.ptr && data.len <= part.len);
            buf_add(&outcome->body, data.ptr, n);
            body_used(&body, n);
            part = span_sub(part, n, part.len);
        }
        CHECK(outcome->event != BODY_BAD || why != NULL);
        outcome->left = in.len - at - part_len + part.len;
        if (at + step >= in.len)
            break;
    }
}

static void
compare(const struct outcome *a, const struct outcome *b)
{
    CHECK(a->event == b->event && a->body.len == b->body.len);
    CHECK(a->body.len == 0 ||
          memcmp(a->body.data, b->body.data, a->body.len) == 0);
    CHECK(a->event != BODY_END || a->left == b->left);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 3, 7, 64};
    struct outcome whole;

    if (size == 0)
        return 0;
    struct span in = {(const char *)data + 1, size - 1};

    decode(data[0], in, in.len + 1, SIZE_MAX, &whole);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct outcome parts;

        decode(data[0], in, steps[i], i + 1, &parts);
        compare(&whole, &parts);
        buf_fini(&parts.body);
    }
    buf_fini(&whole.body);
    return 0;
}
