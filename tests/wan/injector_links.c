/* The links: what the relay is told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "injector.h"

#define LAN_US 150      /* one way within a site */
#define WAN_LOSS 0.0005 /* of links between sites */
#define JITTER_DIVISOR 20

bool
links_open(struct injector *lab, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(strlen(path) < sizeof(address.sun_path));
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fprintf(stderr, "injector: %s: %s\n", path, strerror(errno));
        return false;
    }
    lab->relay = fdopen(fd, "r+");
    return true;
}

/* Sends a command. The lab cannot go on without its network. */
static void
tell(struct injector *lab, const char *command)
{
    char line[256] = "";

    fputs(command, lab->relay);
    fflush(lab->relay);
    if (fgets(line, sizeof(line), lab->relay) != NULL &&
        strcmp(line, "ok\n") == 0)
        return;
    fprintf(stderr, "injector: %s the relay says %s\n", command, line);
    exit(2);
}

static const char *
name(const struct injector *lab, size_t index)
{
    return lab->places.list[index].name;
}

static bool
same_site(const struct injector *lab, const struct pair *pair)
{
    return strcmp(lab->places.list[pair->from].site,
                  lab->places.list[pair->to].site) == 0;
}

static void
set(struct injector *lab, const struct pair *pair, double delay_times,
    double loss)
{
    unsigned us = place_delay_us(&lab->places, &lab->places.list[pair->from],
                                 &lab->places.list[pair->to]);
    bool lan = same_site(lab, pair);
    char command[256];

    us = (unsigned)((double)(lan ? LAN_US : us) * delay_times);
    if (loss <= 0)
        loss = lan ? 0 : WAN_LOSS;
    snprintf(command, sizeof(command),
             "link %s>%s delay=%uus jitter=%uus loss=%.3f%%\n",
             name(lab, pair->from), name(lab, pair->to), us,
             us / JITTER_DIVISOR, loss * 100);
    tell(lab, command);
}

void
links_reset(struct injector *lab, const struct pair *pair)
{
    set(lab, pair, 1, 0);
}

void
links_reset_all(struct injector *lab)
{
    for (size_t i = 0; i < lab->places.count; i++) {
        for (size_t k = 0; k < lab->places.count; k++) {
            struct pair pair = {(uint8_t)i, (uint8_t)k};

            if (i != k)
                links_reset(lab, &pair);
        }
    }
}

void
links_weather(struct injector *lab, const struct pair *pair, double delay_times,
              double loss)
{
    set(lab, pair, delay_times, loss);
}

static void
cut_or_heal(struct injector *lab, const struct pair *pair, const char *verb)
{
    char command[256];

    snprintf(command, sizeof(command), "%s %s>%s\n", verb,
             name(lab, pair->from), name(lab, pair->to));
    tell(lab, command);
}

void
links_cut(struct injector *lab, const struct pair *pair)
{
    if (lab->cuts[pair->from][pair->to]++ == 0)
        cut_or_heal(lab, pair, "cut");
}

void
links_heal(struct injector *lab, const struct pair *pair)
{
    CHECK(lab->cuts[pair->from][pair->to] > 0);
    if (--lab->cuts[pair->from][pair->to] == 0)
        cut_or_heal(lab, pair, "heal");
}

void
links_move(struct injector *lab, size_t index, const char *viewer)
{
    char command[256];

    snprintf(command, sizeof(command), "move %u %s %s\n",
             lab->places.list[index].shared, name(lab, index), viewer);
    tell(lab, command);
}
