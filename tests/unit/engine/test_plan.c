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
 *   asks:   post, head, only-if-cached, no-cache, take-stale, origin-only,
 *           ask-cp, ask-lease
 *   route:  cp, lease, session, bounded; pass
 *   node:   leased, covered (its position covers the session's)
 *   stored: fresh, accepted, swr, old: its freshness; soft, floor, hard: its
 *           validity; always (no-cache), keep (may be served stale at need),
 *           window (has stale-while-revalidate), weak, strong (validators);
 *           within (the bound), behind (what the session has seen); unc (the
 *           key is known to be uncacheable), fill (one runs)
 *   tried:  peers, peers2 (stale ones too), join, down (the origin), private,
 *           waited
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

    {"lease: fresh, under a lease", "lease leased fresh strong", "hit"},
    {"lease: fresh, without one", "lease fresh strong",
     "revalidate strict cond"},
    {"lease: a weak validator does not count", "lease fresh weak",
     "origin strict"},
    {"lease: nothing stored", "lease leased", "origin"},
    {"lease: nothing stored, without one", "lease", "origin strict"},
    {"lease: a fill runs, under a lease", "lease leased fill", "join"},
    {"lease: a fill runs, without one", "lease fill", "origin strict"},
    {"lease: purged", "lease leased fresh strong hard", "origin"},
    {"lease: below the floor", "lease leased fresh strong floor",
     "revalidate cond"},
    {"lease: a soft purge, with a window", "lease leased fresh soft window",
     "origin"},
    {"lease: inside stale-while-revalidate",
     "lease leased swr window strong keep", "revalidate cond"},
    {"lease: max-stale cannot be", "lease leased accepted strong keep",
     "revalidate cond"},
    {"lease: the origin is away", "lease leased old strong keep down", "fail"},
    {"lease: fresh and leased, the origin was away", "lease leased fresh down",
     "hit"},
    {"lease: fresh, no lease, the origin is away", "lease fresh keep down",
     "fail"},
    {"lease: only-if-cached, no lease", "lease fresh only-if-cached", "fail"},
    {"lease: no-cache", "lease leased fresh strong no-cache",
     "revalidate strict cond"},
    {"lease: HEAD of nothing", "lease leased head", "pass"},
    {"lease: private answers", "lease leased private", "pass"},
    {"lease: what only the origin can answer", "lease leased origin-only fresh",
     "pass strict"},
    {"lease: tightened", "lease leased fresh strong ask-cp",
     "revalidate strict cond"},
    {"ap: tightened to lease", "fresh strong ask-lease",
     "revalidate strict cond"},
    {"ap: tightened to lease, which is held", "fresh strong ask-lease leased",
     "hit"},
    {"cp: not weakened", "cp leased fresh strong ask-lease",
     "revalidate strict cond"},

    {"bounded: within the bound", "bounded fresh within strong", "hit"},
    {"bounded: beyond it", "bounded fresh strong", "revalidate cond"},
    {"bounded: within, but purged", "bounded fresh within strong hard",
     "origin"},
    {"bounded: within, but old", "bounded old within strong",
     "revalidate cond"},
    {"bounded: beyond it, the origin is away", "bounded fresh strong keep down",
     "fail"},
    {"bounded: within it, the origin was away", "bounded fresh within down",
     "hit"},
    {"bounded: max-stale cannot be", "bounded accepted within strong keep",
     "revalidate cond"},
    {"bounded: a fill runs", "bounded fill", "join"},
    {"bounded: never asks a peer", "bounded", "origin"},

    {"session: we are where it was", "session covered fresh", "hit"},
    {"session: we are not", "session fresh", "wait"},
    {"session: nor after waiting", "session waited fresh strong",
     "revalidate strict cond"},
    {"session: nor is the origin there",
     "session waited fresh strong keep down", "fail"},
    {"session: the copy is older than what it read",
     "session covered behind fresh strong keep", "revalidate strict cond"},
    {"session: that, and the origin is away",
     "session covered behind fresh strong keep down", "fail"},
    {"session: otherwise as ap: stale at need",
     "session covered old strong keep down", "hit-stale"},
    {"session: otherwise as ap: a peer", "session covered", "peer"},
    {"session and bound: both", "session bounded covered fresh within", "hit"},
    {"session and bound: behind", "session bounded covered fresh within behind",
     "origin strict"},

    {"a peer gets a copy of a lease route", "peer-get lease fresh", "hit"},
    {"a home node of a lease route does not answer", "peer-fill lease fresh",
     "fail"},

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

static bool
take_level(struct input *in, const char *word)
{
    static const struct {
        const char *word;
        unsigned needs;
    } levels[] = {
        {"cp", PLAN_NEEDS_STRICT},
        {"lease", PLAN_NEEDS_LEASE},
        {"bounded", PLAN_NEEDS_BOUND},
        {"session", PLAN_NEEDS_SESSION},
    };
    bool asks = strncmp(word, "ask-", 4) == 0;
    unsigned *needs = asks ? &in->request.needs : &in->policy.needs;

    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcmp(word + (asks ? 4 : 0), levels[i].word) != 0)
            continue;
        *needs |= levels[i].needs;
        return true;
    }
    return false;
}

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
        {"waited", offsetof(struct input, tried.waited)},
        {"leased", offsetof(struct input, request.leased)},
        {"covered", offsetof(struct input, request.covered)},
        {"within", offsetof(struct input, found.within_bound)},
        {"behind", offsetof(struct input, found.behind_session)},
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
    if (take_level(in, word))
        return;
    if (strcmp(word, "post") == 0)
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

/* What the levels promise. */
static void
check_levels(const struct input *in, const struct plan *plan)
{
    const struct plan_found *found = &in->found;
    unsigned needs = in->policy.needs | in->request.needs;
    bool own = in->request.source == PLAN_CLIENT && !in->request.origin_only;

    /* cp: never from the store, a running fill or a peer. */
    if (needs & PLAN_NEEDS_STRICT && own) {
        assert_false(serves_stored(plan));
        assert_int_not_equal(plan->verdict, PLAN_JOIN);
        assert_int_not_equal(plan->verdict, PLAN_PEER);
        assert_true(plan->verdict == PLAN_FAIL || plan->strict);
    }
    /* lease: nothing that others asked for, nor stored, without a lease. */
    if (needs & PLAN_NEEDS_LEASE && !in->request.leased && own)
        assert_true(plan->verdict == PLAN_FAIL || plan->verdict == PLAN_WAIT ||
                    plan->strict);
    if (needs & (PLAN_NEEDS_LEASE | PLAN_NEEDS_BOUND) && own) {
        assert_int_not_equal(plan->verdict, PLAN_HIT_STALE);
        assert_int_not_equal(plan->verdict, PLAN_PEER);
        if (plan->verdict == PLAN_HIT)
            assert_true(found->validity == VALIDITY_VALID &&
                        found->freshness == FRESHNESS_FRESH);
    }
    if (needs & PLAN_NEEDS_BOUND && own && plan->verdict == PLAN_HIT)
        assert_true(found->within_bound);
    /* session: nothing of a node that is behind it, no copy that is. */
    if (needs & PLAN_NEEDS_SESSION && own &&
        (!in->request.covered || (found->object && found->behind_session)))
        assert_false(serves_stored(plan) || plan->verdict == PLAN_JOIN ||
                     plan->verdict == PLAN_PEER);
    if (plan->verdict == PLAN_WAIT)
        assert_false(in->tried.waited);
    /* ap, and a session that is covered, always answer when a usable copy is
     * here. */
    if ((needs == 0 || (needs == PLAN_NEEDS_SESSION && in->request.covered &&
                        !found->behind_session)) &&
        own && in->tried.origin && found->object && found->stale_usable &&
        found->validity != VALIDITY_HARD && !in->request.only_if_cached)
        assert_true(serves_stored(plan));
    if (plan->strict && plan->conditional && own &&
        (needs & ~(unsigned)PLAN_NEEDS_SESSION) != 0)
        assert_true(found->strong_validator);
}

/* What is promised whatever else holds. */
static void
check_promises(const struct input *in)
{
    struct plan plan = decide(in);
    const struct plan_found *found = &in->found;

    assert_true((unsigned)plan.verdict < PLAN_VERDICTS);
    if (in->request.readable && !in->policy.pass)
        check_levels(in, &plan);
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
        assert_true(serves_stored(&plan) || plan.verdict == PLAN_FAIL ||
                    plan.verdict == PLAN_WAIT);
    /* An origin that is away is not asked again. */
    if (in->tried.origin)
        assert_true(serves_stored(&plan) || plan.verdict == PLAN_PEER ||
                    plan.verdict == PLAN_FAIL);
    /* Asking always comes to an end: nobody is asked twice. */
    if (plan.verdict == PLAN_PEER)
        assert_false(plan.take_stale ? in->tried.peers_stale : in->tried.peers);
    if (plan.verdict == PLAN_JOIN)
        assert_false(in->tried.join);
    /* A node that was asked for what it holds asks nobody. */
    if (in->request.source == PLAN_PEER_GET && in->request.readable &&
        !in->policy.pass)
        assert_true(serves_stored(&plan) || plan.verdict == PLAN_FAIL);
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

/* Levels, alone and together; and how the node and the copy stand to them. */
enum { LEASED = 1, COVERED = 2, WITHIN = 4, BEHIND = 8, WAITED = 16 };

static const unsigned needs[] = {
    0,
    PLAN_NEEDS_BOUND,
    PLAN_NEEDS_SESSION,
    PLAN_NEEDS_LEASE,
    PLAN_NEEDS_STRICT,
    PLAN_NEEDS_SESSION | PLAN_NEEDS_LEASE | PLAN_NEEDS_BOUND,
};
static const unsigned stands[] = {
    0,
    LEASED | COVERED | WITHIN,
    COVERED | WITHIN,
    LEASED | COVERED,
    LEASED | COVERED | WITHIN | BEHIND,
    LEASED | WITHIN | WAITED,
};

/* ap, cp and one more level, with how we stand to it: by what else there is, so
 * that each meets each. */
static void
set_level(struct input *in, unsigned n, unsigned bits, unsigned rest)
{
    unsigned mixed = (bits ^ rest << 11) * 2654435761U >> 12;
    unsigned stand = stands[mixed / 8 % ARRAY_LEN(stands)];
    unsigned any = needs[mixed / 64 % ARRAY_LEN(needs)];

    in->policy.needs = n == 0 ? 0 : n == 1 ? PLAN_NEEDS_STRICT : any;
    in->request.needs = n == 2 && mixed % 8 == 0 ? PLAN_NEEDS_LEASE : 0;
    in->request.leased = (stand & LEASED) != 0;
    in->request.covered = (stand & COVERED) != 0;
    in->found.within_bound = (stand & WITHIN) != 0;
    in->found.behind_session = (stand & BEHIND) != 0;
    in->tried.waited = (stand & WAITED) != 0;
}

static void
test_promises(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << BITS; bits++) {
        struct input in = input_of_bits(bits);

        for (unsigned rest = 0; rest < 3 * 2 * 3 * 4 * 4; rest++) {
            unsigned n = rest / 3;

            set_level(&in, rest % 3, bits, rest);
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
