#include "redis_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"

struct listener {
    struct list_link link;
    push_fn pushed;
    acked_fn acked;
    void *arg;
};

/* ---- memory ---- */

void
stored_unref(struct stored *stored)
{
    if (stored != NULL && --stored->refs == 0)
        free(stored);
}

void
command_free(struct command *command)
{
    for (size_t i = 0; i < command->count; i++)
        stored_unref(command->entries[i]);
    free(command->entries);
    free(command->once);
    free(command->id);
    free(command->payload);
    free(command);
}

void
answer_free(struct answer *answer)
{
    if (answer->entries != NULL) {
        for (size_t i = 0; i < answer->count; i++)
            stored_unref(answer->entries[i]);
    }
    if (answer->rows != NULL) {
        for (size_t i = 0; i < answer->count; i++)
            free(answer->rows[i].payload);
    }
    free(answer->entries);
    free(answer->rows);
    free(answer);
}

/* ---- the scripts ---- */

static uint64_t
first_of(const struct data *data)
{
    return data->count > 0 ? data->entries[0]->n : 0;
}

static struct bus_lease
prelude(struct redis *redis, const struct command *command)
{
    struct data *data = &redis->now;

    if (!data->has_epoch || (data->last_n == 0 && data->used)) {
        data->epoch = command->epoch;
        data->has_epoch = true;
        data->used = false;
    }
    return (struct bus_lease){
        .era = {data->epoch, redis->term},
        .first = {first_of(data), 0},
        .last = {data->last_n, 0},
    };
}

static void
tell(struct redis *redis, const struct bus_era *era, struct stored *stored)
{
    struct listener *listener, *next;

    list_for_each_safe (listener, next, &redis->listeners, link) {
        stored->refs++;
        listener->pushed(listener->arg, era, stored);
    }
}

static bool
was_published(const struct redis *redis, const struct command *command,
              struct answer *answer)
{
    const struct data *data = &redis->now;

    if (command->once == NULL)
        return false;
    for (size_t i = 0; i < data->once_count; i++) {
        const struct once *once = &data->once[i];

        if (strcmp(once->key, command->once) != 0 ||
            once->era.epoch != data->epoch || once->era.term != redis->term)
            continue;
        answer->n = once->n;
        return true;
    }
    return false;
}

static void
publish(struct redis *redis, const struct command *command,
        struct answer *answer)
{
    struct data *data = &redis->now;

    if (was_published(redis, command, answer))
        return;
    for (size_t i = 0; i < command->count; i++) {
        struct stored *stored = command->entries[i];

        CHECK(data->count < ENTRIES_MAX);
        stored->refs++;
        stored->n = ++data->last_n;
        data->entries[data->count++] = stored;
        tell(redis, &answer->lease.era, stored);
    }
    data->used = true;
    answer->n = data->last_n;
    if (command->once == NULL)
        return;
    CHECK(data->once_count < ONCE_MAX);
    data->once[data->once_count++] =
        (struct once){mem_strdup(command->once), answer->lease.era, answer->n};
}

static void
read_entries(const struct redis *redis, const struct command *command,
             struct answer *answer)
{
    const struct data *data = &redis->now;

    answer->entries = mem_alloc((command->max + 1) * sizeof(struct stored *));
    for (size_t i = 0; i < data->count && answer->count < command->max; i++) {
        if (data->entries[i]->n <= command->after.n)
            continue;
        data->entries[i]->refs++;
        answer->entries[answer->count++] = data->entries[i];
    }
}

static struct row *
find_row(struct row *rows, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].id, id) == 0)
            return &rows[i];
    }
    return NULL;
}

static struct row *
row_of(struct row *rows, size_t *count, const char *id)
{
    struct row *row = find_row(rows, *count, id);

    if (row != NULL)
        return row;
    CHECK(*count < ROWS_MAX);
    row = &rows[(*count)++];
    *row = (struct row){0};
    strncpy(row->id, id, sizeof(row->id) - 1);
    return row;
}

static void
give_rows(const struct row *rows, size_t count, struct answer *answer)
{
    answer->rows = mem_alloc((count + 1) * sizeof(struct row));
    answer->count = count;
    for (size_t i = 0; i < count; i++) {
        answer->rows[i] = rows[i];
        if (rows[i].payload != NULL)
            answer->rows[i].payload = mem_strdup(rows[i].payload);
    }
}

static void
announce(struct redis *redis, const struct command *command,
         struct answer *answer)
{
    struct data *data = &redis->now;
    struct row *row = row_of(data->node_rows, &data->node_count, command->id);

    free(row->payload);
    row->payload = mem_strdup(command->payload);
    row->beat++;
    give_rows(data->node_rows, data->node_count, answer);
}

static void
set_length(struct data *data, const struct command *command,
           struct answer *answer)
{
    if (data->length_ms == 0)
        data->length_ms = command->length_ms;
    answer->lease.length_ms = data->length_ms;
}

static void
renew(struct redis *redis, const struct command *command, struct answer *answer)
{
    struct data *data = &redis->now;

    set_length(data, command, answer);
    if (command->generation < data->generation) {
        answer->err = ERR_PROTOCOL;
        answer->why = "ATLASSITES";
        return;
    }
    data->generation = command->generation;
    struct row *row = row_of(data->holders, &data->holder_count, command->id);

    row->beat++;
    row->term = command->term;
    row->n = command->n;
}

static void
acknowledge(struct redis *redis, const struct command *command)
{
    struct data *data = &redis->now;
    struct row *row = find_row(data->holders, data->holder_count, command->id);
    struct listener *listener, *next;

    if (row == NULL)
        return;
    row->term = command->term;
    row->n = command->n;
    list_for_each_safe (listener, next, &redis->listeners, link)
        listener->acked(listener->arg, command->id, command->term, command->n);
}

static void
forget(struct redis *redis, const struct command *command)
{
    struct data *data = &redis->now;
    struct row *row = find_row(data->holders, data->holder_count, command->id);

    if (row == NULL || row->beat != command->beat)
        return;
    *row = data->holders[--data->holder_count];
}

struct answer *
redis_execute(unsigned server, const struct command *command)
{
    struct redis *redis = redis_at(server);
    struct answer *answer = mem_zalloc(sizeof(*answer));

    answer->why = "";
    if (command->kind != COMMAND_ANNOUNCE && command->kind != COMMAND_ACK &&
        command->kind != COMMAND_FORGET)
        answer->lease = prelude(redis, command);
    switch (command->kind) {
    case COMMAND_PUBLISH:
        publish(redis, command, answer);
        break;
    case COMMAND_SYNC:
        read_entries(redis, command, answer);
        break;
    case COMMAND_ANNOUNCE:
        announce(redis, command, answer);
        break;
    case COMMAND_RENEW:
        renew(redis, command, answer);
        break;
    case COMMAND_ACK:
        acknowledge(redis, command);
        break;
    case COMMAND_WATCH:
        set_length(&redis->now, command, answer);
        give_rows(redis->now.holders, redis->now.holder_count, answer);
        break;
    case COMMAND_FORGET:
        forget(redis, command);
        break;
    case COMMAND_BARRIER: /* the replica catches up, if there is one */
        if (redis->alone || !redis_replicated())
            answer->err = ERR_LIMIT;
        else
            redis_copy(&redis->before, &redis->now);
        break;
    }
    return answer;
}

/* ---- who listens ---- */

struct listener *
redis_listen(unsigned server, push_fn pushed, acked_fn acked, void *arg)
{
    struct listener *listener = mem_zalloc(sizeof(*listener));

    listener->pushed = pushed;
    listener->acked = acked;
    listener->arg = arg;
    list_push_back(&redis_at(server)->listeners, &listener->link);
    return listener;
}

void
redis_unlisten(struct listener **listener)
{
    if (*listener == NULL)
        return;
    list_remove(&(*listener)->link);
    free(*listener);
    *listener = NULL;
}
