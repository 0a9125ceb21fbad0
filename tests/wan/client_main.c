/*
 * client -t SECONDS -l LEVEL,... [-r READS] [-k KEYS] [-b MS] [-s SEED] [-w]
 *     PLACES OUT
 *
 * Reads, writes and purges KEYS (10) keys of each level for SECONDS, with about
 * READS (100) reads a second and level, and writes the history to OUT. -b: the
 * bound of `bounded`; -w: purges may wait until all have acknowledged.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "client.h"

#define READERS 3 /* at each node, of each level */
#define EVENTS 64
#define STALL_US 300000
#define SETTLE_US 15000000 /* for what is under way at the end */
#define WRITE_PAUSE_US 3000000
#define FIRST_READ_US 500000

struct options {
    unsigned seconds;
    unsigned reads;
    unsigned keys;
    unsigned bound_ms;
    bool levels[HISTORY_LEVELS];
};

uint64_t
client_random(struct client *client, uint64_t below)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return (client->random >> 16) % below;
}

const struct place *
client_any_node(struct client *client)
{
    return client->nodes[client_random(client, client->node_count)];
}

void
client_pause(struct client *client, struct actor *actor, uint64_t average_us,
             actor_fn next)
{
    actor->wake_us =
        history_now_us() + 1 + client_random(client, 2 * average_us + 1);
    actor->next = next;
}

void
client_record(struct client *client, const struct history_line *line)
{
    static struct buf out;

    buf_clear(&out);
    history_format(line, &out);
    CHECK(fwrite(out.data, 1, out.len, client->out) == out.len);
}

/* ---- actors ---- */

static struct actor *
add_actor(struct client *client, actor_fn next, uint64_t pause_us)
{
    CHECK(client->actor_count < CLIENT_ACTORS);
    struct actor *actor = &client->actors[client->actor_count];

    actor->index = client->actor_count++;
    actor->fd = -1;
    actor->pause_us = pause_us;
    actor->next = next;
    actor->wake_us = history_now_us();
    return actor;
}

static void
add_keys(struct client *client, enum history_level level, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct key *key = &client->keys[client->key_count++];

        key->level = level;
        key->number = i;
        key->big = i % 4 == 3;
        snprintf(key->name, sizeof(key->name), "%s/%u",
                 history_level_name(level), i);
        struct actor *actor = add_actor(client, client_write, WRITE_PAUSE_US);

        actor->writer = true;
        actor->key = key;
        actor->level = level;
        actor->session = level == HISTORY_SESSION ? ++client->sessions : 0;
    }
}

static void
add_readers(struct client *client, enum history_level level, unsigned reads)
{
    size_t readers = READERS * client->node_count;

    for (size_t i = 0; i < readers; i++) {
        struct actor *actor =
            add_actor(client, client_read, readers * 1000000 / reads);

        actor->level = level;
        actor->node = client->nodes[i % client->node_count];
        actor->wake_us += FIRST_READ_US;
    }
}

static void
populate(struct client *client, const struct options *options)
{
    for (size_t i = 0; i < client->places.count; i++) {
        const struct place *place = &client->places.list[i];

        if (place->role == PLACE_NODE)
            client->nodes[client->node_count++] = place;
        if (place->role == PLACE_ORIGIN)
            client->origin = place;
    }
    CHECK(client->node_count > 0 && client->origin != NULL);
    client->keys =
        mem_zalloc(HISTORY_LEVELS * options->keys * sizeof(struct key));
    for (int i = 0; i < HISTORY_LEVELS; i++) {
        if (!options->levels[i])
            continue;
        add_keys(client, (enum history_level)i, options->keys);
        add_readers(client, (enum history_level)i, options->reads);
    }
}

/* ---- the loop ---- */

/* Calls who is due; tells when the next one is. */
static uint64_t
wake(struct client *client, uint64_t now, bool *busy)
{
    uint64_t next = now + 100000;

    *busy = false;
    for (size_t i = 0; i < client->actor_count; i++) {
        struct actor *actor = &client->actors[i];
        uint64_t due = actor->wake_us;

        if (actor->ask.busy && actor->ask.deadline_us != 0 &&
            actor->ask.deadline_us <= now)
            client_ask_late(client, actor);
        else if (!actor->ask.busy && due <= now && now < client->end_us)
            actor->next(client, actor);
        *busy = *busy || actor->ask.busy;
        due = actor->ask.busy ? actor->ask.deadline_us : actor->wake_us;
        if (due != 0 && due < next)
            next = due;
    }
    return next;
}

/* When the machine stood still, that is told: what took long then says
 * nothing of the nodes. */
static void
look_for_stall(struct client *client, uint64_t from, uint64_t to)
{
    struct history_line line = {.kind = HISTORY_FAULT,
                                .begin = from,
                                .end = to,
                                .what = SPAN("stall"),
                                .on = SPAN("*")};

    if (from != 0 && to - from > STALL_US)
        client_record(client, &line);
}

static void
run(struct client *client)
{
    struct epoll_event events[EVENTS];
    uint64_t last = 0;
    bool busy = true;

    for (;;) {
        uint64_t now = history_now_us();

        look_for_stall(client, last, now);
        last = now;
        if (now >= client->end_us &&
            (!busy || now > client->end_us + SETTLE_US))
            break;
        uint64_t next = wake(client, now, &busy);

        now = history_now_us();
        int wait = next > now ? (int)((next - now) / 1000) + 1 : 0;
        int count = epoll_wait(client->epoll, events, EVENTS, wait);

        for (int i = 0; i < count; i++) {
            struct actor *actor = &client->actors[events[i].data.u64];

            if (actor->fd >= 0)
                client_ask_event(client, actor, events[i].events);
        }
    }
}

/* ---- start and end ---- */

static bool
read_levels(struct options *options, const char *list)
{
    struct span rest = span_of(list);
    struct span name;

    while (span_split(&rest, ',', &name)) {
        bool found = false;

        for (int i = 0; i < HISTORY_LEVELS; i++) {
            if (!span_eq(name,
                         span_of(history_level_name((enum history_level)i))))
                continue;
            options->levels[i] = true;
            found = true;
        }
        if (!found)
            return false;
    }
    return true;
}

static bool
read_options(struct client *client, struct options *options, int argc,
             char **argv)
{
    int option;
    bool good = true;

    while ((option = getopt(argc, argv, "t:l:r:k:b:s:w")) != -1) {
        if (option == 'w')
            client->wait_all = true;
        else if (option == 'l')
            good = read_levels(options, optarg) && good;
        else if (option == '?')
            return false;
        else {
            unsigned value = (unsigned)strtoul(optarg, NULL, 10);

            switch (option) {
            case 't':
                options->seconds = value;
                break;
            case 'r':
                options->reads = value;
                break;
            case 'k':
                options->keys = value;
                break;
            case 'b':
                options->bound_ms = value;
                break;
            default:
                client->random = value * UINT64_C(0x9E3779B97F4A7C15) + 1;
                break;
            }
        }
    }
    return good && argc - optind == 2 && options->seconds > 0 &&
           options->reads > 0 && options->keys > 0;
}

static void
finish(struct client *client)
{
    for (size_t i = 0; i < client->actor_count; i++) {
        struct actor *actor = &client->actors[i];

        if (actor->ask.busy)
            fprintf(stderr, "client: a request to %s never ended\n",
                    actor->ask.place->name);
        if (actor->fd >= 0)
            close(actor->fd);
        buf_fini(&actor->ask.request);
        buf_fini(&actor->ask.body);
    }
    free(client->keys);
    CHECK(fclose(client->out) == 0);
}

int
main(int argc, char **argv)
{
    static struct client client = {.random = 1};
    struct options options = {.reads = 100, .keys = 10};

    if (!read_options(&client, &options, argc, argv)) {
        fprintf(stderr, "usage: client -t SECONDS -l LEVEL,... [-r READS] "
                        "[-k KEYS] [-b MS] [-s SEED] [-w] PLACES OUT\n");
        return 2;
    }
    places_read(&client.places, argv[optind]);
    client.out = fopen(argv[optind + 1], "we");
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(client.out != NULL && client.epoll >= 0);
    if (options.bound_ms > 0) {
        struct history_line line = {.kind = HISTORY_SET,
                                    .bound_us = options.bound_ms * 1000};

        client_record(&client, &line);
    }
    populate(&client, &options);
    client.end_us = history_now_us() + UINT64_C(1000000) * options.seconds;
    run(&client);
    printf("%llu operations\n", (unsigned long long)client.operations);
    finish(&client);
    return 0;
}
