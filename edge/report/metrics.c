#include "report/metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"

/* ---- the format ---- */

/* Of a help text: a backslash and a newline; of a label, the quote as well. */
static void
add_escaped(struct buf *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            buf_add_text(out, "\\\\");
        else if (*text == '\n')
            buf_add_text(out, "\\n");
        else if (*text == '"' && quotes)
            buf_add_text(out, "\\\"");
        else
            buf_add_char(out, *text);
    }
}

void
metrics_family(struct buf *out, const char *name, const char *type,
               const char *help)
{
    buf_printf(out, "# HELP %s ", name);
    add_escaped(out, help, false);
    buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void
add_name(struct buf *out, const char *name, const struct metrics_label *labels,
         size_t count)
{
    buf_add_text(out, name);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
        add_escaped(out, labels[i].value, true);
        buf_add_char(out, '"');
    }
    buf_add_text(out, count > 0 ? "} " : " ");
}

void
metrics_u64(struct buf *out, const char *name,
            const struct metrics_label *labels, size_t count, uint64_t value)
{
    add_name(out, name, labels, count);
    buf_add_u64(out, value);
    buf_add_char(out, '\n');
}

void
metrics_real(struct buf *out, const char *name,
             const struct metrics_label *labels, size_t count, double value)
{
    add_name(out, name, labels, count);
    buf_printf(out, "%.9g\n", value);
}

void
metrics_gauge(struct buf *out, const char *name, const char *help,
              uint64_t value)
{
    metrics_family(out, name, "gauge", help);
    metrics_u64(out, name, NULL, 0, value);
}

/* ---- the counters ---- */

static bool
ends_in(const char *name, const char *suffix, size_t *stem)
{
    size_t len = strlen(name);
    size_t end = strlen(suffix);

    if (len <= end || strcmp(name + len - end, suffix) != 0)
        return false;
    *stem = len - end;
    return true;
}

static bool
same_metric(int a, int b)
{
    return b < COUNTER_COUNT && strcmp(counter_row((enum counter)a)->name,
                                       counter_row((enum counter)b)->name) == 0;
}

/* Gives the first row behind it. */
static int
add_counter(struct buf *out, int first)
{
    const struct counter_row *row = counter_row((enum counter)first);
    int i = first;

    metrics_family(out, row->name, "counter", row->help);
    for (; same_metric(first, i); i++) {
        row = counter_row((enum counter)i);
        buf_add_text(out, row->name);
        if (row->labels[0] != '\0')
            buf_printf(out, "{%s}", row->labels);
        buf_printf(out, " %llu\n",
                   (unsigned long long)counter_read((enum counter)i));
    }
    return i;
}

static int
add_histogram(struct buf *out, int first, size_t stem)
{
    const struct counter_row *row = counter_row((enum counter)first);
    int len = (int)stem;
    const char *help = row->help[0] != '\0'
                           ? row->help
                           : "Seconds from a request's head to the last byte "
                             "of its answer.";
    uint64_t total = 0;
    size_t sum_stem;
    int i = first;

    buf_printf(out, "# HELP %.*s %s\n# TYPE %.*s histogram\n", len, row->name,
               help, len, row->name);
    for (; same_metric(first, i); i++) {
        total += counter_read((enum counter)i);
        buf_printf(out, "%s{%s} %llu\n", row->name,
                   counter_row((enum counter)i)->labels,
                   (unsigned long long)total);
    }
    buf_printf(out, "%.*s_count %llu\n", len, row->name,
               (unsigned long long)total);
    if (i < COUNTER_COUNT &&
        ends_in(counter_row((enum counter)i)->name, "_sum", &sum_stem) &&
        sum_stem == stem) {
        buf_printf(out, "%.*s_sum %.9g\n", len, row->name,
                   (double)counter_read((enum counter)i) / 1e6);
        i++;
    }
    return i;
}

void
metrics_counters(struct buf *out)
{
    int i = 0;
    size_t stem;

    while (i < COUNTER_COUNT) {
        if (ends_in(counter_row((enum counter)i)->name, "_bucket", &stem))
            i = add_histogram(out, i, stem);
        else
            i = add_counter(out, i);
    }
}

/* ---- the process ---- */

static void
add_resident(struct buf *out)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long size, resident;

    if (file == NULL)
        return;
    if (fscanf(file, "%llu %llu", &size, &resident) == 2)
        metrics_gauge(out, "process_resident_memory_bytes",
                      "Resident memory size in bytes.",
                      resident * (uint64_t)sysconf(_SC_PAGESIZE));
    fclose(file);
}

static void
add_open_files(struct buf *out)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (dir == NULL)
        return;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        count += e->d_name[0] != '.';
    closedir(dir);
    metrics_gauge(out, "process_open_fds", "Number of open file descriptors.",
                  count - 1); /* the directory itself is one */
}

/* By /proc/self/stat, in clock ticks since boot. */
static void
add_start_time(struct buf *out)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char text[1024];
    unsigned long long ticks;

    if (file == NULL)
        return;
    size_t len = fread(text, 1, sizeof(text) - 1, file);

    fclose(file);
    text[len] = '\0';
    /* The program's name, in brackets, may hold anything. */
    const char *rest = strrchr(text, ')');

    if (rest == NULL ||
        sscanf(rest + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
               "%*d %*d %*d %*d %llu",
               &ticks) != 1)
        return;
    double boot = (double)clock_wall_ms() / 1e3 -
                  (double)(clock_boot_ns() - CLOCK_BOOT_BASE_NS) / 1e9;

    metrics_family(out, "process_start_time_seconds", "gauge",
                   "Start time of the process since unix epoch in seconds.");
    add_name(out, "process_start_time_seconds", NULL, 0);
    buf_printf(out, "%.2f\n",
               boot + (double)ticks / (double)sysconf(_SC_CLK_TCK));
}

static void
add_processor_time(struct buf *out)
{
    struct timespec used;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return;
    metrics_family(out, "process_cpu_seconds_total", "counter",
                   "Total user and system CPU time spent in seconds.");
    metrics_real(out, "process_cpu_seconds_total", NULL, 0,
                 (double)used.tv_sec + (double)used.tv_nsec / 1e9);
}

void
metrics_process(struct buf *out)
{
    add_start_time(out);
    add_processor_time(out);
    add_resident(out);
    add_open_files(out);
}
