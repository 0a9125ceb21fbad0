/* What the relay is told. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "relay.h"

#define WORDS 16

/* Which directions of which links a command means. */
struct scope {
    size_t a, b; /* RELAY_PLACES: all */
    bool one_way;
};

/* What a `link` sets; negative: nothing. */
struct setting {
    double delay, jitter, loss, rate, queue;
};

/* ---- words ---- */

static bool
find_place(const struct relay *relay, const char *name, size_t *place)
{
    *place = RELAY_PLACES;
    if (strcmp(name, "*") == 0)
        return true;
    for (size_t i = 0; i < relay->place_count; i++) {
        if (strcmp(relay->places[i].name, name) == 0)
            *place = i;
    }
    return *place < RELAY_PLACES;
}

/* "A>B" or "A", "B": how many words it took; 0: it is neither. */
static size_t
read_scope(const struct relay *relay, char *const *words, size_t count,
           struct scope *scope)
{
    char *sign = count > 0 ? strchr(words[0], '>') : NULL;
    const char *second;

    if (sign != NULL) {
        *sign = '\0';
        second = sign + 1;
    } else if (count >= 2) {
        second = words[1];
    } else {
        return 0;
    }
    scope->one_way = sign != NULL;
    if (!find_place(relay, words[0], &scope->a) ||
        !find_place(relay, second, &scope->b))
        return 0;
    return sign != NULL ? 1 : 2;
}

/* A number with its unit, in ns, shares, bits or bytes; negative: none. */
static double
quantity(const char *text)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {
        {"us", 1e3},    {"ms", 1e6},   {"s", 1e9},    {"%", 0.01},
        {"kbit", 1e3},  {"mbit", 1e6}, {"gbit", 1e9}, {"k", 1024},
        {"m", 1 << 20}, {"", 1},
    };
    char *end;
    double value = strtod(text, &end);

    for (size_t i = 0; end != text && i < ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].unit) == 0)
            return value * units[i].factor;
    }
    return -1;
}

static bool
read_setting(const char *word, struct setting *setting)
{
    struct {
        const char *name;
        double *value;
    } names[] = {
        {"delay=", &setting->delay}, {"jitter=", &setting->jitter},
        {"loss=", &setting->loss},   {"rate=", &setting->rate},
        {"queue=", &setting->queue},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i].name);

        if (strncmp(word, names[i].name, len) != 0)
            continue;
        *names[i].value = quantity(word + len);
        return *names[i].value >= 0;
    }
    return false;
}

/* ---- links ---- */

static bool
in_scope(const struct scope *scope, size_t from, size_t to)
{
    bool a_from = scope->a == RELAY_PLACES || scope->a == from;
    bool b_to = scope->b == RELAY_PLACES || scope->b == to;
    bool a_to = scope->a == RELAY_PLACES || scope->a == to;
    bool b_from = scope->b == RELAY_PLACES || scope->b == from;

    return from != to &&
           ((a_from && b_to) || (!scope->one_way && a_to && b_from));
}

static void
set_link(struct relay_link *link, const struct setting *setting)
{
    if (setting->delay >= 0)
        link->delay_ns = (int64_t)setting->delay;
    if (setting->jitter >= 0)
        link->jitter_ns = (int64_t)setting->jitter;
    if (setting->loss >= 0)
        link->loss = setting->loss;
    if (setting->rate >= 0) {
        link->rate = setting->rate;
        link->busy_ns = 0;
    }
    if (setting->queue >= 0)
        link->queue = (size_t)setting->queue;
}

static const char *
command_links(struct relay *relay, char *const *words, size_t count)
{
    struct setting setting = {-1, -1, -1, -1, -1};
    struct scope scope;
    bool set = strcmp(words[0], "link") == 0;
    bool cut = strcmp(words[0], "cut") == 0;
    size_t taken = read_scope(relay, words + 1, count - 1, &scope);

    if (taken == 0)
        return "there are no such places";
    for (size_t i = 1 + taken; i < count; i++) {
        if (!set || !read_setting(words[i], &setting))
            return "that is no setting of a link";
    }
    for (size_t i = 0; i < relay->place_count; i++) {
        for (size_t k = 0; k < relay->place_count; k++) {
            if (!in_scope(&scope, i, k))
                continue;
            if (set)
                set_link(&relay->links[i][k], &setting);
            else
                relay->links[i][k].cut = cut;
        }
    }
    return NULL;
}

/* ---- the others ---- */

static const char *
command_move(struct relay *relay, char *const *words, size_t count)
{
    size_t place;
    size_t viewer = RELAY_PLACES;
    unsigned long number = count >= 3 ? strtoul(words[1], NULL, 10) : 0;

    if (number == 0 || number >= RELAY_SHARED || count > 4)
        return "move takes a number below 16, a place, and who sees it there";
    if (!find_place(relay, words[2], &place) || place == RELAY_PLACES ||
        (count == 4 && !find_place(relay, words[3], &viewer)))
        return "there is no such place";
    for (size_t i = 0; i < RELAY_PLACES; i++) {
        if (viewer == RELAY_PLACES || viewer == i)
            relay->shared[number][i] = place;
    }
    return NULL;
}

static void
add_stats(const struct relay *relay, struct buf *out)
{
    for (size_t i = 0; i < relay->place_count; i++) {
        for (size_t k = 0; k < relay->place_count; k++) {
            const struct relay_link *l = &relay->links[i][k];

            if (i == k)
                continue;
            buf_printf(
                out,
                "%s>%s %s delay_us=%lld jitter_us=%lld loss=%g rate=%g "
                "packets=%llu bytes=%llu lost=%llu overflowed=%llu "
                "swallowed=%llu queued=%zu\n",
                relay->places[i].name, relay->places[k].name,
                l->cut ? "cut" : "up", (long long)(l->delay_ns / 1000),
                (long long)(l->jitter_ns / 1000), l->loss, l->rate,
                (unsigned long long)l->packets, (unsigned long long)l->bytes,
                (unsigned long long)l->lost, (unsigned long long)l->overflowed,
                (unsigned long long)l->swallowed, l->queued);
        }
    }
}

static const char *
execute(struct relay *relay, char *const *words, size_t count, struct buf *out)
{
    static const char *const links[] = {"link", "cut", "heal"};

    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        if (strcmp(words[0], links[i]) == 0)
            return command_links(relay, words, count);
    }
    if (strcmp(words[0], "move") == 0)
        return command_move(relay, words, count);
    if (strcmp(words[0], "stats") == 0)
        add_stats(relay, out);
    else if (strcmp(words[0], "quit") == 0)
        relay->stop = true;
    else
        return "the commands are link, cut, heal, move, stats, quit";
    return NULL;
}

void
relay_command(struct relay *relay, char *line, struct buf *out)
{
    char *words[WORDS];
    char *rest;
    size_t count = 0;

    for (char *word = strtok_r(line, " \t\r\n", &rest);
         word != NULL && count < WORDS; word = strtok_r(NULL, " \t\r\n", &rest))
        words[count++] = word;
    const char *why =
        count > 0 ? execute(relay, words, count, out) : "an empty line";

    if (why == NULL)
        buf_add_text(out, "ok\n");
    else
        buf_printf(out, "error: %s\n", why);
}
