#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "ctl_internal.h"

static void
put(json_t *object, const char *name, json_t *value)
{
    CHECK(value != NULL && json_object_set_new(object, name, value) == 0);
}

/* False, and said, when it is not UTF-8. */
static bool
put_text(json_t *object, const char *name, const char *text, size_t len)
{
    json_t *value = json_stringn(text, len);

    if (value != NULL)
        put(object, name, value);
    else
        ctl_say("\"%s\" is not UTF-8: write such bytes as %%XX", text);
    return value != NULL;
}

/* GROUP@HOST: no host has an '@', a group may. */
static bool
put_group(json_t *object, const char *text)
{
    const char *at = strrchr(text, '@');

    if (at == NULL) {
        ctl_say("--group %s: of which host? Write GROUP@HOST", text);
        return false;
    }
    return put_text(object, "host", at + 1, strlen(at + 1)) &&
           put_text(object, "group", text, (size_t)(at - text));
}

static bool
put_what(json_t *object, const struct ctl_target *target)
{
    const char *text = target->text;

    if (text == NULL)
        return true;
    if (strcmp(target->kind, "group") == 0)
        return put_group(object, text);
    return put_text(object,
                    strcmp(target->kind, "host") == 0  ? "host"
                    : strcmp(target->kind, "tag") == 0 ? "tag"
                                                       : "url",
                    text, strlen(text));
}

static json_t *
purge_json(const struct ctl *ctl, const struct ctl_target *target)
{
    json_t *object = json_object();

    put(object, "kind", json_string(target->kind));
    put(object, "soft", json_boolean(ctl->soft));
    if (put_what(object, target))
        return object;
    json_decref(object);
    return NULL;
}

/* All that the command line names: the options' targets and the URLs. */
static json_t *
purges_json(const struct ctl *ctl)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ctl->target_count + ctl->word_count; i++) {
        struct ctl_target target = {"url", NULL};

        if (i < ctl->target_count)
            target = ctl->targets[i];
        else
            target.text = ctl->words[i - ctl->target_count];
        json_t *object = purge_json(ctl, &target);

        if (object == NULL) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, object);
    }
    return list;
}

static char *
body_of(const struct ctl *ctl)
{
    json_t *list = purges_json(ctl);
    json_t *root;

    if (list == NULL)
        return NULL;
    if (json_array_size(list) == 1) {
        root = json_incref(json_array_get(list, 0));
        json_decref(list);
    } else {
        root = json_object();
        put(root, "purges", list);
    }
    bool good = (ctl->wait == NULL ||
                 put_text(root, "wait", ctl->wait, strlen(ctl->wait))) &&
                (ctl->once == NULL ||
                 put_text(root, "once", ctl->once, strlen(ctl->once)));
    char *body = good ? json_dumps(root, JSON_COMPACT) : NULL;

    CHECK(!good || body != NULL);
    json_decref(root);
    return body;
}

/* ---- what came of it ---- */

static void
print_one(const json_t *answer)
{
    if (call_true(answer, "alone"))
        puts("purged; this node works alone, nobody else is to be told");
    else if (call_true(answer, "kept"))
        puts("applied here, and kept on the node's disk: it is published as "
             "soon as a Redis can be reached");
    else if (call_true(answer, "applied"))
        printf("purged: entry %lld of the stream of site %s, applied here; "
               "the other nodes read it from there\n",
               call_number(answer, "n"), call_text(answer, "site"));
    else
        printf("published as entry %lld of the stream of site %s; %s\n",
               call_number(answer, "n"), call_text(answer, "site"),
               call_text(answer, "why"));
}

static void
print_batch(const json_t *answer)
{
    const json_t *first = json_array_get(json_object_get(answer, "results"), 0);

    printf("%lld purges: %lld applied here, ", call_number(answer, "purges"),
           call_number(answer, "applied"));
    if (call_true(first, "alone"))
        puts("where this node works alone: nobody else is to be told");
    else
        printf("%lld published\n", call_number(answer, "published"));
}

/* Who held a lease, and what became of it, if that was waited for. */
static void
print_holders(const json_t *answer)
{
    const json_t *holders = json_object_get(answer, "holders");
    const json_t *holder;
    size_t i;

    json_array_foreach(holders, i, holder)
    {
        printf("  %s of site %s: %s\n", call_text(holder, "node"),
               call_text(holder, "site"), call_text(holder, "state"));
    }
}

static enum ctl_exit
tell(const struct call *call)
{
    if ((call->status == 503 || call->status == 504) &&
        json_object_get(call->json, "applied") != NULL) {
        ctl_say("%s: %s",
                call->status == 503 ? "not published" : "not acknowledged",
                call_text(call->json, "detail"));
        print_holders(call->json);
        return CTL_NOT_DONE;
    }
    if (call->status != 200 && call->status != 202)
        return call_refused(call);
    if (json_object_get(call->json, "purges") != NULL)
        print_batch(call->json);
    else
        print_one(call->json);
    if (call_true(call->json, "acknowledged"))
        puts("acknowledged:");
    print_holders(call->json);
    return CTL_DONE;
}

enum ctl_exit
cmd_purge(const struct ctl *ctl)
{
    struct call call;

    if (ctl->target_count + ctl->word_count == 0) {
        ctl_say("purge what? Give a URL, --prefix URL, --host HOST, --tag TAG, "
                "--group GROUP@HOST or --all");
        return CTL_USAGE;
    }
    if (ctl->token == NULL) {
        ctl_say("a purge needs the admin token of the node: give --token, "
                "--token-file or $ATLAS_TOKEN");
        return CTL_USAGE;
    }
    char *body = body_of(ctl);

    if (body == NULL)
        return CTL_USAGE;
    enum ctl_exit status = call_node(ctl, "/v1/purge", body, &call);

    free(body);
    if (status != CTL_DONE)
        return status;
    status = tell(&call);
    call_fini(&call);
    return status;
}
