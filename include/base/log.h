/*
 * The operational log: one line a fact, to standard error. Each line says
 * what happened, where, and what to do about it. Log once, where the fault was
 * detected. Thread-safe. Repeated lines of one place are limited to
 * LOG_BURST a second; the next one says how many were left out.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_BURST 10

/* Lines below this level are dropped. Default LOG_INFO. */
void log_set_level(enum log_level level);
/* A name put before each line, such as the node's; copied. */
void log_set_name(const char *name);

/* One per call site: the limiter's state. */
struct log_site {
    _Atomic unsigned long second;
    _Atomic unsigned count;
};

#define LOG(level, ...)                                                        \
    do {                                                                       \
        static struct log_site log_site_;                                      \
        log_write(&log_site_, (level), __VA_ARGS__);                           \
    } while (0)

void log_write(struct log_site *site, enum log_level level, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

#endif
