/* The origin: keys with versions that only go up, told by everything that is
 * answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "sim.h"
#include "web_internal.h"
#include "world.h"

#define VERSIONS_MAX 256

struct key {
    unsigned count;
    uint64_t since[VERSIONS_MAX]; /* of version i + 1 */
    uint64_t put;
};

static struct key keys[KEYS_MAX];
static bool is_up;
static uint64_t well_since;

struct web_response *
web_response_new(unsigned status, const struct fields *fields, struct span body)
{
    struct web_response *response = mem_zalloc(sizeof(*response));

    response->status = status;
    response->pack = pack_new(fields);
    response->fields = *pack_fields(response->pack);
    buf_add_span(&response->body, body);
    return response;
}

void
web_response_free(struct web_response *response)
{
    if (response == NULL)
        return;
    pack_unref(&response->pack);
    buf_fini(&response->body);
    free(response);
}

void
origin_reset(unsigned count)
{
    memset(keys, 0, sizeof(keys));
    is_up = true;
    well_since = 0;
    for (unsigned i = 0; i < count; i++)
        keys[i].count = 1;
}

uint64_t
origin_write(unsigned key)
{
    struct key *k = &keys[key];

    CHECK(k->count < VERSIONS_MAX);
    k->since[k->count++] = sim_now();
    return k->count;
}

uint64_t
origin_version(unsigned key)
{
    return keys[key].count;
}

uint64_t
origin_put_version(unsigned key)
{
    return keys[key].put;
}

uint64_t
origin_version_at(unsigned key, uint64_t time)
{
    const struct key *k = &keys[key];
    unsigned count = k->count;

    while (count > 1 && k->since[count - 1] > time)
        count--;
    return count;
}

void
origin_set_up(bool up)
{
    is_up = up;
    if (up)
        well_since = sim_now();
}

bool
origin_up(void)
{
    return is_up;
}

uint64_t
origin_well_since(void)
{
    return is_up ? well_since : UINT64_MAX;
}

bool
origin_key_of(struct span target, unsigned *key)
{
    size_t slash = span_find(target, '/', 1);

    if (slash + 1 >= target.len)
        return false;
    *key = (unsigned)atoi(target.ptr + slash + 1);
    return *key < KEYS_MAX;
}

static void
add_date(struct buf *out)
{
    time_t seconds = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    char text[40];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    buf_add_text(out, text);
}

static struct span
lifetime_of(unsigned key)
{
    static const char *const lifetimes[] = {
        "max-age=600, stale-while-revalidate=600", "max-age=600", "max-age=2",
        "max-age=2, stale-while-revalidate=600"};

    /* Of each level one lives on until the end. */
    return span_of(lifetimes[key < LEVELS ? key % 4 : key % 2]);
}

struct web_response *
origin_answer(struct span method, struct span target,
              const struct fields *request, struct span body)
{
    struct fields fields = {0};
    struct buf date = {0}, etag = {0}, text = {0}, tag = {0};
    struct web_response *response;
    unsigned key, status = 200;

    (void)body;
    CHECK(origin_key_of(target, &key));
    if (span_eq(method, SPAN("PUT")))
        keys[key].put = origin_write(key);
    buf_printf(&etag, "\"k%u-%u\"", key, keys[key].count);
    buf_printf(&text, "%u", keys[key].count);
    buf_printf(&tag, "t%u", key);
    add_date(&date);
    fields_add(&fields, SPAN("Date"), buf_span(&date));
    fields_add(&fields, SPAN("ETag"), buf_span(&etag));
    fields_add(&fields, SPAN("Cache-Control"), lifetime_of(key));
    fields_add(&fields, SPAN("Surrogate-Key"), buf_span(&tag));
    if (span_eq(method, SPAN("PUT")))
        status = 204;
    else if (span_eq(fields_get(request, SPAN("If-None-Match")),
                     buf_span(&etag)))
        status = 304;
    response = web_response_new(status, &fields,
                                status == 200 ? buf_span(&text) : SPAN(""));
    fields_fini(&fields);
    buf_fini(&date);
    buf_fini(&etag);
    buf_fini(&text);
    buf_fini(&tag);
    return response;
}
