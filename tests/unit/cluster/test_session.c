/* Session tokens: written, read back, refused when they are not ours, merged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "cluster/session.h"

static const struct span key = {"0123456789abcdef0123456789abcdef", 32};

static struct session
session_of(const char *position, int64_t date_s, bool kept)
{
    struct session session = {.date_s = date_s, .read = 17, .kept = kept};

    assert_true(position_parse(span_of(position), &session.position));
    return session;
}

static void
assert_position(const struct session *session, const char *want)
{
    struct buf text = {0};

    position_write(&session->position, &text);
    assert_string_equal(text.data ? text.data : "", want);
    buf_fini(&text);
}

static void
reads_back(void **state)
{
    static const struct {
        const char *position;
        int64_t date_s;
        bool kept;
    } table[] = {
        {"", 0, false},
        {"paris=1/2/3", 1790000000, false},
        {"a.b=1/2/3;tokyo=ffffffffffffffff/1/0", 1, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct session session =
            session_of(table[i].position, table[i].date_s, table[i].kept);
        struct session back;
        struct buf text = {0};

        session_write(&session, key, &text);
        assert_true(session_parse(buf_span(&text), key, &back));
        assert_position(&back, table[i].position);
        assert_int_equal(back.date_s, table[i].date_s);
        assert_int_equal(back.read, 17);
        assert_int_equal(back.kept, table[i].kept);
        buf_fini(&text);
    }
}

static void
assert_refused(struct span text, struct span with)
{
    struct session back;

    assert_false(session_parse(text, with, &back));
    assert_int_equal(back.position.count, 0);
    assert_int_equal(back.date_s, 0);
    assert_false(back.kept);
}

/* Any byte changed, any length but its own, another key. */
static void
refuses(void **state)
{
    struct session session = session_of("paris=1/2/3", 1790000000, true);
    struct buf text = {0};

    (void)state;
    session_write(&session, key, &text);
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        assert_refused(buf_span(&text), key);
        text.data[i] ^= 1;
        assert_refused(span_sub(buf_span(&text), 0, i), key);
        assert_refused(span_sub(buf_span(&text), i + 1, text.len), key);
    }
    assert_refused(buf_span(&text), SPAN("another key"));
    buf_add_char(&text, '0');
    assert_refused(buf_span(&text), key);
    buf_fini(&text);
    for (int i = 0; i < 9000; i++)
        buf_add_char(&text, '.');
    assert_refused(buf_span(&text), key);
    buf_fini(&text);
}

static void
merges(void **state)
{
    static const struct {
        const char *what;
        const char *ours;
        const char *theirs;
        const char *want;
    } table[] = {
        {"the first", "", "p=1/1/5", "p=1/1/5"},
        {"further", "p=1/1/5", "p=1/1/6", "p=1/1/6"},
        {"not back", "p=1/1/6", "p=1/1/5", "p=1/1/6"},
        {"another term: what the node says now", "p=1/1/6", "p=1/2/1",
         "p=1/2/1"},
        {"each site for itself", "p=1/1/6;q=1/1/1", "p=1/1/5;q=1/1/2",
         "p=1/1/6;q=1/1/2"},
        {"nothing seen", "p=1/1/6", "", "p=1/1/6"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct session session = session_of(table[i].ours, 100, false);
        struct session seen = session_of(table[i].theirs, 0, false);

        session_merge(&session, &seen.position);
        assert_position(&session, table[i].want);
        assert_int_equal(session.date_s, 100);
    }
}

/* Of two responses of one second nobody knows which is older. */
static void
reads(void **state)
{
    struct session session = session_of("", 100, false);

    (void)state;
    session_read(&session, 100, 7);
    assert_false(session_behind(&session, 100, 7));
    assert_true(session_behind(&session, 100, 8));
    assert_true(session_behind(&session, 100, 0));
    assert_true(session_behind(&session, 99, 7));
    assert_false(session_behind(&session, 101, 8));
    session_read(&session, 99, 9);
    assert_false(session_behind(&session, 100, 7));
    session_read(&session, 100, 0);
    assert_true(session_behind(&session, 100, 7));
    assert_true(session_behind(&session, 100, 0));
    session = (struct session){0};
    assert_false(session_behind(&session, 0, 0));
    assert_false(session_behind(&session, 1, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back),
        cmocka_unit_test(refuses),
        cmocka_unit_test(merges),
        cmocka_unit_test(reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
