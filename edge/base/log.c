#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int level_min = LOG_INFO;
static char name_text[128];

void
log_set_level(enum log_level level)
{
    atomic_store(&level_min, (int)level);
}

void
log_set_name(const char *name)
{
    snprintf(name_text, sizeof(name_text), "%s: ", name);
}

/* True when this line is over the limit; *skipped is how many were dropped in
 * the second before, to be told now. */
static int
limited(struct log_site *site, unsigned long now, unsigned *skipped)
{
    unsigned long seen = atomic_load(&site->second);

    *skipped = 0;
    if (seen != now &&
        atomic_compare_exchange_strong(&site->second, &seen, now)) {
        unsigned count = atomic_exchange(&site->count, 0);

        *skipped = count > LOG_BURST ? count - LOG_BURST : 0;
    }
    return atomic_fetch_add(&site->count, 1) >= LOG_BURST;
}

void
log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct timespec now;
    struct tm tm;
    char line[2048];
    unsigned skipped;
    va_list args;

    if ((int)level < atomic_load(&level_min))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    if (limited(site, (unsigned long)now.tv_sec, &skipped))
        return;
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ %s %s",
                          now.tv_nsec / 1000000, names[level], name_text);
    va_start(args, format);
    int wrote = vsnprintf(line + n, sizeof(line) - n - 64, format, args);
    va_end(args);
    if (wrote > 0)
        n += (size_t)wrote < sizeof(line) - n - 64 ? (size_t)wrote
                                                   : sizeof(line) - n - 65;
    if (skipped > 0)
        n += (size_t)snprintf(line + n, sizeof(line) - n,
                              " (%u like this left out)", skipped);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nowhere left to say so */
}
