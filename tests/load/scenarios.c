/* What the clients of each scenario do, and what must hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "driver.h"

/* ---- many clients, cold keys: one fetch each ---- */

#define CROWD 48
#define SERIALS ((size_t)1 << 22)

static _Atomic uint64_t cursor;
static _Atomic unsigned char seen[SERIALS];

static const char *
kind_of(uint64_t key)
{
    if (key % 16 == 5)
        return "private";
    return key % 4 == 3 ? "chunked" : "once";
}

/* Asks and leaves at once: what others wait for goes on. */
static void
ask_and_leave(struct client *c, const char *target)
{
    char text[256];
    int len = snprintf(text, sizeof(text),
                       "GET %s HTTP/1.1\r\nHost: load.test\r\n\r\n", target);

    if (c->fd >= 0 && send(c->fd, text, (size_t)len, MSG_NOSIGNAL) == len)
        client_close(c);
}

/* As many neighbours in the count as there are clients share a key. */
static void
coalesce_step(struct thread *thread)
{
    struct client *c = &thread->client;
    uint64_t turn = atomic_fetch_add(&cursor, 1);
    uint64_t key = turn / CROWD;
    char target[128];

    snprintf(target, sizeof(target), "/%s/%llu?hold=20000&pause=3000",
             kind_of(key), (unsigned long long)key);
    if (turn % 61 == 0)
        ask_and_leave(c, target);
    int status = client_ask(c, "GET", target, "");

    if (status != 200 || c->key != key)
        driver_fail(thread, target, status);
    else if (key % 16 == 5 &&
             atomic_fetch_or(&seen[c->serial % SERIALS], 1) != 0)
        atomic_fetch_add(&load.shared, 1);
}

void
scenario_coalesce(void)
{
    struct node node;

    driver_start(&node, "coalesce");
    driver_threads(CROWD, &node, coalesce_step);
    driver_run();
    driver_join();
    driver_stop(&node);
    for (uint64_t key = 0; key < cursor / CROWD; key++) {
        uint32_t asked = origin_asked(key);

        if (key % 16 == 5 || asked == 1)
            continue;
        if (load.twice++ < 10)
            fprintf(stderr, "driver: /%s/%llu was fetched %u times\n",
                    kind_of(key), (unsigned long long)key, asked);
    }
    if (cursor / CROWD < 20)
        load.why = "too few keys to tell";
}

/* ---- purges, and reads that must not see what was purged ---- */

#define PURGERS 4
#define KEYS 32 /* /k/N for these; /cp/N for the KEYS after them */

static _Atomic uint64_t purged[KEYS]; /* what is older was purged away */

static void
purge_read(struct thread *thread)
{
    size_t key = load_random(KEYS);
    uint64_t least = atomic_load(&purged[key]);
    char target[64];

    snprintf(target, sizeof(target), "/k/%zu?hold=4000", key);
    int status = client_ask(&thread->client, "GET", target, "");

    if (status != 200)
        driver_fail(thread, target, status);
    else if (thread->client.version < least)
        driver_backwards(target, thread->client.version, least);
}

/* On a cp route no answer is older than its request. */
static void
strict_read(struct thread *thread)
{
    size_t key = KEYS + load_random(4);
    uint64_t least = origin_version(key);
    char target[64];

    snprintf(target, sizeof(target), "/cp/%zu?hold=4000", key);
    int status = client_ask(&thread->client, "GET", target, "");

    if (status != 200)
        driver_fail(thread, target, status);
    else if (thread->client.version < least)
        driver_backwards(target, thread->client.version, least);
    if (load_random(4) == 0)
        origin_bump(key);
}

/* Each key has one purger, so that `purged` only grows. */
static void
purge_step(struct thread *thread)
{
    struct client *c = &thread->client;
    size_t key = load_random(KEYS / PURGERS) * PURGERS + thread->index;
    char target[64];
    int status;

    snprintf(target, sizeof(target), "/k/%zu?hold=4000", key);
    if (load_random(4) > 0) {
        uint64_t version = origin_bump(key);

        status = client_ask(c, "PURGE", target,
                            "Authorization: Bearer " LOAD_TOKEN "\r\n");
        if (status == 200)
            atomic_store(&purged[key], version);
    } else {
        status = client_ask(c, "PUT", target, "Content-Length: 0\r\n");
        if (status == 200)
            atomic_store(&purged[key], c->version);
    }
    if (status != 200)
        driver_fail(thread, target, status);
    load_sleep_us(load_random(5000));
}

void
scenario_purge(void)
{
    struct node node;

    driver_start(&node, "purge");
    driver_threads(24, &node, purge_read);
    driver_threads(12, &node, strict_read);
    driver_threads(PURGERS, &node, purge_step);
    driver_run();
    driver_join();
    driver_stop(&node);
    if (origin_requests() * 2 > load.requests * 3)
        load.why = "nothing was served from memory";
}

/* ---- the configuration changes while clients read ---- */

#define RELOAD_EVERY_US 100000

static void
mixed_step(struct thread *thread)
{
    static const char *const forms[] = {
        "/k/%u?hold=2000",
        "/once/%u?hold=2000",
        "/chunked/%u?pause=1000",
        "/private/%u",
        "/cp/%u",
        "/big/%u?len=300000",
        "/stream/%u?len=300000",
    };
    struct client *c = &thread->client;
    unsigned form = load_random(7);
    char target[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(target, sizeof(target), forms[form], load_random(200));
#pragma GCC diagnostic pop
    c->check = form >= 5;
    int status = client_ask(c, "GET", target, "");

    if (status != 200 || (form >= 5 && c->bytes != 300000)) {
        if (c->wrong || !atomic_load(&load.ending))
            driver_fail(thread, target, status);
    }
}

void
scenario_reload(void)
{
    uint64_t end = clock_boot_ns() + load.seconds * NS_PER_S;
    struct node node;
    struct buf conf = {0};
    unsigned sent = 0;

    driver_start(&node, "reload");
    driver_threads(24, &node, mixed_step);
    while (clock_boot_ns() < end) {
        sent++;
        driver_conf(&conf, "reload", sent);
        if (sent % 5 == 0) /* this one is refused */
            buf_add_text(&conf, "}");
        node_reload(&node, conf.data);
        load_sleep_us(RELOAD_EVERY_US);
    }
    driver_join();
    driver_stop(&node);
    buf_fini(&conf);
    if (load.reconnects > 0)
        load.why = "connections were closed";
    if (node_said(&node, "the configuration was reloaded") < sent / 4 ||
        node_said(&node, "the configuration was not reloaded") == 0)
        load.why = "too few reloads";
}

/* ---- the end comes while clients read ---- */

static void
stream_step(struct thread *thread)
{
    struct client *c = &thread->client;
    bool big = thread->index % 2 == 0;
    char target[64];

    c->check = true;
    c->pause_us = thread->index % 3 == 0 ? 3000 : 0;
    snprintf(target, sizeof(target), "/%s/%u?len=16777216&pause=1000",
             big ? "big" : "stream", load_random(4));
    int status = client_ask(c, "GET", target, "");

    if (status != 200 || c->bytes != 16777216) {
        if (c->wrong || !atomic_load(&load.ending))
            driver_fail(thread, target, status);
    }
    if (atomic_load(&load.ending))
        load_sleep_us(20000);
}

static void
ending_step(struct thread *thread)
{
    mixed_step(thread);
    if (atomic_load(&load.ending))
        load_sleep_us(20000);
}

void
scenario_shutdown(void)
{
    uint64_t end = clock_boot_ns() + load.seconds * NS_PER_S;
    struct node node;
    int rounds = 0;

    do {
        char name[32];

        snprintf(name, sizeof(name), "shutdown-%d", rounds);
        driver_start(&node, name);
        driver_threads(16, &node, ending_step);
        driver_threads(12, &node, stream_step);
        load_sleep_us(500000 + load_random(1000000));
        atomic_store(&load.ending, true);
        node_term(&node);
        driver_check_end(&node);
        driver_join();
        rounds++;
    } while (clock_boot_ns() < end);
}
