/*
 * Normal forms of request values. What has one normal form gets one answer: so
 * where a value is cut down here, the normal form is what the origin is asked
 * with (http/forward.h), and the answer is right for all of them.
 *
 * There must be few: each may be a variant of its own, and a client can write
 * as many values as it likes.
 */
#include "base/check.h"
#include "http/vary.h"
#include "http/vary_internal.h"

/* Members of a field that are looked at; more are as if not there. */
#define MEMBERS_MAX 32
/* Languages that are kept: those with the highest weights. */
#define LANGUAGES_MAX 6
/* "sr-Latn-RS" and more, but no poems (RFC 5646 section 4.4.1). */
#define LANGUAGE_LEN_MAX 35

void
vary_add_lower(struct buf *out, struct span s)
{
    buf_reserve(out, s.len);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        out->data[out->len++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    out->data[out->len] = '\0';
}

/* ---- any field: members without the space around them ---- */

static void
add_members(const struct fields *request, struct span name, struct buf *out)
{
    struct member_cursor cursor = {0};
    struct span member;
    bool any = false;

    while (fields_next_member(request, name, &cursor, &member)) {
        if (any)
            buf_add_char(out, ',');
        buf_add_span(out, member);
        any = true;
    }
}

/* ---- weights (RFC 9110 section 12.4.2) ---- */

#define WEIGHT_BAD UINT64_MAX

/* In thousandths: "0", "0.5", "1.000", with at most three digits behind the
 * dot. */
static uint64_t
weight_of(struct span q)
{
    uint64_t digits = 0;
    struct span behind = span_sub(q, 2, q.len);

    if (q.len == 0 || q.len > 5 || (q.ptr[0] != '0' && q.ptr[0] != '1') ||
        (q.len > 1 && q.ptr[1] != '.'))
        return WEIGHT_BAD;
    if (behind.len > 0 && !span_u64(behind, 999, &digits))
        return WEIGHT_BAD;
    for (size_t i = behind.len; i < 3; i++)
        digits *= 10;
    if (q.ptr[0] == '1')
        return digits == 0 ? 1000 : WEIGHT_BAD;
    return digits;
}

/* Takes "coding ; q=0.5" apart. WEIGHT_BAD for any other parameter. */
static uint64_t
split_weight(struct span member, struct span *what)
{
    size_t semicolon = span_find(member, ';', 0);

    *what = span_trim(span_sub(member, 0, semicolon));
    if (semicolon == member.len)
        return 1000;
    struct span parameter =
        span_trim(span_sub(member, semicolon + 1, member.len));
    size_t equals = span_find(parameter, '=', 0);

    /* Browsers of old have put spaces round the "=". */
    if (equals == parameter.len ||
        !span_eq_nocase(span_trim(span_sub(parameter, 0, equals)), SPAN("q")))
        return WEIGHT_BAD;
    return weight_of(span_trim(span_sub(parameter, equals + 1, parameter.len)));
}

/* ---- Accept-Language: the best few, ranked ---- */

struct language {
    struct span range; /* as it came */
    uint64_t weight;
};

/* The best first. */
struct languages {
    struct language list[LANGUAGES_MAX];
    size_t count;
};

static bool
alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* A language-range (RFC 4647 section 2.1), or one that no origin can have. */
static bool
range_valid(struct span range)
{
    struct span rest = range;
    struct span part;

    if (span_eq(range, SPAN("*")))
        return true;
    if (range.len > LANGUAGE_LEN_MAX)
        return false;
    while (span_split(&rest, '-', &part)) {
        if (part.len == 0 || part.len > 8)
            return false;
        for (size_t i = 0; i < part.len; i++) {
            if (!alnum(part.ptr[i]))
                return false;
        }
    }
    return range.len > 0 && range.ptr[range.len - 1] != '-';
}

static int
compare_nocase(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int one =
            a.ptr[i] >= 'A' && a.ptr[i] <= 'Z' ? a.ptr[i] | 0x20 : a.ptr[i];
        int other =
            b.ptr[i] >= 'A' && b.ptr[i] <= 'Z' ? b.ptr[i] | 0x20 : b.ptr[i];

        if (one != other)
            return one - other;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static bool
comes_before(const struct language *a, const struct language *b)
{
    if (a->weight != b->weight)
        return a->weight > b->weight;
    return compare_nocase(a->range, b->range) < 0;
}

static void
take_out(struct languages *languages, size_t i)
{
    languages->count--;
    for (; i < languages->count; i++)
        languages->list[i] = languages->list[i + 1];
}

/* Of a range given twice the higher weight counts, so that the order they come
 * in means nothing. */
static void
put_language(struct languages *languages, struct language language)
{
    size_t at = 0;

    for (size_t i = 0; i < languages->count; i++) {
        if (!span_eq_nocase(languages->list[i].range, language.range))
            continue;
        if (languages->list[i].weight >= language.weight)
            return;
        take_out(languages, i);
        break;
    }
    while (at < languages->count &&
           comes_before(&languages->list[at], &language))
        at++;
    if (at == LANGUAGES_MAX)
        return;
    if (languages->count < LANGUAGES_MAX)
        languages->count++;
    for (size_t i = languages->count - 1; i > at; i--)
        languages->list[i] = languages->list[i - 1];
    languages->list[at] = language;
}

/* With the case that RFC 5646 section 2.1.1 recommends: "sr-Latn-RS". An
 * origin may compare with case, and this is how browsers write it. */
static void
add_range(struct span range, struct buf *out)
{
    size_t from = out->len;
    size_t start = 0;
    bool singleton = false;

    vary_add_lower(out, range);
    for (size_t i = 0; i <= range.len; i++) {
        if (i < range.len && range.ptr[i] != '-')
            continue;
        size_t len = i - start;
        char *part = out->data + from + start;

        if (start > 0 && !singleton && (len == 2 || len == 4)) {
            for (size_t k = 0; k < (len == 2 ? 2 : 1); k++) {
                if (part[k] >= 'a' && part[k] <= 'z')
                    part[k] = (char)(part[k] & ~0x20);
            }
        }
        singleton = singleton || len == 1;
        start = i + 1;
    }
}

/* Weights become ranks: 1, 0.9, 0.8. What a server makes of the numbers
 * themselves is its affair; of the order it is everybody's. */
static void
add_languages(const struct languages *languages, struct buf *out)
{
    unsigned rank = 10;

    for (size_t i = 0; i < languages->count; i++) {
        const struct language *language = &languages->list[i];

        if (i > 0) {
            buf_add_char(out, ',');
            rank -= language->weight < languages->list[i - 1].weight;
        }
        add_range(language->range, out);
        if (language->weight == 0)
            buf_add_text(out, ";q=0");
        if (language->weight > 0 && rank < 10) {
            buf_add_text(out, ";q=0.");
            buf_add_char(out, (char)('0' + rank));
        }
    }
}

static void
read_languages(const struct fields *request, struct languages *out)
{
    struct member_cursor cursor = {0};
    struct span member;

    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct language language;

        if (!fields_next_member(request, ACCEPT_LANGUAGE, &cursor, &member))
            break;
        language.weight = split_weight(member, &language.range);
        if (language.weight != WEIGHT_BAD && range_valid(language.range))
            put_language(out, language);
    }
}

static bool
normalise_languages(const struct fields *request, struct buf *out)
{
    struct languages languages = {0};

    read_languages(request, &languages);
    add_languages(&languages, out);
    return languages.count > 0;
}

bool
vary_best_language(const struct fields *request, struct span *range)
{
    struct languages languages = {0};
    const struct language *list = languages.list;

    read_languages(request, &languages);
    if (languages.count == 0 || list[0].weight == 0 ||
        span_eq(list[0].range, SPAN("*")) ||
        (languages.count > 1 && list[1].weight == list[0].weight))
        return false;
    *range = list[0].range;
    return true;
}

/* ---- Accept-Encoding: which of the route's codings are accepted ---- */

enum accepted { UNSAID, ACCEPTED, REFUSED };

struct said {
    enum accepted codings[VARY_CODINGS_MAX]; /* as the route lists them */
    enum accepted identity;
    enum accepted any; /* "*" */
};

/* The names of old (RFC 9110 section 8.4.1). */
static struct span
without_alias(struct span what)
{
    if (span_eq_nocase(what, SPAN("x-gzip")) ||
        span_eq_nocase(what, SPAN("x-compress")))
        return span_sub(what, 2, what.len);
    return what;
}

static void
hear_coding(struct said *said, struct span what, enum accepted accepted,
            const struct vary_codings *codings)
{
    what = without_alias(what);
    if (span_eq(what, SPAN("*")))
        said->any = accepted;
    else if (span_eq_nocase(what, SPAN("identity")))
        said->identity = accepted;
    for (size_t i = 0; i < codings->count; i++) {
        if (span_eq_nocase(what, codings->list[i]))
            said->codings[i] = accepted;
    }
}

static void
add_word(struct buf *out, size_t from, struct span word)
{
    if (out->len > from)
        buf_add_char(out, ',');
    buf_add_span(out, word);
}

/* "br,gzip", "identity", "gzip,identity;q=0": in the route's order. */
static void
add_codings(const struct said *said, const struct vary_codings *codings,
            struct buf *out)
{
    size_t from = out->len;

    for (size_t i = 0; i < codings->count; i++) {
        if (said->codings[i] == ACCEPTED ||
            (said->codings[i] == UNSAID && said->any == ACCEPTED))
            add_word(out, from, codings->list[i]);
    }
    if (said->identity == REFUSED ||
        (said->identity == UNSAID && said->any == REFUSED))
        add_word(out, from, SPAN("identity;q=0"));
    else if (out->len == from)
        add_word(out, from, SPAN("identity"));
}

static void
normalise_codings(const struct fields *request, struct span name,
                  const struct vary_codings *codings, struct buf *out)
{
    struct said said = {0};
    struct member_cursor cursor = {0};
    struct span member;

    CHECK(codings->count <= VARY_CODINGS_MAX);
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct span what;

        if (!fields_next_member(request, name, &cursor, &member))
            break;
        uint64_t weight = split_weight(member, &what);

        if (weight != WEIGHT_BAD)
            hear_coding(&said, what, weight > 0 ? ACCEPTED : REFUSED, codings);
    }
    add_codings(&said, codings, out);
}

/* ---- all of it ---- */

bool
vary_cut_down(struct span name)
{
    return span_eq_nocase(name, ACCEPT_ENCODING) ||
           span_eq_nocase(name, ACCEPT_LANGUAGE);
}

bool
vary_normalise(const struct fields *request, struct span name,
               const struct vary_codings *codings, struct buf *out)
{
    if (!fields_has(request, name))
        return false;
    if (span_eq_nocase(name, ACCEPT_LANGUAGE))
        return normalise_languages(request, out);
    if (span_eq_nocase(name, ACCEPT_ENCODING))
        normalise_codings(request, name, codings, out);
    else
        add_members(request, name, out);
    return true;
}
