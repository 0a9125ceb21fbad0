/* The programs of the lab: started, killed, stopped, and asked whether they
 * answer. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "injector.h"

#define PORT 8080 /* of nodes and the origin */
#define ADMIN_PORT 9080
#define REDIS_PORT 6379
#define ANSWER_MS 200
#define PROBE_US 20000
#define END_MS 15000
#define ANSWER_BYTES 8192

/* ---- starting ---- */

/* The file through which the program's wall clock is set, and its page. */
static int64_t *
open_clock(const char *path)
{
    static const int64_t zero;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK(file >= 0 && write(file, &zero, sizeof(zero)) == sizeof(zero));
    void *page =
        mmap(NULL, sizeof(zero), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    CHECK(page != MAP_FAILED);
    close(file);
    return page;
}

_Noreturn static void
become(struct injector *lab, const struct process *process)
{
    const struct place *place = process->place;
    char *script = mem_printf("%s/%s.start", lab->dir, place->name);
    char *log = mem_printf("%s/%s.log", lab->dir, place->name);
    char *clock = mem_printf("%s/%s.clock", lab->dir, place->name);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
        !place_enter(place)) {
        fprintf(stderr, "injector: %s: %s\n", place->name, strerror(errno));
        _exit(127);
    }
    setenv("WAN_CLOCK", clock, 1);
    if (process->replica_of < PLACES_MAX)
        setenv("REPLICA_OF", lab->places.list[process->replica_of].address, 1);
    else
        unsetenv("REPLICA_OF");
    execl("/bin/sh", "sh", script, (char *)NULL);
    _exit(127);
}

void
process_start(struct injector *lab, size_t index)
{
    struct process *process = &lab->processes[index];

    CHECK(process->state == PROCESS_DOWN);
    if (process->clock_ns == NULL) {
        char *path = mem_printf("%s/%s.clock", lab->dir, process->place->name);

        process->clock_ns = open_clock(path);
        free(path);
    }
    fflush(NULL);
    process->pid = fork();
    CHECK(process->pid >= 0);
    if (process->pid == 0)
        become(lab, process);
    process->state = PROCESS_STARTING;
    process->start_us = history_now_us();
    process->probe_us = process->start_us;
}

void
process_set_clock(struct injector *lab, size_t index, int64_t off_ns)
{
    __atomic_store_n(lab->processes[index].clock_ns, off_ns, __ATOMIC_RELAXED);
}

/* ---- ending ---- */

void
process_kill(struct injector *lab, size_t index)
{
    struct process *process = &lab->processes[index];

    if (process->state == PROCESS_DOWN)
        return;
    kill(process->pid, SIGKILL);
    CHECK(waitpid(process->pid, NULL, 0) == process->pid);
    process->state = PROCESS_DOWN;
}

void
process_wipe(struct injector *lab, size_t index)
{
    char *command = mem_printf("rm -rf '%s/%s.data'", lab->dir,
                               lab->processes[index].place->name);

    CHECK(system(command) == 0);
    free(command);
}

void
process_signal(struct injector *lab, size_t index, int number)
{
    struct process *process = &lab->processes[index];

    if (process->state != PROCESS_DOWN)
        kill(process->pid, number);
}

bool
process_end(struct injector *lab, size_t index)
{
    struct process *process = &lab->processes[index];
    int status;

    if (process->state == PROCESS_DOWN)
        return true;
    kill(process->pid, SIGTERM);
    for (int ms = 0; ms < END_MS; ms += 10) {
        if (waitpid(process->pid, &status, WNOHANG) == process->pid) {
            process->state = PROCESS_DOWN;
            if (status == 0)
                return true;
            fprintf(stderr, "injector: %s ended with status %d\n",
                    process->place->name, status);
            return false;
        }
        usleep(10000);
    }
    fprintf(stderr, "injector: %s does not end\n", process->place->name);
    process_kill(lab, index);
    return false;
}

/* ---- asking ---- */

static bool
ready(int fd, short events, uint64_t until_us)
{
    struct pollfd waiting = {.fd = fd, .events = events};
    uint64_t now = history_now_us();
    int ms = now < until_us ? (int)((until_us - now) / 1000) + 1 : 0;

    return poll(&waiting, 1, ms) == 1;
}

bool
process_exchange(struct injector *lab, size_t index, unsigned port,
                 const char *text, struct buf *answer)
{
    uint64_t until = history_now_us() + ANSWER_MS * 1000;
    int fd = place_connect(&lab->places, lab->processes[index].place, port);
    bool any = false;

    if (fd < 0)
        return false;
    if (ready(fd, POLLOUT, until) &&
        send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text)) {
        while (!any && ready(fd, POLLIN, until)) {
            buf_reserve(answer, ANSWER_BYTES);
            ssize_t len =
                recv(fd, answer->data + answer->len, ANSWER_BYTES - 1, 0);

            if (len <= 0)
                break;
            answer->len += (size_t)len;
            answer->data[answer->len] = '\0';
            any = true;
        }
    }
    close(fd);
    return any;
}

static bool
says(struct injector *lab, size_t index, unsigned port, const char *text,
     const char *want)
{
    struct buf answer = {0};
    bool good = process_exchange(lab, index, port, text, &answer) &&
                strstr(answer.data, want) != NULL;

    buf_fini(&answer);
    return good;
}

#define GET(path)                                                              \
    "GET " path " HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"

static bool
answers(struct injector *lab, size_t index)
{
    const struct process *process = &lab->processes[index];

    switch (process->place->role) {
    case PLACE_NODE:
        return says(lab, index, PORT, GET("/"), "HTTP/1.1 ") &&
               says(lab, index, ADMIN_PORT, GET("/health/live"),
                    "HTTP/1.1 200");
    case PLACE_REDIS:
        if (process->replica_of < PLACES_MAX)
            return says(lab, index, REDIS_PORT, "INFO replication\r\n",
                        "master_link_status:up");
        return says(lab, index, REDIS_PORT, "PING\r\n", "+PONG");
    case PLACE_ORIGIN:
        return says(lab, index, PORT, GET("/"), "HTTP/1.1 ");
    case PLACE_ROLES:
        break;
    }
    return false;
}

bool
process_in_sync(struct injector *lab)
{
    for (size_t i = 0; i < lab->places.count; i++) {
        if (lab->places.list[i].role == PLACE_NODE &&
            !says(lab, i, ADMIN_PORT, GET("/health/sync"), "HTTP/1.1 200"))
            return false;
    }
    return true;
}

/* ---- looking ---- */

/* Nobody told it to end: a line of its own, and it is started again. */
static void
crashed(struct injector *lab, size_t index, int status)
{
    struct process *process = &lab->processes[index];
    struct history_line line = {
        .kind = HISTORY_FAULT,
        .begin = history_now_us(),
        .what = SPAN("crash"),
        .on = span_of(process->place->name),
    };
    struct buf out = {0};

    fprintf(stderr, "injector: %s ended by itself, status %d; see %s/%s.log\n",
            process->place->name, status, lab->dir, process->place->name);
    lab->crashes++;
    process->state = PROCESS_DOWN;
    history_format(&line, &out);
    fputs(out.data, lab->out);
    buf_fini(&out);
    process_start(lab, index);
}

void
process_look(struct injector *lab)
{
    uint64_t now = history_now_us();

    for (size_t i = 0; i < lab->places.count; i++) {
        struct process *process = &lab->processes[i];
        int status;

        if (process->state == PROCESS_DOWN)
            continue;
        if (waitpid(process->pid, &status, WNOHANG) == process->pid) {
            crashed(lab, i, status);
            continue;
        }
        if (process->state == PROCESS_STARTING && now >= process->probe_us) {
            if (answers(lab, i))
                process->state = PROCESS_UP;
            process->probe_us = now + PROBE_US;
        }
    }
}
