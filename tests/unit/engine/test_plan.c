/*
 * plan_decide: a table with a row for each cell of the consistency table, and
 * a walk over every input there is, which checks what is promised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "engine/plan.h"

/* What may stand in a row, as words; order does not matter.
 *   who:    peer-get, peer-fill; a client when neither is there
 *   asks:   post, head, only-if-cached, no-cache, take-stale, origin-only
 *   route:  cp, pass
 *   stored: fresh, accepted, swr, old: its freshness; soft, floor, hard: its
 *           validity; always (no-cache), keep (may be served stale at need),
 *           window (has stale-while-revalidate), weak, strong (validators);
 *           unc (the key is known to be uncacheable), fill (one runs)
 *   tried:  peers, peers2 (stale ones too), join, down (the origin), private
 */
struct row {
    const char *what;
    const char *given;
    const char *want; /* verdict, then any of: refresh strict stale cond */
};

static const struct row rows[] = {
    {"ap: nothing stored asks the peers first", "", "peer"},
    {"ap: nobody left to ask: the origin", "peers", "origin"},
    {"ap: a fill runs: join it", "fill", "join"},
    {"ap: what was joined was of no use", "fill join peers", "origin"},
    {"ap: fresh is a hit", "fresh strong keep", "hit"},
    {"ap: max-stale accepted by the client", "accepted keep", "hit"},
    {"ap: inside stale-while-revalidate", "swr window keep",
     "hit-stale refresh"},
    {"ap: old, with a validator", "old strong keep", "revalidate cond"},
    {"ap: old, with a weak one", "old weak keep", "revalidate cond"},
    {"ap: old, without one", "old keep", "origin"},
    {"ap: old, a fill runs", "old strong fill", "join"},
    {"ap: old, the origin is away: the stale copy", "old keep down",
     "hit-stale"},
    {"ap: old, forbidden to be stale, a peer's then", "old down", "peer stale"},
    {"ap: nor at a peer: an error", "old down peers peers2", "fail"},
    {"ap: nothing stored, the origin is away", "down", "peer stale"},
    {"ap: nothing anywhere", "down peers2", "fail"},
    {"ap: no-cache response is validated always", "fresh always strong",
     "revalidate cond"},
    {"ap: request no-cache validates, after it came", "fresh strong no-cache",
     "revalidate strict cond"},
    {"ap: request no-cache, nothing stored", "no-cache", "origin strict"},
    {"ap: below the floor: answer, and validate behind", "fresh floor keep",
     "hit-stale refresh"},
    {"ap: below the floor and old", "old floor strong keep", "revalidate cond"},
    {"ap: below the floor, the origin is away", "old floor keep down",
     "hit-stale"},
    {"ap: a soft purge, with a window", "fresh soft window keep",
     "hit-stale refresh"},
    {"ap: a soft purge, without", "fresh soft strong keep", "revalidate cond"},
    {"ap: a soft purge, the origin is away", "fresh soft strong keep down",
     "hit-stale"},
    {"ap: a hard purge: gone", "fresh hard strong keep", "origin"},
    {"ap: a hard purge is gone also when the origin is away",
     "fresh hard strong keep down", "peer stale"},
    {"ap: only-if-cached, fresh", "fresh only-if-cached", "hit"},
    {"ap: only-if-cached, nothing", "only-if-cached", "fail"},
    {"ap: only-if-cached, old", "old strong keep only-if-cached", "fail"},
    {"ap: a key that is not shareable", "unc", "pass"},
    {"ap: what came was private", "private", "pass"},
    {"ap: private, the origin is away", "private down peers2", "fail"},
    {"ap: HEAD of nothing", "head", "pass"},
    {"ap: HEAD hit", "head fresh", "hit"},
    {"ap: HEAD, old", "head old strong", "pass"},
    {"ap: POST", "post", "pass"},
    {"ap: POST never comes from the store", "post fresh", "pass"},
    {"ap: POST, the origin is away", "post fresh keep down", "fail"},
    {"ap: what only the origin can answer is no hit",
     "origin-only fresh strong keep", "pass"},
    {"ap: nor a stale one, refreshed behind", "origin-only swr window keep",
     "pass"},
    {"ap: nor a fill that runs", "origin-only fill", "pass"},
    {"ap: nor a peer's copy", "origin-only", "pass"},
    {"ap: nor, when the origin is away, the old one",
     "origin-only old keep down", "fail"},
    {"ap: origin-only and only-if-cached", "origin-only only-if-cached fresh",
     "fail"},
    {"ap: origin-only HEAD", "origin-only head fresh", "pass"},
    {"ap: origin-only POST", "origin-only post", "pass"},
    {"a peer asks for what only the origin can answer",
     "peer-get origin-only fresh", "fail"},
    {"pass: never the store", "pass fresh", "pass"},
    {"pass: only-if-cached", "pass fresh only-if-cached", "fail"},
    {"pass: POST, only-if-cached", "pass post only-if-cached", "pass"},
    {"pass: the origin is away", "pass fresh keep down", "fail"},

    {"cp: nothing stored", "cp", "origin strict"},
    {"cp: fresh is validated", "cp fresh strong keep",
     "revalidate strict cond"},
    {"cp: a weak validator does not count", "cp fresh weak keep",
     "origin strict"},
    {"cp: a hard purge", "cp fresh strong hard", "origin strict"},
    {"cp: a soft one", "cp fresh strong soft", "revalidate strict cond"},
    {"cp: the floor", "cp fresh strong floor", "revalidate strict cond"},
    {"cp: inside stale-while-revalidate", "cp swr window strong keep",
     "revalidate strict cond"},
    {"cp: never joins what was sent before", "cp fill", "origin strict"},
    {"cp: never asks a peer", "cp peers", "origin strict"},
    {"cp: the origin is away", "cp fresh strong keep down", "fail"},
    {"cp: and nothing stored", "cp down", "fail"},
    {"cp: HEAD is asked for itself", "cp head fresh strong", "pass strict"},
    {"cp: private answers are asked for one by one", "cp private",
     "pass strict"},
    {"cp: the key is not shareable", "cp unc", "pass strict"},
    {"cp: only-if-cached cannot be", "cp fresh only-if-cached", "fail"},
    {"cp: max-stale cannot be", "cp accepted strong keep",
     "revalidate strict cond"},
    {"cp: what only the origin can answer", "cp origin-only fresh strong",
     "pass strict"},
    {"cp: the same, the origin is away", "cp origin-only down", "fail strict"},
    {"cp: POST", "cp post", "pass"},
    {"cp: POST, the origin is away", "cp post down", "fail"},

    {"a peer gets what is valid and fresh", "peer-get fresh", "hit"},
    {"a peer gets nothing else", "peer-get old strong keep", "fail"},
    {"nor a fetch", "peer-get", "fail"},
    {"nor what is below the floor", "peer-get fresh floor keep", "fail"},
    {"but a stale copy, if it says so", "peer-get old keep take-stale",
     "hit-stale"},
    {"never a purged one", "peer-get old hard keep take-stale", "fail"},
    {"never one that forbids it", "peer-get old take-stale", "fail"},
    {"never of a cp route", "peer-get cp fresh strong", "fail"},
    {"a home node fetches", "peer-fill peers", "origin"},
    {"a home node asks other sites first", "peer-fill", "peer"},
    {"a home node has it", "peer-fill fresh", "hit"},
    {"a home node finds nobody for a stale copy", "peer-fill down", "fail"},
    {"a home node of a cp route does not answer", "peer-fill cp fresh", "fail"},
};

struct input {
    struct plan_request request;
    struct plan_policy policy;
    struct plan_found found;
    struct plan_tried tried;
};

static void
take_word(struct input *in, const char *word)
{
    static const struct {
        const char *word;
        size_t offset;
    } flags[] = {
        {"head", offsetof(struct input, request.head)},
        {"only-if-cached", offsetof(struct input, request.only_if_cached)},
        {"no-cache", offsetof(struct input, request.no_cache)},
        {"origin-only", offsetof(struct input, request.origin_only)},
        {"take-stale", offsetof(struct input, request.accept_stale)},
        {"pass", offsetof(struct input, policy.pass)},
        {"always", offsetof(struct input, found.revalidate_always)},
        {"keep", offsetof(struct input, found.stale_usable)},
        {"window", offsetof(struct input, found.may_swr)},
        {"unc", offsetof(struct input, found.uncacheable)},
        {"fill", offsetof(struct input, found.fill)},
        {"peers", offsetof(struct input, tried.peers)},
        {"peers2", offsetof(struct input, tried.peers_stale)},
        {"join", offsetof(struct input, tried.join)},
        {"down", offsetof(struct input, tried.origin)},
        {"private", offsetof(struct input, tried.private_)},
    };
    static const struct {
        const char *word;
        enum freshness freshness;
    } ages[] = {
        {"fresh", FRESHNESS_FRESH},
        {"accepted", FRESHNESS_STALE_ACCEPTED},
        {"swr", FRESHNESS_STALE_WHILE_REVALIDATE},
        {"old", FRESHNESS_STALE},
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (strcmp(word, flags[i].word) == 0) {
            *(bool *)(void *)((char *)in + flags[i].offset) = true;
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
        if (strcmp(word, ages[i].word) == 0) {
            in->found.object = true;
            in->found.freshness = ages[i].freshness;
            return;
        }
    }
    if (strcmp(word, "cp") == 0)
        in->policy.level = CONF_CP;
    else if (strcmp(word, "post") == 0)
        in->request.readable = false;
    else if (strcmp(word, "peer-get") == 0)
        in->request.source = PLAN_PEER_GET;
    else if (strcmp(word, "peer-fill") == 0)
        in->request.source = PLAN_PEER_FILL;
    else if (strcmp(word, "soft") == 0)
        in->found.validity = VALIDITY_SOFT;
    else if (strcmp(word, "floor") == 0)
        in->found.validity = VALIDITY_FLOOR;
    else if (strcmp(word, "hard") == 0)
        in->found.validity = VALIDITY_HARD;
    else if (strcmp(word, "weak") == 0)
        in->found.validator = true;
    else if (strcmp(word, "strong") == 0)
        in->found.validator = in->found.strong_validator = true;
    else
        fail_msg("the table holds an unknown word: %s", word);
}

static struct input
input_of(const char *given)
{
    struct input in = {.request = {.readable = true}};
    char words[256];
    char *rest = NULL;

    snprintf(words, sizeof(words), "%s", given);
    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest))
        take_word(&in, word);
    return in;
}

static struct plan
decide(const struct input *in)
{
    return plan_decide(&in->request, &in->policy, &in->found, &in->tried);
}

static void
test_cells(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct input in = input_of(rows[i].given);
        struct plan plan = decide(&in);
        char got[128];

        snprintf(
            got, sizeof(got), "%s%s%s%s%s", plan_verdict_name(plan.verdict),
            plan.refresh ? " refresh" : "", plan.strict ? " strict" : "",
            plan.take_stale ? " stale" : "", plan.conditional ? " cond" : "");
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s (%s): want \"%s\", got \"%s\"", rows[i].what,
                     rows[i].given, rows[i].want, got);
    }
}

/* ---- every input ---- */

static bool
serves_stored(const struct plan *plan)
{
    return plan->verdict == PLAN_HIT || plan->verdict == PLAN_HIT_STALE;
}

/* What is promised whatever else holds. */
static void
check_promises(const struct input *in)
{
    struct plan plan = decide(in);
    const struct plan_found *found = &in->found;

    assert_true((unsigned)plan.verdict < PLAN_VERDICTS);
    /* cp: never from the store, a running fill or a peer. */
    if (in->policy.level == CONF_CP && in->request.readable &&
        !in->policy.pass) {
        assert_false(serves_stored(&plan));
        assert_int_not_equal(plan.verdict, PLAN_JOIN);
        assert_int_not_equal(plan.verdict, PLAN_PEER);
        assert_true(plan.verdict == PLAN_FAIL || plan.strict);
    }
    /* What was purged for good is never served, nor made new by a 304. */
    if (found->validity == VALIDITY_HARD || !found->object) {
        assert_false(serves_stored(&plan));
        assert_false(plan.conditional);
    }
    /* The store answers nothing but reads, on routes that cache. */
    if (!in->request.readable ||
        (in->policy.pass && in->request.source == PLAN_CLIENT))
        assert_true(plan.verdict == PLAN_PASS || plan.verdict == PLAN_FAIL);
    /* Nor what only the origin can. */
    if (in->request.origin_only && in->request.readable)
        assert_true(plan.verdict == PLAN_PASS || plan.verdict == PLAN_FAIL);
    /* Who wants what is stored only asks nobody. */
    if (in->request.only_if_cached && in->request.readable)
        assert_true(serves_stored(&plan) || plan.verdict == PLAN_FAIL);
    /* An origin that is away is not asked again. */
    if (in->tried.origin)
        assert_true(serves_stored(&plan) || plan.verdict == PLAN_PEER ||
                    plan.verdict == PLAN_FAIL);
    /* ap always answers when a usable copy is here. */
    if (in->policy.level == CONF_AP && in->request.readable &&
        in->request.source == PLAN_CLIENT && !in->policy.pass &&
        !in->request.origin_only && in->tried.origin && found->object &&
        found->stale_usable && found->validity != VALIDITY_HARD &&
        !in->request.only_if_cached)
        assert_true(serves_stored(&plan));
    /* Asking always comes to an end: nobody is asked twice. */
    if (plan.verdict == PLAN_PEER)
        assert_false(plan.take_stale ? in->tried.peers_stale : in->tried.peers);
    if (plan.verdict == PLAN_JOIN)
        assert_false(in->tried.join);
    /* A node that was asked for what it holds asks nobody. */
    if (in->request.source == PLAN_PEER_GET && in->request.readable &&
        !in->policy.pass)
        assert_true(serves_stored(&plan) || plan.verdict == PLAN_FAIL);
    if (plan.strict && plan.conditional && in->policy.level == CONF_CP)
        assert_true(found->strong_validator);
}

#define BITS 19

static struct input
input_of_bits(unsigned bits)
{
    struct input in = {0};
    bool *const flags[] = {
        &in.request.readable,
        &in.request.head,
        &in.request.only_if_cached,
        &in.request.no_cache,
        &in.request.origin_only,
        &in.request.accept_stale,
        &in.policy.pass,
        &in.found.object,
        &in.found.revalidate_always,
        &in.found.may_swr,
        &in.found.stale_usable,
        &in.found.validator,
        &in.found.strong_validator,
        &in.found.uncacheable,
        &in.found.fill,
        &in.tried.peers,
        &in.tried.join,
        &in.tried.origin,
        &in.tried.private_,
    };

    _Static_assert(ARRAY_LEN(flags) == BITS, "a bit for each flag");
    for (size_t i = 0; i < BITS; i++)
        *flags[i] = (bits >> i & 1) != 0;
    return in;
}

static void
test_promises(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << BITS; bits++) {
        struct input in = input_of_bits(bits);

        for (unsigned rest = 0; rest < 2 * 2 * 3 * 4 * 4; rest++) {
            unsigned n = rest;

            in.policy.level = n % 2 ? CONF_CP : CONF_AP;
            n /= 2;
            in.tried.peers_stale = n % 2;
            n /= 2;
            in.request.source = (enum plan_source)(n % 3);
            n /= 3;
            in.found.freshness = (enum freshness)(n % 4);
            n /= 4;
            in.found.validity = (enum validity)(n % 4);
            check_promises(&in);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_promises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
