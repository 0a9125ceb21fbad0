/* atlasctl, the operator's tool: the command line. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/check.h"
#include "base/mem.h"
#include "ctl_internal.h"
#include "version.h"

#define ADMIN_DEFAULT "http://127.0.0.1:9080"
#define TOKEN_MAX 4096

static const char usage[] =
    "usage: atlasctl [options] COMMAND\n"
    "\n"
    "Commands:\n"
    "  purge URL...         what is stored under these URLs is no longer "
    "valid\n"
    "        --prefix URL   likewise all that begins with this URL\n"
    "        --host HOST    likewise all of a host (host or host:port)\n"
    "        --tag TAG      likewise all that carries this tag "
    "(Surrogate-Key,\n"
    "                       Cache-Tag, Cache-Groups)\n"
    "        --group GROUP@HOST\n"
    "                       likewise what is in this group of a host "
    "(Cache-Groups)\n"
    "        --all          likewise everything\n"
    "        --soft         only stale: it may be served while it is "
    "validated\n"
    "        --wait WHO     until all nodes have acknowledged it (\"all\"), or "
    "those\n"
    "                       of the site (\"site\")\n"
    "        --once KEY     sent again with this key, it counts once\n"
    "  status               the node, its streams, peers, store and origins\n"
    "        --json         as the node gives it\n"
    "  explain URL          what would be decided for a request, and why\n"
    "        -H 'NAME: V'   a header field of the request; any number\n"
    "        -X METHOD      its method; GET by default\n"
    "        --json         as the node gives it\n"
    "  check FILE           whether a configuration file is right\n"
    "\n"
    "Options:\n"
    "  --admin URL          the admin listener of the node; else "
    "$ATLAS_ADMIN,\n"
    "                       else " ADMIN_DEFAULT "\n"
    "  --token TOKEN        the admin token, for purge; else that in\n"
    "  --token-file FILE    FILE, else $ATLAS_TOKEN\n"
    "  --version, --help\n"
    "\n"
    "Exit status:\n"
    "  0  done\n"
    "  1  not done: a purge that other nodes may not know of; FILE is wrong\n"
    "  2  the command line is wrong\n"
    "  3  the node cannot be reached\n"
    "  4  the node refused: the token, or what was asked\n";

void
ctl_say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("atlasctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- the commands ---- */

struct command {
    const char *name;
    enum ctl_exit (*run)(const struct ctl *ctl);
    const char *options; /* that belong to it, as letters of `options` */
};

static const struct command commands[] = {
    {"purge", cmd_purge, "phgGaswo"},
    {"status", cmd_status, "j"},
    {"explain", cmd_explain, "HXj"},
    {"check", cmd_check, ""},
};

static const struct option options[] = {
    {"admin", required_argument, NULL, 'A'},
    {"token", required_argument, NULL, 'T'},
    {"token-file", required_argument, NULL, 'F'},
    {"prefix", required_argument, NULL, 'p'},
    {"host", required_argument, NULL, 'h'},
    {"tag", required_argument, NULL, 'g'},
    {"group", required_argument, NULL, 'G'},
    {"all", no_argument, NULL, 'a'},
    {"soft", no_argument, NULL, 's'},
    {"wait", required_argument, NULL, 'w'},
    {"once", required_argument, NULL, 'o'},
    {"header", required_argument, NULL, 'H'},
    {"method", required_argument, NULL, 'X'},
    {"json", no_argument, NULL, 'j'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, '?' + 128},
    {0},
};

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static const char *
option_name(int letter)
{
    for (size_t i = 0; options[i].name != NULL; i++) {
        if (options[i].val == letter)
            return options[i].name;
    }
    return "?";
}

/* ---- the token and the address ---- */

static char *
read_token(const char *path)
{
    char text[TOKEN_MAX];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        ctl_say("--token-file %s: %s", path, strerror(errno));
        return NULL;
    }
    size_t len = fread(text, 1, sizeof(text), file);

    fclose(file);
    struct span token = {text, len};

    while (token.len > 0 && strchr(" \t\r\n", token.ptr[token.len - 1]))
        token.len--;
    if (token.len > 0 && len < sizeof(text))
        return mem_strndup(token.ptr, token.len);
    ctl_say("--token-file %s: %s", path,
            token.len == 0 ? "it is empty" : "too long for a token");
    return NULL;
}

/* "host:port" and a slash at the end are taken too. */
static char *
admin_url(const char *given)
{
    const char *env = getenv("ATLAS_ADMIN");

    if (given == NULL)
        given = env != NULL && env[0] != '\0' ? env : ADMIN_DEFAULT;
    char *url = strstr(given, "://") != NULL ? mem_strdup(given)
                                             : mem_printf("http://%s", given);
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        url[--len] = '\0';
    return url;
}

/* ---- the command line ---- */

struct line {
    struct ctl ctl;
    size_t target_cap;
    size_t header_cap;
    const char *admin;
    char given[32]; /* the letters of the commands' options that were given */
    size_t given_count;
    enum { GO_ON, END_WELL, END_BADLY } then;
};

static void
add_target(struct line *line, const char *kind, const char *text)
{
    MEM_GROW(line->ctl.targets, line->ctl.target_count, line->target_cap);
    line->ctl.targets[line->ctl.target_count++] =
        (struct ctl_target){kind, text};
}

static void
take_own_token(struct line *line, char *token)
{
    free(line->ctl.token);
    line->ctl.token = token;
    if (token == NULL)
        line->then = END_BADLY;
}

/* Options of all commands; false when it is none of them. */
static bool
take_common(struct line *line, int letter)
{
    switch (letter) {
    case 'A':
        line->admin = optarg;
        return true;
    case 'T':
        take_own_token(line, mem_strdup(optarg));
        return true;
    case 'F':
        take_own_token(line, read_token(optarg));
        return true;
    case 'V':
        puts("atlasctl " ATLAS_VERSION);
        line->then = END_WELL;
        return true;
    case '?' + 128:
        fputs(usage, stdout);
        line->then = END_WELL;
        return true;
    case '?':
        line->then = END_BADLY;
        return true;
    default:
        return false;
    }
}

static void
take_option(struct line *line, int letter)
{
    struct ctl *ctl = &line->ctl;

    if (take_common(line, letter))
        return;
    if (strchr(line->given, letter) == NULL)
        line->given[line->given_count++] = (char)letter;
    switch (letter) {
    case 'p':
        add_target(line, "prefix", optarg);
        break;
    case 'h':
        add_target(line, "host", optarg);
        break;
    case 'g':
        add_target(line, "tag", optarg);
        break;
    case 'G':
        add_target(line, "group", optarg);
        break;
    case 'a':
        add_target(line, "all", NULL);
        break;
    case 's':
        ctl->soft = true;
        break;
    case 'w':
        ctl->wait = optarg;
        break;
    case 'o':
        ctl->once = optarg;
        break;
    case 'X':
        ctl->method = optarg;
        break;
    case 'j':
        ctl->json = true;
        break;
    case 'H':
        MEM_GROW(ctl->headers, ctl->header_count, line->header_cap);
        ctl->headers[ctl->header_count++] = optarg;
        break;
    default:
        CHECK(!"an option that nobody takes");
    }
}

static void
read_line(struct line *line, int argc, char **argv)
{
    int letter;

    while (line->then == GO_ON &&
           (letter = getopt_long(argc, argv, "H:X:", options, NULL)) != -1)
        take_option(line, letter);
    line->ctl.words = argv + optind;
    line->ctl.word_count = (size_t)(argc - optind);
}

static const struct command *
take_command(struct line *line)
{
    struct ctl *ctl = &line->ctl;

    if (ctl->word_count == 0) {
        fputs(usage, stderr);
        return NULL;
    }
    const struct command *command = find_command(ctl->words[0]);

    if (command == NULL) {
        ctl_say("there is no command \"%s\"; the commands are purge, status, "
                "explain and check (atlasctl --help)",
                ctl->words[0]);
        return NULL;
    }
    for (size_t i = 0; i < line->given_count; i++) {
        if (strchr(command->options, line->given[i]) == NULL) {
            ctl_say("%s takes no --%s (atlasctl --help)", command->name,
                    option_name(line->given[i]));
            return NULL;
        }
    }
    ctl->words++;
    ctl->word_count--;
    return command;
}

static enum ctl_exit
run(struct line *line)
{
    const struct command *command = take_command(line);
    const char *env = getenv("ATLAS_TOKEN");

    if (command == NULL)
        return CTL_USAGE;
    if (line->ctl.token == NULL && env != NULL && env[0] != '\0')
        line->ctl.token = mem_strdup(env);
    char *admin = admin_url(line->admin);

    line->ctl.admin = admin;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    enum ctl_exit status = command->run(&line->ctl);

    curl_global_cleanup();
    free(admin);
    return status;
}

int
main(int argc, char **argv)
{
    struct line line = {.ctl = {.method = "GET"}};
    enum ctl_exit status = CTL_DONE;

    read_line(&line, argc, argv);
    if (line.then == END_BADLY)
        status = CTL_USAGE;
    else if (line.then == GO_ON)
        status = run(&line);
    free(line.ctl.token);
    free(line.ctl.targets);
    free(line.ctl.headers);
    return (int)status;
}
