/* The disk tier in numbers; nothing without one. */
#include <stddef.h>

#include "admin_internal.h"
#include "base/check.h"
#include "engine/shelf.h"
#include "report/metrics.h"

#define AT(member) offsetof(struct disk_stats, member)

static const struct {
    const char *name;
    const char *type;
    const char *help;
    size_t at;
} rows[] = {
    {"atlas_disk_bytes", "gauge", "Bytes of the disk tier's files now.",
     AT(bytes)},
    {"atlas_disk_budget_bytes", "gauge",
     "What they may be (the option \"disk.size\", less the journal's part).",
     AT(budget)},
    {"atlas_disk_objects", "gauge", "Objects on disk.", AT(records)},
    {"atlas_disk_segments", "gauge", "Files that hold them.", AT(segments)},
    {"atlas_disk_index_bytes", "gauge", "Memory of the index of the disk tier.",
     AT(index_bytes)},
    {"atlas_disk_written_bytes_total", "counter",
     "Bytes written, those written anew included.", AT(written)},
    {"atlas_disk_evicted_total", "counter",
     "Objects that went with the oldest file.", AT(evicted)},
    {"atlas_disk_reinserted_total", "counter",
     "Objects written anew instead, since they were asked for.",
     AT(reinserted)},
    {"atlas_disk_bad_checksums_total", "counter",
     "Objects that were damaged on disk, and dropped.", AT(bad_checksums)},
    {"atlas_disk_incomplete_total", "counter",
     "Objects dropped because a part of them is gone.", AT(incomplete)},
    {"atlas_disk_errors_total", "counter", "Calls to the disk that failed.",
     AT(io_errors)},
    {"atlas_disk_no_space_total", "counter",
     "Writes for which the file system had no space.", AT(no_space)},
};

void
admin_disk_metrics(const struct admin *admin, struct buf *out)
{
    struct shelf_status s;

    if (admin->parts.shelf == NULL)
        return;
    shelf_status(admin->parts.shelf, &s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *at = (const char *)&s.disk + rows[i].at;

        metrics_family(out, rows[i].name, rows[i].type, rows[i].help);
        metrics_u64(out, rows[i].name, NULL, 0,
                    *(const uint64_t *)(const void *)at);
    }
    metrics_gauge(out, "atlas_disk_waiting",
                  "Objects that wait to be written to disk, or taken out.",
                  s.waiting);
    metrics_gauge(out, "atlas_disk_waiting_bytes", "Of their bodies.",
                  s.waiting_bytes);
    metrics_gauge(out, "atlas_disk_writable",
                  "0 once the disk tier had to stop writing (see the log).",
                  !s.disk.read_only && s.journal);
}
