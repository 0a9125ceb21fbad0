/* Which queries a response is for, as it says itself (No-Vary-Search). */
#include "fill_internal.h"
#include "query_hints_internal.h"

static bool
honoured(const struct fill *fill)
{
    return fill->rules->route->key.no_vary_search;
}

void
fill_search_fini(struct fill *fill)
{
    buf_fini(&fill->stored_text);
}

struct object *
fill_search_find(const struct fill *fill)
{
    struct engine *engine = fill->worker->engine;
    struct buf scratch = {0};
    struct key key;

    (void)search_key(engine, fill->rules, &fill->plain, &scratch, &key);
    struct object *object = search_find(engine, &key, &fill->plain,
                                        pack_fields(fill->request), NULL);

    buf_fini(&scratch);
    return object;
}

/* From here on requests of this path look there too. */
static void
learn(const struct fill *fill, struct span variance)
{
    query_hints_learn(fill->worker->engine->hints, key_path_hash(&fill->plain),
                      variance);
}

void
fill_search_key(struct fill *fill, const struct fields *fields)
{
    struct buf variance = {0};

    fill->stored = fill->plain;
    if (!honoured(fill) || !no_vary_search_read(fields, &variance))
        return;
    if (key_build_search(&fill->plain, buf_span(&variance), &fill->stored_text,
                         &fill->stored)) {
        if (fill->store)
            learn(fill, buf_span(&variance));
    } else {
        fill->stored = fill->plain;
    }
    buf_fini(&variance);
}

bool
fill_search_moved(const struct fill *fill, const struct object *base)
{
    return honoured(fill) &&
           !span_eq(key_variance(&fill->stored), key_variance(&base->key));
}

bool
fill_search_answers(const struct fill *fill, const struct key *stored,
                    const struct key *plain)
{
    struct buf scratch = {0};

    if (!honoured(fill))
        return true;
    bool answers = key_answers(stored, plain, &scratch);

    buf_fini(&scratch);
    return answers;
}
