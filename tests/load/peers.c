/*
 * Two nodes of one site and its Redis: misses go from one to the other, and a
 * purge at either is read from the stream by both. What must hold: once a
 * purge was answered 200, the node that answered never gives an older version,
 * wherever it gets its copies from.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "driver.h"

#define NODES 2
#define KEYS 32
#define PURGERS 4
#define REDIS_SECONDS 10

static struct node nodes[NODES];
/* By node and key: what is older was purged away there. */
static _Atomic uint64_t purged[NODES][KEYS];

/* A port that is free now, and most likely will be in a moment. */
static int
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool
answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return good;
}

/* Its pid, or 0 when there is no redis-server. */
static pid_t
start_redis(int port)
{
    uint64_t deadline = clock_boot_ns() + REDIS_SECONDS * NS_PER_S;
    char text[16];
    pid_t pid;

    snprintf(text, sizeof(text), "%d", port);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        int nowhere = open("/dev/null", O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port",
               text, "--save", "", "--appendonly", "no", (char *)NULL);
        _exit(127);
    }
    while (!answers(port)) {
        if (waitpid(pid, NULL, WNOHANG) == pid || clock_boot_ns() > deadline)
            return 0;
        load_sleep_us(20000);
    }
    return pid;
}

static void
start_node(size_t index, int redis)
{
    struct buf conf = {0};
    char name[16];

    snprintf(name, sizeof(name), "peers-%zu", index);
    buf_printf(
        &conf,
        "{\"node\": \"%s\", \"site\": \"here\", \"listen\": [\"127.0.0.1:%d\"],"
        "\"workers\": 2, \"memory\": \"64MiB\", \"secret\": \"load-secret-that-"
        "is-long\", \"access_log\": \"\",\n"
        "\"sites\": [{\"name\": \"here\", \"redis\": \"127.0.0.1:%d\"}],\n"
        "\"admin\": {\"listen\": \"127.0.0.1:0\", \"token\": \"" LOAD_TOKEN
        "\"},\n"
        "\"limits\": {\"drain_timeout\": \"2s\"},\n"
        "\"origins\": {\"web\": {\"servers\": [\"http://127.0.0.1:%d\"]}},\n"
        "\"routes\": [{\"name\": \"strict\", \"origin\": \"web\", \"match\": "
        "{\"path\": \"/cp/*\"}, \"consistency\": \"cp\"},\n"
        "{\"name\": \"all\", \"origin\": \"web\", \"purge\": true}]}\n",
        name, free_port(), redis, load.origin_port);
    if (!node_start(&nodes[index], load.program, load.work, name, conf.data))
        exit(EXIT_FAILURE);
    buf_fini(&conf);
}

static size_t
node_of(const struct thread *thread)
{
    return thread->client.port == nodes[0].port ? 0 : 1;
}

static void
read_step(struct thread *thread)
{
    struct client *c = &thread->client;
    bool strict = load_random(8) == 0;
    size_t key = load_random(KEYS);
    uint64_t least = strict ? origin_version(key)
                            : atomic_load(&purged[node_of(thread)][key]);
    char target[64];

    snprintf(target, sizeof(target), "/%s/%zu?hold=3000", strict ? "cp" : "k",
             key);
    int status = client_ask(c, "GET", target, "");

    if (status != 200)
        driver_fail(thread, target, status);
    else if (c->version < least)
        driver_backwards(target, c->version, least);
}

/* Every key has one purger, which goes to one node and then to the other. */
static void
purge_step(struct thread *thread)
{
    size_t key = load_random(KEYS / PURGERS) * PURGERS + thread->index;
    uint64_t version = origin_bump(key);
    char target[64];

    thread->client.port = nodes[thread->client.requests / 8 % NODES].port;
    if (thread->client.requests % 8 == 0)
        client_close(&thread->client);
    snprintf(target, sizeof(target), "/k/%zu?hold=3000", key);
    int status = client_ask(&thread->client, "PURGE", target,
                            "Authorization: Bearer " LOAD_TOKEN "\r\n");

    if (status == 200)
        atomic_store(&purged[node_of(thread)][key], version);
    else if (status != 202) /* published, but not read back in time */
        driver_fail(thread, target, status);
    load_sleep_us(load_random(20000));
}

/* Until both nodes read the stream: a purge is answered 200. */
static bool
wait_for_sync(void)
{
    uint64_t deadline = clock_boot_ns() + REDIS_SECONDS * NS_PER_S;

    for (size_t i = 0; i < NODES; i++) {
        struct client client = {.port = nodes[i].port, .fd = -1};

        while (client_ask(&client, "PURGE", "/k/0",
                          "Authorization: Bearer " LOAD_TOKEN "\r\n") != 200) {
            if (clock_boot_ns() > deadline)
                return false;
            load_sleep_us(50000);
        }
        client_close(&client);
    }
    return true;
}

void
scenario_peers(void)
{
    int port = free_port();
    pid_t redis = start_redis(port);

    if (redis == 0) {
        fprintf(stderr, "driver: no redis-server: peers were not tested\n");
        return;
    }
    for (size_t i = 0; i < NODES; i++)
        start_node(i, port);
    if (wait_for_sync()) {
        for (size_t i = 0; i < NODES; i++)
            driver_threads(12, &nodes[i], read_step);
        driver_threads(PURGERS, &nodes[0], purge_step);
        driver_run();
        driver_join();
    } else {
        load.why = "the nodes do not read the stream";
    }
    for (size_t i = 0; i < NODES; i++)
        driver_stop(&nodes[i]);
    kill(redis, SIGTERM);
    waitpid(redis, NULL, 0);
}
