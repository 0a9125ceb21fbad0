#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fields_text.h"
#include "http/cache_control.h"

static void
show_number(struct buf *out, const char *name, uint64_t value)
{
    if (value != CC_UNSET)
        buf_printf(out, "%s=%llu ", name, (unsigned long long)value);
}

static void
show_flag(struct buf *out, const char *name, bool set)
{
    if (set)
        buf_printf(out, "%s ", name);
}

static void
show_lists(struct buf *out, const char *name,
           const struct cache_control_lists *lists)
{
    for (size_t i = 0; i < lists->count; i++)
        buf_printf(out, "%s[%.*s] ", name, SPAN_FMT(lists->list[i]));
}

/* All that is set, in one order. */
static void
show(const struct cache_control *cc, struct buf *out)
{
    show_number(out, "max-age", cc->max_age);
    show_number(out, "s-maxage", cc->s_maxage);
    show_flag(out, "no-store", cc->no_store);
    show_flag(out, "no-cache", cc->no_cache);
    show_flag(out, "private", cc->is_private);
    show_flag(out, "public", cc->is_public);
    show_flag(out, "must-revalidate", cc->must_revalidate);
    show_flag(out, "proxy-revalidate", cc->proxy_revalidate);
    show_flag(out, "must-understand", cc->must_understand);
    show_flag(out, "immutable", cc->immutable);
    show_flag(out, "no-transform", cc->no_transform);
    show_flag(out, "only-if-cached", cc->only_if_cached);
    show_number(out, "swr", cc->stale_while_revalidate);
    show_number(out, "sie", cc->stale_if_error);
    show_number(out, "max-stale", cc->max_stale);
    show_flag(out, "max-stale", cc->max_stale_any);
    show_number(out, "min-fresh", cc->min_fresh);
    show_lists(out, "no-cache", &cc->no_cache_fields);
    show_lists(out, "private", &cc->private_fields);
    if (out->len > 0)
        out->len--;
}

static void
check(const char *what, const struct cache_control *cc, const char *want)
{
    struct buf out = {0};

    show(cc, &out);
    if (!span_eq(buf_span(&out), span_of(want)))
        fail_msg("%s: \"%.*s\"", what, SPAN_FMT(buf_span(&out)));
    buf_fini(&out);
}

struct row {
    const char *what;
    const char *text;
    const char *want;
};

#define CC "Cache-Control: "

static const struct row parse_rows[] = {
    {"absent", "", ""},
    {"empty", CC, ""},
    {"every flag",
     CC "no-store, no-cache, private, public, must-revalidate, "
        "proxy-revalidate, must-understand, immutable, no-transform, "
        "only-if-cached",
     "no-store no-cache private public must-revalidate proxy-revalidate "
     "must-understand immutable no-transform only-if-cached"},
    {"every number",
     CC "max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, "
        "max-stale=5, min-fresh=6",
     "max-age=1 s-maxage=2 swr=3 sie=4 max-stale=5 min-fresh=6"},
    {"names without case", CC "MaX-aGe=60, NO-STORE", "max-age=60 no-store"},
    {"unknown directives", CC "foobar, max-age=3600, foo=bar, a=\"b\"",
     "max-age=3600"},
    {"several lines", CC "max-age=0\n" CC "s-maxage=3600",
     "max-age=0 s-maxage=3600"},
    {"other case of the field's name", "cache-control: no-store", "no-store"},
    {"empty members", CC ", ,max-age=5,, ,", "max-age=5"},
    {"no space", CC "max-age=5,public", "max-age=5 public"},

    {"leading zeros", CC "max-age=003600", "max-age=3600"},
    {"2147483647", CC "max-age=2147483647", "max-age=2147483647"},
    {"2147483648", CC "max-age=2147483648", "max-age=2147483648"},
    {"2147483649 is cut", CC "max-age=2147483649", "max-age=2147483648"},
    {"99999999999 is cut", CC "max-age=99999999999", "max-age=2147483648"},
    {"more than 64 bits", CC "max-age=99999999999999999999999999",
     "max-age=2147483648"},
    {"quoted number", CC "max-age=\"3600\"", "max-age=3600"},
    {"negative is stale", CC "max-age=-3600", "max-age=0"},
    {"single quotes are stale", CC "max-age='3600'", "max-age=0"},
    {"decimal is stale", CC "max-age=3600.5", "max-age=0"},
    {"letters before", CC "max-age=a3600", "max-age=0"},
    {"letters behind", CC "max-age=3600a", "max-age=0"},
    {"no number", CC "max-age", "max-age=0"},
    {"nothing behind =", CC "max-age=", "max-age=0"},
    {"space before =", CC "max-age =3600", "max-age=0"},
    {"space behind =", CC "max-age= 3600", "max-age=0"},
    {"bad s-maxage is stale", CC "s-maxage=x, max-age=3600",
     "max-age=3600 s-maxage=0"},
    {"bad stale grants grant none",
     CC "stale-while-revalidate=x, stale-if-error", "swr=0 sie=0"},
    {"bad requests ask nothing", CC "max-stale=x, min-fresh=y", ""},
    {"max-stale alone", CC "max-stale", "max-stale"},
    {"duplicates: the first counts", CC "max-age=1, max-age=1800", "max-age=1"},
    {"duplicates over lines", CC "max-age=1800\n" CC "max-age=1",
     "max-age=1800"},

    {"max-age in a quoted value before",
     CC "ext=\"max-age=3600, no-store\", max-age=1", "max-age=1"},
    {"max-age in a quoted value behind", CC "max-age=1, ext=\"max-age=3600\"",
     "max-age=1"},
    {"an escaped quote in a quoted value",
     CC "ext=\"a\\\", max-age=3600\", max-age=1", "max-age=1"},
    {"an open quote hides no restriction", CC "ext=\"a, no-store, private",
     "no-store private"},
    {"an open quote grants nothing", CC "ext=\"a, max-age=3600, public",
     "max-age=0"},
    {"a semicolon for a comma", CC "max-age=60; private", "max-age=0 private"},
    {"none at all", CC "max-age=60 private no-store",
     "max-age=0 no-store private"},
    {"a no-break space", CC "max-age=60,\xa0private", "max-age=60 private"},
    {"the field's name twice", CC "Cache-Control: no-store", "no-store"},
    {"all of it quoted", CC "\"no-store, max-age=60\"", "max-age=0 no-store"},
    {"malformed, and grants nothing", CC "a b; public, immutable;", ""},
    {"a word within a word", CC "a/private, x=/no-store, max-age=60",
     "max-age=60"},
    {"a quote inside a token", CC "a\"b, no-store\", max-age=5",
     "max-age=5 no-store"},
    {"text behind a quoted string", CC "a=\"b\"c, max-age=5", "max-age=5"},

    {"a restriction with an argument counts", CC "no-store=1", "no-store"},
    {"a permission with an argument does not",
     CC "public=1, immutable=\"a\", must-understand=x", ""},
    {"private with a list", CC "private=\"A, b\"", "private[A, b]"},
    {"no-cache with a list", CC "no-cache=\"Set-Cookie\"",
     "no-cache[Set-Cookie]"},
    {"a list as a token", CC "no-cache=Foo", "no-cache[Foo]"},
    {"with and without", CC "no-cache=\"a\", no-cache", "no-cache no-cache[a]"},
    {"an empty list is none", CC "private=\"\", no-cache=\" , \"",
     "no-cache private"},
    {"a list that is no list of names", CC "private=\"a b\"", "private"},
    {"a list that names what is needed", CC "no-cache=\"a, Vary\"", "no-cache"},
    {"too many lists",
     CC "private=a, private=b, private=c, private=d, private=e",
     "private private[a] private[b] private[c] private[d]"},
    {"too many names",
     CC "private=\"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,"
        "a1,a2,a3,a4,a5,a6,a7\"",
     "private"},
};

static void
parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parse_rows); i++) {
        struct fields fields = fields_of_text(parse_rows[i].text);
        struct cache_control cc;

        cache_control_parse(&fields, &cc);
        check(parse_rows[i].what, &cc, parse_rows[i].want);
        fields_fini(&fields);
    }
}

static void
reads_requests(void **state)
{
    static const struct row rows[] = {
        {"Pragma alone", "Pragma: no-cache", "no-cache"},
        {"Pragma in a list, other case", "Pragma: foo, No-Cache", "no-cache"},
        {"another Pragma", "Pragma: foo", ""},
        {"Cache-Control wins over Pragma", "Pragma: no-cache\n" CC "x", ""},
        {"unknown directives and Pragma",
         "Pragma: foo\n" CC "nothing-to-see-here", ""},
        {"an empty Cache-Control does not", "Pragma: no-cache\n" CC,
         "no-cache"},
        {"neither", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = fields_of_text(rows[i].text);
        struct cache_control cc;

        cache_control_request(&fields, &cc);
        check(rows[i].what, &cc, rows[i].want);
        fields_fini(&fields);
    }
}

#define CDN "CDN-Cache-Control: "
#define INVALID NULL

static void
reads_targeted_fields(void **state)
{
    static const struct row rows[] = {
        {"absent", CC "max-age=5", INVALID},
        {"empty", CDN, INVALID},
        {"max-age", CDN "max-age=3600", "max-age=3600"},
        {"2147483648", CDN "max-age=2147483648", "max-age=2147483648"},
        {"99999999999", CDN "max-age=99999999999", "max-age=2147483648"},
        {"max-age=0", CDN "max-age=0", "max-age=0"},
        {"negative", CDN "max-age=-1", "max-age=0"},
        {"unknown ones", CDN "foobar, max-age=3600, foo=(a b)", "max-age=3600"},
        {"only unknown ones", CDN "foobar", ""},
        {"flags", CDN "private, no-cache, no-store",
         "no-store no-cache private"},
        {"parameters are ignored", CDN "max-age=3600;a=1;b", "max-age=3600"},
        {"the last value counts", CDN "max-age=1, max-age=2", "max-age=2"},
        {"a flag set to false", CDN "no-store, no-store=?0", ""},
        {"a list of fields", CDN "private=\"a, b\"", "private[a, b]"},
        {"several lines", CDN "max-age=5\n" CDN "no-store",
         "max-age=5 no-store"},
        {"a list in one of several lines", CDN "private=\"a\"\n" CDN "b",
         "private"},
        {"a syntax error behind", CDN "max-age=10000, &&&&&", INVALID},
        {"a syntax error in another line", CDN "max-age=10000\n" CDN "&&&&&",
         INVALID},
        {"a String for a number", CDN "max-age=\"10000\"", INVALID},
        {"a Decimal for a number", CDN "max-age=3600.5", INVALID},
        {"no number", CDN "max-age", INVALID},
        {"a number for a flag", CDN "no-store=1", INVALID},
        {"an upper-case name", CDN "Max-Age=5", INVALID},
        {"a trailing comma", CDN "max-age=5,", INVALID},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = fields_of_text(rows[i].text);
        struct cache_control cc;
        bool valid =
            cache_control_targeted(&fields, SPAN("CDN-Cache-Control"), &cc);

        if (valid != (rows[i].want != INVALID))
            fail_msg("%s: %d", rows[i].what, valid);
        check(rows[i].what, &cc, valid ? rows[i].want : "");
        fields_fini(&fields);
    }
}

#define SC "Surrogate-Control: "

static void
reads_surrogate_control(void **state)
{
    static const struct row rows[] = {
        {"absent", "", INVALID},
        {"empty", SC, INVALID},
        {"for all", SC "max-age=3600", "max-age=3600"},
        {"names without case", SC "Max-Age=3600, No-Store",
         "max-age=3600 no-store"},
        {"for us", SC "max-age=3600;Atlas", "max-age=3600"},
        {"for us, spaced", SC "max-age=3600 ; atlas", "max-age=3600"},
        {"for another", SC "max-age=3600;other", INVALID},
        {"for both", SC "max-age=1;other, max-age=3600;atlas", "max-age=3600"},
        {"ours first", SC "max-age=1, max-age=2;atlas", "max-age=2"},
        {"ours adds to all's", SC "no-store, max-age=2;atlas",
         "max-age=2 no-store"},
        {"on two lines", SC "max-age=1;other\n" SC "max-age=2", "max-age=2"},
        {"fresh and stale", SC "max-age=60+30", "max-age=60 swr=30"},
        {"fresh and stale, malformed", SC "max-age=60+x", "max-age=60 swr=0"},
        {"a plus elsewhere", SC "foo=1+2", ""},
        {"not in a remote one", SC "No-Store-Remote", "no-store"},
        {"a list that names the field itself",
         SC "max-age=9, private=\"Surrogate-Control\"", "max-age=9 private"},
        {"a word more", SC "foobar, max-age=9", "max-age=9"},
        {"a semicolon in quotes", SC "content=\"a;b\", no-store", "no-store"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = fields_of_text(rows[i].text);
        struct cache_control cc;
        bool valid = cache_control_surrogate(&fields, SPAN("atlas"), &cc);

        if (valid != (rows[i].want != INVALID))
            fail_msg("%s: %d", rows[i].what, valid);
        check(rows[i].what, &cc, valid ? rows[i].want : "");
        fields_fini(&fields);
    }
}

static void
finds_names_in_lists(void **state)
{
    struct fields fields =
        fields_of_text(CC "private=\"A, b\", private=c, no-cache=d");
    struct cache_control cc;

    (void)state;
    cache_control_parse(&fields, &cc);
    assert_true(cache_control_names(&cc.private_fields, SPAN("a")));
    assert_true(cache_control_names(&cc.private_fields, SPAN("B")));
    assert_true(cache_control_names(&cc.private_fields, SPAN("c")));
    assert_false(cache_control_names(&cc.private_fields, SPAN("d")));
    assert_true(cache_control_names(&cc.no_cache_fields, SPAN("d")));
    assert_false(cache_control_names(&cc.no_cache_fields, SPAN("")));
    fields_fini(&fields);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(reads_requests),
        cmocka_unit_test(reads_targeted_fields),
        cmocka_unit_test(reads_surrogate_control),
        cmocka_unit_test(finds_names_in_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
