#include "http/vary.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/vary_internal.h"

#define VARY_TAG 0x56415259u
#define ABSENT UINT32_MAX

struct pair {
    uint32_t name_len;
    uint32_t value_len; /* or ABSENT */
};

/* One allocation: pairs in the order of names, then their texts, name after
 * value after name. Equal pairs give equal bytes. */
struct vary {
    TAG_FIELD;
    uint32_t count;
    size_t size; /* of all of it */
    struct pair pairs[];
};

static const struct span default_codings[] = {
    {"br", 2}, {"gzip", 4}, {"zstd", 4}};
const struct vary_codings vary_codings_default = {default_codings,
                                                  ARRAY_LEN(default_codings)};

static const char *
texts(const struct vary *vary)
{
    return (const char *)(vary->pairs + vary->count);
}

/* ---- the names ---- */

static bool
add_name(struct span name, struct span *names, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        if (span_eq_nocase(names[i], name))
            return true;
    }
    if (*count == VARY_NAMES_MAX)
        return false;
    names[(*count)++] = name;
    return true;
}

bool
vary_names(const struct fields *response, struct span *names, size_t *count)
{
    struct member_cursor cursor = {0};
    struct span member;

    *count = 0;
    while (fields_next_member(response, SPAN("Vary"), &cursor, &member)) {
        if (span_eq(member, SPAN("*")) || !token_valid(member) ||
            !add_name(member, names, count))
            return false;
    }
    return true;
}

enum vary_kind
vary_kind(const struct fields *response)
{
    struct span names[VARY_NAMES_MAX];
    size_t count;

    if (!vary_names(response, names, &count))
        return VARY_ANY;
    return count > 0 ? VARY_SOME : VARY_NONE;
}

/* ---- building ---- */

static int
compare_pairs(const void *a, const void *b)
{
    return span_cmp(((const struct field *)a)->name,
                    ((const struct field *)b)->name);
}

static char *
put(char *at, struct span s)
{
    if (s.ptr != NULL && s.len > 0)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

/* `pairs`: names in lower case, distinct; sorted here. */
static struct vary *
build(struct field *pairs, size_t count)
{
    size_t size = sizeof(struct vary) + count * sizeof(struct pair);

    qsort(pairs, count, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < count; i++)
        size += pairs[i].name.len + pairs[i].value.len;
    struct vary *vary = mem_zalloc(size);

    TAG_SET(vary, VARY_TAG);
    vary->count = (uint32_t)count;
    vary->size = size;
    char *at = (char *)(vary->pairs + count);

    for (size_t i = 0; i < count; i++) {
        const struct field *from = &pairs[i];

        CHECK(from->name.len < ABSENT && from->value.len < ABSENT);
        vary->pairs[i].name_len = (uint32_t)from->name.len;
        vary->pairs[i].value_len =
            from->value.ptr != NULL ? (uint32_t)from->value.len : ABSENT;
        at = put(put(at, from->name), from->value);
    }
    return vary;
}

/* Texts go to one growing buffer, which moves: spans into it are made when it
 * has stopped growing, from these offsets. */
struct draft {
    struct buf text;
    size_t name_at[VARY_NAMES_MAX];
    size_t value_at[VARY_NAMES_MAX];
    size_t end[VARY_NAMES_MAX];
    bool absent[VARY_NAMES_MAX];
};

static struct vary *
build_draft(struct draft *draft, size_t count)
{
    struct field pairs[VARY_NAMES_MAX] = {0};

    for (size_t i = 0; i < count; i++) {
        struct span text = buf_span(&draft->text);

        pairs[i].name = span_sub(text, draft->name_at[i], draft->value_at[i]);
        pairs[i].value = draft->absent[i] ? SPAN_NONE
                                          : span_sub(text, draft->value_at[i],
                                                     draft->end[i]);
    }
    struct vary *vary = build(pairs, count);

    buf_fini(&draft->text);
    return vary;
}

/* Behind a normal form of codings stand the codings it is made of, so that a
 * variant outlives a change of its route: "br,gzip/br,gzip,zstd". */
static void
add_codings(const struct vary_codings *codings, struct buf *out)
{
    for (size_t i = 0; i < codings->count; i++) {
        buf_add_char(out, i > 0 ? ',' : '/');
        buf_add_span(out, codings->list[i]);
    }
    if (codings->count == 0)
        buf_add_char(out, '/');
}

/* The same, read back; *value is without it. `list` holds the spans. False
 * when there are too many. */
static bool
split_codings(struct span *value, struct span list[VARY_CODINGS_MAX],
              struct vary_codings *codings)
{
    size_t slash = span_find(*value, '/', 0);
    struct span rest = span_sub(*value, slash + 1, value->len);
    struct span one;

    *codings = (struct vary_codings){list, 0};
    *value = span_sub(*value, 0, slash);
    while (span_split(&rest, ',', &one)) {
        if (codings->count == VARY_CODINGS_MAX)
            return false;
        list[codings->count++] = one;
    }
    return true;
}

/* Adds the normal form that is kept. */
static bool
keep_value(const struct fields *request, struct span name,
           const struct vary_codings *codings, struct buf *out)
{
    bool present = vary_normalise(request, name, codings, out);

    if (present && span_eq_nocase(name, ACCEPT_ENCODING))
        add_codings(codings, out);
    return present;
}

struct vary *
vary_new(const struct fields *response, const struct fields *request,
         const struct vary_codings *codings)
{
    struct span names[VARY_NAMES_MAX];
    struct draft draft = {0};
    size_t count;

    CHECK(vary_names(response, names, &count));
    if (count == 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        draft.name_at[i] = draft.text.len;
        vary_add_lower(&draft.text, names[i]);
        draft.value_at[i] = draft.text.len;
        draft.absent[i] = !keep_value(request, names[i], codings, &draft.text);
        draft.end[i] = draft.text.len;
    }
    return build_draft(&draft, count);
}

struct vary *
vary_of_pairs(const struct field *pairs, size_t count)
{
    struct draft draft = {0};

    if (count == 0 || count > VARY_NAMES_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (span_eq_nocase(pairs[i].name, pairs[j].name))
                goto fail;
        }
        if (!token_valid(pairs[i].name))
            goto fail;
        draft.name_at[i] = draft.text.len;
        vary_add_lower(&draft.text, pairs[i].name);
        draft.value_at[i] = draft.text.len;
        buf_add_span(&draft.text, pairs[i].value);
        draft.absent[i] = pairs[i].value.ptr == NULL;
        draft.end[i] = draft.text.len;
    }
    return build_draft(&draft, count);
fail:
    buf_fini(&draft.text);
    return NULL;
}

void
vary_free(struct vary **vary)
{
    struct vary *gone = *vary;

    *vary = NULL;
    if (gone == NULL)
        return;
    TAG_CHECK(gone, VARY_TAG);
    TAG_CLEAR(gone);
    free(gone);
}

/* ---- reading ---- */

/* Walks along the texts: O(1) a step, where vary_next has to add up. */
struct walk {
    const char *text;
    size_t i;
};

static void
walk_next(const struct vary *vary, struct walk *walk, struct field *pair)
{
    const struct pair *lens = &vary->pairs[walk->i++];
    size_t value_len = lens->value_len == ABSENT ? 0 : lens->value_len;

    pair->name = (struct span){walk->text, lens->name_len};
    walk->text += lens->name_len;
    pair->value = lens->value_len == ABSENT
                      ? SPAN_NONE
                      : (struct span){walk->text, value_len};
    walk->text += value_len;
}

/* `scratch` is empty, and is left with anything. */
static bool
pair_matches(const struct field *pair, const struct fields *request,
             struct buf *scratch)
{
    struct span list[VARY_CODINGS_MAX];
    struct vary_codings codings = vary_codings_default;
    struct span value = pair->value;

    if (value.ptr != NULL && span_eq_nocase(pair->name, ACCEPT_ENCODING) &&
        !split_codings(&value, list, &codings))
        return false;
    if (!vary_normalise(request, pair->name, &codings, scratch))
        return value.ptr == NULL;
    return value.ptr != NULL && span_eq(buf_span(scratch), value);
}

/* Whether all pairs match; those of `but` (ptr NULL: none) are left out, and
 * *left_out says whether there is one. */
static bool
match(const struct vary *vary, const struct fields *request, struct span but,
      bool *left_out)
{
    struct walk walk = {texts(vary), 0};
    struct buf scratch = {0};
    bool same = true;

    TAG_CHECK(vary, VARY_TAG);
    while (same && walk.i < vary->count) {
        struct field pair;

        walk_next(vary, &walk, &pair);
        if (but.ptr != NULL && span_eq_nocase(pair.name, but)) {
            *left_out = true;
            continue;
        }
        buf_clear(&scratch);
        same = pair_matches(&pair, request, &scratch);
    }
    buf_fini(&scratch);
    return same;
}

bool
vary_match(const struct vary *vary, const struct fields *request)
{
    bool left_out;

    return vary == NULL || match(vary, request, SPAN_NONE, &left_out);
}

bool
vary_match_language(const struct vary *vary, const struct fields *request,
                    const struct fields *response)
{
    struct span language = fields_get(response, SPAN("Content-Language"));
    struct span best;
    bool by_language = false;

    return vary != NULL && vary_best_language(request, &best) &&
           fields_count(response, SPAN("Content-Language")) == 1 &&
           span_eq_nocase(language, best) &&
           match(vary, request, ACCEPT_LANGUAGE, &by_language) && by_language;
}

bool
vary_same(const struct vary *a, const struct vary *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->size == b->size && a->count == b->count &&
           memcmp(a->pairs, b->pairs, a->size - sizeof(*a)) == 0;
}

size_t
vary_cost(const struct vary *vary)
{
    return vary != NULL ? mem_size(vary) : 0;
}

bool
vary_next(const struct vary *vary, size_t *at, struct span *name,
          struct span *value)
{
    if (vary == NULL || *at >= vary->count)
        return false;
    struct walk walk = {texts(vary), 0};
    struct field pair;

    do
        walk_next(vary, &walk, &pair);
    while (walk.i <= *at);
    *at = walk.i;
    *name = pair.name;
    *value = pair.value;
    return true;
}

void
vary_text(const struct vary *vary, struct buf *out)
{
    struct span name;
    struct span value;
    size_t at = 0;

    while (vary_next(vary, &at, &name, &value)) {
        if (at > 1)
            buf_add_text(out, "; ");
        buf_add_span(out, name);
        buf_add_char(out, '=');
        if (value.ptr == NULL)
            buf_add_text(out, "(absent)");
        else
            buf_add_span(out, value);
    }
}
