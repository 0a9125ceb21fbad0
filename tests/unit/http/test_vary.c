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
matches(void **state)
{
    static const struct {
        const char *what;
        const char *vary;
        const char *stored; /* the request that was answered */
        const char *asked;
        bool want;
    } rows[] = {
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
        {"two fields", "Foo, Bar", "Foo: 1\nBar: abc", "Foo: 1\nBar: abc",
         true},
        {"two fields, one differs", "Foo, Bar", "Foo: 1\nBar: abc",
         "Foo: 1\nBar: abcde", false},
        {"two fields, one left out", "Foo, Bar", "Foo: 1", "Foo: 1", true},
        {"two fields in another order", "Bar, Foo", "Foo: 1\nBar: 2",
         "Bar: 2\nFoo: 1", true},
        {"values that trade places", "Foo, Bar", "Foo: 1\nBar: 2",
         "Foo: 2\nBar: 1", false},
        {"space round commas", "Foo", "Foo: 1,2", "Foo:  1, 2 ", true},
        {"lines are joined", "Foo", "Foo: 1, 2", "Foo: 1\nFoo: 2", true},
        {"the order of values counts", "Foo", "Foo: 1, 2", "Foo: 2, 1", false},
        {"space inside a value counts", "Foo", "Foo: a b", "Foo: ab", false},
        {"a comma in quotes is kept", "Foo", "Foo: \"a, b\"", "Foo: \"a,b\"",
         false},
        {"languages in another order", "Accept-Language",
         "Accept-Language: en, de", "Accept-Language: de, en", true},
        {"languages in another case", "Accept-Language",
         "Accept-Language: en, de", "Accept-Language: eN, De", true},
        {"languages with other spaces", "Accept-Language",
         "Accept-Language: en,de ; q = 0.5", "Accept-Language:  en ,  de;q=0.5",
         true},
        {"languages over lines", "Accept-Language", "Accept-Language: en, de",
         "Accept-Language: de\n"
         "Accept-Language: en",
         true},
        {"a weight of one", "Accept-Language", "Accept-Language: en;q=1.0",
         "Accept-Language: en", true},
        {"another weight", "Accept-Language", "Accept-Language: en;q=0.5",
         "Accept-Language: en;q=0.6", false},
        {"another language", "Accept-Language", "Accept-Language: en",
         "Accept-Language: de", false},
        {"more languages", "Accept-Language", "Accept-Language: en",
         "Accept-Language: en, de", false},
        {"codings in another order", "Accept-Encoding",
         "Accept-Encoding: gzip, br", "Accept-Encoding: br, GZip", true},
        {"weights of codings", "Accept-Encoding",
         "Accept-Encoding: gzip;q=0.8, br", "Accept-Encoding: gzip,br;q=1",
         true},
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
        {"all others refused", "Accept-Encoding",
         "Accept-Encoding: gzip, *;q=0", "Accept-Encoding: gzip, identity;q=0",
         true},
        {"any but one", "Accept-Encoding", "Accept-Encoding: *, gzip;q=0",
         "Accept-Encoding: *", false},
        {"an unknown coding is kept", "Accept-Encoding",
         "Accept-Encoding: gzip, foo", "Accept-Encoding: gzip", false},
        {"a bad weight is kept", "Accept-Encoding", "Accept-Encoding: gzip;q=x",
         "Accept-Encoding: gzip", false},
        {"unknown codings in another order", "Accept-Encoding",
         "Accept-Encoding: foo, gzip, bar", "Accept-Encoding: bar,foo,gzip",
         true},
        {"no codings is not any", "Accept-Encoding", "Accept-Encoding:", "",
         false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields response = {0};
        struct fields stored = fields_of_text(rows[i].stored);
        struct fields asked = fields_of_text(rows[i].asked);

        fields_add(&response, SPAN("Vary"), span_of(rows[i].vary));
        struct vary *vary = vary_new(&response, &stored);
        struct vary *other = vary_new(&response, &asked);

        if (vary_match(vary, &asked) != rows[i].want)
            fail_msg("%s", rows[i].what);
        if (!vary_match(vary, &stored))
            fail_msg("%s: not even itself", rows[i].what);
        if (vary != NULL && vary_same(vary, other) != rows[i].want)
            fail_msg("%s: same", rows[i].what);
        vary_free(&vary);
        vary_free(&other);
        assert_null(vary);
        fields_fini(&response);
        fields_fini(&stored);
        fields_fini(&asked);
    }
}

static void
shows_and_copies(void **state)
{
    struct fields response = fields_of_text("Vary: X-B, a, x-b, None");
    struct fields request = fields_of_text("A: 1 , 2\nx-b:");
    struct vary *vary = vary_new(&response, &request);
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
        cmocka_unit_test(shows_and_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
