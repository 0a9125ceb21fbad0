#include "gate.h"

static struct span
trim(struct span s)
{
    while (s.len > 0 && (s.ptr[s.len - 1] == '\n' || s.ptr[s.len - 1] == '\r'))
        s.len--;
    return span_trim(s);
}

static bool
parse_slow(struct span s, uint64_t *delay_ms)
{
    uint64_t factor = 1;

    s = span_trim(s);
    if (s.len > 2 && span_eq(span_sub(s, s.len - 2, s.len), SPAN("ms"))) {
        s.len -= 2;
    } else if (s.len > 1 && s.ptr[s.len - 1] == 's') {
        s.len -= 1;
        factor = 1000;
    } else {
        return false;
    }
    if (!span_u64(span_trim(s), GATE_DELAY_MAX_MS + 1, delay_ms))
        return false;
    *delay_ms *= factor;
    return *delay_ms <= GATE_DELAY_MAX_MS;
}

bool
gate_parse(struct span text, struct gate_state *state)
{
    struct gate_state parsed = {GATE_UP, 0};

    text = trim(text);
    if (span_eq(text, SPAN("cut"))) {
        parsed.mode = GATE_CUT;
    } else if (span_eq(text, SPAN("hang"))) {
        parsed.mode = GATE_HANG;
    } else if (span_starts(text, SPAN("slow "))) {
        if (!parse_slow(span_sub(text, 5, text.len), &parsed.delay_ms))
            return false;
    } else if (!span_eq(text, SPAN("up"))) {
        return false;
    }
    *state = parsed;
    return true;
}

void
gate_write(struct gate_state state, struct buf *out)
{
    if (state.mode == GATE_CUT)
        buf_add_text(out, "cut");
    else if (state.mode == GATE_HANG)
        buf_add_text(out, "hang");
    else if (state.delay_ms > 0)
        buf_printf(out, "slow %llums", (unsigned long long)state.delay_ms);
    else
        buf_add_text(out, "up");
}
