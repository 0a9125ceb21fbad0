#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "origin.h"

static void
write_conf(const struct node *node, const char *conf)
{
    char path[600];
    FILE *file;

    snprintf(path, sizeof(path), "%s.new", node->conf_path);
    file = fopen(path, "w");
    CHECK(file != NULL && fputs(conf, file) >= 0 && fclose(file) == 0);
    CHECK(rename(path, node->conf_path) == 0);
}

/* The whole of its standard error; the caller frees it. */
static char *
read_errors(const struct node *node)
{
    size_t size = 0;
    char *text = NULL;
    FILE *file = fopen(node->err_path, "r");
    FILE *copy = open_memstream(&text, &size);
    char block[4096];
    size_t n;

    CHECK(copy != NULL);
    while (file != NULL && (n = fread(block, 1, sizeof(block), file)) > 0)
        fwrite(block, 1, n, copy);
    if (file != NULL)
        fclose(file);
    fclose(copy);
    return text;
}

size_t
node_said(const struct node *node, const char *text)
{
    char *all = read_errors(node);
    size_t count = 0;

    for (const char *at = all; (at = strstr(at, text)) != NULL; at++)
        count++;
    free(all);
    return count;
}

static void
child(const struct node *node, const char *program)
{
    int err = open(node->err_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(err, STDERR_FILENO);
    dup2(err, STDOUT_FILENO);
    execl(program, program, "-c", node->conf_path, (char *)NULL);
    dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
    _exit(127);
}

/* Ready, and on which port; 0 while it is not. */
static int
ready_port(const struct node *node)
{
    static const char mark[] = "listening on http://127.0.0.1:";
    char *all = read_errors(node);
    const char *at = strstr(all, mark);
    int port = at != NULL && strstr(at, " is ready") != NULL
                   ? atoi(at + sizeof(mark) - 1)
                   : 0;

    free(all);
    return port;
}

bool
node_start(struct node *node, const char *program, const char *work,
           const char *name, const char *conf)
{
    uint64_t deadline = clock_boot_ns() + 30 * NS_PER_S;
    int status;

    snprintf(node->conf_path, sizeof(node->conf_path), "%s/%s.json", work,
             name);
    snprintf(node->err_path, sizeof(node->err_path), "%s/%s.err", work, name);
    unlink(node->err_path);
    write_conf(node, conf);
    node->pid = fork();
    CHECK(node->pid >= 0);
    if (node->pid == 0)
        child(node, program);
    while ((node->port = ready_port(node)) == 0) {
        if (waitpid(node->pid, &status, WNOHANG) == node->pid ||
            clock_boot_ns() > deadline) {
            fprintf(stderr, "driver: %s is not ready; see %s\n", name,
                    node->err_path);
            return false;
        }
        load_sleep_us(20000);
    }
    return true;
}

void
node_reload(const struct node *node, const char *conf)
{
    write_conf(node, conf);
    kill(node->pid, SIGHUP);
}

void
node_term(const struct node *node)
{
    kill(node->pid, SIGTERM);
}

int
node_wait(struct node *node, unsigned seconds)
{
    uint64_t deadline = clock_boot_ns() + seconds * NS_PER_S;
    pid_t pid = node->pid;
    int status = 0;

    node->pid = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_boot_ns() > deadline) {
            fprintf(stderr, "driver: it does not end; see %s\n",
                    node->err_path);
            kill(pid, SIGABRT);
            load_sleep_us(500000);
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        load_sleep_us(20000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
