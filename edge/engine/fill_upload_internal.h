/* The body of a request on its way from a client to an upstream: a bounded
 * buffer. Both ends are on one thread. */
#ifndef FILL_UPLOAD_INTERNAL_H
#define FILL_UPLOAD_INTERNAL_H

#include <stddef.h>

#include "base/err.h"

#define FILL_UPLOAD_BYTES ((size_t)128 * 1024)

struct fill_upload;

struct fill_upload *fill_upload_new(void);
void fill_upload_free(struct fill_upload **upload);

/* Puts in what fits. ERR_AGAIN: nothing did. */
enum err fill_upload_put(struct fill_upload *upload, const void *data,
                         size_t len, size_t *taken);
void fill_upload_close(struct fill_upload *upload);
/* As on_read in fetch/fetch.h. */
enum err fill_upload_take(struct fill_upload *upload, void *buffer, size_t max,
                          size_t *len);

#endif
