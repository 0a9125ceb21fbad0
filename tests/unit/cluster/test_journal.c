/* The tables of invalidations, over a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "cluster/inval_restore.h"
#include "cluster/journal.h"
#include "cluster/journal_internal.h"
#include "cluster/line_internal.h"

static char folder[] = "/tmp/atlas_journal_XXXXXX";
static struct loop *loop;
static struct inval *inval;
static struct journal *journal;

static void
open_it(void)
{
    char why[300];

    inval = inval_new((size_t)1 << 24);
    journal = journal_open(loop, folder, inval, why, sizeof(why));
    assert_non_null(journal);
}

static void
close_it(void)
{
    journal_close(&journal);
    inval_free(&inval);
}

static void
reopen(void)
{
    close_it();
    open_it();
}

static int
setup(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    loop = loop_new();
    open_it();
    return 0;
}

static int
teardown(void **state)
{
    char command[80];

    (void)state;
    close_it();
    loop_free(&loop);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static uint64_t
apply(enum inval_kind kind, bool soft, const char *value, size_t site,
      uint64_t n)
{
    struct inval_entry entry = {kind, soft, SPAN("h"), span_of(value)};

    if (kind == INVAL_TAG)
        entry.host = SPAN("");
    inval_apply(inval, &entry, site, n);
    inval_publish(inval);
    return inval_seq(inval);
}

static enum validity
check(const char *path, uint64_t position)
{
    struct hash128 tag = inval_tag_hash(SPAN("t"));
    struct inval_subject subject = {SPAN("h"), span_of(path), &tag, 1};

    return inval_check(inval, &subject, position);
}

/* What was before a purge is gone, what came after it is not: before a restart
 * and behind it. */
static void
test_numbers(void **state)
{
    uint64_t before = inval_seq(inval);
    struct hash128 id = journal_id(journal);

    (void)state;
    for (int round = 0; round < 3; round++) {
        if (round == 0)
            apply(INVAL_URL, false, "/a", INVAL_LOCAL, 0);
        assert_int_equal(check("/a", before), VALIDITY_HARD);
        assert_int_equal(check("/a", before + 1), VALIDITY_VALID);
        assert_int_equal(check("/b", before), VALIDITY_VALID);
        reopen();
        assert_int_equal(inval_seq(inval), before + 1);
        assert_int_equal(journal_synced(journal), before + 1);
        assert_true(hash_eq(journal_id(journal), id));
    }
    apply(INVAL_TAG, true, "t", INVAL_LOCAL, 0);
    reopen();
    assert_int_equal(check("/b", before + 1), VALIDITY_SOFT);
    assert_int_equal(check("/b", before + 2), VALIDITY_VALID);
    inval_raise_floor(inval, FLOOR_HOLE);
    inval_publish(inval);
    reopen();
    assert_int_equal(check("/b", before + 2), VALIDITY_FLOOR);
    assert_int_equal(check("/b", before + 3), VALIDITY_VALID);
}

static void
test_sites(void **state)
{
    size_t site = inval_site(inval, SPAN("paris"));

    (void)state;
    inval_site_at(inval, site, 7, 8, 100);
    inval_raise_floor(inval, FLOOR_START);
    inval_publish(inval);
    apply(INVAL_URL, false, "/a", site, 101);
    apply(INVAL_URL, false, "/a", site, 102);
    reopen();
    const struct position *position = &inval_snapshot(inval)->position;

    assert_int_equal(position->count, 1);
    assert_int_equal(position->sites[0].epoch, 7);
    assert_int_equal(position->sites[0].term, 8);
    assert_int_equal(position->sites[0].n, 102);
    assert_string_equal(inval_site_name(inval, 0), "paris");
    assert_null(inval_site_name(inval, 1));
    inval_site_leave(inval, 0);
    inval_publish(inval);
    assert_int_equal(inval_snapshot(inval)->position.count, 0);
}

static void
test_levels(void **state)
{
    uint64_t floor = inval_floor(inval);

    (void)state;
    journal_levels(journal, 5, true); /* the first ever */
    reopen();
    journal_levels(journal, 5, true);
    assert_int_equal(inval_floor(inval), floor);
    journal_levels(journal, 6, true);
    assert_true(inval_floor(inval) > floor);
    floor = inval_floor(inval);
    journal_levels(journal, 0, true); /* promises nothing */
    journal_levels(journal, 9, false);
    assert_int_equal(inval_floor(inval), floor);
    reopen();
    journal_levels(journal, 9, true);
    assert_int_equal(inval_floor(inval), floor);
}

/* ---- damage ---- */

static char *
file_path(unsigned number)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/invalidations.%08x", folder, number);
    return path;
}

static size_t
read_file(unsigned number, char *text, size_t size)
{
    FILE *in = fopen(file_path(number), "r");

    assert_non_null(in);
    size_t len = fread(text, 1, size, in);

    fclose(in);
    return len;
}

static void
write_file(unsigned number, const char *text, size_t len)
{
    FILE *out = fopen(file_path(number), "w");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    fclose(out);
}

/* A bit of any byte: either nothing was lost, or nothing that was kept before
 * it counts. A number that was given is not given again. */
static void
test_any_bit(void **state)
{
    char text[4096];
    char bad[4096];
    uint64_t before = inval_seq(inval);

    (void)state;
    for (int i = 0; i < 4; i++)
        apply(INVAL_URL, false, i == 3 ? "/a" : "/other", INVAL_LOCAL, 0);
    uint64_t last = inval_seq(inval);

    close_it();
    size_t len = read_file(1, text, sizeof(text));

    for (size_t at = 0; at < len; at++) {
        memcpy(bad, text, len);
        bad[at] = (char)(bad[at] ^ 1 << (at % 8));
        write_file(1, bad, len);
        (void)unlink(file_path(2));
        open_it();
        bool ours = inval_seq(inval) >= before + 3;

        /* One that begins anew has another id, and that is what counts. */
        if (ours)
            assert_int_equal(check("/a", before), VALIDITY_HARD);
        if (ours)
            assert_true(apply(INVAL_URL, false, "/b", INVAL_LOCAL, 0) > last);
        close_it();
    }
    (void)unlink(file_path(2));
    write_file(1, text, len);
    open_it();
    assert_int_equal(inval_seq(inval), last);
}

/* The last things done are a purge, a floor, and a move over what was missed: a
 * bit of any of them, and nothing before them counts; nor after one start
 * more. */
static void
test_any_bit_of_the_end(void **state)
{
    size_t site = inval_site(inval, SPAN("paris"));
    struct hash128 id = journal_id(journal);
    char text[4096];
    char bad[4096];

    (void)state;
    inval_site_at(inval, site, 7, 8, 100);
    apply(INVAL_URL, false, "/a", site, 101);
    uint64_t before = apply(INVAL_URL, true, "/other", INVAL_LOCAL, 0);

    inval_site_at(inval, site, 7, 8, 120);
    inval_raise_floor(inval, FLOOR_HOLE);
    inval_publish(inval);
    close_it();
    size_t len = read_file(1, text, sizeof(text));

    for (size_t at = 0; at < len; at++) {
        memcpy(bad, text, len);
        bad[at] = (char)(bad[at] ^ 1 << (at % 8));
        write_file(1, bad, len);
        (void)unlink(file_path(2));
        open_it();
        for (int start = 0; start < 2; start++, reopen()) {
            if (hash_eq(journal_id(journal), id))
                assert_int_not_equal(check("/b", before), VALIDITY_VALID);
        }
        close_it();
    }
    (void)unlink(file_path(2));
    write_file(1, text, len);
    open_it();
}

/* Who knows that we moved over what was missed knows the floor, too, wherever
 * it was cut off: by an entry behind the gap, or without one. What the routes
 * promise belongs to it as well. */
static void
test_torn_move(void **state)
{
    size_t site = inval_site(inval, SPAN("paris"));
    char text[4096];

    (void)state;
    inval_site_at(inval, site, 7, 8, 100);
    inval_publish(inval);
    journal_levels(journal, 1, true);
    uint64_t before = inval_seq(inval);

    close_it();
    size_t whole = read_file(1, text, sizeof(text));

    for (int by_entry = 0; by_entry < 2; by_entry++) {
        write_file(1, text, whole);
        open_it();
        site = inval_site(inval, SPAN("paris"));
        if (by_entry)
            apply(INVAL_URL, true, "/other", site, 120);
        else
            inval_site_at(inval, site, 7, 8, 120);
        journal_levels(journal, 2, false);
        inval_raise_floor(inval, FLOOR_HOLE);
        close_it();
        size_t len = read_file(1, text, sizeof(text));

        for (size_t cut = whole; cut <= len; cut++) {
            write_file(1, text, cut);
            open_it();
            uint64_t n = inval_snapshot(inval)->position.sites[0].n;

            assert_int_equal(n, cut < len ? 100 : 120);
            journal_levels(journal, 2, true);
            if (n == 120 || by_entry == 0 || cut > whole)
                assert_int_equal(check("/b", before), VALIDITY_FLOOR);
            close_it();
        }
    }
    open_it();
}

/* Cut off anywhere, as by a power failure. */
static void
test_torn(void **state)
{
    char text[4096];
    uint64_t before = inval_seq(inval);

    (void)state;
    apply(INVAL_URL, false, "/a", INVAL_LOCAL, 0);
    reopen();
    close_it();
    size_t whole = read_file(1, text, sizeof(text));

    open_it();
    apply(INVAL_URL, false, "/b", INVAL_LOCAL, 0);
    close_it();
    size_t len = read_file(1, text, sizeof(text));

    for (size_t cut = whole; cut < len; cut++) {
        write_file(1, text, cut);
        open_it();
        assert_int_equal(check("/a", before), VALIDITY_HARD);
        assert_int_equal(check("/c", before), VALIDITY_VALID);
        if (cut > whole)
            assert_true(inval_seq(inval) > before + 2);
        reopen(); /* what was skipped is no gap */
        assert_int_equal(check("/c", before), VALIDITY_VALID);
        close_it();
    }
    open_it();
}

static bool
exists(unsigned number)
{
    return access(file_path(number), F_OK) == 0;
}

static void
on_synced(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void
sync_it(void)
{
    journal_when_synced(journal, on_synced, NULL);
    loop_run(loop);
    assert_int_equal(journal_synced(journal), inval_seq(inval));
}

/* Files follow each other, and the oldest goes: what is older counts as
 * purged. Where we are in the streams stays known. */
static void
test_files(void **state)
{
    size_t site = inval_site(inval, SPAN("paris"));
    uint64_t before = inval_seq(inval);
    uint64_t n = 0;
    char value[2048];

    (void)state;
    inval_site_at(inval, site, 7, 8, 0);
    inval_raise_floor(inval, FLOOR_START);
    memset(value, 'x', sizeof(value));
    value[0] = '/';
    value[sizeof(value) - 1] = '\0';
    uint64_t first = inval_seq(inval) + 1;

    for (int file = 0; file < 6; file++) {
        for (int i = 0; i < 1100; i++)
            apply(INVAL_URL, true, value, site, ++n);
        sync_it();
        reopen();
        site = inval_site(inval, SPAN("paris"));
        assert_int_equal(inval_snapshot(inval)->position.sites[0].n, n);
        if (file == 1) /* nothing has gone yet */
            assert_int_equal(check("/b", first), VALIDITY_VALID);
    }
    assert_false(exists(1));
    assert_true(exists(6));
    assert_int_equal(check("/b", before), VALIDITY_HARD);
    assert_int_equal(check("/b", first), VALIDITY_HARD);
    assert_int_equal(check("/b", inval_seq(inval)), VALIDITY_VALID);
}

/* It cannot be written: it goes, and the next one is another. */
static void
test_cannot_write(void **state)
{
    struct hash128 id = journal_id(journal);

    (void)state;
    reopen();
    close_it();
    /* A file stands where the next one has to be made. */
    open_it();
    write_file(2, "x", 1);
    char value[2048];

    memset(value, 'x', sizeof(value));
    value[0] = '/';
    value[sizeof(value) - 1] = '\0';
    for (int i = 0; i < 1100; i++)
        apply(INVAL_URL, true, value, INVAL_LOCAL, 0);
    journal_when_synced(journal, on_synced, NULL);
    loop_run(loop);
    assert_int_equal(journal_synced(journal), 0);
    apply(INVAL_URL, true, "/a", INVAL_LOCAL, 0);
    journal_await(journal, inval_seq(inval), 10);
    assert_false(exists(1));
    assert_int_equal(unlink(file_path(2)), 0);
    reopen();
    assert_false(hash_eq(journal_id(journal), id));
}

/* ---- lines ---- */

static void
test_lines(void **state)
{
    static const struct {
        const char *line; /* without its checksum */
        bool good;
    } rows[] = {
        {"head 000000000000000a000000000000000b 12", true},
        {"head 000000000000000a000000000000000B 12", false},
        {"head 000000000000000a000000000000000b 012", false},
        {"head 000000000000000a000000000000000b", false},
        {"head 000000000000000a000000000000000b 12 ", false},
        {"entry 3 hard url 68 2f61 - 0", true},
        {"entry 3 soft tag - 74 paris 9", true},
        {"entry 3 soft all - - paris 9", true},
        {"entry 3 soft all 68 - paris 9", false},
        {"entry 3 maybe tag - 74 paris 9", false},
        {"entry 3 soft sometime - 74 paris 9", false},
        {"entry 3 soft url 68 61 paris 9", false},
        {"entry 3 soft tag - 7 paris 9", false},
        {"entry 3 soft tag - 7400 paris 9", false},
        {"entry 3 soft tag - 74 pa/ris 9", false},
        {"entry 18446744073709551615 soft tag - 74 paris 9", false},
        {"floor 4 hole", true},
        {"floor 4 ceiling", false},
        {"site tokyo 000000000000000a ffffffffffffffff 5", true},
        {"site tokyo a b 5", false},
        {"site - 000000000000000a 000000000000000a 5", true},
        {"skip 99", true},
        {"skip -1", false},
        {"done 99", true},
        {"done", false},
        {"levels 0000000000000005", true},
        {"levels 5", false},
        {"", false},
        {"what", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct journal_record record;
        struct buf text = {0};

        buf_add_text(&text, rows[i].line);
        line_add_sum(&text, 0);
        struct span line = span_sub(buf_span(&text), 0, text.len - 1);
        bool good = journal_parse(line, &record);

        if (good != rows[i].good)
            fail_msg("%s", rows[i].line);
        if (good)
            journal_record_fini(&record);
        line.len--;
        assert_false(journal_parse(line, &record));
        buf_fini(&text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_numbers),      TEST(test_sites),
        TEST(test_levels),       TEST(test_any_bit),
        TEST(test_torn),         TEST(test_files),
        TEST(test_cannot_write), TEST(test_any_bit_of_the_end),
        TEST(test_torn_move),    cmocka_unit_test(test_lines),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
