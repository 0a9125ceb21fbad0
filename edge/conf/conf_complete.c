/* What is computed from other options, from the machine, or from files. */
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_internal.h"

#define WORKERS_MAX 256
#define SECRET_FILE_MAX 4096

static uint64_t
cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);

    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (uint64_t)count;
}

/* The host's name, with what no name may have replaced. */
static const char *
host_name(struct conf_arena *arena)
{
    char name[64] = "";

    if (gethostname(name, sizeof(name) - 1) != 0 ||
        !isalnum((unsigned char)name[0]))
        return "node";
    for (char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL)
            *c = '-';
    }
    return conf_arena_strdup(arena, name);
}

/* ---- secrets in files ---- */

/* Where a secret is said, and where it goes. */
struct secret {
    const struct conf_tree *tree; /* that has the two members */
    const char *member;           /* "token" */
    const char *file_member;      /* "token_file" */
    const char *path;
    const char **value;
    enum conf_text text;
};

static struct span
trimmed(const char *text, size_t len)
{
    size_t from = 0;

    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    while (from < len && isspace((unsigned char)text[from]))
        from++;
    return (struct span){text + from, len - from};
}

static void
take(const struct secret *secret, struct conf *conf, struct span content,
     struct conf_problems *problems)
{
    const struct conf_text_row *row = conf_text_row(secret->text);
    struct buf kept = {0};

    if (row->accept(content, &kept))
        *secret->value = conf_arena_strdup(conf->arena, kept.data);
    else
        conf_error_at(problems, secret->tree, secret->file_member,
                      "expected in \"%s\" %s, found one of %zu bytes",
                      secret->path, row->expected, content.len);
    if (kept.data != NULL)
        explicit_bzero(kept.data, kept.len);
    buf_fini(&kept);
}

static void
read_secret(const struct secret *secret, struct conf *conf,
            struct conf_problems *problems)
{
    char text[SECRET_FILE_MAX];
    struct stat about;

    if (secret->path[0] == '\0')
        return;
    if ((*secret->value)[0] != '\0') {
        conf_error_at(problems, secret->tree, secret->file_member,
                      "expected either \"%s\" or \"%s\", found both",
                      secret->member, secret->file_member);
        return;
    }
    FILE *in = fopen(secret->path, "re");
    size_t len = in ? fread(text, 1, sizeof(text), in) : 0;

    if (in == NULL || ferror(in)) {
        conf_error_at(problems, secret->tree, secret->file_member,
                      "expected a readable file, found \"%s\": %s",
                      secret->path, strerror(errno));
    } else {
        take(secret, conf, trimmed(text, len), problems);
        if (fstat(fileno(in), &about) == 0 && (about.st_mode & S_IROTH))
            conf_warning_at(problems, secret->tree, secret->file_member,
                            "everybody on this machine can read \"%s\"; "
                            "chmod o-r it",
                            secret->path);
    }
    explicit_bzero(text, sizeof(text));
    if (in != NULL)
        fclose(in);
}

/* ---- certificates ---- */

/* Whether it holds what GnuTLS takes for one: whether the certificate in it is
 * right is seen where it is used. */
static bool
holds_certificate(FILE *in)
{
    char line[256];

    while (fgets(line, sizeof(line), in) != NULL) {
        if (strncmp(line, "-----BEGIN CERTIFICATE-----", 27) == 0 ||
            strncmp(line, "-----BEGIN X509 CERTIFICATE-----", 32) == 0)
            return true;
    }
    return false;
}

static void
check_ca_file(const struct conf_origin *origin, const struct conf_tree *tree,
              struct conf_problems *problems)
{
    if (origin->ca_file[0] == '\0')
        return;
    FILE *in = fopen(origin->ca_file, "re");
    bool holds = in != NULL && holds_certificate(in);

    if (in == NULL || ferror(in))
        conf_error_at(problems, tree, "ca_file",
                      "expected a readable file, found \"%s\": %s",
                      origin->ca_file, strerror(errno));
    else if (!holds)
        conf_error_at(problems, tree, "ca_file",
                      "expected a file with a certificate (PEM), found none "
                      "in \"%s\"",
                      origin->ca_file);
    if (in != NULL)
        fclose(in);
}

/* ---- all of it ---- */

/* This node itself is no peer of its own. */
static void
drop_self(struct conf *conf)
{
    size_t kept = 0;

    for (size_t i = 0; i < conf->peers.static_count; i++) {
        if (strcmp(conf->peers.statics[i].node, conf->node) != 0)
            conf->peers.statics[kept++] = conf->peers.statics[i];
    }
    conf->peers.static_count = kept;
}

void
conf_complete(struct conf *conf, struct conf_tree *root,
              struct conf_problems *problems)
{
    struct secret token = {conf_tree_get(root, "admin"),
                           "token",
                           "token_file",
                           conf->admin.token_file,
                           &conf->admin.token,
                           CONF_TEXT_TOKEN};
    struct secret secret = {root,          "secret",
                            "secret_file", conf->secret_file,
                            &conf->secret, CONF_TEXT_SECRET};

    read_secret(&token, conf, problems);
    read_secret(&secret, conf, problems);
    for (size_t i = 0; i < conf->origin_count; i++)
        check_ca_file(&conf->origins[i],
                      conf_tree_get(conf_tree_get(root, "origins"),
                                    conf->origins[i].name),
                      problems);
    if (conf->node[0] == '\0')
        conf->node = host_name(conf->arena);
    if (conf->advertise[0] == '\0' && conf->listen.count > 0)
        conf->advertise =
            conf_arena_printf(conf->arena, "http://%s", conf->listen.list[0]);
    if (conf->workers == 0)
        conf->workers = cores();
    if (conf->max_object_bytes == 0)
        conf->max_object_bytes = conf->memory_bytes / 8;
    drop_self(conf);
    for (size_t i = 0; i < conf->route_count; i++)
        conf->routes[i].origin = conf_origin(conf, conf->routes[i].origin_name);
}
