/* What would be decided for a request, in sentences. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_internal.h"

/* ---- the question ---- */

static void
add_encoded(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || strchr("-._~:/", c) != NULL;

        if (plain)
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void
add_parameter(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%c%s=", out->len == strlen("/v1/explain") ? '?' : '&',
               name);
    add_encoded(out, value);
}

static void
write_path(const struct ctl *ctl, struct buf *path)
{
    buf_add_text(path, "/v1/explain");
    add_parameter(path, "url", ctl->words[0]);
    add_parameter(path, "method", ctl->method);
    for (size_t i = 0; i < ctl->header_count; i++)
        add_parameter(path, "header", ctl->headers[i]);
}

/* ---- the answer ---- */

static void
print_route(const json_t *answer)
{
    const json_t *route = json_object_get(answer, "route");
    const char *level = call_text(route, "consistency");

    if (!json_is_object(route)) {
        puts("route    none");
        return;
    }
    printf("route    \"%s\" (host %s, path %s), origin %s\n",
           call_text(route, "name"), call_text(route, "host"),
           call_text(route, "path"), call_text(route, "origin"));
    if (call_true(route, "pass"))
        puts("         it passes everything to the origin and stores nothing");
    else
        printf("         %s: %s\n", level,
               strcmp(level, "cp") == 0
                   ? "never answers without a validation sent after the request"
                   : "keeps answering when the network breaks, perhaps with a "
                     "stale copy");
}

/* The key's further lines are the fields and cookies that belong to it. */
static void
print_key(const json_t *answer)
{
    const char *text = call_text(json_object_get(answer, "key"), "text");

    if (text[0] == '\0')
        return;
    fputs("key      ", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            fputs("\n         ", stdout);
        else
            putchar(*text);
    }
    putchar('\n');
}

static const char *
validity_text(const char *name)
{
    if (strcmp(name, "valid") == 0)
        return "valid: no invalidation is later than it";
    if (strcmp(name, "soft") == 0)
        return "made stale by a soft purge";
    if (strcmp(name, "floor") == 0)
        return "below the floor: an invalidation may have been missed, so it "
               "must be validated";
    return "purged: an invalidation matches it";
}

static void
print_stored(const json_t *object)
{
    long long ttl = call_number(object, "ttl_s");

    printf("object   stored: status %lld, %lld bytes, age %lld s of %lld s",
           call_number(object, "status"), call_number(object, "length"),
           call_number(object, "age_s"), call_number(object, "lifetime_s"));
    if (ttl > 0)
        printf(", fresh for %lld s more\n", ttl);
    else
        printf(", stale for %lld s\n", -ttl);
    printf("         %s\n", validity_text(call_text(object, "validity")));
    printf("         the origin confirmed it %lld s ago",
           call_number(object, "validated_ago_s"));
    if (call_text(object, "etag")[0] != '\0')
        printf("; ETag %s", call_text(object, "etag"));
    putchar('\n');
    if (call_text(object, "vary")[0] != '\0')
        printf("         the variant for %s\n", call_text(object, "vary"));
    if (call_true(object, "no_cache"))
        puts("         no-cache: it is validated on every use");
    else if (call_true(object, "forbids_stale"))
        puts("         it forbids to be served stale");
    else if (ttl <= 0 && call_true(object, "stale_usable"))
        puts("         it may be served stale when nothing better can be had");
}

static void
print_disk(const json_t *answer)
{
    const char *disk = call_text(answer, "disk");

    if (call_true(answer, "from_disk"))
        puts("         it is on disk, and not in memory");
    else if (strcmp(disk, "object") == 0)
        puts("         it is on disk, too");
    else if (strcmp(disk, "unread") == 0)
        puts("         something is on disk; its pages are not in memory, and "
             "nobody has looked");
    else if (strcmp(disk, "invalid") == 0)
        puts("         what is on disk was purged, or is of a past that is not "
             "known");
}

static void
print_object(const json_t *answer)
{
    const json_t *object = json_object_get(answer, "object");

    if (json_is_object(object)) {
        print_stored(object);
        print_disk(answer);
        return;
    }
    if (!json_is_object(json_object_get(answer, "route")))
        return;
    puts(call_true(answer, "other_variants")
             ? "object   none that this request selects; other variants are "
               "stored"
             : "object   nothing is stored under this key");
    if (call_true(answer, "uncacheable"))
        puts("         its answers turned out not to be shareable lately");
    if (call_true(answer, "fill_running"))
        puts("         it is being fetched now");
    print_disk(answer);
}

static const char *
verdict_text(const json_t *answer, const char *verdict)
{
    static const char *const texts[][2] = {
        {"hit", "answered from the stored copy"},
        {"hit-stale", "answered from the stored copy, although it is stale"},
        {"revalidate", "the origin is asked whether the stored copy holds"},
        {"join", "shares the fetch that is under way"},
        {"peer", "another node is asked for its copy"},
        {"origin", "fetched from the origin, for all who want it now"},
        {"pass", "fetched from the origin for this client alone"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i][0], verdict) == 0)
            return texts[i][1];
    }
    return json_is_object(json_object_get(answer, "route"))
               ? "answered with an error: nothing usable is here, and nobody "
                 "may be asked"
               : "answered with 404";
}

static void
print_peers(const json_t *answer)
{
    size_t i;
    const json_t *peer;

    json_array_foreach(json_object_get(answer, "peers"), i, peer)
    {
        bool home = strcmp(call_text(peer, "kind"), "home") == 0;

        printf("         %s %s, %.1f ms away: %s\n", i == 0 ? "first" : "then ",
               call_text(peer, "node"),
               (double)call_number(peer, "rtt_us") / 1e3,
               home ? "the key's home in this site"
                    : "its digest says that it may have a copy");
    }
}

static void
print_verdict(const json_t *answer)
{
    const char *verdict = call_text(answer, "verdict");

    printf("verdict  %s: %s\n", verdict, verdict_text(answer, verdict));
    if (call_true(answer, "refresh_deferred"))
        puts("         and refreshed later: `revalidate_rate` of the origin is "
             "used up for now");
    else if (call_true(answer, "refresh"))
        puts("         and refreshed behind the client's back");
    if (call_true(answer, "strict"))
        puts("         only a request to the origin that is sent after this "
             "one came counts");
    if (call_true(answer, "peers_barred"))
        printf("         no peer is asked: an invalidation that matches waits "
               "in the outbox\n");
    if (call_true(answer, "no_peer_has_it"))
        puts("         no other node is known to have a copy");
    print_peers(answer);
    printf("because  %s\n", call_text(answer, "why"));
}

static void
print(const json_t *answer)
{
    const json_t *request = json_object_get(answer, "request");

    printf("%s %s\n", call_text(request, "method"), call_text(request, "url"));
    print_route(answer);
    print_key(answer);
    print_object(answer);
    print_verdict(answer);
}

enum ctl_exit
cmd_explain(const struct ctl *ctl)
{
    struct buf path = {0};
    struct call call;

    if (ctl->word_count != 1) {
        ctl_say("explain wants one URL, as http://example.com/path");
        return CTL_USAGE;
    }
    write_path(ctl, &path);
    enum ctl_exit status = call_node(ctl, path.data, NULL, &call);

    buf_fini(&path);
    if (status != CTL_DONE)
        return status;
    if (call.status != 200)
        status = call_refused(&call);
    else if (ctl->json)
        printf("%.*s", (int)call.text.len, call.text.data);
    else
        print(call.json);
    call_fini(&call);
    return status;
}
