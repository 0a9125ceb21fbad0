/* The outbox: its lines, and what is left of it after a crash anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../bus/redis_server.h"
#include "base/check.h"
#include "cluster/outbox.h"
#include "cluster/outbox_internal.h"

static struct loop *loop;
static char folder[64];

static int
setup(void **state)
{
    (void)state;
    loop = loop_new();
    snprintf(folder, sizeof(folder), "/tmp/atlas_outbox_XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int
teardown(void **state)
{
    char command[128];

    (void)state;
    loop_free(&loop);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static struct outbox *
open_it(void)
{
    char why[300] = "";
    struct outbox *outbox = outbox_open(loop, folder, why, sizeof(why));

    if (outbox == NULL)
        fail_msg("%s", why);
    return outbox;
}

struct told {
    unsigned count;
    enum err err;
};

static void
on_durable(void *arg, enum err err, uint64_t id)
{
    struct told *told = arg;

    assert_true(id > 0);
    told->count++;
    told->err = err;
}

static bool
is_told(void *arg)
{
    return ((struct told *)arg)->count >= 1;
}

static uint64_t
add(struct outbox *outbox, enum outbox_kind kind, const char *path)
{
    char host[] = "h", value[64];
    struct purge purge = {INVAL_URL, false, host, value, 0, NULL};
    struct told told = {0};

    snprintf(value, sizeof(value), "%s", path);
    uint64_t id = outbox_add(outbox, kind, &purge, on_durable, &told);

    assert_int_equal(told.count, 0);
    assert_true(loop_until(loop, is_told, &told, 5000));
    assert_int_equal(told.err, ERR_OK);
    return id;
}

static void
test_lines(void **state)
{
    static const struct {
        enum inval_kind kind;
        const char *host, *value;
        bool soft;
    } rows[] = {
        {INVAL_URL, "h:80", "/a b?\xff", false},
        {INVAL_PREFIX, "h", "/", true},
        {INVAL_HOST, "h", "", false},
        {INVAL_TAG, "", "a tag", false},
        {INVAL_ALL, "", "", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outbox_record record = {
            .line = OUTBOX_LINE_ADD,
            .entry = {.id = i + 1,
                      .kind = i % 2 ? OUTBOX_INTENT : OUTBOX_PURGE,
                      .purge = {rows[i].kind, rows[i].soft,
                                (char *)(uintptr_t)rows[i].host,
                                (char *)(uintptr_t)rows[i].value, 0, NULL}},
        };
        struct outbox_record got;
        struct buf text = {0};

        outbox_print(&record, &text);
        struct span line = span_sub(buf_span(&text), 0, text.len - 1);

        assert_true(outbox_parse(line, &got));
        assert_int_equal(got.entry.id, i + 1);
        assert_int_equal(got.entry.kind, record.entry.kind);
        assert_int_equal(got.entry.purge.soft, rows[i].soft);
        assert_string_equal(got.entry.purge.host, rows[i].host);
        assert_string_equal(got.entry.purge.value, rows[i].value);
        free(got.entry.purge.host);
        free(got.entry.purge.value);
        /* Any one bit that flips is seen. */
        for (size_t bit = 0; bit < 8 * line.len; bit++) {
            text.data[bit / 8] ^= (char)(1 << bit % 8);
            assert_false(outbox_parse(line, &got));
            text.data[bit / 8] ^= (char)(1 << bit % 8);
        }
        buf_fini(&text);
    }
}

static void
test_restart(void **state)
{
    struct outbox *outbox = open_it();
    char name[64];

    (void)state;
    snprintf(name, sizeof(name), "%s", outbox_name(outbox));
    uint64_t a = add(outbox, OUTBOX_PURGE, "/a");
    uint64_t b = add(outbox, OUTBOX_INTENT, "/b");
    uint64_t c = add(outbox, OUTBOX_PURGE, "/c");

    assert_true(a < b && b < c);
    outbox_done(outbox, b);
    assert_int_equal(outbox_count(outbox), 2);
    /* One file, one process. */
    char why[300];

    assert_null(outbox_open(loop, folder, why, sizeof(why)));
    assert_non_null(strstr(why, "state_dir"));
    outbox_close(&outbox);
    outbox = open_it();
    assert_string_equal(outbox_name(outbox), name);
    const struct outbox_entry *entry = outbox_next(outbox, 0);

    assert_int_equal(entry->id, a);
    assert_true(entry->inherited);
    assert_string_equal(entry->purge.value, "/a");
    entry = outbox_next(outbox, a);
    assert_int_equal(entry->id, c);
    assert_null(outbox_next(outbox, c));
    assert_true(add(outbox, OUTBOX_PURGE, "/d") > c);
    outbox_close(&outbox);
}

/* The id is in the key by which an entry is published once: it must not come
 * again, also when nothing is left of the one that had it. */
static void
test_ids(void **state)
{
    struct outbox *outbox = open_it();
    uint64_t id = add(outbox, OUTBOX_PURGE, "/a");

    (void)state;
    outbox_done(outbox, id);
    id = add(outbox, OUTBOX_PURGE, "/b");
    outbox_done(outbox, id);
    for (int i = 0; i < 3; i++) {
        outbox_close(&outbox);
        outbox = open_it();
        assert_int_equal(outbox_count(outbox), 0);
    }
    assert_true(add(outbox, OUTBOX_PURGE, "/c") > id);
    outbox_close(&outbox);
}

/* Written anew as it grows, while there is always something in it. */
static void
test_grows(void **state)
{
    struct outbox *outbox = open_it();
    char path[128];
    struct stat info;
    uint64_t kept = add(outbox, OUTBOX_PURGE, "/kept"), last = 0;

    (void)state;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 1000; i++) {
            char host[] = "h", value[] = "/some/path";
            struct purge purge = {INVAL_URL, false, host, value, 0, NULL};
            struct told told = {0};

            last = outbox_add(outbox, OUTBOX_INTENT, &purge, on_durable, &told);
            if (i < 999)
                outbox_done(outbox, last);
            else
                assert_true(loop_until(loop, is_told, &told, 5000));
        }
        outbox_done(outbox, last);
    }
    snprintf(path, sizeof(path), "%s/outbox", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size < 2 * 1024 * 1024);
    outbox_close(&outbox);
    outbox = open_it();
    assert_int_equal(outbox_next(outbox, 0)->id, kept);
    assert_true(add(outbox, OUTBOX_PURGE, "/c") > last);
    outbox_close(&outbox);
}

static void
write_file(const char *data, size_t len)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/outbox", folder);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static struct buf
read_file(void)
{
    struct buf text = {0};
    char path[128], block[4096];
    size_t n;

    snprintf(path, sizeof(path), "%s/outbox", folder);
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while ((n = fread(block, 1, sizeof(block), file)) > 0)
        buf_add(&text, block, n);
    fclose(file);
    return text;
}

/* Cut anywhere, as a crash does: each that was said to be kept, and whose line
 * is whole, is there, in order; nothing else is. */
static void
test_cut(void **state)
{
    struct outbox *outbox = open_it();

    (void)state;
    for (int i = 0; i < 3; i++)
        add(outbox, OUTBOX_PURGE, i == 0 ? "/0" : i == 1 ? "/1" : "/2");
    outbox_close(&outbox);
    struct buf whole = read_file();

    for (size_t len = 0; len <= whole.len; len++) {
        size_t lines = 0;

        for (size_t i = 0; i < len; i++)
            lines += whole.data[i] == '\n';
        write_file(whole.data, len);
        outbox = open_it();
        assert_int_equal(outbox_count(outbox), lines > 0 ? lines - 1 : 0);
        uint64_t after = 0;

        for (size_t i = 0; i + 1 < lines; i++) {
            const struct outbox_entry *entry = outbox_next(outbox, after);

            assert_int_equal(entry->purge.value[1], '0' + (int)i);
            after = entry->id;
        }
        outbox_close(&outbox);
    }
    buf_fini(&whole);
}

/* A line that went bad before good ones: nobody knows what it said. */
static void
test_damaged(void **state)
{
    struct outbox *outbox = open_it();

    (void)state;
    add(outbox, OUTBOX_PURGE, "/0");
    add(outbox, OUTBOX_PURGE, "/1");
    outbox_close(&outbox);
    struct buf text = read_file();
    char *at = strstr(text.data, "add ");

    at[5] ^= 1;
    write_file(text.data, text.len);
    outbox = open_it();
    assert_int_equal(outbox_count(outbox), 2);
    const struct outbox_entry *entry = outbox_next(outbox, 0);

    assert_string_equal(entry->purge.value, "/1");
    entry = outbox_next(outbox, entry->id);
    assert_int_equal(entry->purge.kind, INVAL_ALL);
    assert_true(entry->purge.soft);
    outbox_close(&outbox);
    buf_fini(&text);
}

/* A disk that is full: told, and the outbox goes on once there is room. */
static void
test_full(void **state)
{
    char host[] = "h", value[] = "/a";
    struct purge purge = {INVAL_URL, false, host, value, 0, NULL};
    struct rlimit old, small;
    struct told told = {0};
    struct outbox *outbox = open_it();

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 70;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    outbox_add(outbox, OUTBOX_PURGE, &purge, on_durable, &told);
    assert_true(loop_until(loop, is_told, &told, 5000));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(told.err, ERR_IO);
    assert_int_equal(outbox_count(outbox), 0);
    add(outbox, OUTBOX_PURGE, "/b");
    outbox_close(&outbox);
    outbox = open_it();
    assert_int_equal(outbox_count(outbox), 1);
    assert_string_equal(outbox_next(outbox, 0)->purge.value, "/b");
    outbox_close(&outbox);
}

static struct outbox *first;
static bool between;

/* The outbox's own call. Here somebody else opens the folder, and replaces the
 * file, after the caller has opened it and before it has locked it. */
int
flock(int fd, int operation)
{
    if (between) {
        between = false;
        first = open_it();
    }
    return (int)syscall(SYS_flock, fd, operation);
}

static void
test_alone(void **state)
{
    char why[300] = "";

    (void)state;
    between = true;
    assert_null(outbox_open(loop, folder, why, sizeof(why)));
    assert_non_null(strstr(why, "another process has it"));
    outbox_close(&first);
    first = open_it();
    outbox_close(&first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
