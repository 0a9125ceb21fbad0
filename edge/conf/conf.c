/* Loading a configuration, and holding it. */
#include "conf/conf.h"

#include <string.h>

#include "base/check.h"
#include "conf/conf_internal.h"

static void
read_tree(struct conf *conf, struct conf_tree *root, struct conf_loader *loader)
{
    struct conf_reader reader = {conf->arena, loader};

    conf_read(&reader, &conf_table_root, root, conf);
    conf_check(conf, root, loader->problems);
    conf_complete(conf, root, loader->problems);
}

struct conf *
conf_load(const char *path, struct conf_problems *problems)
{
    struct conf_loader loader = {conf_arena_new(), problems, json_array()};
    struct conf_tree *root = conf_tree_load(&loader, path);
    struct conf *conf = NULL;

    CHECK(loader.files != NULL);
    if (root != NULL) {
        struct conf_arena *arena = conf_arena_new();

        conf = conf_arena_zalloc(arena, sizeof(*conf));
        conf->arena = arena;
        conf->path = conf_arena_strdup(arena, path);
        atomic_init(&conf->refs, 1);
        read_tree(conf, root, &loader);
        if (problems->errors.count > 0)
            conf_unref(&conf);
    }
    json_decref(loader.files);
    conf_arena_free(&loader.arena);
    return conf;
}

struct conf *
conf_ref(struct conf *conf)
{
    CHECK(atomic_fetch_add_explicit(&conf->refs, 1, memory_order_relaxed) > 0);
    return conf;
}

void
conf_unref(struct conf **conf)
{
    struct conf *dropped = *conf;

    *conf = NULL;
    if (dropped == NULL)
        return;
    if (atomic_fetch_sub_explicit(&dropped->refs, 1, memory_order_acq_rel) > 1)
        return;
    /* The struct lies in its own arena. */
    struct conf_arena *arena = dropped->arena;

    conf_arena_free(&arena);
}

const struct conf_site *
conf_site(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->site_count; i++) {
        if (strcmp(conf->sites[i].name, name) == 0)
            return &conf->sites[i];
    }
    return NULL;
}

const struct conf_origin *
conf_origin(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->origin_count; i++) {
        if (strcmp(conf->origins[i].name, name) == 0)
            return &conf->origins[i];
    }
    return NULL;
}
