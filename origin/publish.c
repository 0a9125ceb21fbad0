#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/mem.h"
#include "origin.h"

/* The entries of one change; `texts` are those to be freed. */
struct changes {
    struct announce_entry *list;
    size_t count, cap;
    char **texts;
    size_t text_count, text_cap;
};

static void
add(struct changes *changes, enum announce_kind kind, bool soft,
    const char *host, const char *value)
{
    MEM_GROW(changes->list, changes->count, changes->cap);
    changes->list[changes->count++] =
        (struct announce_entry){kind, soft, host, value};
}

static const char *
keep(struct changes *changes, char *text)
{
    MEM_GROW(changes->texts, changes->text_count, changes->text_cap);
    changes->texts[changes->text_count++] = text;
    return text;
}

static void
free_changes(struct changes *changes)
{
    for (size_t i = 0; i < changes->text_count; i++)
        free(changes->texts[i]);
    free(changes->texts);
    free(changes->list);
}

/* The URL, and with it all its queries: a file is the same for each. */
static void
add_path(struct changes *changes, const struct settings *s, const char *path,
         bool soft)
{
    const char *queries = keep(changes, mem_printf("%s?", path));

    for (size_t i = 0; i < s->host_count; i++) {
        add(changes, ANNOUNCE_URL, soft, s->hosts[i], path);
        add(changes, ANNOUNCE_PREFIX, soft, s->hosts[i], queries);
    }
}

static void
add_paths(struct changes *changes, const struct settings *s, const char *text,
          bool soft)
{
    const char *index = "/index.html";
    const char *path = keep(changes, path_encode(text));
    size_t len = strlen(path);
    size_t tail = strlen(index);

    add_path(changes, s, path, soft);
    if (len < tail || strcmp(path + len - tail, index) != 0)
        return;
    add_path(changes, s, keep(changes, mem_strndup(path, len - tail + 1)),
             soft);
}

static void
add_tags(struct changes *changes, const struct policy *policy,
         const struct policy *other, bool soft)
{
    for (size_t i = 0; i < policy->tag_count; i++) {
        const char *tag = policy->tags[i];

        if (other == NULL || !policy_has_tag(other, span_of(tag)))
            add(changes, ANNOUNCE_TAG, soft, "", tag);
    }
}

struct announcement *
files_announce(struct origin *origin, const char *text,
               const struct policy *before, const struct policy *after,
               bool gone, announce_fn done, void *arg)
{
    struct changes changes = {0};
    bool soft = !gone && !origin->settings->hard;

    if (!announce_enabled(origin->announcer))
        return NULL;
    add_paths(&changes, origin->settings, text, soft);
    /* The copy of what was there bears the old tags; lists that show the
     * resource may bear the new ones. */
    if (before != NULL)
        add_tags(&changes, before, NULL, soft);
    if (after != NULL)
        add_tags(&changes, after, before, soft);
    struct announcement *announcement = announce_submit(
        origin->announcer, changes.list, changes.count, done, arg);

    free_changes(&changes);
    return announcement;
}

void
files_announce_folder(struct origin *origin, const char *text)
{
    const struct settings *s = origin->settings;
    struct changes changes = {0};
    char *path = path_encode(text);

    /* Without hosts there are only tags, one for each path: of what was in the
     * folder nobody knows them any more. */
    if (s->host_count == 0 || text[0] == '\0')
        add(&changes, ANNOUNCE_ALL, !s->hard, "", "");
    keep(&changes, path);
    for (size_t i = 0; text[0] != '\0' && i < s->host_count; i++)
        add(&changes, ANNOUNCE_PREFIX, !s->hard, s->hosts[i],
            keep(&changes, mem_printf("%s/", path)));
    announce_submit(origin->announcer, changes.list, changes.count, NULL, NULL);
    free_changes(&changes);
}

/* ---- an answer that waits ---- */

struct wait {
    int status;
    struct announcement *announcement;
    exchange_fn next_free; /* of whoever had the exchange before */
    void *next_state;
};

static void
on_free(struct exchange *x)
{
    struct wait *wait = x->state;

    announce_forget(&wait->announcement);
    x->state = wait->next_state;
    if (wait->next_free != NULL)
        wait->next_free(x);
    free(wait);
}

static void
finish(struct exchange *x, const char *outcome)
{
    struct wait *wait = x->state;

    announce_forget(&wait->announcement);
    answer_header(x, "Atlas-Publish", outcome);
    answer_empty(x, wait->status);
}

static void
on_published(void *arg)
{
    struct exchange *x = arg;
    struct wait *wait = x->state;

    wait->announcement = NULL;
    if (x->replied || x->killed)
        return;
    exchange_cancel(x);
    finish(x, "ok");
}

static void
on_late(struct exchange *x)
{
    finish(x, "pending");
}

void
publish_then_answer(struct exchange *x, int status, const char *text,
                    const struct policy *before, const struct policy *after,
                    bool gone)
{
    struct origin *origin = x->app;
    struct wait *wait = mem_zalloc(sizeof(*wait));

    wait->status = status;
    wait->next_free = x->on_free;
    wait->next_state = x->state;
    x->state = wait;
    x->on_free = on_free;
    wait->announcement =
        files_announce(origin, text, before, after, gone, on_published, x);
    if (wait->announcement == NULL)
        finish(x, "off");
    else if (origin->settings->publish_wait_ms == 0)
        finish(x, "pending");
    else
        exchange_after(x, origin->settings->publish_wait_ms, on_late);
}
