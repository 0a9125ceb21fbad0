/*
 * sim [-n SEEDS] [-s SEED] [-v] [-q]
 *
 * Runs so many seeds, from SEED on. One that fails is cut down to its shortest
 * story, which is printed; the exit code is 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urcu/urcu-qsbr.h>

#include "base/hash.h"
#include "base/secret.h"
#include "node_internal.h"
#include "world.h"

static char folder[] = "/tmp/atlas_sim_XXXXXX";

/* Each of so many seeds is run twice: the history must be the same. */
#define AGAIN 20

static const char *
run(uint64_t seed, const struct plan_of *plan)
{
    struct plan_of sizes;

    /* The sizes of the world are the seed's, too. */
    world_plan(seed, &sizes);
    free(sizes.list);
    const char *violated = world_run(seed, plan, folder);

    return violated;
}

static bool
still_fails(uint64_t seed, const struct plan_of *plan, const char *rule)
{
    const char *violated = run(seed, plan);

    return violated != NULL && strcmp(violated, rule) == 0;
}

/* Takes out pieces of the plan, smaller and smaller ones, as long as the same
 * rule is violated (delta debugging, Zeller 1999). */
static void
shrink(uint64_t seed, struct plan_of *plan, const char *rule)
{
    bool *was = malloc(plan->count * sizeof(bool));

    for (size_t piece = (plan->count + 1) / 2; piece > 0; piece /= 2) {
        for (size_t at = 0; at < plan->count; at += piece) {
            size_t end = at + piece < plan->count ? at + piece : plan->count;
            bool any = false;

            for (size_t i = at; i < end; i++) {
                was[i] = plan->list[i].off;
                any = any || !was[i];
                plan->list[i].off = true;
            }
            if (any && still_fails(seed, plan, rule))
                continue;
            for (size_t i = at; i < end; i++)
                plan->list[i].off = was[i];
        }
    }
    free(was);
}

static void
tell(uint64_t seed, struct plan_of *plan, const char *rule, bool quiet)
{
    printf("VIOLATION of %s, seed %llu: %s\n", rule, (unsigned long long)seed,
           check_story());
    if (quiet)
        return;
    shrink(seed, plan, rule);
    printf("The shortest story (sim -s %llu):\n", (unsigned long long)seed);
    sim_verbose = true;
    run(seed, plan);
    sim_verbose = false;
    printf("%s\n", check_story());
}

static bool
try_seed(uint64_t seed, bool quiet)
{
    struct plan_of plan;

    world_plan(seed, &plan);
    const char *rule = run(seed, &plan);

    uint64_t hash = sim_hash();

    if (rule != NULL) {
        tell(seed, &plan, rule, quiet);
    } else if (seed % AGAIN == 0 &&
               (run(seed, &plan) != NULL || sim_hash() != hash)) {
        printf("VIOLATION of determinism, seed %llu: it is another history "
               "the second time\n",
               (unsigned long long)seed);
        rule = "determinism";
    }
    free(plan.list);
    return rule == NULL;
}

static void
print_totals(uint64_t seeds)
{
    printf("%llu seeds, %llu events, %llu faults, %llu writes, %llu purges "
           "(%llu acknowledged, %llu kept)\n",
           (unsigned long long)seeds, (unsigned long long)totals.events,
           (unsigned long long)totals.faults, (unsigned long long)totals.writes,
           (unsigned long long)totals.purges,
           (unsigned long long)totals.acknowledged,
           (unsigned long long)totals.kept);
    for (int i = 0; i < LEVELS; i++)
        printf("%-8s %8llu answered %8llu from the store %8llu not\n",
               level_names[i], (unsigned long long)totals.answers[i],
               (unsigned long long)totals.local[i],
               (unsigned long long)totals.failures[i]);
}

int
main(int argc, char **argv)
{
    uint64_t first = 1, seeds = 1000, failed = 0, done = 0;
    bool quiet = false;
    int option;

    while ((option = getopt(argc, argv, "n:s:vq")) != -1) {
        switch (option) {
        case 'n':
            seeds = strtoull(optarg, NULL, 10);
            break;
        case 's':
            first = strtoull(optarg, NULL, 10);
            break;
        case 'v':
            sim_verbose = true;
            break;
        case 'q':
            quiet = true;
            break;
        default:
            fprintf(stderr, "usage: sim [-n SEEDS] [-s SEED] [-v] [-q]\n");
            return 2;
        }
    }
    secret_init();
    chance_seed(0);
    hash_seed_set(hash_seed()); /* once, whatever comes first */
    urcu_qsbr_register_thread();
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 2;
    }
    for (; done < seeds && failed == 0; done++)
        failed += !try_seed(first + done, quiet);
    print_totals(done);
    rmdir(folder);
    urcu_qsbr_unregister_thread();
    printf("%llu passed, %llu failed\n", (unsigned long long)(done - failed),
           (unsigned long long)failed);
    return failed > 0;
}
