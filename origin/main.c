/* atlas-origin: see DESIGN.md here. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "origin.h"
#include "version.h"

#define STOP_MS 2000

static const char usage[] =
    "atlas-origin serves a folder over HTTP, takes PUT and DELETE, and tells "
    "the caches\nwhat changed.\n"
    "\n"
    "  -c FILE                   read settings from a JSON file; what follows "
    "wins\n"
    "  --root DIR                the folder to serve\n"
    "  --listen NAME=ADDR:PORT   listen there, under this name; repeatable; "
    "port 0:\n"
    "                            a free one\n"
    "  --control ADDR:PORT       listen there for PUT /links/NAME, GET /stats\n"
    "  --cache-control VALUE     Cache-Control of every file\n"
    "  --redis SITE=HOST:PORT    publish changes to this site's Redis\n"
    "  --host NAME[:PORT]        a host that users ask for; repeatable\n"
    "  --watch                   publish what changes on the disk, too\n"
    "  --durable                 PUT answers when the content is on the disk\n"
    "  --test-paths              serve /_test\n"
    "  --help, --version\n"
    "\n"
    "Prints \"listening NAME ADDR:PORT\" for each listener, then \"ready\".\n";

enum option_code {
    OPT_ROOT = 256,
    OPT_LISTEN,
    OPT_CONTROL,
    OPT_CACHE_CONTROL,
    OPT_REDIS,
    OPT_HOST,
    OPT_WATCH,
    OPT_DURABLE,
    OPT_TEST_PATHS,
    OPT_HELP,
    OPT_VERSION
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"root", required_argument, NULL, OPT_ROOT},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"cache-control", required_argument, NULL, OPT_CACHE_CONTROL},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"host", required_argument, NULL, OPT_HOST},
    {"watch", no_argument, NULL, OPT_WATCH},
    {"durable", no_argument, NULL, OPT_DURABLE},
    {"test-paths", no_argument, NULL, OPT_TEST_PATHS},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* ---- the command line ---- */

static bool
take_option(struct settings *s, int code, struct buf *why)
{
    switch (code) {
    case 'c':
        return true; /* read before */
    case OPT_ROOT:
        free(s->root);
        s->root = mem_strdup(optarg);
        return true;
    case OPT_LISTEN:
        return settings_add_listen(s, optarg, why);
    case OPT_CONTROL:
        return settings_set_control(s, optarg, why);
    case OPT_CACHE_CONTROL:
        if (policy_set_cache_control(&s->defaults, span_of(optarg)))
            return true;
        buf_add_text(why, "--cache-control: this may not stand in a field");
        return false;
    case OPT_REDIS:
        return settings_set_redis(s, optarg, why);
    case OPT_HOST:
        return settings_add_host(s, optarg, why);
    case OPT_WATCH:
        s->watch = true;
        return true;
    case OPT_DURABLE:
        s->durable = true;
        return true;
    case OPT_TEST_PATHS:
        s->test_paths = true;
        return true;
    default:
        buf_add_text(why, "atlas-origin --help lists the options");
        return false;
    }
}

/* The file first, wherever it was named, then the rest over it. */
static bool
read_command_line(int argc, char **argv, struct settings *s, struct buf *why)
{
    int code;

    settings_defaults(s);
    while ((code = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (code == OPT_HELP || code == OPT_VERSION) {
            fputs(code == OPT_HELP ? usage : "atlas-origin " ATLAS_VERSION "\n",
                  stdout);
            settings_fini(s);
            exit(0);
        }
        if (code == 'c' && !settings_read_file(s, optarg, why))
            return false;
    }
    if (optind < argc) {
        buf_printf(why, "\"%s\": there are only options; see --help",
                   argv[optind]);
        return false;
    }
    optind = 1;
    while ((code = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (!take_option(s, code, why))
            return false;
    }
    return settings_check(s, why);
}

/* ---- start ---- */

static void
raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool
open_root(struct origin *origin, struct buf *why)
{
    const char *root = origin->settings->root;

    origin->root_fd = open(root, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (origin->root_fd < 0) {
        buf_printf(why, "cannot open the root \"%s\": %s", root,
                   strerror(errno));
        return false;
    }
    int probe = path_open(origin->root_fd, "", O_PATH | O_DIRECTORY);

    if (probe < 0) {
        buf_printf(why,
                   "cannot look beneath the root: openat2: %s; Linux 5.6 "
                   "or later is needed, and no filter that forbids it",
                   strerror(errno));
        return false;
    }
    close(probe);
    return true;
}

static bool
listen_on(struct origin *origin, const struct settings_listen *listen,
          struct buf *why)
{
    bool v6 = strchr(listen->host, ':') != NULL;
    unsigned port = listen->port;

    if (!server_listen(origin->server, listen->name, listen->host, &port, why))
        return false;
    printf("listening %s %s%s%s:%u\n", listen->name, v6 ? "[" : "",
           listen->host, v6 ? "]" : "", port);
    return true;
}

static bool
start(struct origin *origin, struct buf *why)
{
    const struct settings *s = origin->settings;
    const struct server_options server = {.loop = origin->loop,
                                          .idle_timeout_s = s->idle_timeout_s,
                                          .handler = origin_handle,
                                          .app = origin};

    if (!open_root(origin, why))
        return false;
    origin->announcer = announce_new(origin->loop, s, origin->root_fd);
    origin->server = server_new(&server);
    if (origin->server == NULL) {
        buf_add_text(why, "the server did not start");
        return false;
    }
    if (s->watch && (origin->watch = watch_new(origin)) == NULL) {
        buf_add_text(why, "the root cannot be watched");
        return false;
    }
    for (size_t i = 0; i < s->listen_count; i++) {
        if (!listen_on(origin, &s->listens[i], why))
            return false;
    }
    if (s->control.host != NULL && !listen_on(origin, &s->control, why))
        return false;
    puts("ready");
    fflush(stdout);
    return true;
}

/* ---- end ---- */

static void
on_stopped(void *arg)
{
    struct origin *origin = arg;

    loop_stop(origin->loop);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct origin *origin = handle->data;

    (void)number;
    server_stop(origin->server, STOP_MS, on_stopped, origin);
}

static void
stop(struct origin *origin)
{
    server_free(&origin->server);
    watch_free(&origin->watch);
    announce_free(&origin->announcer);
    counts_free(&origin->paths);
    counts_free(&origin->named);
    if (origin->root_fd >= 0)
        close(origin->root_fd);
}

static void
run(struct origin *origin)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    uv_signal_t signals[ARRAY_LEN(numbers)];

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        CHECK(uv_signal_init(loop_uv(origin->loop), &signals[i]) == 0);
        signals[i].data = origin;
        CHECK(uv_signal_start(&signals[i], on_signal, numbers[i]) == 0);
    }
    loop_run(origin->loop);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    /* The handles live on this stack. */
    uv_run(loop_uv(origin->loop), UV_RUN_NOWAIT);
}

int
main(int argc, char **argv)
{
    struct settings settings = {0};
    struct origin origin = {.settings = &settings, .root_fd = -1};
    struct buf why = {0};
    int result = 0;

    if (!read_command_line(argc, argv, &settings, &why)) {
        fprintf(stderr, "atlas-origin: %s\n", why.data);
        buf_fini(&why);
        settings_fini(&settings);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_limit();
    secret_init();
    log_set_name("atlas-origin");
    origin.loop = loop_new();
    origin.paths = counts_new();
    origin.named = counts_new();
    if (start(&origin, &why)) {
        run(&origin);
    } else {
        fprintf(stderr, "atlas-origin: %s\n", why.data);
        result = 1;
    }
    stop(&origin);
    loop_free(&origin.loop);
    settings_fini(&settings);
    buf_fini(&why);
    return result;
}
