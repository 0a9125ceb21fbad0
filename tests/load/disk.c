/* A store that memory does not hold, on disk, under purges and restarts, kind
 * ones and others: no answer is older than what was purged before it was asked
 * for, nor mixes two versions. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "driver.h"

#define KEYS 300 /* /part/N for these */
#define PURGERS 3
#define LEN 60000
#define LIVES 4

static _Atomic uint64_t purged[KEYS]; /* what is older is gone */
static _Atomic int port;              /* of the node; 0: it is down */
static _Atomic unsigned life;

/* False: there is nobody to ask now. */
static bool
connect_to_life(struct client *c)
{
    int now = atomic_load(&port);

    if (now != c->port) {
        client_close(c);
        c->port = now;
    }
    if (now == 0)
        load_sleep_us(5000);
    return now != 0;
}

/* In one life from the first byte to the last; else it may have failed. */
static int
ask(struct thread *thread, const char *method, size_t key, const char *fields,
    bool *counts)
{
    struct client *c = &thread->client;
    unsigned begun = atomic_load(&life);
    char target[64];

    snprintf(target, sizeof(target), "/part/%zu?len=%u", key, LEN);
    int status = client_ask(c, method, target, fields);

    *counts = atomic_load(&life) == begun && atomic_load(&port) == c->port;
    if (*counts && status != 200)
        driver_fail(thread, target, status);
    return status;
}

static void
read_step(struct thread *thread)
{
    struct client *c = &thread->client;
    size_t key = load_random(KEYS);
    bool counts;

    if (!connect_to_life(c))
        return;
    uint64_t least = atomic_load(&purged[key]);

    c->check = c->versioned = true;
    if (ask(thread, "GET", key, "", &counts) == 200 && c->version < least)
        driver_backwards("/part", c->version, least);
}

/* Each key has one purger, so that `purged` only grows. What it is told of
 * counts, whatever becomes of the node after that. */
static void
purge_step(struct thread *thread)
{
    struct client *c = &thread->client;
    size_t key = load_random(KEYS / PURGERS) * PURGERS + thread->index;
    bool counts;

    load_sleep_us(load_random(8000));
    if (!connect_to_life(c))
        return;
    uint64_t version = origin_bump(key);

    c->check = c->versioned = false;
    if (ask(thread, "PURGE", key, "Authorization: Bearer " LOAD_TOKEN "\r\n",
            &counts) == 200)
        atomic_store(&purged[key], version);
}

static void
begin_life(struct node *node, const char *conf)
{
    char name[16];

    snprintf(name, sizeof(name), "disk-%u", atomic_load(&life));
    if (!node_start(node, load.program, load.work, name, conf))
        exit(1);
    atomic_store(&port, node->port);
}

/* Odd lives are killed. */
static void
end_life(struct node *node, unsigned number)
{
    atomic_store(&port, 0);
    atomic_fetch_add(&life, 1);
    if (number % 2 == 1) {
        kill(node->pid, SIGKILL);
        (void)node_wait(node, 30);
        load.reports += node_said(node, "Sanitizer");
    } else {
        driver_stop(node);
    }
}

static void
write_conf(struct buf *conf)
{
    buf_printf(conf,
               "{\"node\": \"disk\", \"listen\": [\"127.0.0.1:0\"],\n"
               "\"workers\": 4, \"memory\": \"8MiB\", \"access_log\": \"\",\n"
               "\"disk\": {\"path\": \"disk.d\", \"size\": \"96MiB\"},\n"
               "\"admin\": {\"listen\": \"\", \"token\": \"" LOAD_TOKEN "\"},\n"
               "\"limits\": {\"drain_timeout\": \"1s\"},\n"
               "\"origins\": {\"web\": {\"servers\": "
               "[\"http://127.0.0.1:%d\"], \"retries\": 0}},\n"
               "\"routes\": [{\"name\": \"all\", \"origin\": \"web\", "
               "\"purge\": true}]}\n",
               load.origin_port);
}

void
scenario_disk(void)
{
    struct buf conf = {0};
    struct node node;
    char command[600];

    snprintf(command, sizeof(command), "rm -rf '%s/disk.d'", load.work);
    if (system(command) != 0)
        exit(1);
    write_conf(&conf);
    begin_life(&node, conf.data);
    driver_threads(24, &node, read_step);
    driver_threads(PURGERS, &node, purge_step);
    for (unsigned i = 0; i < LIVES; i++) {
        load_sleep_us(load.seconds * 1000000 / LIVES);
        if (i + 1 == LIVES)
            break;
        end_life(&node, i);
        begin_life(&node, conf.data);
    }
    driver_join();
    driver_stop(&node);
    buf_fini(&conf);
    if (origin_requests() * 2 > load.requests)
        load.why = "too little was served from disk";
}
