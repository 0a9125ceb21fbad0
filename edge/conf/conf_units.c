/* Sizes, durations, and the nearest name. */
#include <string.h>

#include "base/check.h"
#include "conf/conf_internal.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, for writing. */
static const struct unit sizes[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"B", 1},
};

static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

#define UNITS 5

static bool
parse(const char *text, const struct unit units[UNITS], uint64_t *value)
{
    struct span s = span_of(text);
    size_t digits = strspn(text, "0123456789");
    uint64_t number;

    if (!span_u64(span_sub(s, 0, digits), UINT64_MAX, &number))
        return false;
    for (size_t i = 0; i < UNITS; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        return !__builtin_mul_overflow(number, units[i].factor, value) &&
               number != UINT64_MAX;
    }
    return false;
}

static void
format(uint64_t value, const struct unit units[UNITS], struct buf *out)
{
    size_t i = 0;

    while (value % units[i].factor != 0 || value < units[i].factor) {
        if (++i == UNITS) {
            /* Zero: in the unit that people think in. */
            i = UNITS - 2;
            break;
        }
    }
    buf_add_u64(out, value / units[i].factor);
    buf_add_text(out, units[i].name);
}

bool
conf_parse_size(const char *text, uint64_t *bytes)
{
    return parse(text, sizes, bytes);
}

bool
conf_parse_duration(const char *text, uint64_t *ms)
{
    return parse(text, durations, ms);
}

void
conf_format_size(uint64_t bytes, struct buf *out)
{
    if (bytes == 0)
        buf_add_text(out, "0");
    else
        format(bytes, sizes, out);
}

void
conf_format_duration(uint64_t ms, struct buf *out)
{
    format(ms, durations, out);
}

/* ---- the nearest name ---- */

#define NEAR_MAX 64

static size_t
min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn `a`
 * into `b` (optimal string alignment); both at most NEAR_MAX long. */
static size_t
edit_distance(const char *a, const char *b)
{
    size_t rows[3][NEAR_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t differs = a[i - 1] != b[j - 1];

            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + differs);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min3(row[j], rows[(i - 2) % 3][j - 2] + 1, row[j]);
        }
    }
    return rows[a_len % 3][b_len];
}

struct conf_nearest
conf_nearest_to(const char *word)
{
    /* Farther than this nobody meant it. */
    return (struct conf_nearest){word, NULL, strlen(word) / 3 + 2};
}

void
conf_nearest_offer(struct conf_nearest *nearest, const char *candidate)
{
    if (candidate[0] == '\0' || strlen(candidate) > NEAR_MAX ||
        strlen(nearest->word) > NEAR_MAX)
        return;
    size_t distance = edit_distance(nearest->word, candidate);

    if (distance >= nearest->distance)
        return;
    nearest->distance = distance;
    nearest->best = candidate;
}

void
conf_nearest_add(const struct conf_nearest *nearest, struct buf *out)
{
    if (nearest->best != NULL)
        buf_printf(out, "; did you mean \"%s\"?", nearest->best);
}
