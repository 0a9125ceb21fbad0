/* Parts of bodies while these change: no answer mixes two versions, and none is
 * older than what was changed before it was asked for. */
#include <stdio.h>

#include "driver.h"

#define KEYS 24 /* /part/N for these */
#define WRITERS 3
#define LEN 6000

static _Atomic uint64_t written[KEYS]; /* what is older is gone */

/* A range that others ask for too, or any, or none. */
static void
write_range(char text[64])
{
    unsigned first = load_random(LEN);

    switch (load_random(6)) {
    case 0:
        text[0] = '\0';
        return;
    case 1:
        snprintf(text, 64, "Range: bytes=-%u\r\n", 1 + load_random(LEN));
        return;
    case 2:
        snprintf(text, 64, "Range: bytes=%u-\r\n", first);
        return;
    case 3:
        snprintf(text, 64, "Range: bytes=%u-%u\r\n", first,
                 first + load_random(LEN));
        return;
    default:
        first = first / 1500 * 1500;
        snprintf(text, 64, "Range: bytes=%u-%u\r\n", first, first + 1499);
    }
}

static void
read_step(struct thread *thread)
{
    struct client *c = &thread->client;
    size_t key = load_random(KEYS);
    uint64_t least = atomic_load(&written[key]);
    bool head = load_random(12) == 0;
    char target[64];
    char fields[160];
    char range[64];

    c->check = c->versioned = true;
    write_range(range);
    snprintf(fields, sizeof(fields), "%s%s", range,
             load_random(10) == 0 ? "Cache-Control: no-cache\r\n" : "");
    snprintf(target, sizeof(target), "/part/%zu?len=%u&hold=3000&pause=2000",
             key, LEN);
    int status = client_ask(c, head ? "HEAD" : "GET", target, fields);

    if ((status != 200 && status != 206) || c->key != key)
        driver_fail(thread, target, status);
    else if (c->version < least)
        driver_backwards(target, c->version, least);
}

/* Each key has one writer, so that `written` only grows. Most changes it tells
 * nobody: then parts of two versions meet in the store. */
static void
write_step(struct thread *thread)
{
    struct client *c = &thread->client;
    size_t key = load_random(KEYS / WRITERS) * WRITERS + thread->index;
    bool post = load_random(2) == 0;
    char target[64];

    load_sleep_us(load_random(8000));
    if (load_random(3) > 0) {
        origin_bump(key);
        return;
    }
    c->check = c->versioned = post;
    snprintf(target, sizeof(target), "/part/%zu?len=%u&hold=3000&pause=2000",
             key, LEN);
    int status =
        client_ask(c, post ? "POST" : "PUT", target, "Content-Length: 0\r\n");

    if (status != 200 || c->key != key)
        driver_fail(thread, target, status);
    else
        atomic_store(&written[key], c->version);
}

void
scenario_parts(void)
{
    struct node node;

    driver_start(&node, "parts");
    driver_threads(28, &node, read_step);
    driver_threads(WRITERS, &node, write_step);
    driver_run();
    driver_join();
    driver_stop(&node);
    if (origin_requests() * 5 > load.requests * 4)
        load.why = "too little was served from memory";
}
