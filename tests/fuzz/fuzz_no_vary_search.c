/* No-Vary-Search: the value on the first line, then queries, one a line. */
#include <stdint.h>

#include "base/check.h"
#include "http/key.h"
#include "http/no_vary_search.h"

/* A form is its own form; and it is what the form of a search key says. */
static void
try_query(struct span variance, struct span query)
{
    struct buf form = {0};
    struct buf again = {0};

    buf_add_char(&form, '?');
    if (no_vary_search_apply(variance, query, &form)) {
        struct span once = span_sub(buf_span(&form), 1, form.len);

        /* Encoded it may be longer than what is looked at. */
        if (no_vary_search_apply(variance, once, &again))
            CHECK(span_eq(buf_span(&again), once));
        CHECK(form.len <= 3 * query.len + 130);
    } else {
        CHECK(form.len == 1);
    }
    buf_fini(&form);
    buf_fini(&again);
}

static void
try_key(struct span variance, struct span query)
{
    struct buf text = {0};
    struct buf scratch = {0};
    struct buf work = {0};
    struct key plain;
    struct key search;

    buf_add_text(&text, "http://a/p?");
    buf_add_span(&text, query);
    buf_add_text(&text, "\nh:x=1");
    if (key_parse(buf_span(&text), &plain) &&
        key_build_search(&plain, variance, &scratch, &search)) {
        CHECK(span_eq(key_variance(&search), variance));
        CHECK(key_answers(&search, &plain, &work));
        CHECK(key_variance(&plain).ptr == NULL);
    }
    buf_fini(&text);
    buf_fini(&scratch);
    buf_fini(&work);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct span value = SPAN_NONE;
    struct span query;
    struct buf variance = {0};

    (void)span_split(&rest, '\n', &value);
    struct field field = {SPAN("No-Vary-Search"), value};
    struct fields response = {&field, 1, 0};

    if (no_vary_search_read(&response, &variance)) {
        CHECK(variance.len > 0 && variance.len <= NO_VARY_SEARCH_MAX);
        while (span_split(&rest, '\n', &query)) {
            try_query(buf_span(&variance), query);
            try_key(buf_span(&variance), query);
        }
    } else {
        CHECK(variance.len == 0);
    }
    buf_fini(&variance);
    return 0;
}
