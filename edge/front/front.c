/* The workers together: addresses, threads, the way out. */
#include "front/front.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "front_internal.h"

static bool
split_address(const char *text, char host[256], char port[8])
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;

    if (colon == NULL || strlen(colon + 1) > 5)
        return false;
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= 256)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    snprintf(port, 8, "%s", colon + 1);
    return true;
}

static bool
resolve(const char *text, struct sockaddr_storage *address, socklen_t *len,
        char *why, size_t size)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE,
    };
    struct addrinfo *found;
    char host[256];
    char port[8];

    if (!split_address(text, host, port)) {
        snprintf(why, size, "listen \"%s\" is no host:port", text);
        return false;
    }
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);

    if (code != 0) {
        snprintf(why, size, "listen \"%s\": %s", text, gai_strerror(code));
        return false;
    }
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void
add_address(struct front *front, const struct sockaddr_storage *address,
            socklen_t len)
{
    char host[INET6_ADDRSTRLEN + 32];
    char port[8];
    bool v6 = address->ss_family == AF_INET6;

    CHECK(getnameinfo((const struct sockaddr *)address, len, host, sizeof(host),
                      port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    front->addresses = mem_realloc(front->addresses,
                                   (front->address_count + 1) * sizeof(char *));
    front->addresses[front->address_count++] =
        mem_printf(v6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Every worker binds the address; the first may choose the port. */
static bool
listen_on(struct front *front, const char *text, char *why, size_t size)
{
    struct sockaddr_storage address;
    socklen_t len;
    char reason[256];

    if (!resolve(text, &address, &len, why, size))
        return false;
    for (size_t i = 0; i < front->worker_count; i++) {
        if (!front_worker_listen(front->workers[i], &address, len, reason,
                                 sizeof(reason))) {
            snprintf(why, size,
                     "cannot listen on \"%s\": %s (is another server using "
                     "it? change \"listen\")",
                     text, reason);
            return false;
        }
    }
    add_address(front, &address, len);
    return true;
}

/* No thread was started: an address could not be bound. */
static void
give_up(struct front **front)
{
    for (size_t i = 0; i < (*front)->worker_count; i++)
        front_worker_give_up(&(*front)->workers[i]);
    (*front)->worker_count = 0;
    front_free(front);
}

struct front *
front_new(struct engine *engine, const struct conf *conf, char *why,
          size_t size)
{
    struct front *front = mem_zalloc(sizeof(*front));
    bool good = true;

    front->engine = engine;
    front->worker_count = (size_t)conf->workers;
    front->workers =
        mem_zalloc(front->worker_count * sizeof(struct front_worker *));
    for (size_t i = 0; i < front->worker_count; i++)
        front->workers[i] = front_worker_new(front, (unsigned)i, conf);
    for (size_t i = 0; good && i < conf->listen.count; i++)
        good = listen_on(front, conf->listen.list[i], why, size);
    for (size_t i = 0; good && i < front->worker_count; i++)
        front_worker_run(front->workers[i]);
    if (!good)
        give_up(&front);
    return front;
}

const char *
front_address(const struct front *front, size_t index)
{
    return index < front->address_count ? front->addresses[index] : NULL;
}

size_t
front_connections(const struct front *front)
{
    return atomic_load(&((struct front *)(uintptr_t)front)->connections);
}

/* On the main thread, for each worker. */
static void
on_drained(struct post *post)
{
    struct front_worker *worker =
        CONTAINER_OF(post, struct front_worker, drained_post);
    struct front *front = worker->front;

    if (++front->drained == front->worker_count)
        front->drained_fn(front->drained_arg);
}

void
front_drain(struct front *front, uint64_t deadline_ms, struct loop *loop,
            void (*fn)(void *arg), void *arg)
{
    front->drained_loop = loop;
    front->drained_fn = fn;
    front->drained_arg = arg;
    for (size_t i = 0; i < front->worker_count; i++) {
        front->workers[i]->drained_post.fn = on_drained;
        front_worker_drain(front->workers[i], deadline_ms);
    }
}

void
front_free(struct front **front)
{
    struct front *f = *front;

    *front = NULL;
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->worker_count; i++)
        loop_stop(f->workers[i]->loop);
    for (size_t i = 0; i < f->worker_count; i++) {
        pthread_join(f->workers[i]->thread, NULL);
        front_worker_free(&f->workers[i]);
    }
    for (size_t i = 0; i < f->address_count; i++)
        free(f->addresses[i]);
    free(f->addresses);
    free(f->workers);
    free(f);
}
