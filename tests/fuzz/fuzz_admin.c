/*
 * What comes to the admin listener. The first byte says which: 'q', a query;
 * else the JSON body of a purge: what is read of it is valid.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin_internal.h"
#include "admin/purge_body_internal.h"
#include "base/check.h"
#include "base/grace.h"
#include "conf/conf.h"
#include "conf/conf_problems.h"
#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "{\"node\": \"n\", \"listen\": [\"127.0.0.1:1\"],"
    " \"origins\": {\"o\": {\"servers\": [\"http://127.0.0.1:2\"]}},"
    " \"routes\": [{\"name\": \"sorted\", \"origin\": \"o\","
    "  \"match\": {\"path\": \"/s*\"},"
    "  \"key\": {\"query\": {\"sort\": true}, \"ignore_case\": true}},"
    "  {\"name\": \"all\", \"origin\": \"o\"}]}";

static struct engine *
make_engine(void)
{
    static const struct engine_parts none;
    char path[] = "/tmp/fuzz-admin-XXXXXX";
    struct conf_problems problems = {0};
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK(write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    close(fd);
    struct conf *conf = conf_load(path, &problems);

    unlink(path);
    conf_problems_print(&problems, stderr);
    conf_problems_fini(&problems);
    CHECK(conf != NULL);
    struct engine *engine = engine_new(&none, conf);

    conf_unref(&conf);
    return engine;
}

static void
try_query(struct span query)
{
    struct buf name = {0};
    struct buf value = {0};
    size_t decoded = 0;
    size_t len = query.len;

    while (admin_next_parameter(&query, &name, &value))
        decoded += name.len + value.len;
    CHECK(decoded <= len);
    buf_fini(&name);
    buf_fini(&value);
}

static void
try_body(struct engine *engine, struct span body)
{
    struct purge_body got;
    struct buf why = {0};
    char problem[256];

    if (purge_body_read(engine, body, &got, &why)) {
        CHECK(got.count > 0 && got.count <= PURGE_BODY_MAX);
        CHECK(got.batch || got.count == 1);
        for (size_t i = 0; i < got.count; i++)
            CHECK(purge_valid(&got.list[i], problem, sizeof(problem)));
        purge_body_fini(&got);
    } else {
        CHECK(why.len > 0 && got.count == 0 && got.list == NULL);
    }
    buf_fini(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct engine *engine;
    char *copy = malloc(size + 1);

    CHECK(copy != NULL);
    if (engine == NULL)
        engine = make_engine();
    if (size > 0)
        memcpy(copy, data, size);
    if (size > 0 && copy[0] == 'q')
        try_query((struct span){copy + 1, size - 1});
    else
        try_body(engine, (struct span){copy, size});
    free(copy);
    return 0;
}
