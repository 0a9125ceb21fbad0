/* Objects for the tests of the store. */
#ifndef TEST_STORE_OBJECTS_H
#define TEST_STORE_OBJECTS_H

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"

/* A key and the text that it points into. */
struct test_key {
    char text[64];
    struct key key;
};

static inline void
test_key_set(struct test_key *key, unsigned long number)
{
    snprintf(key->text, sizeof(key->text), "http://h.test/%lu", number);
    key->key.text = span_of(key->text);
    key->key.hash = hash_bytes(key->key.text, hash_seed());
    key->key.host = span_sub(key->key.text, 7, 13);
    key->key.path_query = span_sub(key->key.text, 13, key->key.text.len);
}

struct test_spec {
    unsigned long number; /* of the key */
    const char *vary;     /* the response's Vary; NULL: none */
    const char *value;    /* what the request had for X-Kind; NULL: nothing */
    uint64_t sent_ns;
    size_t size;       /* of the body */
    struct blob *body; /* instead of a new one */
    const char *etag;  /* NULL: none */
    /* A part of 100 bytes, when its length is not 0. */
    uint64_t first;
    uint64_t length;
};

static inline void
test_request(struct fields *request, const char *value)
{
    if (value != NULL)
        fields_add(request, SPAN("X-Kind"), span_of(value));
}

static inline struct blob *
test_body(size_t size)
{
    static const char bytes[4096];
    struct blob *body = blob_new(size);

    for (size_t left = size; left > 0;) {
        size_t n = left < sizeof(bytes) ? left : sizeof(bytes);

        CHECK(blob_append(body, bytes, n) == ERR_OK);
        left -= n;
    }
    blob_finish(body, ERR_OK);
    return body;
}

static inline struct object *
test_object(const struct test_spec *spec)
{
    struct test_key key;
    struct fields response = {0};
    struct fields request = {0};
    struct caching caching = {.storable = true, .lifetime_s = 60};

    test_key_set(&key, spec->number);
    fields_add(&response, SPAN("Content-Type"), SPAN("text/plain"));
    if (spec->vary != NULL)
        fields_add(&response, SPAN("Vary"), span_of(spec->vary));
    if (spec->etag != NULL)
        fields_add(&response, SPAN("ETag"), span_of(spec->etag));
    struct range_part part = {spec->first, spec->length, 100,
                              spec->first + spec->length == 100, true};
    test_request(&request, spec->value);
    struct vary *vary = vary_new(&response, &request, &vary_codings_default);
    struct pack *pack = pack_new(&response);
    struct blob *body =
        spec->body ? blob_ref(spec->body)
                   : test_body(spec->length ? spec->length : spec->size);
    struct object *object = object_new(&(struct object_spec){
        .key = &key.key,
        .status = 200,
        .fields = pack,
        .vary = &vary,
        .body = body,
        .length = blob_len(body),
        .part = spec->length > 0 ? &part : NULL,
        .caching = &caching,
        .position = 7,
        .sent_ns = spec->sent_ns,
        .received_ns = spec->sent_ns + 1,
    });

    pack_unref(&pack);
    blob_unref(&body);
    fields_fini(&response);
    fields_fini(&request);
    return object;
}

static inline bool
test_insert(struct store *store, const struct test_spec *spec)
{
    struct object *object = test_object(spec);

    return store_insert(store, &object, 0);
}

/* What a request with this X-Kind finds. */
static inline struct object *
test_find(struct store *store, unsigned long number, const char *value,
          bool *others)
{
    struct test_key key;
    struct fields request = {0};

    test_key_set(&key, number);
    test_request(&request, value);
    struct object *object = store_find(store, &key.key, &request, others);

    fields_fini(&request);
    return object;
}

static inline struct store_stats
test_stats(struct store *store)
{
    struct store_stats stats;

    store_stats(store, &stats);
    return stats;
}

/* xorshift64* (Vigna 2016). */
static inline uint64_t
test_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

#endif
