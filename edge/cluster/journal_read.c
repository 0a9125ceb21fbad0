#include "journal_read_internal.h"

#include <string.h>

#include "cluster/inval_restore.h"
#include "journal_internal.h"

/* What is between the last number and this one is gone. */
static void
lose(struct journal_read *read, uint64_t number)
{
    if (number < read->number)
        return;
    inval_lose(read->inval, number);
    read->number = number;
    read->lost++;
}

void
journal_read_expect(struct journal_read *read, uint64_t number)
{
    if (number > read->number)
        lose(read, number);
    else if (read->bad)
        lose(read, read->number);
    read->bad = false;
}

static void
take_head(struct journal_read *read, const struct journal_record *record)
{
    bool first = !read->any;

    read->any = true;
    if (first)
        read->id = record->id;
    /* Only the end of the last file can be torn. */
    if (read->torn || !hash_eq(read->id, record->id))
        read->bad = true;
    read->torn = false;
    journal_read_expect(read, record->number);
    /* The first file that is left need not be the first ever. */
    if (first)
        read->lost = 0;
}

static void
take_skip(struct journal_read *read, uint64_t number)
{
    if (number <= read->number)
        return;
    if (read->bad)
        journal_read_expect(read, number);
    else
        inval_skip(read->inval, number);
    read->number = number;
}

static void
copy_state(const struct journal_state *from, struct journal_state *to)
{
    size_t count = from->position.count;

    to->levels = from->levels;
    to->has_levels = from->has_levels;
    to->position.count = count;
    memcpy(to->position.sites, from->position.sites,
           count * sizeof(from->position.sites[0]));
}

/* Where we are in the site's stream after this. */
static void
move(struct journal_read *read, const struct inval_event *event)
{
    struct position *position = &read->in_group.position;
    const struct position_site *was = position_find(position, event->site);

    if (event->what == INVAL_EVENT_SITE)
        (void)position_set(position, event->site, event->epoch, event->term,
                           event->n);
    else if (event->site.len > 0 && was != NULL)
        (void)position_set(position, event->site, was->epoch, was->term,
                           event->n);
}

static void
redo(struct journal_read *read, const struct inval_event *event)
{
    if (event->what != INVAL_EVENT_SITE) {
        if (event->number <= read->number)
            return; /* it is there twice */
        journal_read_expect(read, event->number - 1);
    }
    if (!inval_redo(read->inval, event))
        lose(read, event->number);
    if (event->what != INVAL_EVENT_SITE)
        read->number = event->number;
    move(read, event);
}

static void
take_done(struct journal_read *read, uint64_t number)
{
    journal_read_expect(read, number);
    copy_state(&read->in_group, &read->done);
    read->open = false;
}

static void
take_record(struct journal_read *read, const struct journal_record *record)
{
    struct inval_entry entry = {.kind = record->kind,
                                .soft = record->soft,
                                .host = span_of(record->host),
                                .value = span_of(record->value)};
    struct inval_event event = {.number = record->number,
                                .entry = &entry,
                                .reason = record->reason,
                                .site = span_of(record->site),
                                .epoch = record->epoch,
                                .term = record->term,
                                .n = record->n};

    read->open = true;
    switch (record->line) {
    case JOURNAL_HEAD:
        take_head(read, record);
        return;
    case JOURNAL_SKIP:
        take_skip(read, record->number);
        return;
    case JOURNAL_LEVELS:
        read->in_group.levels = record->number;
        read->in_group.has_levels = true;
        return;
    case JOURNAL_DONE:
        take_done(read, record->number);
        return;
    case JOURNAL_ENTRY:
        event.what = INVAL_EVENT_ENTRY;
        break;
    case JOURNAL_FLOOR:
        event.what = INVAL_EVENT_FLOOR;
        break;
    case JOURNAL_SITE:
        event.number = read->number;
        event.what = INVAL_EVENT_SITE;
        break;
    }
    redo(read, &event);
}

/* A line of which the end alone is another. */
static bool
has_lost_its_end(struct span line)
{
    struct journal_record record;

    if (line.len == 0 ||
        !journal_parse(span_sub(line, 0, line.len - 1), &record))
        return false;
    journal_record_fini(&record);
    return true;
}

/*
 * Of one file. Gives how far it is kept: a line without its end is cut off, for
 * nobody counts on it. One that has its end and is not good may have been
 * counted on, whatever comes after it: it stays, for the next start to see.
 */
size_t
journal_read_file(void *arg, struct span text)
{
    struct journal_read *read = arg;
    size_t good = 0;
    size_t at = 0;

    while (at < text.len) {
        size_t end = span_find(text, '\n', at);
        struct journal_record record;

        if (end >= text.len) {
            read->torn = true;
            read->bad |= has_lost_its_end(span_sub(text, at, end));
            break;
        }
        if (!journal_parse(span_sub(text, at, end), &record)) {
            read->bad = true;
        } else {
            /* What has no head of ours is no journal. */
            if (read->any || record.line == JOURNAL_HEAD)
                take_record(read, &record);
            journal_record_fini(&record);
        }
        good = at = end + 1;
    }
    return good;
}

bool
journal_read_go_back(struct journal_read *read)
{
    const char *name;

    if (!read->open)
        return false;
    for (size_t i = 0; (name = inval_site_name(read->inval, i)) != NULL; i++) {
        const struct position_site *at =
            position_find(&read->done.position, span_of(name));

        if (at != NULL)
            inval_site_at(read->inval, i, at->epoch, at->term, at->n);
        else
            inval_site_leave(read->inval, i);
    }
    return true;
}
