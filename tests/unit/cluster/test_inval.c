#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/grace.h"
#include "base/log.h"
#include "cluster/inval.h"

static struct inval *inval;

static int
setup(void **state)
{
    (void)state;
    grace_register();
    inval = inval_new(1 << 20);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    inval_free(&inval);
    grace_unregister();
    return 0;
}

static struct inval_entry
entry(enum inval_kind kind, bool soft, const char *host, const char *value)
{
    return (struct inval_entry){kind, soft, span_of(host), span_of(value)};
}

static void
apply_local(enum inval_kind kind, bool soft, const char *host,
            const char *value)
{
    struct inval_entry e = entry(kind, soft, host, value);

    inval_apply(inval, &e, INVAL_LOCAL, 0);
    inval_publish(inval);
}

/* `tag` NULL: none; "@g" is the group g. */
static enum validity
check(const char *host, const char *path, const char *tag, uint64_t position)
{
    struct span text = span_of(tag);
    struct hash128 hash =
        span_starts(text, SPAN("@"))
            ? inval_group_hash(span_of(host), span_sub(text, 1, text.len))
            : inval_tag_hash(text);
    struct inval_subject subject = {span_of(host), span_of(path), &hash,
                                    tag != NULL ? 1 : 0};

    return inval_check(inval, &subject, position);
}

/* A response that purges its own URL and is stored after that: what else comes
 * between is never lost behind its own entry. */
static void
own_entries(void **state)
{
    static const struct {
        const char *what;
        enum inval_kind kind; /* of another entry; INVAL_KINDS: none */
        bool soft;
        const char *value;
        int when; /* 0 before begin, 1 before our own, 2 after it */
        bool want;
    } table[] = {
        {"alone", INVAL_KINDS, false, "", 0, true},
        {"the same URL before", INVAL_URL, false, "/x", 0, false},
        {"the same URL, hidden by ours", INVAL_URL, false, "/x", 1, false},
        {"softly, hidden by ours", INVAL_URL, true, "/x", 1, false},
        {"the same URL after", INVAL_URL, false, "/x", 2, false},
        {"another URL", INVAL_URL, false, "/y", 1, true},
        {"a prefix", INVAL_PREFIX, false, "/", 1, false},
        {"a prefix, softly", INVAL_PREFIX, true, "/", 2, false},
        {"another prefix", INVAL_PREFIX, false, "/y", 1, true},
        {"the host", INVAL_HOST, false, "", 1, false},
        {"a tag", INVAL_TAG, false, "t1", 2, false},
        {"another tag", INVAL_TAG, false, "t2", 1, true},
        {"a group", INVAL_GROUP, false, "g", 1, true},
        {"all", INVAL_ALL, false, "", 1, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct hash128 tag = inval_tag_hash(span_of("t1"));
        struct inval_subject subject = {span_of("a"), span_of("/x"), &tag, 1};
        const char *host = table[i].kind == INVAL_TAG ? "" : "a";
        uint64_t position = inval_seq(inval);
        struct inval_own own;

        for (int when = 0; when < 3; when++) {
            if (when == 1)
                assert_int_equal(
                    inval_own_begin(inval, &subject, position, &own),
                    table[i].when > 0 || table[i].kind == INVAL_KINDS);
            if (when == 2) /* ours: for the URL, and where it is again */
                apply_local(INVAL_URL, false, "a", "/x");
            if (when == 2)
                apply_local(INVAL_URL, false, "A", "/x");
            if (when == table[i].when && table[i].kind != INVAL_KINDS)
                apply_local(table[i].kind, table[i].soft, host, table[i].value);
        }
        uint64_t got = inval_own_end(inval, &subject, position, &own, 2);

        if (table[i].when > 0 && (got != 0) != table[i].want)
            fail_msg("%s", table[i].what);
        if (got == 0)
            continue;
        assert_int_equal(got, inval_seq(inval));
        assert_int_equal(check("a", "/x", "t1", got), VALIDITY_VALID);
        apply_local(INVAL_URL, false, "a", "/x");
        assert_int_equal(check("a", "/x", "t1", got), VALIDITY_HARD);
    }
}

/* Neither a floor nor one of our own that has not come counts as nothing. */
static void
own_entries_in_trouble(void **state)
{
    struct inval_subject subject = {span_of("a"), span_of("/x"), NULL, 0};
    uint64_t position = inval_seq(inval);
    struct inval_own own;

    (void)state;
    assert_true(inval_own_begin(inval, &subject, position, &own));
    assert_int_equal(inval_own_end(inval, &subject, position, &own, 1), 0);
    apply_local(INVAL_URL, false, "a", "/x");
    assert_int_not_equal(inval_own_end(inval, &subject, position, &own, 1), 0);
    inval_raise_floor(inval, FLOOR_HOLE);
    inval_publish(inval);
    assert_int_equal(inval_own_end(inval, &subject, position, &own, 1), 0);
    assert_false(inval_own_begin(inval, &subject, position, &own));
}

static void
kinds(void **state)
{
    static const struct {
        enum inval_kind kind;
        const char *host;
        const char *value;
        const char *subject_host;
        const char *subject_path;
        const char *subject_tag;
        bool match;
    } table[] = {
        {INVAL_URL, "a.example", "/x?q=1", "a.example", "/x?q=1", NULL, true},
        {INVAL_URL, "A.Example", "/x", "a.example", "/x", NULL, true},
        {INVAL_URL, "a.example", "/x", "a.example", "/x?q=1", NULL, false},
        {INVAL_URL, "a.example", "/x", "b.example", "/x", NULL, false},
        {INVAL_URL, "a.example", "/x", "a.example", "/X", NULL, false},
        {INVAL_PREFIX, "a.example", "/x", "a.example", "/x", NULL, true},
        {INVAL_PREFIX, "a.example", "/x", "a.example", "/xyz?q", NULL, true},
        {INVAL_PREFIX, "a.example", "/x/", "a.example", "/x", NULL, false},
        {INVAL_PREFIX, "a.example", "/x", "a.example", "/", NULL, false},
        {INVAL_PREFIX, "a.example", "/x", "b.example", "/x", NULL, false},
        {INVAL_PREFIX, "a.example", "/", "a.example", "/any", NULL, true},
        {INVAL_HOST, "a.example", "", "a.example", "/any", NULL, true},
        {INVAL_HOST, "a.example", "", "b.example", "/any", NULL, false},
        {INVAL_TAG, "", "t1", "a.example", "/any", "t1", true},
        {INVAL_TAG, "", "t1", "a.example", "/any", "t2", false},
        {INVAL_TAG, "", "t1", "a.example", "/any", NULL, false},
        {INVAL_TAG, "", "/any", "a.example", "/any", NULL, false},
        /* A group is one of its host: the tag of that name is another. */
        {INVAL_GROUP, "a.example", "t1", "a.example", "/any", "@t1", true},
        {INVAL_GROUP, "A.Example", "t1", "a.example", "/any", "@t1", true},
        {INVAL_GROUP, "a.example", "t1", "b.example", "/any", "@t1", false},
        {INVAL_GROUP, "a.example", "t1", "a.example:81", "/any", "@t1", false},
        {INVAL_GROUP, "a.example", "t1", "a.example", "/any", "@T1", false},
        {INVAL_GROUP, "a.example", "t1", "a.example", "/any", "t1", false},
        {INVAL_GROUP, "a.example", "/any", "a.example", "/any", NULL, false},
        {INVAL_TAG, "", "t1", "a.example", "/any", "@t1", false},
        {INVAL_ALL, "", "", "a.example", "/any", NULL, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        for (int soft = 0; soft < 2; soft++) {
            uint64_t before = inval_seq(inval);
            enum validity want = !table[i].match ? VALIDITY_VALID
                                 : soft          ? VALIDITY_SOFT
                                                 : VALIDITY_HARD;

            apply_local(table[i].kind, soft != 0, table[i].host,
                        table[i].value);
            assert_int_equal(inval_seq(inval), before + 1);
            if (check(table[i].subject_host, table[i].subject_path,
                      table[i].subject_tag, before) != want)
                fail_msg("row %zu soft %d", i, soft);
            /* What is newer than the entry is not touched. */
            assert_int_equal(check(table[i].subject_host, table[i].subject_path,
                                   table[i].subject_tag, before + 1),
                             VALIDITY_VALID);
        }
    }
}

static void
worst_wins(void **state)
{
    (void)state;
    assert_int_equal(check("h", "/", NULL, 0), VALIDITY_FLOOR);
    assert_int_equal(check("h", "/", NULL, inval_seq(inval)), VALIDITY_VALID);
    uint64_t start = inval_seq(inval);

    apply_local(INVAL_HOST, true, "h", "");
    assert_int_equal(check("h", "/", NULL, start), VALIDITY_SOFT);
    uint64_t holes = counter_read(COUNTER_FLOOR_HOLE);

    inval_raise_floor(inval, FLOOR_HOLE);
    inval_publish(inval);
    assert_int_equal(counter_read(COUNTER_FLOOR_HOLE), holes + 1);
    assert_int_equal(check("h", "/", NULL, start), VALIDITY_FLOOR);
    assert_int_equal(check("h", "/", NULL, start + 1), VALIDITY_FLOOR);
    assert_int_equal(check("h", "/", NULL, inval_seq(inval)), VALIDITY_VALID);
    apply_local(INVAL_URL, false, "h", "/");
    assert_int_equal(check("h", "/", NULL, start), VALIDITY_HARD);
    assert_int_equal(check("h", "/other", NULL, start), VALIDITY_FLOOR);
    /* A soft one later does not take the hard one back. */
    apply_local(INVAL_URL, true, "h", "/");
    assert_int_equal(check("h", "/", NULL, start), VALIDITY_HARD);
    assert_int_equal(check("h", "/", NULL, inval_seq(inval) - 1),
                     VALIDITY_SOFT);
}

static void
publishes_in_batches(void **state)
{
    struct inval_entry e = entry(INVAL_HOST, false, "batch", "");
    uint64_t before = inval_seq(inval);

    (void)state;
    for (int i = 0; i < 3; i++)
        inval_apply(inval, &e, INVAL_LOCAL, 0);
    assert_int_equal(inval_seq(inval), before);
    inval_publish(inval);
    assert_int_equal(inval_seq(inval), before + 3);
    assert_int_equal(inval_snapshot(inval)->seq, before + 3);
    inval_publish(inval);
    assert_int_equal(inval_seq(inval), before + 3);
}

/* More lengths than are looked up: what is asked for is always covered. */
static void
many_prefix_lengths(void **state)
{
    char path[256];
    uint64_t before = inval_seq(inval);

    (void)state;
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    for (size_t len = 200; len >= 1; len--) {
        struct inval_entry e = {INVAL_PREFIX, false, SPAN("many"), {path, len}};

        inval_apply(inval, &e, INVAL_LOCAL, 0);
    }
    inval_publish(inval);
    for (size_t len = 1; len <= 250; len++) {
        struct inval_subject subject = {SPAN("many"), {path, len}, NULL, 0};

        assert_int_equal(inval_check(inval, &subject, before), VALIDITY_HARD);
    }
    struct inval_subject other = {SPAN("other"), {path, 250}, NULL, 0};

    assert_int_equal(inval_check(inval, &other, before), VALIDITY_VALID);
}

static void
overflow(void **state)
{
    char path[32];
    uint64_t start = inval_seq(inval);
    uint64_t raised = counter_read(COUNTER_FLOOR_OVERFLOW);
    size_t count = 20000;

    (void)state;
    log_set_level(LOG_ERROR);
    /* Soft ones that were dropped: to be validated, and no more. */
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "/%zu", i);
        apply_local(INVAL_URL, true, "over", path);
    }
    assert_int_equal(check("over", "/0", NULL, start), VALIDITY_FLOOR);
    start = inval_seq(inval);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "/%zu", i);
        apply_local(i % 2 ? INVAL_URL : INVAL_PREFIX, false, "over", path);
        assert_true(inval_bytes(inval) <= 1 << 20);
    }
    log_set_level(LOG_INFO);
    assert_true(counter_read(COUNTER_FLOOR_OVERFLOW) > raised);
    assert_true(inval_floor(inval) > start);
    assert_true(inval_floor(inval) <= inval_seq(inval));
    /* Each that was invalidated is still gone, dropped or not. */
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "/%zu", i);
        assert_int_equal(check("over", path, NULL, start + i), VALIDITY_HARD);
    }
    /* What came after the dropped ones is not touched. */
    assert_int_equal(check("else", "/", NULL, inval_seq(inval) - 1),
                     VALIDITY_VALID);
}

/* ---- vectors ---- */

static void
apply_site(size_t site, uint64_t n, bool soft, const char *host)
{
    struct inval_entry e = entry(INVAL_HOST, soft, host, "");

    inval_apply(inval, &e, site, n);
    inval_publish(inval);
}

static uint64_t
localize(const char *text, uint64_t asked, const char *host)
{
    struct inval_subject subject = {span_of(host), SPAN("/"), NULL, 0};
    struct position theirs;

    assert_true(position_parse(span_of(text), &theirs));
    return inval_localize(inval, &theirs, asked, &subject);
}

/* After `seq` + 3. */
static void
localizes_own(uint64_t seq)
{
    size_t p = inval_site(inval, SPAN("p"));

    /* What only we know lowers the claim of what it matches, */
    struct inval_entry own = entry(INVAL_HOST, false, "x", "");

    inval_apply(inval, &own, INVAL_LOCAL, 0); /* seq + 4 */
    inval_publish(inval);
    assert_int_equal(localize("p=a/1/12;q=b/2/21", seq + 4, "x"), seq + 3);
    assert_int_equal(localize("p=a/1/12;q=b/2/21", seq + 4, "y"), seq + 4);
    /* a soft entry of a site does not make up for it, a hard one does. */
    apply_site(p, 13, true, "x");
    assert_int_equal(localize("p=a/1/13;q=b/2/21", seq + 5, "x"), seq + 3);
    apply_site(p, 14, false, "x");
    assert_int_equal(localize("p=a/1/14;q=b/2/21", seq + 6, "x"), seq + 6);
}

/* After `seq` + 6. */
static void
localizes_histories(uint64_t seq, size_t p)
{
    /* Another history, with numbers that come again. */
    inval_site_at(inval, p, 0xa, 7, 13);
    inval_raise_floor(inval, FLOOR_TERM);
    inval_publish(inval);
    assert_int_equal(localize("p=a/1/14;q=b/2/21", seq + 7, "y"), 0);
    assert_int_equal(localize("p=a/7/13;q=b/2/21", seq + 7, "y"), seq + 7);
    assert_int_equal(localize("p=a/7/12;q=b/2/21", seq + 7, "y"), 0);
    /* Entries that are applied but not published yet are not claimed. */
    struct inval_entry e = entry(INVAL_HOST, false, "z", "");

    inval_apply(inval, &e, p, 14);
    assert_int_equal(localize("p=a/7/13;q=b/2/21", seq + 8, "y"), seq + 7);
    inval_publish(inval);
    assert_int_equal(localize("p=a/7/13;q=b/2/21", seq + 8, "y"), seq + 7);
    assert_int_equal(localize("p=a/7/14;q=b/2/21", seq + 8, "y"), seq + 8);
}

static void
localizes(void **state)
{
    size_t p = inval_site(inval, SPAN("p"));
    size_t q = inval_site(inval, SPAN("q"));

    (void)state;
    assert_int_equal(inval_site(inval, SPAN("p")), p);
    assert_int_equal(inval_site(inval, SPAN("no good")), SIZE_MAX);
    assert_int_equal(inval_snapshot(inval)->position.count, 0);
    inval_site_at(inval, p, 0xa, 1, 10);
    inval_site_at(inval, q, 0xb, 2, 20);
    inval_raise_floor(inval, FLOOR_START);
    inval_publish(inval);
    uint64_t seq = inval_seq(inval); /* p 10, q 20 */

    apply_site(p, 11, false, "x"); /* seq + 1 */
    apply_site(q, 21, false, "x"); /* seq + 2 */
    apply_site(p, 12, false, "x"); /* seq + 3 */
    const struct inval_snapshot *now = inval_snapshot(inval);

    assert_int_equal(now->seq, seq + 3);
    assert_string_equal(now->text.ptr, "p=a/1/12;q=b/2/21");
    assert_int_equal(now->text.len, strlen(now->text.ptr));

    static const struct {
        const char *what;
        const char *theirs;
        uint64_t asked; /* from seq */
        int want;       /* from seq; -1: 0 */
    } table[] = {
        {"the same", "p=a/1/12;q=b/2/21", 3, 3},
        {"ahead", "p=a/1/99;q=b/2/99", 3, 3},
        {"never more than asked", "p=a/1/99;q=b/2/99", 1, 1},
        {"one behind", "p=a/1/11;q=b/2/21", 3, 2},
        {"behind at another site", "p=a/1/12;q=b/2/20", 3, 1},
        {"behind at both", "p=a/1/10;q=b/2/20", 3, 0},
        {"behind, but asked before that", "p=a/1/11;q=b/2/21", 1, 1},
        {"a site more", "p=a/1/12;q=b/2/21;r=1/1/1", 3, 3},
        {"a site less", "p=a/1/12", 3, -1},
        {"none", "", 3, -1},
        {"another epoch", "p=c/1/12;q=b/2/21", 3, -1},
        {"another term", "p=a/2/12;q=b/2/21", 3, -1},
        {"further behind than we remember", "p=a/1/9;q=b/2/21", 3, -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        uint64_t want = table[i].want < 0 ? 0 : seq + (uint64_t)table[i].want;
        uint64_t got = localize(table[i].theirs, seq + table[i].asked, "y");

        if (got != want)
            fail_msg("%s: got %d", table[i].what, (int)(got - seq));
    }
    localizes_own(seq);
    localizes_histories(seq, p);
}

/* What is kept to be published bars the copies of peers, until it is released:
 * another entry for the same does not make up for it. */
static void
holds_back(void **state)
{
    size_t p = inval_site(inval, SPAN("p"));
    struct inval_subject x = {.host = SPAN("x"), .path = SPAN("/")};
    struct inval_subject y = {.host = SPAN("y"), .path = SPAN("/")};
    struct inval_entry e = entry(INVAL_HOST, false, "x", "");
    struct inval_hold first, second;

    (void)state;
    inval_site_at(inval, p, 0xa, 1, 10);
    inval_raise_floor(inval, FLOOR_START);
    inval_publish(inval);
    uint64_t seq = inval_seq(inval);

    assert_false(inval_barred(inval, &x));
    inval_hold(inval, &e, &first); /* seq + 1 */
    inval_publish(inval);
    assert_true(inval_barred(inval, &x));
    assert_false(inval_barred(inval, &y));
    apply_site(p, 11, false, "x"); /* seq + 2: somebody else's */
    assert_int_equal(localize("p=a/1/11", seq + 2, "x"), seq);
    assert_int_equal(localize("p=a/1/11", seq + 2, "y"), seq + 2);
    inval_hold(inval, &e, &second); /* seq + 3 */
    inval_publish(inval);
    inval_release(inval, &first);
    assert_true(inval_barred(inval, &x));
    assert_int_equal(localize("p=a/1/11", seq + 3, "x"), seq);
    apply_site(p, 12, false, "x"); /* seq + 4: the second one, published */
    inval_release(inval, &second);
    assert_false(inval_barred(inval, &x));
    assert_int_equal(localize("p=a/1/12", seq + 4, "x"), seq + 4);
    assert_int_equal(localize("p=a/1/11", seq + 4, "x"), seq + 3);
}

/* Nor do others that come after it and say less. */
static void
holds_back_the_first(void **state)
{
    size_t p = inval_site(inval, SPAN("p"));
    struct inval_subject x = {.host = SPAN("x"), .path = SPAN("/")};
    struct inval_entry hard = entry(INVAL_HOST, false, "x", "");
    struct inval_entry soft = entry(INVAL_HOST, true, "x", "");
    struct inval_entry all = entry(INVAL_ALL, true, "", "");
    struct inval_hold holds[3];

    (void)state;
    inval_site_at(inval, p, 0xa, 1, 10);
    inval_publish(inval);
    inval_hold(inval, &hard, &holds[0]);
    inval_hold(inval, &soft, &holds[1]);
    inval_hold(inval, &all, &holds[2]);
    inval_publish(inval);
    uint64_t claim = localize("p=a/1/10", inval_seq(inval), "x");

    assert_int_equal(inval_check(inval, &x, claim), VALIDITY_HARD);
    for (size_t i = 0; i < ARRAY_LEN(holds); i++)
        inval_release(inval, &holds[i]);
    /* Where nothing is kept, neither. */
    apply_local(INVAL_HOST, false, "x", "");
    apply_local(INVAL_HOST, true, "x", "");
    apply_local(INVAL_ALL, true, "", "");
    claim = localize("p=a/1/10", inval_seq(inval), "x");
    assert_int_equal(inval_check(inval, &x, claim), VALIDITY_HARD);
}

/* Nor does its being dropped from tables that are full. */
static void
holds_back_when_full(void **state)
{
    size_t p = inval_site(inval, SPAN("p"));
    struct inval_subject x = {.host = SPAN("x"), .path = SPAN("/")};
    struct inval_entry e = entry(INVAL_HOST, false, "x", "");
    struct inval_entry everything = entry(INVAL_ALL, true, "", "");
    struct inval_hold hold, again, all;
    uint64_t n = 10;
    char host[16];

    (void)state;
    inval_site_at(inval, p, 0xa, 1, n);
    inval_publish(inval);
    inval_hold(inval, &e, &hold);
    inval_publish(inval);
    uint64_t floor = inval_floor(inval);

    while (inval_floor(inval) == floor) {
        snprintf(host, sizeof(host), "h%llu", (unsigned long long)++n);
        apply_site(p, n, false, host);
    }
    assert_true(inval_barred(inval, &x));
    snprintf(host, sizeof(host), "p=a/1/%llu", (unsigned long long)n);
    uint64_t claim = localize(host, inval_seq(inval), "x");

    assert_int_equal(inval_check(inval, &x, claim), VALIDITY_HARD);
    /* Held again, under a node of its own: each release lets one go. */
    inval_hold(inval, &e, &again);
    inval_publish(inval);
    inval_release(inval, &hold);
    assert_true(inval_barred(inval, &x));
    inval_release(inval, &again);
    assert_false(inval_barred(inval, &x));
    claim = localize(host, inval_seq(inval), "x");
    assert_int_equal(claim, inval_seq(inval));
    inval_hold(inval, &everything, &all);
    assert_true(inval_barred(inval, &x));
    inval_release(inval, &all);
    assert_false(inval_barred(inval, &x));
}

/* The ring forgets, and then says so. */
static void
ring_wraps(void **state)
{
    size_t p = inval_site(inval, SPAN("p"));
    struct inval_entry e = entry(INVAL_HOST, false, "x", "");
    uint64_t count = 70000;

    (void)state;
    inval_site_at(inval, p, 1, 1, 0);
    inval_publish(inval);
    uint64_t seq = inval_seq(inval);

    for (uint64_t n = 1; n <= count; n++)
        inval_apply(inval, &e, p, n);
    inval_publish(inval);
    assert_int_equal(localize("p=1/1/69999", seq + count, "y"),
                     seq + count - 1);
    assert_int_equal(localize("p=1/1/4464", seq + count, "y"), seq + 4464);
    assert_int_equal(localize("p=1/1/4463", seq + count, "y"), 0);
    assert_int_equal(localize("p=1/1/0", seq + count, "y"), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* An object that answers several queries of its path. */
static enum validity
check_path(const char *host, const char *path, uint64_t position)
{
    struct hash128 hash = inval_path_hash(span_of(host), span_of(path));
    struct inval_subject subject = {span_of(host), span_of(path), &hash, 1};

    return inval_check(inval, &subject, position);
}

static void
paths(void **state)
{
    static const struct {
        enum inval_kind kind;
        const char *host;
        const char *value;
        bool match;
    } table[] = {
        {INVAL_URL, "a.example", "/x", true},
        {INVAL_URL, "A.Example", "/x?q=2&utm=1", true},
        {INVAL_URL, "a.example", "/x?", true},
        {INVAL_URL, "a.example", "/x/y?q=1", false},
        {INVAL_URL, "a.example", "/", false},
        {INVAL_URL, "b.example", "/x?q=1", false},
        {INVAL_PREFIX, "a.example", "/x?u", true},
        {INVAL_PREFIX, "a.example", "/x?q=1", true},
        {INVAL_PREFIX, "a.example", "/x", true},
        {INVAL_PREFIX, "a.example", "/xy?u", false},
        {INVAL_PREFIX, "a.example", "/xy", false},
        {INVAL_TAG, "", "/x", false},
        {INVAL_GROUP, "a.example", "/x", false},
        {INVAL_HOST, "a.example", "", true},
        {INVAL_ALL, "", "", true},
    };

    (void)state;
    /* Not from before they are kept. */
    apply_local(INVAL_URL, false, "a.example", "/x?q=2");
    uint64_t first = inval_seq(inval);

    assert_int_equal(check_path("a.example", "/x?q=1", first - 1),
                     VALIDITY_VALID);
    inval_keep_paths(inval);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        uint64_t before = inval_seq(inval);

        apply_local(table[i].kind, i % 2 == 1, table[i].host, table[i].value);
        enum validity want = !table[i].match ? VALIDITY_VALID
                             : i % 2 == 1    ? VALIDITY_SOFT
                                             : VALIDITY_HARD;

        if (check_path("a.example", "/x?q=1", before) != want)
            fail_msg("row %zu", i);
        assert_int_equal(check_path("a.example", "/x?q=1", inval_seq(inval)),
                         VALIDITY_VALID);
    }
    /* Others see the URL alone. */
    uint64_t before = inval_seq(inval);

    apply_local(INVAL_URL, false, "a.example", "/x?q=2");
    assert_int_equal(check("a.example", "/x?q=1", NULL, before),
                     VALIDITY_VALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(own_entries),
        T(own_entries_in_trouble),
        T(kinds),
        T(worst_wins),
        T(publishes_in_batches),
        T(overflow),
        T(localizes),
        T(holds_back),
        T(holds_back_the_first),
        T(holds_back_when_full),
        T(many_prefix_lengths),
        T(ring_wraps),
        T(paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
