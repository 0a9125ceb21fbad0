#include "place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

static const char *const roles[PLACE_ROLES] = {
    [PLACE_NODE] = "node",
    [PLACE_REDIS] = "redis",
    [PLACE_ORIGIN] = "origin",
};

const char *
place_role_name(enum place_role role)
{
    CHECK((unsigned)role < PLACE_ROLES);
    return roles[role];
}

/* ---- reading ---- */

_Noreturn static void
fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, strerror(errno));
    exit(2);
}

static bool
read_place(struct places *places, const char *line)
{
    struct place *place = &places->list[places->count];
    char role[16];
    char path[64];

    if (places->count == PLACES_MAX ||
        sscanf(line, "place %23s %15s %23s %23s %u", place->name, role,
               place->site, place->address, &place->shared) != 5)
        return false;
    for (int i = 0; i < PLACE_ROLES; i++) {
        if (strcmp(role, roles[i]) != 0)
            continue;
        place->role = (enum place_role)i;
        snprintf(path, sizeof(path), "/run/netns/%s", place->name);
        place->netns = open(path, O_RDONLY | O_CLOEXEC);
        if (place->netns < 0)
            fail(path, "cannot open it");
        places->count++;
        return true;
    }
    return false;
}

static bool
read_delay(struct places *places, const char *line)
{
    struct place_delay *delay = &places->delays[places->delay_count];

    if (places->delay_count == PLACE_DELAYS ||
        sscanf(line, "delay %23s %23s %u", delay->from, delay->to,
               &delay->us) != 3)
        return false;
    places->delay_count++;
    return true;
}

void
places_read(struct places *places, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[256];

    if (file == NULL)
        fail(path, "cannot open it");
    *places = (struct places){
        .home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
    errno = EINVAL;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (!read_place(places, line) && !read_delay(places, line))
            fail(path, line);
    }
    fclose(file);
}

/* ---- links ---- */

unsigned
place_delay_us(const struct places *places, const struct place *a,
               const struct place *b)
{
    for (size_t i = 0; i < places->delay_count; i++) {
        const struct place_delay *d = &places->delays[i];

        if ((strcmp(d->from, a->site) == 0 && strcmp(d->to, b->site) == 0) ||
            (strcmp(d->from, b->site) == 0 && strcmp(d->to, a->site) == 0))
            return d->us;
    }
    return 0;
}

/* ---- sockets ---- */

bool
place_enter(const struct place *place)
{
    return setns(place->netns, CLONE_NEWNET) == 0;
}

int
place_socket(const struct places *places, const struct place *place)
{
    int one = 1;

    if (!place_enter(place))
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = errno;

    CHECK(setns(places->home, CLONE_NEWNET) == 0);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    errno = error;
    return fd;
}

int
place_connect(const struct places *places, const struct place *place,
              unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    int fd = place_socket(places, place);

    if (fd < 0)
        return -1;
    if (inet_pton(AF_INET, place->address, &to.sin_addr) == 1 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
        (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ||
         errno == EINPROGRESS))
        return fd;
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}
