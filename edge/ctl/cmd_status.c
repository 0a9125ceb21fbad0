/* The node's state as tables for people. */
#include <stdio.h>

#include "ctl_internal.h"
#include "grid_internal.h"

/* ---- numbers for people ---- */

#define TEXT 32

static const char *
bytes_text(char text[TEXT], long long bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(text, TEXT, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

static const char *
time_text(char text[TEXT], long long ms)
{
    long long s = ms / 1000;

    if (ms < 1000)
        snprintf(text, TEXT, "%lld ms", ms);
    else if (s < 100)
        snprintf(text, TEXT, "%lld.%lld s", s, ms % 1000 / 100);
    else if (s < 7200)
        snprintf(text, TEXT, "%lld min", s / 60);
    else if (s < 172800)
        snprintf(text, TEXT, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else
        snprintf(text, TEXT, "%lld days", s / 86400);
    return text;
}

/* ---- the node ---- */

static void
print_node(const json_t *s)
{
    char text[TEXT];

    printf("node %s of site %s, atlas-edge %s, up %s\n", call_text(s, "node"),
           call_text(s, "site"), call_text(s, "version"),
           time_text(text, call_number(s, "uptime_s") * 1000));
    printf("%s; %s; %lld connections\n\n",
           call_true(s, "draining") ? "draining: send users elsewhere"
                                    : "routable",
           call_true(s, "alone")     ? "works alone (no Redis is configured)"
           : call_true(s, "in_sync") ? "in sync with every site"
                                     : "NOT in sync (see the streams)",
           call_number(s, "connections"));
}

static void
print_requests(const json_t *s)
{
    static const char *const names[] = {"hit",       "stale", "revalidated",
                                        "collapsed", "peer",  "miss",
                                        "pass",      "error"};
    const json_t *requests = json_object_get(s, "requests");

    fputs("requests       ", stdout);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        printf("%s%s %lld", i > 0 ? ", " : "", names[i],
               call_number(requests, names[i]));
    putchar('\n');
}

static void
print_store(const json_t *s)
{
    const json_t *store = json_object_get(s, "store");
    const json_t *inval = json_object_get(s, "invalidations");
    char used[TEXT];
    char budget[TEXT];

    printf("store          %lld objects, %s of %s; %lld evicted, %lld without "
           "room\n",
           call_number(store, "objects"),
           bytes_text(used, call_number(store, "bytes")),
           bytes_text(budget, call_number(store, "budget")),
           call_number(store, "evictions"), call_number(store, "refusals"));
    printf("invalidations  %lld entries, %s; at %lld, floor at %lld\n",
           call_number(inval, "entries"),
           bytes_text(used, call_number(inval, "bytes")),
           call_number(inval, "sequence"), call_number(inval, "floor"));
}

static void
print_disk(const json_t *s)
{
    const json_t *disk = json_object_get(s, "disk");
    char used[TEXT];
    char budget[TEXT];

    if (!json_is_object(disk))
        return;
    printf("disk           %lld objects, %s of %s; %lld evicted, %lld damaged; "
           "%lld wait to be written%s%s\n",
           call_number(disk, "objects"),
           bytes_text(used, call_number(disk, "bytes")),
           bytes_text(budget, call_number(disk, "budget")),
           call_number(disk, "evictions"), call_number(disk, "damaged"),
           call_number(disk, "waiting"),
           call_true(disk, "answers") ? "" : "; waits for the streams",
           call_true(disk, "writes") ? "" : "; IS ONLY READ (see the log)");
}

/* ---- tables ---- */

static void
add_floors(struct grid *grid, const json_t *stream)
{
    const char *reason;
    json_t *count;
    struct buf text = {0};

    json_object_foreach(json_object_get(stream, "floors"), reason, count)
    {
        if (json_integer_value(count) > 0)
            buf_printf(&text, "%s%s %lld", text.len > 0 ? ", " : "", reason,
                       (long long)json_integer_value(count));
    }
    grid_cell(grid, "%s", text.len > 0 ? text.data : "-");
    buf_fini(&text);
}

static void
add_stream(struct grid *grid, const json_t *stream)
{
    const json_t *synced = json_object_get(stream, "synced_ago_ms");
    char text[TEXT];

    grid_row(grid, "");
    grid_cell(grid, "%s%s", call_text(stream, "site"),
              call_true(stream, "own") ? " (own)" : "");
    grid_cell(grid, "%s",
              call_true(stream, "connected") ? "connected" : "AWAY");
    grid_cell(grid, "%lld", call_number(stream, "n"));
    grid_cell(grid, "%lld", call_number(stream, "lag"));
    grid_cell(grid, "%s",
              synced != NULL
                  ? time_text(text, (long long)json_integer_value(synced))
                  : "never");
    grid_cell(grid, "%s",
              call_true(stream, "leased")  ? "held"
              : !call_true(stream, "safe") ? "NO REPLICA"
                                           : "-");
    grid_cell(grid, "%lld", call_number(stream, "applied"));
    add_floors(grid, stream);
}

static void
print_streams(const json_t *s)
{
    const json_t *list = json_object_get(s, "streams");
    struct grid grid = {0};
    const json_t *stream;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    grid_row(&grid,
             "STREAM|REDIS|POSITION|LAG|READ|LEASE|APPLIED|FLOORS RAISED");
    json_array_foreach(list, i, stream) add_stream(&grid, stream);
    putchar('\n');
    grid_print(&grid);
    json_array_foreach(list, i, stream)
    {
        if (call_text(stream, "error")[0] != '\0')
            printf("  %s: %s\n", call_text(stream, "site"),
                   call_text(stream, "error"));
    }
}

static void
add_peer(struct grid *grid, const json_t *peer)
{
    const json_t *age = json_object_get(peer, "digest_age_ms");
    char text[TEXT];

    grid_row(grid, "");
    grid_cell(grid, "%s", call_text(peer, "node"));
    grid_cell(grid, "%s", call_text(peer, "site"));
    grid_cell(grid, "%s%s", call_text(peer, "state"),
              call_true(peer, "orphaned") ? " (in no table)" : "");
    grid_cell(grid, "%s", time_text(text, call_number(peer, "since_ms")));
    grid_cell(grid, "%.1f ms", (double)call_number(peer, "rtt_us") / 1e3);
    grid_cell(grid, "%s",
              json_is_integer(age)
                  ? time_text(text, (long long)json_integer_value(age))
                  : "none");
    grid_cell(grid, "%s", call_text(peer, "url"));
}

static void
print_peers(const json_t *s)
{
    const json_t *list = json_object_get(s, "peers");
    struct grid grid = {0};
    const json_t *peer;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    grid_row(&grid, "PEER|SITE|STATE|SINCE|ROUND TRIP|DIGEST|URL");
    json_array_foreach(list, i, peer) add_peer(&grid, peer);
    putchar('\n');
    grid_print(&grid);
}

static void
print_origins(const json_t *s)
{
    const json_t *list = json_object_get(s, "origins");
    struct grid grid = {0};
    const json_t *origin;
    char text[TEXT];
    size_t i;

    if (json_array_size(list) == 0)
        return;
    grid_row(&grid, "ORIGIN|SERVER|STATE|REQUESTS|FAILURES");
    json_array_foreach(list, i, origin)
    {
        grid_row(&grid, "");
        grid_cell(&grid, "%s", call_text(origin, "origin"));
        grid_cell(&grid, "%s", call_text(origin, "server"));
        if (call_true(origin, "ejected"))
            grid_cell(&grid, "left alone for %s",
                      time_text(text, call_number(origin, "ejected_ms")));
        else
            grid_cell(&grid, "in use");
        grid_cell(&grid, "%lld", call_number(origin, "requests"));
        grid_cell(&grid, "%lld", call_number(origin, "failures"));
    }
    putchar('\n');
    grid_print(&grid);
}

enum ctl_exit
cmd_status(const struct ctl *ctl)
{
    struct call call;

    if (ctl->word_count > 0) {
        ctl_say("status takes no further words; another node is chosen by "
                "--admin http://HOST:PORT");
        return CTL_USAGE;
    }
    enum ctl_exit status = call_node(ctl, "/v1/status", NULL, &call);

    if (status != CTL_DONE)
        return status;
    if (call.status != 200) {
        status = call_refused(&call);
    } else if (ctl->json) {
        printf("%.*s", (int)call.text.len, call.text.data);
    } else {
        print_node(call.json);
        print_requests(call.json);
        print_store(call.json);
        print_disk(call.json);
        print_streams(call.json);
        print_peers(call.json);
        print_origins(call.json);
    }
    call_fini(&call);
    return status;
}
