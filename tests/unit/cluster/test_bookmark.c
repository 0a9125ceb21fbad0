/* Where a node was in the streams, over its restart. */
#include "stream_nodes.h"

static char folder[] = "/tmp/atlas_bookmark_XXXXXX";

static void
open_it(void)
{
    bookmark = bookmark_open(loop, folder, &resume);
}

static void
write_file(const char *text)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof(path), "%s/position", folder);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static int
make_folder(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int
drop_folder(void **state)
{
    char command[80];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* What was noted last is there; also when nothing waits for it. */
static void
test_file(void **state)
{
    static const char *const damaged[] = {"",
                                          "\n",
                                          "p=a/b/7",
                                          "p=a/b/7 \n",
                                          "p=a/b/7 0000000000000000\n",
                                          "p=a/b/7 0000000000000000\nmore"};

    (void)state;
    loop = loop_new();
    open_it();
    assert_int_equal(resume.count, 0);
    bookmark_note(bookmark, SPAN("p=a/b/7"));
    bookmark_note(bookmark, SPAN("p=a/b/8"));
    bookmark_note(bookmark, SPAN("p=a/b/9;q=c/d/1"));
    bookmark_close(&bookmark);
    open_it();
    assert_int_equal(resume.count, 2);
    assert_int_equal(position_find(&resume, SPAN("p"))->n, 9);
    bookmark_close(&bookmark);
    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        write_file(damaged[i]);
        open_it();
        assert_int_equal(resume.count, 0);
        bookmark_close(&bookmark);
    }
    loop_free(&loop);
}

static bool
has_two(void *arg)
{
    (void)arg;
    return status(&nodes[0], 0).applied == 2;
}

static void
start_again(void)
{
    node_stop(&nodes[0]);
    bookmark_close(&bookmark);
    open_it();
    node_start_with(&nodes[0], "p", 50, 2000);
}

/* It goes on where it was, and applies what it has missed; from another history
 * it does not. */
static void
test_restart(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    node_stop(&nodes[0]);
    open_it();
    node_start_with(&nodes[0], "p", 50, 2000);
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    purge(&nodes[0], "/before");
    node_stop(&nodes[0]);
    bookmark_close(&bookmark);
    purge_at(&nodes[1], "/missed", 1);
    purge_at(&nodes[1], "/too", 1);
    open_it();
    assert_int_equal(position_find(&resume, SPAN("p"))->n, 1);
    node_start_with(&nodes[0], "p", 50, 2000);
    assert_true(loop_until(loop, has_two, NULL, PATIENCE_MS));
    assert_int_equal(status(&nodes[0], 0).n, 3);
    assert_int_equal(status(&nodes[0], 0).floors[FLOOR_HOLE], 0);
    assert_int_equal(status(&nodes[0], 0).floors[FLOOR_TERM], 0);
    /* What it missed was trimmed; then the history ended. */
    node_stop(&nodes[0]);
    bookmark_close(&bookmark);
    purge_at(&nodes[1], "/lost", 1);
    redis_server_do(&servers[0], "XTRIM {atlas:p}:log MAXLEN 0");
    open_it();
    node_start_with(&nodes[0], "p", 50, 2000);
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    assert_int_equal(status(&nodes[0], 0).floors[FLOOR_HOLE], 1);
    redis_server_do(&servers[0], "FLUSHALL");
    start_again();
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    assert_int_equal(status(&nodes[0], 0).floors[FLOOR_TERM], 1);
    node_stop(&nodes[0]);
    bookmark_close(&bookmark);
    resume = (struct position){0};
    node_start_with(&nodes[0], "p", 50, 2000);
}

static int
setup_both(void **state)
{
    return make_folder(state) != 0 || setup(state) != 0;
}

static int
teardown_both(void **state)
{
    return teardown(state) != 0 || drop_folder(state) != 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_restart, setup_both,
                                        teardown_both),
    };

    available = redis_server_available();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
