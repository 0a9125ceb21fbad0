#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fields_text.h"
#include "http/update.h"

static void
updates(void **state)
{
    static const struct {
        const char *what;
        const char *stored;
        const char *from_304;
        const char *want;
    } rows[] = {
        {"a stored field that the 304 lacks stays", "Test-Header: a", "",
         "Test-Header: a\n"},
        {"a field of the 304 replaces", "Test-Header: a\nB: 1",
         "Test-Header: b", "B: 1\nTest-Header: b\n"},
        {"a new field is added", "A: 1", "X-Test-Header: b",
         "A: 1\nX-Test-Header: b\n"},
        {"Content- fields are replaced", "Content-Foo: a\nX-Content-Foo: a",
         "Content-Foo: b\nX-Content-Foo: b",
         "Content-Foo: b\nX-Content-Foo: b\n"},
        {"Cache-Control is replaced", "Cache-Control: max-age=1",
         "Cache-Control: max-age=3600", "Cache-Control: max-age=3600\n"},
        {"Content-Length is not", "Content-Length: 36", "Content-Length: 10",
         "Content-Length: 36\n"},
        {"Content-Length is not added", "A: 1", "content-length: 10", "A: 1\n"},
        {"Content-Encoding and Content-Range are not", "Content-Encoding: br",
         "Content-Encoding: gzip\nContent-Range: x", "Content-Encoding: br\n"},
        {"digests of the stored bytes are not",
         "Content-Digest: a\nRepr-Digest: a\nContent-MD5: a\nDigest: a",
         "Content-Digest: b\nRepr-Digest: b\ncontent-md5: b\nDigest: b",
         "Content-Digest: a\nRepr-Digest: a\nContent-MD5: a\nDigest: a\n"},
        {"nor are they added", "A: 1", "Content-Digest: b\nContent-MD5: b",
         "A: 1\n"},
        {"hop-by-hop fields are not", "A: 1",
         "Connection: foo\nFoo: x\nKeep-Alive: 5\n"
         "Transfer-Encoding: chunked\nB: 2",
         "A: 1\nB: 2\n"},
        {"several lines replace several", "A: 1\na: 2\nB: 1", "A: 3\nA: 4",
         "B: 1\nA: 3\nA: 4\n"},
        {"names without case", "TEST: a", "test: b", "test: b\n"},
        {"Age and Date start anew", "Age: 100\nDate: x\nA: 1", "Date: y",
         "A: 1\nDate: y\n"},
        {"the 304's Age counts", "Age: 100", "Age: 5", "Age: 5\n"},
        {"a weak tag does not become strong", "ETag: W/\"a\"", "ETag: \"a\"",
         "ETag: W/\"a\"\n"},
        {"a strong one becomes weak", "ETag: \"a\"", "ETag: W/\"a\"",
         "ETag: W/\"a\"\n"},
        {"a first one is taken", "A: 1", "ETag: \"a\"", "A: 1\nETag: \"a\"\n"},
        {"a new Set-Cookie is not for all", "A: 1", "Set-Cookie: a=b",
         "A: 1\n"},
        {"a stored Set-Cookie is replaced", "Set-Cookie: a=b",
         "Set-Cookie: a=c", "Set-Cookie: a=c\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields stored = fields_of_text(rows[i].stored);
        struct fields from_304 = fields_of_text(rows[i].from_304);
        struct fields out = {0};
        struct buf text = {0};

        update_fields(&stored, &from_304, &out);
        for (size_t j = 0; j < out.count; j++)
            buf_printf(&text, "%.*s: %.*s\n", SPAN_FMT(out.list[j].name),
                       SPAN_FMT(out.list[j].value));
        if (!span_eq(buf_span(&text), span_of(rows[i].want)))
            fail_msg("%s: \"%s\"", rows[i].what, text.data);
        buf_fini(&text);
        fields_fini(&out);
        fields_fini(&stored);
        fields_fini(&from_304);
    }
}

struct pair_row {
    const char *what;
    const char *stored;
    const char *sent;
    bool want;
};

#define LM1 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"
#define LM2 "Last-Modified: Mon, 07 Nov 1994 08:49:37 GMT"

static void
tells_what_a_304_is_about(void **state)
{
    static const struct pair_row rows[] = {
        {"no validator in the 304", "ETag: \"a\"", "", true},
        {"no validator at all", "", "", true},
        {"the same strong tag", "ETag: \"a\"", "ETag: \"a\"", true},
        {"another strong tag", "ETag: \"a\"", "ETag: \"b\"", false},
        {"the same weak tag", "ETag: W/\"a\"", "ETag: W/\"a\"", true},
        {"another weak tag", "ETag: W/\"a\"", "ETag: W/\"b\"", false},
        {"weakened on the way", "ETag: \"a\"", "ETag: W/\"a\"", true},
        {"its W/ lost on the way", "ETag: W/\"a\"", "ETag: \"a\"", true},
        {"a newer Last-Modified with the same tag", "ETag: \"a\"\n" LM1,
         "ETag: \"a\"\n" LM2, true},
        {"the same Last-Modified", LM1, LM1, true},
        {"another Last-Modified", LM1, LM2, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields stored = fields_of_text(rows[i].stored);
        struct fields sent = fields_of_text(rows[i].sent);

        if (update_applies(&stored, &sent) != rows[i].want)
            fail_msg("%s", rows[i].what);
        fields_fini(&stored);
        fields_fini(&sent);
    }
}

#define FRESHENS UPDATE_HEAD_FRESHENS
#define INVALIDATES UPDATE_HEAD_INVALIDATES
#define NOTHING UPDATE_HEAD_SAYS_NOTHING
#define ETAG_A "ETag: \"a\"\n"
#define ETAG_B "ETag: \"b\"\n"

static void
judges_answers_to_head(void **state)
{
    static const struct {
        const char *what;
        const char *stored;
        const char *sent;
        int64_t stored_len;
        int64_t sent_len;
        enum update_head want;
    } rows[] = {
        {"all the same", ETAG_A LM1, ETAG_A LM1, 5, 5, FRESHENS},
        {"a tag alone", ETAG_A LM1, ETAG_A, 5, -1, FRESHENS},
        {"a weak one", "ETag: W/\"a\"", "ETag: W/\"a\"", 5, -1, FRESHENS},
        {"a date alone", LM1, ETAG_A LM1, 5, 5, FRESHENS},
        {"another tag", ETAG_A, ETAG_B, 5, 5, INVALIDATES},
        {"another tag, the same date", ETAG_A LM1, ETAG_B LM1, 5, 5,
         INVALIDATES},
        {"another date", ETAG_A LM1, ETAG_A LM2, 5, 5, INVALIDATES},
        {"another length", ETAG_A, ETAG_A, 5, 6, INVALIDATES},
        {"another length, no validator", "", "", 5, 6, INVALIDATES},
        {"no longer empty", "", "", 0, 6, INVALIDATES},
        {"silent", ETAG_A LM1, "", 5, -1, NOTHING},
        {"only a length", "", "", 5, 5, NOTHING},
        {"no validator on our side", "", ETAG_A LM1, 5, 5, NOTHING},
        {"an empty one", "ETag:", "ETag:", 5, 5, NOTHING},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields stored = fields_of_text(rows[i].stored);
        struct fields sent = fields_of_text(rows[i].sent);
        struct update_head_lengths lengths = {rows[i].stored_len,
                                              rows[i].sent_len};

        if (update_head(&stored, &sent, lengths) != rows[i].want)
            fail_msg("%s", rows[i].what);
        fields_fini(&stored);
        fields_fini(&sent);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates),
        cmocka_unit_test(tells_what_a_304_is_about),
        cmocka_unit_test(judges_answers_to_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
