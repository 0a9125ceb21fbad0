/* The rules over several options of the node; those of routes are apart. */
#include <string.h>

#include "conf/conf_internal.h"

/* Whether a member is not given, or given and right: rules over wrong values
 * would only report them twice. */
static bool
sound(const struct conf_tree *tree, const char *member)
{
    const struct conf_tree *at = conf_tree_get(tree, member);

    return at == NULL || !at->bad;
}

static bool
given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* ---- addresses ---- */

static bool
any_port(const char *address)
{
    return strlen(address) > 2 &&
           strcmp(address + strlen(address) - 2, ":0") == 0;
}

static void
check_listen(const struct conf *conf, struct conf_tree *root,
             struct conf_problems *problems)
{
    struct conf_tree *item = conf_tree_get(root, "listen");
    struct conf_tree *admin = conf_tree_get(root, "admin");

    item = item ? item->first : NULL;
    for (size_t i = 0; i < conf->listen.count; i++) {
        const char *address = conf->listen.list[i];

        for (size_t j = 0; j < i && !any_port(address); j++) {
            if (strcmp(address, conf->listen.list[j]) == 0)
                conf_error_at(problems, item ? item : root, NULL,
                              "expected another address, found \"%s\" again",
                              address);
        }
        if (!any_port(address) && given(conf->admin.listen) &&
            strcmp(address, conf->admin.listen) == 0)
            conf_error_at(problems, admin ? admin : root,
                          admin ? "listen" : "admin.listen",
                          "expected an address of its own, found \"%s\", "
                          "which is one of \"listen\"",
                          address);
        item = item ? item->next : NULL;
    }
}

/* The hosts that stand for "every address of this machine". */
static bool
unspecified(const char *url)
{
    const char *host = strstr(url, "://");

    host = host ? host + 3 : url;
    return strncmp(host, "0.0.0.0:", 8) == 0 || strncmp(host, "[::]:", 5) == 0;
}

static void
check_advertise(const struct conf *conf, struct conf_tree *root,
                struct conf_problems *problems)
{
    const char *address = conf->advertise;

    if (!given(address))
        address = conf->listen.count > 0 ? conf->listen.list[0] : "";
    if (!sound(root, "advertise") || !sound(root, "listen"))
        return;
    if (unspecified(address))
        conf_error_at(problems, root, "advertise",
                      "expected an address at which peers reach this node, "
                      "found \"%s\", which is every address",
                      address);
    else if (any_port(address) && !given(conf->advertise))
        conf_warning_at(problems, root, "advertise",
                        "peers cannot reach \"%s\"; advertise a fixed port",
                        address);
}

/* ---- sites and peers ---- */

static void
check_site_name(const struct conf *conf, struct conf_tree *root,
                struct conf_problems *problems)
{
    struct conf_nearest nearest = conf_nearest_to(conf->site);
    struct buf hint = {0};

    if (conf->site_count == 0 || !sound(root, "site") ||
        conf_site(conf, conf->site) != NULL)
        return;
    for (size_t i = 0; i < conf->site_count; i++)
        conf_nearest_offer(&nearest, conf->sites[i].name);
    conf_nearest_add(&nearest, &hint);
    conf_error_at(problems, root, "site",
                  "expected the name of one of the sites, found %s\"%s\"%s",
                  conf_tree_get(root, "site") ? "" : "nothing, which means ",
                  conf->site, hint.data ? hint.data : "");
    buf_fini(&hint);
}

static void
check_twins(const struct conf *conf, size_t i, const struct conf_tree *item,
            struct conf_problems *problems)
{
    const struct conf_site *site = &conf->sites[i];

    for (size_t j = 0; j < i; j++) {
        if (given(site->name) && strcmp(site->name, conf->sites[j].name) == 0)
            conf_error_at(problems, item, "name",
                          "expected a name of its own, found \"%s\" again",
                          site->name);
        if (given(site->redis) &&
            strcmp(site->redis, conf->sites[j].redis) == 0)
            conf_warning_at(problems, item, "redis",
                            "\"%s\" is the Redis of site \"%s\" too: the "
                            "two fail together",
                            site->redis, conf->sites[j].name);
    }
}

static void
check_sites(const struct conf *conf, struct conf_tree *root,
            struct conf_problems *problems)
{
    struct conf_tree *list = conf_tree_get(root, "sites");
    struct conf_tree *item = list ? list->first : NULL;
    bool streams = false;

    for (size_t i = 0; i < conf->site_count; i++)
        streams = streams || given(conf->sites[i].redis);
    for (size_t i = 0; i < conf->site_count && item; i++, item = item->next) {
        check_twins(conf, i, item, problems);
        if (streams && !given(conf->sites[i].redis) && sound(item, "redis"))
            conf_warning_at(problems, item, "redis",
                            "site \"%s\" has none: its nodes can publish no "
                            "invalidations",
                            conf->sites[i].name);
        if (conf->sites[i].replicas > 0 && !given(conf->sites[i].redis))
            conf_warning_at(problems, item, "replicas",
                            "site \"%s\" has no `redis` to be replicated",
                            conf->sites[i].name);
    }
    check_site_name(conf, root, problems);
}

static void
check_peer(const struct conf *conf, size_t i, const struct conf_tree *item,
           struct conf_problems *problems)
{
    const struct conf_peer *peer = &conf->peers.statics[i];

    for (size_t j = 0; j < i; j++) {
        if (given(peer->node) &&
            strcmp(peer->node, conf->peers.statics[j].node) == 0)
            conf_error_at(problems, item, "node",
                          "expected a name of its own, found \"%s\" again",
                          peer->node);
    }
    if (conf->site_count == 0 || !given(peer->site) ||
        conf_site(conf, peer->site) != NULL)
        return;
    struct conf_nearest nearest = conf_nearest_to(peer->site);
    struct buf hint = {0};

    for (size_t j = 0; j < conf->site_count; j++)
        conf_nearest_offer(&nearest, conf->sites[j].name);
    conf_nearest_add(&nearest, &hint);
    conf_error_at(problems, item, "site",
                  "expected the name of one of the sites, found \"%s\"%s",
                  peer->site, hint.data ? hint.data : "");
    buf_fini(&hint);
}

static bool
with_others(const struct conf *conf)
{
    bool others = conf->peers.static_count > 0;

    for (size_t i = 0; i < conf->site_count; i++)
        others = others || given(conf->sites[i].redis);
    return others;
}

static void
check_cluster(const struct conf *conf, struct conf_tree *root,
              struct conf_problems *problems)
{
    struct conf_tree *list =
        conf_tree_get(conf_tree_get(root, "peers"), "static");
    struct conf_tree *item = list ? list->first : NULL;

    for (size_t i = 0; i < conf->peers.static_count && item;
         i++, item = item->next)
        check_peer(conf, i, item, problems);
    if (!with_others(conf))
        return;
    if (!given(conf->secret) && !given(conf->secret_file) &&
        sound(root, "secret") && sound(root, "secret_file"))
        conf_error_at(problems, root, "secret",
                      "expected %s, which all nodes of \"sites\" and "
                      "\"peers\" share, found nothing",
                      conf_text_row(CONF_TEXT_SECRET)->expected);
    if (conf->peers.enabled)
        check_advertise(conf, root, problems);
}

/* ---- budgets ---- */

static void
check_budgets(const struct conf *conf, struct conf_tree *root,
              struct conf_problems *problems)
{
    struct buf memory = {0};
    struct buf object = {0};

    conf_format_size(conf->memory_bytes, &memory);
    conf_format_size(conf->max_object_bytes, &object);
    if (conf->max_object_bytes > conf->memory_bytes && sound(root, "memory"))
        conf_error_at(problems, root, "max_object",
                      "expected at most \"memory\", which is %s, found %s",
                      memory.data, object.data);
    buf_fini(&memory);
    buf_fini(&object);
}

static void
check_disk(const struct conf *conf, struct conf_tree *root,
           struct conf_problems *problems)
{
    struct conf_tree *disk = conf_tree_get(root, "disk");
    struct buf size = {0};

    if (disk == NULL || !sound(disk, "path") || !sound(disk, "size"))
        return;
    conf_format_size(conf->disk.size_bytes, &size);
    if (conf->disk.size_bytes == 0 && given(conf->disk.path))
        conf_warning_at(problems, disk, "path",
                        "has no effect: without \"size\" there is no disk "
                        "tier");
    else if (conf->disk.size_bytes > 0 && !given(conf->disk.path))
        conf_error_at(problems, disk, "path",
                      "expected a folder for the disk tier, whose size is %s, "
                      "found nothing",
                      size.data);
    if (conf->disk.size_bytes > 0 && conf->disk.size_bytes < CONF_DISK_MIN)
        conf_error_at(problems, disk, "size",
                      "expected 0, or 96MiB at least, found %s", size.data);
    buf_fini(&size);
}

void
conf_check(const struct conf *conf, struct conf_tree *root,
           struct conf_problems *problems)
{
    check_listen(conf, root, problems);
    check_sites(conf, root, problems);
    check_cluster(conf, root, problems);
    check_budgets(conf, root, problems);
    check_disk(conf, root, problems);
    conf_check_routes(conf, root, problems);
}
