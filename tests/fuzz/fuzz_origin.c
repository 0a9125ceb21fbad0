/*
 * What comes to atlas-origin. The first byte says which: 'p', the path of a
 * request, which must stay below the root; 'g', the state of a link; 'c',
 * Cache-Control and tags as a PUT sets them, a line each.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../origin/gate.h"
#include "../../origin/path.h"
#include "../../origin/policy.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No segment leads up, or is hidden, whatever was escaped. */
static void
try_path(struct span raw)
{
    char text[PATH_SIZE];
    bool folder = false;

    if (path_decode(raw, text, &folder) != PATH_OK)
        return;
    struct span rest = span_of(text);
    struct span segment;

    CHECK(rest.len < PATH_SIZE && text[0] != '/');
    while (rest.len > 0 && span_split(&rest, '/', &segment)) {
        CHECK(!span_eq(segment, SPAN(".")) && !span_eq(segment, SPAN("..")));
        CHECK(segment.len <= PATH_NAME_MAX);
        CHECK(segment.len == 0 || segment.ptr[0] != '.' ||
              span_eq(segment, SPAN(".well-known")));
    }
    char *again = path_encode(text);
    char text2[PATH_SIZE];

    CHECK(path_decode(span_of(again), text2, &folder) == PATH_OK);
    CHECK(strcmp(text, text2) == 0);
    free(again);
}

static void
try_gate(struct span text)
{
    struct gate_state state;
    struct gate_state again;
    struct buf out = {0};

    if (!gate_parse(text, &state))
        return;
    gate_write(state, &out);
    CHECK(gate_parse(buf_span(&out), &again));
    CHECK(again.mode == state.mode && again.delay_ms == state.delay_ms);
    buf_fini(&out);
}

static void
try_policy(struct span text)
{
    struct policy policy = {0};
    struct span line = SPAN_NONE;

    (void)span_split(&text, '\n', &line);
    (void)policy_set_cache_control(&policy, line);
    (void)policy_set_tags(&policy, text.ptr != NULL ? text : SPAN(""));
    json_t *json = policy_to_json(&policy);

    CHECK(json != NULL);
    json_decref(json);
    policy_fini(&policy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);

    CHECK(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
        struct span text = {copy + 1, size - 1};

        if (copy[0] == 'g')
            try_gate(text);
        else if (copy[0] == 'c')
            try_policy(text);
        else
            try_path(text);
    }
    free(copy);
    return 0;
}
