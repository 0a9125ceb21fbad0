#include "http/cache_control.h"

#include <string.h>

#include "base/check.h"
#include "http/structured.h"

/* More names than this in one list count as the directive without a list. */
#define LIST_NAMES_MAX 32

#define FIELD SPAN("Cache-Control")

/* How a directive's argument is read, and what a bad one means. */
enum kind {
    RESTRICTS, /* a flag; counts whatever argument comes with it */
    PERMITS,   /* a flag; not with an argument */
    LISTS,     /* a flag, or a list of field names */
    BOUNDS,    /* seconds; malformed: 0 */
    GRANTS,    /* seconds; malformed: 0, none granted */
    ASKS,      /* seconds; malformed: as if absent */
};

struct directive {
    struct span name;
    enum kind kind;
    size_t at; /* of the flag or the seconds in struct cache_control */
};

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define AT(member) offsetof(struct cache_control, member)

static const struct directive directives[] = {
    {NAME("max-age"), BOUNDS, AT(max_age)},
    {NAME("s-maxage"), BOUNDS, AT(s_maxage)},
    {NAME("no-store"), RESTRICTS, AT(no_store)},
    {NAME("no-cache"), LISTS, AT(no_cache)},
    {NAME("private"), LISTS, AT(is_private)},
    {NAME("public"), PERMITS, AT(is_public)},
    {NAME("must-revalidate"), RESTRICTS, AT(must_revalidate)},
    {NAME("proxy-revalidate"), RESTRICTS, AT(proxy_revalidate)},
    {NAME("must-understand"), PERMITS, AT(must_understand)},
    {NAME("immutable"), PERMITS, AT(immutable)},
    {NAME("no-transform"), RESTRICTS, AT(no_transform)},
    {NAME("only-if-cached"), RESTRICTS, AT(only_if_cached)},
    {NAME("stale-while-revalidate"), GRANTS, AT(stale_while_revalidate)},
    {NAME("stale-if-error"), GRANTS, AT(stale_if_error)},
    {NAME("max-stale"), ASKS, AT(max_stale)},
    {NAME("min-fresh"), ASKS, AT(min_fresh)},
};

/* Without these a stored response could not be judged or would be another
 * one: a list that names one counts as the directive without a list. */
static const struct span needed_names[] = {
    NAME("Age"),          NAME("Cache-Control"),     NAME("CDN-Cache-Control"),
    NAME("Content-Type"), NAME("Content-Encoding"),  NAME("Content-Length"),
    NAME("Date"),         NAME("Content-Range"),     NAME("Expires"),
    NAME("Vary"),         NAME("Surrogate-Control"),
};

static void
clear(struct cache_control *out)
{
    memset(out, 0, sizeof(*out));
    out->max_age = CC_UNSET;
    out->s_maxage = CC_UNSET;
    out->stale_while_revalidate = CC_UNSET;
    out->stale_if_error = CC_UNSET;
    out->max_stale = CC_UNSET;
    out->min_fresh = CC_UNSET;
}

static const struct directive *
find(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
        if (span_eq_nocase(directives[i].name, name))
            return &directives[i];
    }
    return NULL;
}

static bool *
flag_of(struct cache_control *out, const struct directive *directive)
{
    return (bool *)((char *)out + directive->at);
}

static uint64_t *
seconds_of(struct cache_control *out, const struct directive *directive)
{
    return (uint64_t *)(void *)((char *)out + directive->at);
}

/* ---- lists of field names ---- */

static bool
name_needed(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(needed_names); i++) {
        if (span_eq_nocase(name, needed_names[i]))
            return true;
    }
    return false;
}

/* At least one name, not too many, and none that we cannot do without. */
static bool
list_usable(struct span list)
{
    struct span name;
    size_t count = 0;

    while (span_split(&list, ',', &name)) {
        name = span_trim(name);
        if (name.len == 0)
            continue;
        if (!token_valid(name) || name_needed(name) || ++count > LIST_NAMES_MAX)
            return false;
    }
    return count > 0;
}

static void
add_list(struct cache_control *out, const struct directive *directive,
         struct span list)
{
    struct cache_control_lists *lists = directive->at == AT(no_cache)
                                            ? &out->no_cache_fields
                                            : &out->private_fields;

    if (lists->count == CC_LISTS || !list_usable(list))
        *flag_of(out, directive) = true;
    else
        lists->list[lists->count++] = list;
}

bool
cache_control_names(const struct cache_control_lists *lists, struct span name)
{
    for (size_t i = 0; i < lists->count; i++) {
        struct span rest = lists->list[i];
        struct span one;

        while (span_split(&rest, ',', &one)) {
            if (span_eq_nocase(span_trim(one), name))
                return true;
        }
    }
    return false;
}

/* ---- one directive ---- */

static void
apply_seconds(struct cache_control *out, const struct directive *directive,
              struct span argument)
{
    uint64_t *seconds = seconds_of(out, directive);
    uint64_t value = 0;

    if (directive->at == AT(max_stale) && argument.ptr == NULL) {
        out->max_stale_any = true;
        return;
    }
    if (!span_u64(argument, CC_SECONDS_MAX, &value) && directive->kind == ASKS)
        return;
    if (*seconds == CC_UNSET)
        *seconds = value;
}

/* `argument` is without its quotes; ptr NULL when there was none. */
static void
apply(struct cache_control *out, const struct directive *directive,
      struct span argument)
{
    switch (directive->kind) {
    case RESTRICTS:
        *flag_of(out, directive) = true;
        break;
    case PERMITS:
        if (argument.ptr == NULL)
            *flag_of(out, directive) = true;
        break;
    case LISTS:
        if (argument.ptr == NULL)
            *flag_of(out, directive) = true;
        else
            add_list(out, directive, argument);
        break;
    case BOUNDS:
    case GRANTS:
    case ASKS:
        apply_seconds(out, directive, argument);
        break;
    }
}

/* Between the words of a malformed member: what is written in place of a comma,
 * an opening quote, a space of another character set. */
static bool
sets_apart(char c)
{
    return c == ',' || c == ';' || c == ' ' || c == '\t' || c == '"' ||
           (unsigned char)c >= 0x80;
}

static void
apply_word(struct cache_control *out, struct span word)
{
    const struct directive *directive = find(word);

    if (directive != NULL && directive->kind != PERMITS &&
        directive->kind != ASKS)
        apply(out, directive, directive->kind == LISTS ? SPAN_NONE : SPAN(""));
}

/* What a member that is no directive by its form ("max-age=60; private") may
 * still restrict: by each word in it. Nothing here makes a response fresher or
 * more widely shared. */
static void
apply_malformed(struct cache_control *out, struct span member)
{
    size_t start = 0;

    while (start < member.len) {
        size_t end = start;

        while (end < member.len && token_char(member.ptr[end]))
            end++;
        apply_word(out, span_sub(member, start, end));
        while (end < member.len && !sets_apart(member.ptr[end]))
            end++;
        start = end + 1;
    }
}

/* The inside of a quoted string that is the whole of s. */
static bool
unquote(struct span s, struct span *inside)
{
    size_t i = 1;

    if (s.len < 2 || s.ptr[0] != '"')
        return false;
    while (i < s.len && s.ptr[i] != '"')
        i += s.ptr[i] == '\\' ? 2 : 1;
    if (i + 1 != s.len)
        return false;
    *inside = span_sub(s, 1, i);
    return true;
}

/* token [ "=" ( token / quoted-string ) ]; "token=" is taken too, with an
 * empty argument. */
static bool
split_member(struct span member, struct span *name, struct span *argument)
{
    size_t equals = span_find(member, '=', 0);

    *name = span_sub(member, 0, equals);
    *argument = SPAN_NONE;
    if (!token_valid(*name))
        return false;
    if (equals == member.len)
        return true;
    *argument = span_sub(member, equals + 1, member.len);
    return argument->len == 0 || token_valid(*argument) ||
           unquote(*argument, argument);
}

static void
apply_member(struct cache_control *out, struct span member)
{
    struct span name;
    struct span argument;

    out->present = true;
    if (!split_member(member, &name, &argument)) {
        apply_malformed(out, member);
        return;
    }
    const struct directive *directive = find(name);

    if (directive != NULL)
        apply(out, directive, argument);
}

/* ---- whole fields ---- */

void
cache_control_parse(const struct fields *fields, struct cache_control *out)
{
    struct member_cursor cursor = {0};
    struct span member;

    clear(out);
    while (fields_next_member(fields, FIELD, &cursor, &member))
        apply_member(out, member);
}

void
cache_control_request(const struct fields *fields, struct cache_control *out)
{
    struct member_cursor cursor = {0};
    struct span member;

    cache_control_parse(fields, out);
    if (out->present)
        return;
    while (fields_next_member(fields, SPAN("Pragma"), &cursor, &member))
        out->no_cache |= span_eq_nocase(member, SPAN("no-cache"));
}

/* Whether the argument is of the type that the directive takes; `*argument` is
 * set for apply(). */
static bool
typed_argument(const struct directive *directive,
               const struct structured_item *item, struct span *argument)
{
    *argument = SPAN_NONE;
    if (directive->kind == LISTS &&
        (item->type == STRUCTURED_STRING || item->type == STRUCTURED_TOKEN)) {
        *argument = item->text;
        return true;
    }
    if (directive->kind == RESTRICTS || directive->kind == PERMITS ||
        directive->kind == LISTS || directive->at == AT(max_stale))
        return item->type == STRUCTURED_BOOLEAN ||
               (directive->at == AT(max_stale) &&
                item->type == STRUCTURED_INTEGER);
    return item->type == STRUCTURED_INTEGER;
}

static void
set_seconds(struct cache_control *out, const struct directive *directive,
            int64_t value)
{
    uint64_t seconds = value < 0 ? 0 : (uint64_t)value;

    *seconds_of(out, directive) =
        seconds > CC_SECONDS_MAX ? CC_SECONDS_MAX : seconds;
}

/* The last value of a key counts, so flags are set back by "=?0". A field
 * list once given stays: to forget it would be laxer. */
static bool
apply_typed(struct cache_control *out, const struct directive *directive,
            const struct structured_item *item)
{
    struct span argument;

    if (!typed_argument(directive, item, &argument))
        return false;
    if (item->type == STRUCTURED_INTEGER)
        set_seconds(out, directive, item->integer);
    else if (argument.ptr != NULL)
        add_list(out, directive, argument);
    else if (directive->at == AT(max_stale))
        out->max_stale_any = item->integer != 0;
    else
        *flag_of(out, directive) = item->integer != 0;
    return true;
}

/* False: a syntax error, a wrong type, or nothing in it. The lists in *out
 * point into `text`. */
static bool
parse_typed(struct span text, struct cache_control *out)
{
    struct structured_cursor cursor = structured_cursor_of(text);
    struct structured_item item;
    struct span key;
    enum structured_result result;

    clear(out);
    while ((result = structured_dictionary(&cursor, &key, &item)) ==
           STRUCTURED_MEMBER) {
        const struct directive *directive = find(key);

        out->present = true;
        if (directive != NULL && !apply_typed(out, directive, &item))
            return false;
    }
    return result == STRUCTURED_END && out->present;
}

/* Lists found in a joined copy would not outlive it. */
static void
forget_lists(struct cache_control *out)
{
    out->no_cache |= out->no_cache_fields.count > 0;
    out->is_private |= out->private_fields.count > 0;
    out->no_cache_fields.count = 0;
    out->private_fields.count = 0;
}

bool
cache_control_targeted(const struct fields *fields, struct span name,
                       struct cache_control *out)
{
    size_t lines = fields_count(fields, name);
    struct buf joined = {0};
    bool valid;

    clear(out);
    if (lines == 0)
        return false;
    if (lines == 1) {
        valid = parse_typed(fields_get(fields, name), out);
    } else {
        fields_join(fields, name, &joined);
        valid = parse_typed(buf_span(&joined), out);
        forget_lists(out);
        buf_fini(&joined);
    }
    if (!valid)
        clear(out);
    return valid;
}

enum addressee { FOR_ALL, FOR_US, FOR_ANOTHER };

/* "max-age=60;name": the directive, and whom it is for. */
static enum addressee
addressee_of(struct span *member, struct span device)
{
    size_t last_quote = 0;

    for (size_t i = 0; i < member->len; i++) {
        if (member->ptr[i] == '"')
            last_quote = i;
    }
    size_t semicolon = span_find(*member, ';', last_quote);

    if (semicolon == member->len)
        return FOR_ALL;
    struct span target =
        span_trim(span_sub(*member, semicolon + 1, member->len));

    *member = span_trim(span_sub(*member, 0, semicolon));
    return device.len > 0 && span_eq_nocase(target, device) ? FOR_US
                                                            : FOR_ANOTHER;
}

/* "max-age=60+30": fresh for 60 seconds, and for 30 more while a new one is
 * asked for. An edge is what the note calls a remote surrogate. */
static void
apply_surrogate(struct cache_control *out, struct span member)
{
    size_t plus = span_find(member, '+', 0);

    if (span_eq_nocase(member, SPAN("no-store-remote"))) {
        member = SPAN("no-store");
    } else if (plus < member.len && span_find(member, '=', 0) == 7 &&
               span_eq_nocase(span_sub(member, 0, 7), SPAN("max-age"))) {
        apply_seconds(out, find(SPAN("stale-while-revalidate")),
                      span_sub(member, plus + 1, member.len));
        member = span_sub(member, 0, plus);
    }
    apply_member(out, member);
}

/* Two passes: of a directive given twice the first counts, and one with our
 * name goes before one for all. */
bool
cache_control_surrogate(const struct fields *fields, struct span device,
                        struct cache_control *out)
{
    clear(out);
    for (int pass = 0; pass < 2; pass++) {
        struct member_cursor cursor = {0};
        struct span member;

        while (fields_next_member(fields, SPAN("Surrogate-Control"), &cursor,
                                  &member)) {
            enum addressee to = addressee_of(&member, device);

            if (to == (pass == 0 ? FOR_US : FOR_ALL))
                apply_surrogate(out, member);
        }
    }
    return out->present;
}
