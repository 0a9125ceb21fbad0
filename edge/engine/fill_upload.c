#include "fill_upload_internal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct fill_upload {
    size_t start; /* of what waits, in a ring */
    size_t len;
    bool closed;
    char bytes[FILL_UPLOAD_BYTES];
};

struct fill_upload *
fill_upload_new(void)
{
    struct fill_upload *upload = mem_alloc(sizeof(*upload));

    upload->start = 0;
    upload->len = 0;
    upload->closed = false;
    return upload;
}

void
fill_upload_free(struct fill_upload **upload)
{
    free(*upload);
    *upload = NULL;
}

enum err
fill_upload_put(struct fill_upload *upload, const void *data, size_t len,
                size_t *taken)
{
    const char *from = data;
    size_t total = 0;

    while (len > 0 && upload->len < FILL_UPLOAD_BYTES) {
        size_t end = (upload->start + upload->len) % FILL_UPLOAD_BYTES;
        size_t room = FILL_UPLOAD_BYTES - upload->len;

        if (room > FILL_UPLOAD_BYTES - end)
            room = FILL_UPLOAD_BYTES - end;
        room = room < len ? room : len;
        memcpy(upload->bytes + end, from, room);
        upload->len += room;
        from += room;
        len -= room;
        total += room;
    }
    *taken = total;
    return total > 0 ? ERR_OK : ERR_AGAIN;
}

void
fill_upload_close(struct fill_upload *upload)
{
    upload->closed = true;
}

enum err
fill_upload_take(struct fill_upload *upload, void *buffer, size_t max,
                 size_t *len)
{
    size_t n = FILL_UPLOAD_BYTES - upload->start;

    *len = 0;
    if (upload->len == 0)
        return upload->closed ? ERR_END : ERR_AGAIN;
    n = n < upload->len ? n : upload->len;
    n = n < max ? n : max;
    memcpy(buffer, upload->bytes + upload->start, n);
    upload->start = (upload->start + n) % FILL_UPLOAD_BYTES;
    upload->len -= n;
    *len = n;
    return ERR_OK;
}
