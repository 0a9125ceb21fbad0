/*
 * What is read back from the disk tier, beside the log itself (fuzz_disk): what
 * a record says of its object ('m'), lines of the journal of invalidations
 * ('j', each tried as it is and with the right checksum). Checksums keep a
 * fuzzer out of both; the parsers must not depend on them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cluster/journal_internal.h"
#include "cluster/line_internal.h"
#include "engine/shelf_meta_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* It prints as it was read, and can be used. */
static void
try_meta(struct span text)
{
    static const struct shelf_clock nows[] = {
        {{1, 1}, 1, 0},
        {{3, 4}, UINT64_MAX, INT64_MAX},
        {{0, 0}, UINT64_MAX / 2, 1000},
    };
    struct shelf_meta meta;
    struct shelf_times times;
    struct buf again = {0};

    if (!shelf_meta_parse(text, &meta))
        return;
    shelf_meta_print(&meta, &again);
    CHECK(span_eq(buf_span(&again), text));
    for (size_t i = 0; i < ARRAY_LEN(nows); i++) {
        shelf_meta_times(&meta, &nows[i], &times);
        CHECK(times.sent_ns > 0 && times.sent_ns <= times.received_ns);
    }
    struct vary *vary = vary_of_pairs(meta.vary, meta.vary_count);
    struct pack *pack = pack_new(&meta.fields);

    (void)vary_match(vary, pack_fields(pack));
    (void)shelf_variant(meta.vary, meta.vary_count);
    pack_unref(&pack);
    vary_free(&vary);
    shelf_meta_fini(&meta);
    buf_fini(&again);
}

static void
try_line(struct span line)
{
    struct journal_record record;
    struct buf again = {0};

    if (!journal_parse(line, &record))
        return;
    journal_print(&record, &again);
    CHECK(again.len == line.len + 1);
    CHECK(memcmp(again.data, line.ptr, line.len) == 0);
    journal_record_fini(&record);
    buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct span line;

    if (size == 0)
        return 0;
    text = span_sub(text, 1, size);
    if (data[0] == 'm')
        try_meta(text);
    while (data[0] == 'j' && span_split(&text, '\n', &line)) {
        struct buf summed = {0};

        try_line(line);
        buf_add_span(&summed, line);
        line_add_sum(&summed, 0);
        try_line(span_sub(buf_span(&summed), 0, summed.len - 1));
        buf_fini(&summed);
    }
    return 0;
}
