/* The workers together: addresses, threads, the way out. */
#include "front/front.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/listen.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "front_internal.h"

/* Every worker binds the address. A socket that does not share it goes first:
 * it finds a free port where any will do, and finds out whether another
 * process (a second edge, say) is there already, which the sharing ones would
 * not mind. */
static bool
listen_on(struct front *front, const char *text, char *why, size_t size)
{
    struct listen_options options = {"listen", false, FRONT_BACKLOG};
    char address[LISTEN_ADDRESS_SIZE];
    int probe = listen_open(text, &options, address, why, size);

    if (probe < 0)
        return false;
    close(probe);
    options.share = true;
    text = address;
    for (size_t i = 0; i < front->worker_count; i++) {
        int fd = listen_open(text, &options, address, why, size);

        if (fd < 0)
            return false;
        front_worker_listen(front->workers[i], fd);
    }
    front->addresses = mem_realloc(front->addresses,
                                   (front->address_count + 1) * sizeof(char *));
    front->addresses[front->address_count++] = mem_strdup(address);
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
