#include "body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "pattern.h"

enum part_kind { PART_TEXT, PART_PATTERN, PART_FILE };

struct body_part {
    enum part_kind kind;
    uint64_t start; /* in the body */
    uint64_t len;
    uint64_t from; /* in the pattern or file */
    uint64_t seed;
    char *text;
};

struct body *
body_new(void)
{
    struct body *body = mem_zalloc(sizeof(*body));

    body->fd = -1;
    body->fail_at = UINT64_MAX;
    return body;
}

void
body_free(struct body **body)
{
    struct body *b = *body;

    if (b == NULL)
        return;
    for (size_t i = 0; i < b->count; i++)
        free(b->parts[i].text);
    free(b->parts);
    if (b->fd >= 0)
        close(b->fd);
    free(b);
    *body = NULL;
}

static struct body_part *
add(struct body *body, enum part_kind kind, uint64_t len)
{
    MEM_GROW(body->parts, body->count, body->cap);
    struct body_part *part = &body->parts[body->count++];

    *part = (struct body_part){.kind = kind, .start = body->len, .len = len};
    body->len += len;
    return part;
}

void
body_add_text(struct body *body, struct span text)
{
    add(body, PART_TEXT, text.len)->text = mem_strndup(text.ptr, text.len);
}

void
body_add_pattern(struct body *body, uint64_t seed, uint64_t from, uint64_t len)
{
    struct body_part *part = add(body, PART_PATTERN, len);

    part->seed = seed;
    part->from = from;
}

void
body_add_file(struct body *body, uint64_t from, uint64_t len)
{
    add(body, PART_FILE, len)->from = from;
}

void
body_set_rate(struct body *body, uint64_t rate)
{
    /* Steps of 20 ms, longer ones when that is less than a byte. */
    body->step = rate / 50;
    body->every_ms = 20;
    if (body->step == 0) {
        body->step = 1;
        body->every_ms = 1000 / (rate == 0 ? 1 : rate);
    }
}

static ssize_t
read_file(int fd, uint64_t from, void *out, size_t len)
{
    ssize_t n;

    do {
        n = pread(fd, out, len, (off_t)from);
    } while (n < 0 && errno == EINTR);
    return n > 0 ? n : -1;
}

static const struct body_part *
find(const struct body *body, uint64_t pos)
{
    for (size_t i = 0; i < body->count; i++) {
        const struct body_part *part = &body->parts[i];

        if (pos >= part->start && pos - part->start < part->len)
            return part;
    }
    return NULL;
}

ssize_t
body_read(const struct body *body, uint64_t pos, void *out, size_t max)
{
    const struct body_part *part = find(body, pos);

    if (part == NULL || max == 0)
        return 0;
    uint64_t skip = pos - part->start;
    size_t len = max < part->len - skip ? max : (size_t)(part->len - skip);

    switch (part->kind) {
    case PART_TEXT:
        memcpy(out, part->text + skip, len);
        break;
    case PART_PATTERN:
        pattern_fill(part->seed, part->from + skip, out, len);
        break;
    case PART_FILE:
        return read_file(body->fd, part->from + skip, out, len);
    }
    return (ssize_t)len;
}

uint64_t
body_allowed(const struct body *body, uint64_t elapsed_ms)
{
    if (body->every_ms == 0)
        return UINT64_MAX;
    return (elapsed_ms / body->every_ms + 1) * body->step;
}

uint64_t
body_wait_ms(const struct body *body, uint64_t elapsed_ms, uint64_t sent)
{
    if (body->every_ms == 0)
        return 1;
    uint64_t due = sent / body->step * body->every_ms;

    return due > elapsed_ms ? due - elapsed_ms : 1;
}
