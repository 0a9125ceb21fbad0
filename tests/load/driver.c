/*
 * Drives the real atlas-edge under load, against an origin of its own that
 * knows what may be answered. `run` beside this builds it and runs them all.
 *
 *   driver SCENARIO PROGRAM WORK SECONDS
 *
 * Prints one line of JSON; exit 0 when nothing was wrong: no request failed
 * that had to succeed, no answer was older than it may be, no key was fetched
 * twice, nothing private was shared, and the node ended with 0.
 */
#include "driver.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

struct load load;

/* ---- the configuration ---- */

void
driver_conf(struct buf *out, const char *name, unsigned variant)
{
    buf_clear(out);
    buf_printf(out,
               "{\"node\": \"%s\", \"listen\": [\"127.0.0.1:0\"],\n"
               "\"workers\": 4, \"memory\": \"64MiB\",\n"
               "\"access_log\": \"%s/%s.access\",\n"
               "\"admin\": {\"listen\": \"127.0.0.1:0\", \"token\": "
               "\"" LOAD_TOKEN "\"},\n"
               "\"limits\": {\"drain_timeout\": \"2s\"},\n"
               "\"origins\": {\"web\": {\"servers\": "
               "[\"http://127.0.0.1:%d\"], \"retries\": 0}},\n"
               "\"routes\": [\n",
               name, load.work, name, load.origin_port);
    for (unsigned i = 0; i < variant % 7; i++)
        buf_printf(out,
                   "{\"name\": \"more-%u\", \"origin\": \"web\", \"match\": "
                   "{\"path\": \"/more-%u/*\"}},\n",
                   i, i);
    if (variant % 2 == 1)
        buf_add_text(out, "{\"name\": \"chunked\", \"origin\": \"web\", "
                          "\"match\": {\"path\": \"/chunked/*\"}, "
                          "\"consistency\": \"cp\"},\n");
    buf_printf(out,
               "{\"name\": \"strict\", \"origin\": \"web\", \"match\": "
               "{\"path\": \"/cp/*\"}, \"consistency\": \"cp\"},\n"
               "{\"name\": \"parts\", \"origin\": \"web\", \"match\": "
               "{\"path\": \"/part/*\"}, \"partial\": \"store\"},\n"
               "{\"name\": \"all\", \"origin\": \"web\", \"purge\": true, "
               "\"ttl\": {\"max_stale\": \"%us\"}}]}\n",
               10 + variant);
}

void
driver_start(struct node *node, const char *name)
{
    struct buf conf = {0};

    driver_conf(&conf, name, 0);
    if (!node_start(node, load.program, load.work, name, conf.data))
        exit(1);
    buf_fini(&conf);
}

/* ---- threads ---- */

static void *
thread_main(void *arg)
{
    struct thread *thread = arg;

    while (!atomic_load(&load.stop))
        thread->step(thread);
    client_close(&thread->client);
    atomic_fetch_add(&load.requests, thread->client.requests);
    atomic_fetch_add(&load.reconnects, thread->client.reconnects);
    return NULL;
}

void
driver_threads(unsigned count, const struct node *node,
               void (*step)(struct thread *thread))
{
    for (unsigned i = 0; i < count; i++) {
        CHECK(load.thread_count < LOAD_THREADS);
        struct thread *thread = &load.threads[load.thread_count++];

        memset(thread, 0, sizeof(*thread));
        thread->client.port = node->port;
        thread->client.fd = -1;
        thread->index = i;
        thread->step = step;
        CHECK(pthread_create(&thread->thread, NULL, thread_main, thread) == 0);
    }
}

void
driver_join(void)
{
    atomic_store(&load.stop, true);
    for (size_t i = 0; i < load.thread_count; i++)
        pthread_join(load.threads[i].thread, NULL);
    load.thread_count = 0;
    atomic_store(&load.stop, false);
    atomic_store(&load.ending, false);
}

void
driver_fail(const struct thread *thread, const char *target, int status)
{
    uint64_t n = atomic_fetch_add(&load.failures, 1);

    if (n < 10)
        fprintf(stderr, "driver: %s: status %d%s, %llu bytes: %.100s\n", target,
                status, thread->client.wrong ? " (a wrong body)" : "",
                (unsigned long long)thread->client.bytes, thread->client.text);
}

void
driver_backwards(const char *target, uint64_t got, uint64_t least)
{
    uint64_t n = atomic_fetch_add(&load.backwards, 1);

    if (n < 10)
        fprintf(stderr, "driver: %s: version %llu, at least %llu expected\n",
                target, (unsigned long long)got, (unsigned long long)least);
}

void
driver_run(void)
{
    load_sleep_us(load.seconds * 1000000);
}

void
driver_stop(struct node *node)
{
    node_term(node);
    driver_check_end(node);
}

void
driver_check_end(struct node *node)
{
    int code = node_wait(node, 30);

    if (code != 0)
        load.exit_code = code;
    load.reports +=
        node_said(node, "ThreadSanitizer") +
        node_said(node, "AddressSanitizer") + node_said(node, "LeakSanitizer") +
        node_said(node, "runtime error") + node_said(node, "broken invariant");
}

/* ---- the command line ---- */

static const struct scenario {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"coalesce", scenario_coalesce}, {"purge", scenario_purge},
    {"reload", scenario_reload},     {"shutdown", scenario_shutdown},
    {"peers", scenario_peers},       {"parts", scenario_parts},
    {"disk", scenario_disk},
};

static bool
print(const char *name)
{
    bool good = load.failures == 0 && load.backwards == 0 && load.twice == 0 &&
                load.shared == 0 && load.exit_code == 0 && load.reports == 0 &&
                load.why == NULL;

    printf("{\"scenario\": \"%s\", \"requests\": %llu, \"origin_requests\": "
           "%llu, \"failures\": %llu, \"reconnects\": %llu, \"backwards\": "
           "%llu, \"fetched_twice\": %llu, \"private_shared\": %llu, "
           "\"exit\": %d, \"reports\": %zu, \"wrong\": \"%s\"}\n",
           name, (unsigned long long)load.requests,
           (unsigned long long)origin_requests(),
           (unsigned long long)load.failures,
           (unsigned long long)load.reconnects,
           (unsigned long long)load.backwards, (unsigned long long)load.twice,
           (unsigned long long)load.shared, load.exit_code, load.reports,
           load.why ? load.why : "");
    return good;
}

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5) {
        load.program = argv[2];
        load.work = argv[3];
        load.seconds = (unsigned)strtoul(argv[4], NULL, 10);
    }
    for (size_t i = 0; i < ARRAY_LEN(scenarios) && load.seconds > 0; i++) {
        if (strcmp(argv[1], scenarios[i].name) != 0)
            continue;
        load.origin_port = origin_start();
        scenarios[i].run();
        return print(argv[1]) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    fputs("usage: driver SCENARIO PROGRAM WORK SECONDS\n", stderr);
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        fprintf(stderr, "  %s\n", scenarios[i].name);
    return 2;
}
