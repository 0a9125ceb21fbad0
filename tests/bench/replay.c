/*
 * Replays a sequence of requests through the real store, and prints its miss
 * ratio beside those of exact LRU and FIFO of the same byte budget.
 *
 *   replay [options] TRACE.csv [PERCENT...]
 *   replay [options] --zipf SKEW [PERCENT...]
 *
 * TRACE.csv has a heading line, then "key,size" a line, in order; the key is
 * any text without commas, the size in bytes is that of the body. "-" reads
 * standard input. PERCENT (default: 1 3 10 30) is the budget as a part of the
 * footprint, which is what all distinct objects of the trace would be charged.
 *
 *   --zipf SKEW     makes requests up: object i is asked for with probability
 *                   in proportion to 1 / i^SKEW
 *   --objects N     how many there are (100000)
 *   --requests N    how many requests (2000000)
 *   --size N        mean size of a body (4096); sizes are 1/2 to 3/2 of it
 *   --seed N        of the random numbers (1)
 *
 * Grace periods are waited for at once and not on a thread of their own, which
 * takes 10 ms each time: this file has its own base/grace.h, and must be linked
 * before the library that has the other.
 *
 * All three are charged the same for an object: what the store says it costs.
 * Only the store has its own tables in the budget too.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <urcu/urcu-qsbr.h>

#include "base/blob.h"
#include "base/grace.h"
#include "base/mem.h"
#include "store/store.h"

struct item {
    char text[48]; /* the key */
    struct hash128 hash;
    size_t size;
    size_t cost;
};

struct trace {
    struct item *items;
    size_t item_count;
    size_t item_cap;
    uint32_t *requests; /* indices of items */
    size_t request_count;
    size_t request_cap;
    size_t footprint;
    uint32_t *index; /* open addressing while it is read; 0 is free */
    size_t index_size;
};

struct options {
    const char *path;
    double zipf; /* 0: from a file */
    size_t objects;
    size_t requests;
    size_t size;
    uint64_t seed;
};

_Noreturn static void
die(const char *what, const char *which)
{
    fprintf(stderr, "replay: %s: %s\n", which, what);
    exit(2);
}

/* xorshift64* (Vigna 2016). */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* ---- grace periods of one thread ---- */

static struct grace_defer **deferred;
static size_t deferred_count;
static size_t deferred_cap;

void
grace_register(void)
{
    urcu_qsbr_register_thread();
}

void
grace_unregister(void)
{
    grace_barrier();
    urcu_qsbr_unregister_thread();
    free(deferred);
}

void
grace_enter(void)
{
    urcu_qsbr_thread_online();
}

void
grace_idle(void)
{
    urcu_qsbr_thread_offline();
}

void
grace_defer(struct grace_defer *defer, grace_fn fn)
{
    defer->fn = fn;
    MEM_GROW(deferred, deferred_count, deferred_cap);
    deferred[deferred_count++] = defer;
}

void
grace_barrier(void)
{
    grace_idle();
    urcu_qsbr_synchronize_rcu();
    for (size_t i = 0; i < deferred_count; i++)
        deferred[i]->fn(deferred[i]);
    deferred_count = 0;
}

/* ---- objects ---- */

static struct key
key_of(const struct item *item)
{
    struct key key = {.hash = item->hash, .text = span_of(item->text)};

    key.host = span_sub(key.text, 7, 8); /* "http://t/KEY" */
    key.path_query = span_sub(key.text, 8, key.text.len);
    return key;
}

static struct object *
make_object(const struct item *item, struct pack *fields)
{
    static const char zeros[65536];
    static uint64_t sent;
    struct key key = key_of(item);
    struct caching caching = {.storable = true, .lifetime_s = 3600};
    struct blob *body = blob_new(item->size);

    for (size_t left = item->size; left > 0;) {
        size_t n = left < sizeof(zeros) ? left : sizeof(zeros);

        if (blob_append(body, zeros, n) != ERR_OK)
            die("out of memory", "body");
        left -= n;
    }
    blob_finish(body, ERR_OK);
    struct object *object = object_new(&(struct object_spec){
        .key = &key,
        .status = 200,
        .fields = fields,
        .body = body,
        .length = item->size,
        .caching = &caching,
        .sent_ns = ++sent,
    });

    blob_unref(&body);
    return object;
}

static void
weigh(struct trace *trace, struct pack *fields)
{
    for (size_t i = 0; i < trace->item_count; i++) {
        struct object *object = make_object(&trace->items[i], fields);

        trace->items[i].cost = object_cost(object);
        trace->footprint += trace->items[i].cost;
        object_unref(&object);
    }
}

/* ---- the trace ---- */

static void
index_grow(struct trace *trace)
{
    size_t size = trace->index_size ? trace->index_size * 2 : 1024;

    free(trace->index);
    trace->index = mem_zalloc(size * sizeof(trace->index[0]));
    trace->index_size = size;
    for (size_t i = 0; i < trace->item_count; i++) {
        size_t at = trace->items[i].hash.lo & (size - 1);

        while (trace->index[at] != 0)
            at = (at + 1) & (size - 1);
        trace->index[at] = (uint32_t)i + 1;
    }
}

static uint32_t
item_of(struct trace *trace, const char *name, size_t size)
{
    struct item item = {.size = size};

    snprintf(item.text, sizeof(item.text), "http://t/%s", name);
    item.hash = hash_bytes(span_of(item.text), hash_seed());
    if (trace->item_count * 2 >= trace->index_size)
        index_grow(trace);
    size_t at = item.hash.lo & (trace->index_size - 1);

    for (; trace->index[at] != 0; at = (at + 1) & (trace->index_size - 1)) {
        uint32_t found = trace->index[at] - 1;

        if (hash_eq(trace->items[found].hash, item.hash))
            return found;
    }
    MEM_GROW(trace->items, trace->item_count, trace->item_cap);
    trace->items[trace->item_count++] = item;
    trace->index[at] = (uint32_t)trace->item_count;
    return (uint32_t)trace->item_count - 1;
}

static void
request_add(struct trace *trace, uint32_t item)
{
    MEM_GROW(trace->requests, trace->request_count, trace->request_cap);
    trace->requests[trace->request_count++] = item;
}

static void
read_trace(struct trace *trace, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char line[256];

    if (file == NULL)
        die(strerror(errno), path);
    if (fgets(line, sizeof(line), file) == NULL)
        die("is empty; expected a heading line, then key,size", path);
    while (fgets(line, sizeof(line), file) != NULL) {
        char *comma = strchr(line, ',');
        char *end = NULL;

        if (comma == NULL || comma - line > 32)
            die("expected key,size with a key of at most 32 bytes", line);
        *comma = '\0';
        unsigned long long size = strtoull(comma + 1, &end, 10);

        if (end == comma + 1 || size > UINT32_MAX)
            die("has a size that is no number of bytes up to 4 GiB", line);
        request_add(trace, item_of(trace, line, (size_t)size));
    }
    if (file != stdin)
        fclose(file);
}

/* The first item whose cumulated weight reaches `point`. */
static size_t
pick(const double *upto, size_t count, double point)
{
    size_t low = 0;
    size_t high = count - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (upto[middle] < point)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
make_zipf(struct trace *trace, const struct options *options)
{
    double *upto = mem_alloc(options->objects * sizeof(*upto));
    uint64_t state = options->seed * 2 + 1;
    double total = 0;
    char name[24];

    for (size_t i = 0; i < options->objects; i++) {
        size_t spread = next_random(&state) % (options->size + 1);

        total += pow((double)(i + 1), -options->zipf);
        upto[i] = total;
        snprintf(name, sizeof(name), "%zu", i);
        item_of(trace, name, options->size / 2 + spread);
    }
    for (size_t i = 0; i < options->requests; i++) {
        double point = (double)(next_random(&state) >> 11) / 0x1p53 * total;

        request_add(trace, (uint32_t)pick(upto, options->objects, point));
    }
    free(upto);
}

/* ---- the three caches: each gives its misses ---- */

/* Lets go what was evicted, often enough that the store never refuses for its
 * sake: a server's threads pass a grace period every few milliseconds. */
static void
put_in_store(struct store *store, const struct item *item, struct pack *fields,
             size_t budget)
{
    static size_t since;
    struct object *object = make_object(item, fields);

    since += item->cost;
    if (since > budget / 128) {
        grace_barrier();
        since = 0;
    }
    store_insert(store, &object, 0);
}

static size_t
run_store(const struct trace *trace, size_t budget, struct pack *fields,
          struct store_stats *stats)
{
    struct store *store = store_new(budget, 0);
    struct fields none = {0};
    size_t misses = 0;

    for (size_t i = 0; i < trace->request_count; i++) {
        const struct item *item = &trace->items[trace->requests[i]];
        struct key key = key_of(item);

        if (store_find(store, &key, &none, NULL) != NULL)
            continue;
        misses++;
        put_in_store(store, item, fields, budget);
    }
    store_stats(store, stats);
    store_free(&store);
    return misses;
}

/* A list through arrays: item i + 1 stands for item i, 0 is both ends. */
struct links {
    uint32_t *next;
    uint32_t *prev;
};

static void
links_take(struct links *links, uint32_t at)
{
    links->next[links->prev[at]] = links->next[at];
    links->prev[links->next[at]] = links->prev[at];
    links->next[at] = at;
}

static void
links_put(struct links *links, uint32_t at)
{
    links->next[at] = links->next[0];
    links->prev[at] = 0;
    links->prev[links->next[0]] = at;
    links->next[0] = at;
}

static size_t
run_list(const struct trace *trace, size_t budget, bool lru)
{
    size_t count = trace->item_count + 1;
    struct links links = {mem_alloc(count * sizeof(uint32_t)),
                          mem_alloc(count * sizeof(uint32_t))};
    size_t used = 0;
    size_t misses = 0;

    for (uint32_t i = 0; i < count; i++)
        links.next[i] = links.prev[i] = i;
    for (size_t i = 0; i < trace->request_count; i++) {
        uint32_t at = trace->requests[i] + 1;
        size_t cost = trace->items[at - 1].cost;

        if (links.next[at] != at) {
            if (lru) {
                links_take(&links, at);
                links_put(&links, at);
            }
            continue;
        }
        misses++;
        if (cost > budget)
            continue;
        while (used + cost > budget) {
            uint32_t last = links.prev[0];

            used -= trace->items[last - 1].cost;
            links_take(&links, last);
        }
        links_put(&links, at);
        used += cost;
    }
    free(links.next);
    free(links.prev);
    return misses;
}

/* ---- the program ---- */

static void
report(const struct trace *trace, double percent, struct pack *fields)
{
    size_t budget = (size_t)((double)trace->footprint * percent / 100);
    double requests = (double)trace->request_count;
    struct store_stats stats;
    size_t lru = run_list(trace, budget, true);
    size_t fifo = run_list(trace, budget, false);
    size_t store = run_store(trace, budget, fields, &stats);

    printf("%7.2f %12zu %8.4f %8.4f %8.4f %9llu %9llu\n", percent, budget,
           (double)store / requests, (double)lru / requests,
           (double)fifo / requests, (unsigned long long)stats.ghost_hits,
           (unsigned long long)stats.refusals);
    fflush(stdout);
}

static double
number(const char *text, const char *option)
{
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;

    if (text == NULL || end == text || *end != '\0' || !(value > 0) ||
        value > 1e12)
        die("needs a number above 0", option);
    return value;
}

static int
parse(int argc, char **argv, struct options *options)
{
    int i = 1;

    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        double value = number(argv[i + 1], argv[i]);

        if (strcmp(argv[i], "--zipf") == 0)
            options->zipf = value;
        else if (strcmp(argv[i], "--objects") == 0)
            options->objects = (size_t)value;
        else if (strcmp(argv[i], "--requests") == 0)
            options->requests = (size_t)value;
        else if (strcmp(argv[i], "--size") == 0)
            options->size = (size_t)value;
        else if (strcmp(argv[i], "--seed") == 0)
            options->seed = (uint64_t)value;
        else
            die("no such option; see the head of replay.c", argv[i]);
    }
    if (!(options->zipf > 0)) {
        if (i >= argc)
            die("give a trace file, or --zipf SKEW", "usage");
        options->path = argv[i++];
    }
    return i;
}

int
main(int argc, char **argv)
{
    struct options options = {
        .objects = 100000, .requests = 2000000, .size = 4096, .seed = 1};
    int at = parse(argc, argv, &options);
    struct trace trace = {0};
    struct fields none = {0};

    hash_seed_set(options.seed);
    grace_register();
    struct pack *fields = pack_new(&none);

    if (options.path != NULL)
        read_trace(&trace, options.path);
    else
        make_zipf(&trace, &options);
    weigh(&trace, fields);
    printf("%zu requests, %zu objects, footprint %zu bytes\n",
           trace.request_count, trace.item_count, trace.footprint);
    printf("percent       budget    store      lru     fifo     ghost "
           "  refused\n");
    if (at >= argc) {
        static const double defaults[] = {1, 3, 10, 30};

        for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
            report(&trace, defaults[i], fields);
    }
    for (; at < argc; at++)
        report(&trace, number(argv[at], "PERCENT"), fields);
    pack_unref(&fields);
    free(trace.items);
    free(trace.requests);
    free(trace.index);
    grace_unregister();
    return 0;
}
