#include "bus_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "base/log.h"

/* What to do about an error, by how its text begins. */
static const char *
remedy(const char *why)
{
    static const struct {
        const char *begin;
        const char *what;
    } table[] = {
        {"OOM", "raise its maxmemory, or give it to Atlas alone"},
        {"ATLASPOLICY", "set maxmemory-policy noeviction there"},
        {"ATLASTYPE", "another program uses our keys: delete that key, or "
                      "give Atlas a Redis of its own"},
        {"ATLASMIXED", "its hash was lost: delete both keys to begin anew"},
        {"ATLASFULL", "another program wrote to the stream: delete that key"},
        {"ATLASSITES", "give this node the sites and the sites_generation that "
                       "the others have"},
        {"ATLASINFO", "it must be Redis 5 or later, and allow INFO"},
        {"WRONGTYPE", "another program uses our keys: delete that key, or "
                      "give Atlas a Redis of its own"},
        {"NOAUTH", "Atlas sends no password: let its user `default` in "
                   "without one, on a trusted network"},
        {"NOPERM", "let its user `default` use scripts, streams and pub/sub"},
        {"LOADING", "it reads its data from disk; Atlas tries again"},
        {"READONLY", "it is a replica: configure the primary's address"},
        {"MASTERDOWN", "it is a replica: configure the primary's address"},
        {"MISCONF", "it cannot write to its disk: make room there"},
        {"BUSY", "a script of another program blocks it: end that script"},
        {"ERR max number", "raise its maxclients"},
        {"ERR", "it must be Redis 5 or later, with scripts allowed"},
        {"no connection", "start it, or correct `redis` of this site in the "
                          "configuration; Atlas tries again"},
        {"its name", "correct `redis` of this site in the configuration, or "
                     "the name service; Atlas tries again"},
        {"it does not answer", "look at its load and at the network; Atlas "
                               "tries again"},
        {"it does not speak", "something else listens there: correct `redis` "
                              "of this site in the configuration"},
        {"it has", "bring its replicas back, or correct `replicas` of this "
                   "site in the configuration"},
        {"a push", "another program publishes on our channel: stop it"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strncmp(why, table[i].begin, strlen(table[i].begin)) == 0)
            return table[i].what;
    }
    return "Atlas tries again";
}

static const char *
effect(unsigned place)
{
    switch (place) {
    case SCRIPT_PUBLISH:
        return "cannot publish invalidations: ";
    case SCRIPT_SYNC:
        return "cannot read invalidations: ";
    case SCRIPT_ANNOUNCE:
        return "cannot read the node table: ";
    case SCRIPT_RENEW:
        return "cannot renew the lease: ";
    case SCRIPT_ACK:
        return "cannot acknowledge invalidations: ";
    case SCRIPT_WATCH:
    case SCRIPT_FORGET:
        return "cannot read who holds a lease: ";
    case SCRIPT_MARK:
    case TROUBLE_REPLICAS:
        return "no lease, and no acknowledged purge: ";
    case TROUBLE_PUSHES:
        return "invalidations arrive only with the poll: ";
    default:
        return "";
    }
}

void
bus_trouble(struct bus *bus, unsigned place, const char *why)
{
    char *now = bus->trouble[place];

    counter_add(COUNTER_REDIS_ERROR, 1);
    if (strncmp(now, why, BUS_WHY - 1) == 0)
        return;
    snprintf(now, BUS_WHY, "%s", why);
    LOG(LOG_WARN, "redis of site %s (%s:%u): %s%s; %s", bus->site, bus->host,
        bus->port, effect(place), why, remedy(why));
}

void
bus_trouble_end(struct bus *bus, unsigned place)
{
    if (bus->trouble[place][0] == '\0')
        return;
    LOG(LOG_INFO, "redis of site %s (%s:%u): no longer: %s%s", bus->site,
        bus->host, bus->port, effect(place), bus->trouble[place]);
    bus->trouble[place][0] = '\0';
}

const char *
bus_error(const struct bus *bus)
{
    if (bus->trouble[TROUBLE_COMMANDS][0] != '\0')
        return bus->trouble[TROUBLE_COMMANDS];
    for (unsigned i = 0; i < TROUBLE_COUNT; i++) {
        if (bus->trouble[i][0] != '\0')
            return bus->trouble[i];
    }
    return "";
}
