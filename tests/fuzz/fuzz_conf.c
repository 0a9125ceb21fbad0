/*
 * A configuration file. Whatever is in it, there is a snapshot or an error,
 * the same each time, and a snapshot can take the place of itself. The file
 * cannot include others here: what they say is none of the fuzzer's business.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/atlas-fuzz-conf-XXXXXX";

static void
remove_file(void)
{
    unlink(path);
}

static void
write_file(const uint8_t *data, size_t size)
{
    static int fd = -1;

    if (fd < 0) {
        fd = mkstemp(path);
        CHECK(fd >= 0 && atexit(remove_file) == 0);
    }
    CHECK(ftruncate(fd, 0) == 0);
    CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
}

static size_t
load(struct conf **conf)
{
    struct conf_problems problems = {0};

    *conf = conf_load(path, &problems);
    size_t errors = problems.errors.count;

    CHECK((*conf == NULL) == (errors > 0));
    for (size_t i = 0; i < errors; i++)
        CHECK(strlen(problems.errors.lines[i]) > 0);
    conf_problems_fini(&problems);
    return errors;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_problems problems = {0};
    struct conf *once;
    struct conf *twice;

    if (memmem(data, size, "include", 7) != NULL ||
        memmem(data, size, "_file", 5) != NULL ||
        memmem(data, size, "\\u", 2) != NULL)
        return 0;
    write_file(data, size);
    CHECK(load(&once) == load(&twice));
    if (once != NULL) {
        CHECK(once->workers > 0 && once->route_count > 0);
        for (size_t i = 0; i < once->route_count; i++)
            CHECK(once->routes[i].origin != NULL);
        CHECK(conf_reload_check(once, twice, &problems));
    }
    conf_problems_fini(&problems);
    conf_unref(&once);
    conf_unref(&twice);
    return 0;
}
