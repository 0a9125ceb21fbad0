/* The rules over the options of the disk tier. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "conf/conf.h"

static char file[] = "/tmp/atlas_conf_disk_XXXXXX";

static const struct {
    const char *disk;
    const char *problem; /* NULL: it is right */
} rows[] = {
    {"{}", NULL},
    {"{\"size\":0}", NULL},
    {"{\"size\":\"96MiB\",\"path\":\"d\"}", NULL},
    {"{\"size\":\"4TiB\",\"path\":\"d\"}", NULL},
    {"{\"size\":\"1GiB\"}", "disk.path: expected a folder for the disk tier, "
                            "whose size is 1GiB, found nothing"},
    {"{\"size\":\"95MiB\",\"path\":\"d\"}",
     "disk.size: expected 0, or 96MiB at least, found 95MiB"},
    {"{\"size\":\"5TiB\",\"path\":\"d\"}", "disk.size: expected "},
};

static void
write_it(const char *disk)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    fprintf(out,
            "{\"disk\":%s,\"origins\":{\"web\":{\"servers\":[\"http://o\"]}},"
            "\"routes\":[{\"name\":\"r\",\"origin\":\"web\"}]}",
            disk);
    fclose(out);
}

static void
test_rows(void **state)
{
    char text[4096];

    (void)state;
    close(mkstemp(file));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_problems problems = {0};
        FILE *out = fmemopen(text, sizeof(text), "w");

        write_it(rows[i].disk);
        struct conf *conf = conf_load(file, &problems);

        conf_problems_print(&problems, out);
        fclose(out);
        if ((conf != NULL) != (rows[i].problem == NULL) ||
            (conf == NULL && strstr(text, rows[i].problem) == NULL))
            fail_msg("%s: %s", rows[i].disk, text);
        if (conf != NULL) /* relative to the file */
            assert_true(conf->disk.size_bytes == 0 ||
                        strcmp(conf->disk.path, "/tmp/d") == 0);
        conf_unref(&conf);
        conf_problems_fini(&problems);
    }
    unlink(file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
