#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fields_text.h"
#include "http/vary.h"

static void
knows_kinds(void **state)
{
    static const struct {
        const char *what;
        const char *response;
        enum vary_kind want;
    } rows[] = {
        {"none", "", VARY_NONE},
        {"empty", "Vary:", VARY_NONE},
        {"commas only", "Vary: , ,", VARY_NONE},
        {"one", "Vary: Foo", VARY_SOME},
        {"several lines", "Vary: Foo\nVary: Bar", VARY_SOME},
        {"star", "Vary: *", VARY_ANY},
        {"two stars", "Vary: *, *", VARY_ANY},
        {"two lines of stars", "Vary: *\nVary: *", VARY_ANY},
        {"an empty member, then a star", "Vary: , *", VARY_ANY},
        {"an empty line, then a star", "Vary:\nVary: *", VARY_ANY},
        {"a star, then a name", "Vary: *, Foo", VARY_ANY},
        {"a name, then a star", "Vary: Foo, *", VARY_ANY},
        {"no field name", "Vary: Foo Bar", VARY_ANY},
        {"32 names, one twice",
         "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,"
         "1,2,3,4,5,6,A",
         VARY_SOME},
        {"33 names",
         "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,"
         "1,2,3,4,5,6,7",
         VARY_ANY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = fields_of_text(rows[i].response);

        if (vary_kind(&fields) != rows[i].want)
            fail_msg("%s", rows[i].what);
        fields_fini(&fields);
    }
}

static void
matches_languages(void **state)
{
    static const struct {
        const char *what;
        const char *response;
        const char *stored; /* the request that was answered */
        const char *asked;
        bool want;
    } rows[] = {
#define DE "Vary: Accept-Language\nContent-Language: de"
#define ASK "Accept-Language: "
        {"the best", DE, ASK "en, de", ASK "fr;q=0.5, de;q=1.0", true},
        {"alone", DE, ASK "en, de", ASK "de", true},
        {"in another case", DE, ASK "en, de", ASK "DE", true},
        {"low, but best", DE, ASK "en, de", ASK "de;q=0.2, fr;q=0.1", true},
        {"for who said none", DE, "", ASK "de", true},
        {"not the best", DE, ASK "en, de", ASK "de;q=0.5, fr", false},
        {"as good as another", DE, ASK "en, de", ASK "de, fr", false},
        {"not wanted", DE, ASK "en, de", ASK "de;q=0", false},
        {"any", DE, ASK "en, de", ASK "*", false},
        {"any as much", DE, ASK "en, de", ASK "de, *", false},
        {"another kind of it", DE, ASK "en", ASK "de-AT", false},
        {"nothing asked", DE, ASK "en, de", "", false},
        {"no language of its own", "Vary: Accept-Language", ASK "en, de",
         ASK "de", false},
        {"two languages", "Vary: Accept-Language\nContent-Language: de, en",
         ASK "en, de", ASK "de", false},
        {"two lines", DE "\nContent-Language: en", ASK "en, de", ASK "de",
         false},
        {"not by language", "Vary: Foo\nContent-Language: de", "Foo: 1",
         "Foo: 1\n" ASK "de", false},
        {"no Vary", "Content-Language: de", "", ASK "de", false},
        {"and by another field",
         "Vary: Foo, Accept-Language\nContent-Language: de",
         "Foo: 1\n" ASK "en, de", "Foo: 1\n" ASK "de", true},
        {"which is another", "Vary: Foo, Accept-Language\nContent-Language: de",
         "Foo: 1\n" ASK "en, de", "Foo: 2\n" ASK "de", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields response = fields_of_text(rows[i].response);
        struct fields stored = fields_of_text(rows[i].stored);
        struct fields asked = fields_of_text(rows[i].asked);
        struct vary *vary =
            vary_kind(&response) == VARY_SOME
                ? vary_new(&response, &stored, &vary_codings_default)
                : NULL;

        if (vary_match_language(vary, &asked, &response) != rows[i].want)
            fail_msg("%s", rows[i].what);
        vary_free(&vary);
        fields_fini(&response);
        fields_fini(&stored);
        fields_fini(&asked);
    }
}

static const struct {
    const char *what;
    const char *vary;
    const char *stored; /* the request that was answered */
    const char *asked;
    bool want;
} match_rows[] = {
    {"no Vary matches all", "", "Foo: 1", "Foo: 2", true},
    {"the same value", "Foo", "Foo: 1", "Foo: 1", true},
    {"another value", "Foo", "Foo: 1", "Foo: 2", false},
    {"absent in the new one", "Foo", "Foo: 1", "", false},
    {"absent in the stored one", "Foo", "", "Foo: 1", false},
    {"absent in both", "Foo", "", "", true},
    {"empty is not absent", "Foo", "Foo:", "", false},
    {"absent is not empty", "Foo", "", "Foo:", false},
    {"empty in both", "Foo", "Foo:", "Foo:", true},
    {"a field that is not listed", "Foo", "Foo: 1\nOther: 2",
     "Foo: 1\nOther: 3", true},
    {"field names without case", "fOO", "Foo: 1", "foo: 1", true},
    {"values with case", "Foo", "Foo: a", "Foo: A", false},
    {"two fields", "Foo, Bar", "Foo: 1\nBar: abc", "Foo: 1\nBar: abc", true},
    {"two fields, one differs", "Foo, Bar", "Foo: 1\nBar: abc",
     "Foo: 1\nBar: abcde", false},
    {"two fields, one left out", "Foo, Bar", "Foo: 1", "Foo: 1", true},
    {"two fields in another order", "Bar, Foo", "Foo: 1\nBar: 2",
     "Bar: 2\nFoo: 1", true},
    {"values that trade places", "Foo, Bar", "Foo: 1\nBar: 2", "Foo: 2\nBar: 1",
     false},
    {"space round commas", "Foo", "Foo: 1,2", "Foo:  1, 2 ", true},
    {"lines are joined", "Foo", "Foo: 1, 2", "Foo: 1\nFoo: 2", true},
    {"the order of values counts", "Foo", "Foo: 1, 2", "Foo: 2, 1", false},
    {"space inside a value counts", "Foo", "Foo: a b", "Foo: ab", false},
    {"a comma in quotes is kept", "Foo", "Foo: \"a, b\"", "Foo: \"a,b\"",
     false},
    {"languages in another order", "Accept-Language", "Accept-Language: en, de",
     "Accept-Language: de, en", true},
    {"languages in another case", "Accept-Language", "Accept-Language: en, de",
     "Accept-Language: eN, De", true},
    {"languages with other spaces", "Accept-Language",
     "Accept-Language: en,de ; q = 0.5", "Accept-Language:  en ,  de;q=0.5",
     true},
    {"languages over lines", "Accept-Language", "Accept-Language: en, de",
     "Accept-Language: de\n"
     "Accept-Language: en",
     true},
    {"a weight of one", "Accept-Language", "Accept-Language: en;q=1.0",
     "Accept-Language: en", true},
    {"another weight, the same order", "Accept-Language",
     "Accept-Language: de, en;q=0.5", "Accept-Language: en;q=0.61, de", true},
    {"another order of weights", "Accept-Language",
     "Accept-Language: de, en;q=0.5", "Accept-Language: de;q=0.5, en", false},
    {"languages that are none", "Accept-Language",
     "Accept-Language: en, a b, d\xc3\xa9, toolonglang, en-, -en, x;y, "
     "en;q=2",
     "Accept-Language: en", true},
    {"nothing said is absent", "Accept-Language", "Accept-Language: ;;", "",
     true},
    {"a language refused", "Accept-Language", "Accept-Language: *, en;q=0",
     "Accept-Language: *", false},
    {"another language", "Accept-Language", "Accept-Language: en",
     "Accept-Language: de", false},
    {"more languages", "Accept-Language", "Accept-Language: en",
     "Accept-Language: en, de", false},
    {"codings in another order", "Accept-Encoding", "Accept-Encoding: gzip, br",
     "Accept-Encoding: br, GZip", true},
    {"weights of codings", "Accept-Encoding", "Accept-Encoding: gzip;q=0.8, br",
     "Accept-Encoding: gzip,br;q=1", true},
    {"a coding refused", "Accept-Encoding", "Accept-Encoding: gzip, br;q=0",
     "Accept-Encoding: gzip", true},
    {"a coding refused is not accepted", "Accept-Encoding",
     "Accept-Encoding: gzip;q=0.000", "Accept-Encoding: gzip", false},
    {"x-gzip", "Accept-Encoding", "Accept-Encoding: x-gzip",
     "Accept-Encoding: gzip", true},
    {"identity goes without saying", "Accept-Encoding",
     "Accept-Encoding: gzip, identity", "Accept-Encoding: gzip", true},
    {"identity refused", "Accept-Encoding",
     "Accept-Encoding: gzip, identity;q=0", "Accept-Encoding: gzip", false},
    {"all others refused", "Accept-Encoding", "Accept-Encoding: gzip, *;q=0",
     "Accept-Encoding: gzip, identity;q=0", true},
    {"any but one", "Accept-Encoding", "Accept-Encoding: *, gzip;q=0",
     "Accept-Encoding: *", false},
    {"a coding the route has not", "Accept-Encoding",
     "Accept-Encoding: gzip, deflate, foo", "Accept-Encoding: gzip", true},
    {"only such", "Accept-Encoding", "Accept-Encoding: deflate, foo;q=0.3",
     "Accept-Encoding: identity", true},
    {"a bad weight is none at all", "Accept-Encoding",
     "Accept-Encoding: gzip;q=x, br", "Accept-Encoding: br", true},
    {"no codings is identity", "Accept-Encoding",
     "Accept-Encoding:", "Accept-Encoding: identity;q=0.5", true},
    {"any is all of the route's", "Accept-Encoding", "Accept-Encoding: *",
     "Accept-Encoding: zstd, gzip, br", true},
    {"no codings is not any", "Accept-Encoding", "Accept-Encoding:", "", false},
};

static void
matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(match_rows); i++) {
        struct fields response = {0};
        struct fields stored = fields_of_text(match_rows[i].stored);
        struct fields asked = fields_of_text(match_rows[i].asked);

        fields_add(&response, SPAN("Vary"), span_of(match_rows[i].vary));
        struct vary *vary = vary_new(&response, &stored, &vary_codings_default);
        struct vary *other = vary_new(&response, &asked, &vary_codings_default);

        if (vary_match(vary, &asked) != match_rows[i].want)
            fail_msg("%s", match_rows[i].what);
        if (!vary_match(vary, &stored))
            fail_msg("%s: not even itself", match_rows[i].what);
        if (vary != NULL && vary_same(vary, other) != match_rows[i].want)
            fail_msg("%s: same", match_rows[i].what);
        vary_free(&vary);
        vary_free(&other);
        assert_null(vary);
        fields_fini(&response);
        fields_fini(&stored);
        fields_fini(&asked);
    }
}

static void
normalises(void **state)
{
    static const struct span few_list[] = {{"gzip", 4}};
    static const struct vary_codings few = {few_list, 1};
    static const struct vary_codings none = {NULL, 0};
    static const struct {
        const char *name;
        const char *request;
        const struct vary_codings *codings;
        const char *want; /* NULL: absent */
    } rows[] = {
#define AE "Accept-Encoding"
#define AL "Accept-Language"
        {"Foo", "Foo: a , b\nfoo: c", &few, "a,b,c"},
        {"Foo", "", &few, NULL},
        {AE, "", &few, NULL},
        {AE, AE ":", &few, "identity"},
        {AE, AE ": ZSTD;q=0.1, BR ; q = 0.2\n" AE ": gzip",
         &vary_codings_default, "br,gzip,zstd"},
        {AE, AE ": br, gzip", &few, "gzip"},
        {AE, AE ": br, gzip", &none, "identity"},
        {AE, AE ": *", &none, "identity"},
        {AE, AE ": *;q=0", &few, "identity;q=0"},
        {AE, AE ": gzip, *;q=0", &few, "gzip,identity;q=0"},
        {AE, AE ": identity, *;q=0", &few, "identity"},
        {AE, AE ": *, gzip;q=0", &vary_codings_default, "br,zstd"},
        {AE, AE ": gzip, gzip;q=0", &few, "identity"},
        {AL, "", &few, NULL},
        {AL, AL ":", &few, NULL},
        {AL, AL ": en-us,en;q=0.9,de;q=0.8", &few, "en-US,en;q=0.9,de;q=0.8"},
        {AL, AL ": de;q=0.2, fr;q=0.3, en", &few, "en,fr;q=0.9,de;q=0.8"},
        {AL, AL ": de;q=0.3, fr;q=0.3, en;q=0.30", &few, "de,en,fr"},
        {AL, AL ": SR-LATN-RS, zh-hant;q=0.5, de-ch-1996, en-x-us", &few,
         "de-CH-1996,en-x-us,sr-Latn-RS,zh-Hant;q=0.9"},
        {AL, AL ": en;q=0.1, fr;q=0.2, EN", &few, "en,fr;q=0.9"},
        {AL, AL ": en, en;q=0", &few, "en"},
        {AL, AL ": *;q=0.1, en;q=0, de", &few, "de,*;q=0.9,en;q=0"},
        {AL, AL ": g, h, f, e, d, c, b, a", &few, "a,b,c,d,e,f"},
        {AL, AL ": g, h;q=0.1, f;q=0.2, e;q=0.3, d;q=0.4, c;q=0.5, b;q=0.6",
         &few, "g,b;q=0.9,c;q=0.8,d;q=0.7,e;q=0.6,f;q=0.5"},
        /* More than 32 members: the rest is as if not there. */
        {AL,
         AL ": a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"
            ",b",
         &few, "a"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields request = fields_of_text(rows[i].request);
        struct fields again = {0};
        struct buf out = {0};
        struct buf twice = {0};
        bool present = vary_normalise(&request, span_of(rows[i].name),
                                      rows[i].codings, &out);

        assert_int_equal(present, rows[i].want != NULL);
        if (present && !span_eq(buf_span(&out), span_of(rows[i].want)))
            fail_msg("%s: \"%s\"", rows[i].request, out.data);
        if (!present)
            assert_int_equal(out.len, 0);
        /* What is sent on is kept by the next node under the same form. */
        if (present) {
            fields_add(&again, span_of(rows[i].name), buf_span(&out));
            assert_true(vary_normalise(&again, span_of(rows[i].name),
                                       rows[i].codings, &twice));
            assert_string_equal(twice.data, out.data);
        }
        fields_fini(&request);
        fields_fini(&again);
        buf_fini(&out);
        buf_fini(&twice);
    }
    assert_true(vary_cut_down(SPAN("accept-encoding")));
    assert_true(vary_cut_down(SPAN("ACCEPT-LANGUAGE")));
    assert_false(vary_cut_down(SPAN("Accept")));
}

/* Whatever a client sends, there are few classes. */
static void
has_few_variants(void **state)
{
    static const char *const words[] = {
        "br", "gzip", "zstd", "foo", "identity", "*", "X-GZIP", "deflate"};
    static const char *const weights[] = {"", ";q=0", ";q=0.001", ";q=x"};
    struct fields response = fields_of_text("Vary: accept-encoding");
    struct vary *seen[64];
    size_t count = 0;

    (void)state;
    for (unsigned n = 0; n < 20000; n++) {
        struct buf value = {0};
        struct fields request = {0};
        unsigned random = n * 2654435761u;
        size_t i = 0;

        for (size_t k = 0; k < 4; k++, random >>= 5)
            buf_printf(&value, "%s%s,", words[random & 7],
                       weights[random >> 3 & 3]);
        fields_add(&request, SPAN("Accept-Encoding"), buf_span(&value));
        struct vary *vary =
            vary_new(&response, &request, &vary_codings_default);

        while (i < count && !vary_same(seen[i], vary))
            i++;
        assert_true(i < ARRAY_LEN(seen));
        if (i == count)
            seen[count++] = vary;
        else
            vary_free(&vary);
        fields_fini(&request);
        buf_fini(&value);
    }
    /* Of three codings each, with identity or without. */
    assert_int_equal(count, 16);
    while (count > 0)
        vary_free(&seen[--count]);
    fields_fini(&response);
}

/* A variant is matched by the codings that it was made by. */
static void
keeps_its_codings(void **state)
{
    static const struct span few_list[] = {{"gzip", 4}};
    static const struct vary_codings few = {few_list, 1};
    struct fields response = fields_of_text("Vary: Accept-Encoding");
    struct fields request = fields_of_text("Accept-Encoding: br, gzip");
    struct fields other = fields_of_text("Accept-Encoding: gzip");
    struct fields refuses = fields_of_text("Accept-Encoding: br");
    struct vary *vary = vary_new(&response, &request, &few);
    struct vary *wide = vary_new(&response, &request, &vary_codings_default);
    struct buf text = {0};
    struct field pair = {SPAN("accept-encoding"), SPAN("a/a,b,c,d,e")};

    (void)state;
    vary_text(vary, &text);
    assert_string_equal(text.data, "accept-encoding=gzip/gzip");
    assert_true(vary_match(vary, &request));
    assert_true(vary_match(vary, &other));
    assert_false(vary_match(vary, &refuses));
    assert_true(vary_match(wide, &request));
    assert_false(vary_match(wide, &other));
    assert_false(vary_same(vary, wide));
    vary_free(&wide);
    wide = vary_of_pairs(&pair, 1); /* more than there can be */
    assert_false(vary_match(wide, &other));
    vary_free(&vary);
    vary_free(&wide);
    buf_fini(&text);
    fields_fini(&response);
    fields_fini(&request);
    fields_fini(&other);
    fields_fini(&refuses);
}

static void
shows_and_copies(void **state)
{
    struct fields response = fields_of_text("Vary: X-B, a, x-b, None");
    struct fields request = fields_of_text("A: 1 , 2\nx-b:");
    struct vary *vary = vary_new(&response, &request, &vary_codings_default);
    struct field pairs[VARY_NAMES_MAX];
    struct buf out = {0};
    size_t count = 0;
    size_t at = 0;

    (void)state;
    vary_text(vary, &out);
    assert_string_equal(out.data, "a=1,2; none=(absent); x-b=");
    while (vary_next(vary, &at, &pairs[count].name, &pairs[count].value))
        count++;
    assert_int_equal(count, 3);
    struct field first = pairs[0];

    pairs[0] = pairs[2];
    pairs[2] = first;
    struct vary *copy = vary_of_pairs(pairs, count);

    assert_true(vary_same(vary, copy));
    assert_int_equal(vary_cost(vary), vary_cost(copy));
    assert_int_equal(vary_cost(NULL), 0);
    assert_true(vary_same(NULL, NULL));
    assert_false(vary_same(vary, NULL));
    pairs[1].name = pairs[0].name;
    assert_null(vary_of_pairs(pairs, count));
    assert_null(vary_of_pairs(pairs, 0));
    assert_null(vary_of_pairs(pairs, VARY_NAMES_MAX + 1));
    buf_fini(&out);
    vary_free(&vary);
    vary_free(&copy);
    fields_fini(&response);
    fields_fini(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_kinds),
        cmocka_unit_test(matches),
        cmocka_unit_test(normalises),
        cmocka_unit_test(has_few_variants),
        cmocka_unit_test(matches_languages),
        cmocka_unit_test(keeps_its_codings),
        cmocka_unit_test(shows_and_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
