/*
 * injector [-g MS] [-s SEED] [-f KIND,...] -d DIR -t SECONDS PLACES RELAY OUT
 *
 * Starts the programs (DIR/NAME.start) in their places, says "ready" when all
 * are in sync, injects a fault every MS or so (3000) for SECONDS, heals
 * everything, says "healed", and ends the programs on SIGTERM. The relay
 * listens at RELAY, and the faults go to OUT. The exit code is not 0 when a
 * program ended by itself, or not in order.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "injector.h"

#define TURN_US 5000
#define STALL_US 300000 /* that the machine gave us no time */
#define START_S 60
#define HEAL_S 30
#define AT_ONCE 3
#define TRIES 20

static const struct fault_kind *const kinds[] = {
    &fault_partition,   &fault_one_way,     &fault_isolate,    &fault_redis_cut,
    &fault_origin_cut,  &fault_peer_cut,    &fault_slow,       &fault_lossy,
    &fault_failover,    &fault_split,       &fault_kill_node,  &fault_stop_node,
    &fault_kill_redis,  &fault_stop_redis,  &fault_wipe_redis, &fault_kill_site,
    &fault_kill_origin, &fault_stop_origin, &fault_clock,      &fault_amnesia,
    &fault_trim,
};

static volatile sig_atomic_t ended;

static void
on_signal(int number)
{
    (void)number;
    ended = 1;
}

/* ---- chance ---- */

uint64_t
injector_random(struct injector *lab, uint64_t below)
{
    lab->random ^= lab->random << 13;
    lab->random ^= lab->random >> 7;
    lab->random ^= lab->random << 17;
    return (lab->random >> 16) % below;
}

size_t
injector_pick(struct injector *lab, enum place_role role)
{
    size_t start = injector_random(lab, lab->places.count);

    for (size_t i = 0; i < lab->places.count; i++) {
        size_t index = (start + i) % lab->places.count;
        const struct process *process = &lab->processes[index];

        if (process->place->role == role && !process->busy &&
            process->state == PROCESS_UP)
            return index;
    }
    return PLACES_MAX;
}

/* `wanted` is "kind,kind"; or "-kind,-kind" for all but these; or NULL. */
static bool
is_wanted(const struct fault_kind *kind, const char *wanted)
{
    bool yes = wanted == NULL || wanted[0] == '-';
    struct span rest = span_of(wanted);
    struct span name;

    while (span_split(&rest, ',', &name)) {
        bool but = span_starts(name, SPAN("-"));

        if (span_eq(span_sub(name, but, name.len), span_of(kind->name)))
            yes = !but;
    }
    return yes;
}

static const struct fault_kind *
pick_kind(struct injector *lab, const char *wanted)
{
    uint64_t sum = 0;
    bool may[ARRAY_LEN(kinds)];

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        may[i] = is_wanted(kinds[i], wanted);
        sum += may[i] ? kinds[i]->weight : 0;
    }
    if (sum == 0) {
        fprintf(stderr, "injector: there is no kind of fault in \"%s\"\n",
                wanted);
        exit(2);
    }
    uint64_t left = injector_random(lab, sum);

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (may[i] && left < kinds[i]->weight)
            return kinds[i];
        left -= may[i] ? kinds[i]->weight : 0;
    }
    return NULL;
}

/* ---- lines ---- */

static void
write_line(struct injector *lab, const struct history_line *line)
{
    struct buf out = {0};

    history_format(line, &out);
    fputs(out.data, lab->out);
    fflush(lab->out);
    buf_fini(&out);
}

void
injector_tell(struct injector *lab, struct fault *fault)
{
    struct history_line line = {
        .kind = HISTORY_FAULT,
        .begin = fault->begin_us,
        .end = history_now_us(),
        .what = span_of(fault->kind->name),
        .on = span_of(fault->on),
    };

    if (!fault->told)
        write_line(lab, &line);
    fault->told = true;
}

static void
write_places(struct injector *lab)
{
    for (size_t i = 0; i < lab->places.count; i++) {
        const struct place *place = &lab->places.list[i];
        struct history_line line = {
            .kind = HISTORY_PLACE,
            .name = span_of(place->name),
            .role = span_of(place_role_name(place->role)),
            .site = span_of(place->site),
        };

        write_line(lab, &line);
    }
}

/* ---- faults ---- */

static size_t
running(const struct injector *lab)
{
    size_t count = 0;

    for (size_t i = 0; i < INJECTOR_FAULTS; i++)
        count += lab->faults[i].kind != NULL;
    return count;
}

static void
inject(struct injector *lab, const char *wanted)
{
    struct fault *fault = lab->faults;

    while (fault->kind != NULL)
        fault++;
    for (int i = 0; i < TRIES; i++) {
        const struct fault_kind *kind = pick_kind(lab, wanted);

        *fault = (struct fault){.begin_us = history_now_us()};
        if (!kind->begin(lab, fault)) {
            free(fault->on);
            continue;
        }
        fault->kind = kind;
        fault->heal_us =
            history_now_us() +
            1000 * (kind->min_ms +
                    injector_random(lab, kind->max_ms - kind->min_ms + 1));
        lab->injected++;
        return;
    }
}

static void
heal_what_is_due(struct injector *lab)
{
    uint64_t now = history_now_us();

    for (size_t i = 0; i < INJECTOR_FAULTS; i++) {
        struct fault *fault = &lab->faults[i];

        if (fault->kind == NULL || now < fault->heal_us ||
            !fault->kind->heal(lab, fault))
            continue;
        injector_tell(lab, fault);
        free(fault->on);
        fault->kind = NULL;
    }
}

/* ---- turns ---- */

/* One turn; when the machine stood still, that is told as well. */
static void
turn(struct injector *lab)
{
    static uint64_t last;
    uint64_t now = history_now_us();

    if (last != 0 && now - last > STALL_US) {
        struct history_line line = {.kind = HISTORY_FAULT,
                                    .begin = last,
                                    .end = now,
                                    .what = SPAN("stall"),
                                    .on = SPAN("*")};

        write_line(lab, &line);
    }
    process_look(lab);
    heal_what_is_due(lab);
    last = history_now_us();
    usleep(TURN_US);
}

static bool
all_up(const struct injector *lab)
{
    for (size_t i = 0; i < lab->places.count; i++) {
        if (lab->processes[i].state != PROCESS_UP)
            return false;
    }
    return true;
}

static void
start(struct injector *lab)
{
    uint64_t until = history_now_us() + START_S * 1000000;

    for (size_t i = 0; i < lab->places.count; i++) {
        struct process *process = &lab->processes[i];

        process->place = &lab->places.list[i];
        process->replica_of = PLACES_MAX;
        for (size_t k = 0; k < i && process->place->shared != 0; k++) {
            if (lab->places.list[k].shared == process->place->shared)
                process->replica_of = k;
        }
        process->primary =
            process->place->shared != 0 && process->replica_of == PLACES_MAX;
        if (process->primary)
            links_move(lab, i, "*");
        process_start(lab, i);
    }
    while (!all_up(lab) || !process_in_sync(lab)) {
        if (history_now_us() > until || lab->crashes > 0) {
            fprintf(stderr, "injector: not everything starts; see %s/*.log\n",
                    lab->dir);
            exit(2);
        }
        turn(lab);
    }
}

static void
run(struct injector *lab, unsigned seconds, unsigned gap_ms, const char *wanted)
{
    uint64_t until = history_now_us() + UINT64_C(1000000) * seconds;
    uint64_t next = history_now_us() + 1000 * gap_ms;

    while (history_now_us() < until && !ended) {
        if (history_now_us() >= next && running(lab) < AT_ONCE) {
            inject(lab, wanted);
            next = history_now_us() +
                   1000 * (gap_ms / 2 + injector_random(lab, gap_ms + 1));
        }
        turn(lab);
    }
    for (size_t i = 0; i < INJECTOR_FAULTS; i++)
        lab->faults[i].heal_us = 0;
    until = history_now_us() + HEAL_S * 1000000;
    while (running(lab) > 0 && history_now_us() < until)
        turn(lab);
    if (running(lab) > 0) {
        fprintf(stderr, "injector: something does not heal; see %s/*.log\n",
                lab->dir);
        lab->crashes++;
    }
}

static int
end(struct injector *lab)
{
    bool good = lab->crashes == 0;

    while (!ended)
        turn(lab);
    /* Nodes first, so that they can say goodbye. */
    for (size_t i = 0; i < lab->places.count; i++)
        good = process_end(lab, i) && good;
    return good ? 0 : 1;
}

int
main(int argc, char **argv)
{
    static struct injector lab = {.random = 1};
    struct sigaction action = {.sa_handler = on_signal};
    unsigned seconds = 0, gap_ms = 3000;
    const char *wanted = NULL;
    int option;

    while ((option = getopt(argc, argv, "d:t:g:s:f:")) != -1) {
        if (option == 'd')
            lab.dir = optarg;
        else if (option == 't')
            seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'g')
            gap_ms = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 's')
            lab.random = strtoull(optarg, NULL, 10) * 0x9E3779B97F4A7C15 + 1;
        else if (option == 'f')
            wanted = optarg;
    }
    if (argc - optind != 3 || lab.dir == NULL) {
        fprintf(stderr, "usage: injector [-g MS] [-s SEED] [-f KIND,...] -d "
                        "DIR -t SECONDS PLACES RELAY OUT\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    places_read(&lab.places, argv[optind]);
    lab.out = fopen(argv[optind + 2], "we");
    CHECK(lab.out != NULL);
    if (!links_open(&lab, argv[optind + 1]))
        return 2;
    write_places(&lab);
    links_reset_all(&lab);
    start(&lab);
    puts("ready");
    fflush(stdout);
    run(&lab, seconds, gap_ms, wanted);
    puts("healed");
    fflush(stdout);
    return end(&lab);
}
