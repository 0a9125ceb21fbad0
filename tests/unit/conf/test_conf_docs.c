/* The reference and the schema say everything, and nothing else. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "conf/conf_internal.h"

static char *
written(void (*write)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    write(out);
    fclose(out);
    return text;
}

static char *
content(const char *path)
{
    FILE *in = fopen(path, "r");
    struct buf text = {0};
    char piece[4096];
    size_t len;

    assert_non_null(in);
    while ((len = fread(piece, 1, sizeof(piece), in)) > 0)
        buf_add(&text, piece, len);
    fclose(in);
    return buf_steal(&text);
}

static const char *
between(enum conf_type type)
{
    return type == CONF_OBJECT ? "." : type == CONF_LIST ? "[]." : ".NAME.";
}

static void
check_reference(const struct conf_table *table, const char *prefix,
                const char *page)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];
        struct buf path = {0};
        struct buf want = {0};

        buf_printf(&path, "%s%s", prefix, option->name);
        buf_printf(&want, "`%s`", path.data);
        assert_non_null(strstr(page, want.data));
        assert_non_null(strstr(page, option->doc));
        if (option->table != NULL) {
            buf_add_text(&path, between(option->type));
            check_reference(option->table, path.data, page);
        }
        buf_fini(&path);
        buf_fini(&want);
    }
}

static void
test_reference(void **state)
{
    char *page = written(conf_write_reference);

    (void)state;
    check_reference(&conf_table_root, "", page);
    free(page);
}

/* The schema of what is inside an option. */
static const json_t *
inside(const struct conf_option *option, const json_t *schema)
{
    if (option->type == CONF_LIST)
        return json_object_get(schema, "items");
    if (option->type == CONF_MAP)
        return json_object_get(schema, "additionalProperties");
    return schema;
}

static void
check_schema(const struct conf_table *table, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties");

    assert_int_equal(json_object_size(properties), table->count);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];
        const json_t *one = json_object_get(properties, option->name);

        assert_non_null(one);
        assert_true(json_is_string(json_object_get(one, "description")));
        assert_true((json_object_get(one, "default") != NULL) ==
                    (option->initial != NULL));
        if (option->table != NULL)
            check_schema(option->table, inside(option, one));
    }
}

static void
test_schema(void **state)
{
    char *text = written(conf_write_schema);
    json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    (void)state;
    assert_non_null(schema);
    check_schema(&conf_table_root, schema);
    json_decref(schema);
    free(text);
}

static void
test_files(void **state)
{
    char *page = written(conf_write_reference);
    char *schema = written(conf_write_schema);
    char *kept_page = content("conf/REFERENCE.md");
    char *kept_schema = content("conf/schema.json");

    (void)state;
    assert_string_equal(kept_page, page);
    assert_string_equal(kept_schema, schema);
    free(page);
    free(schema);
    free(kept_page);
    free(kept_schema);
}

/* Options that cannot be written in one line of the table, or have no words. */
static void
check_rows(const struct conf_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_option *option = &table->options[i];
        size_t len = strlen(option->doc);

        assert_true(len > 10 && option->doc[len - 1] == '.');
        assert_true(option->initial == NULL || !option->required);
        assert_true((option->type == CONF_ENUM) == (option->choices != NULL));
        assert_true(option->offset < table->size);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(option->name, table->options[j].name);
        if (option->table != NULL)
            check_rows(option->table);
    }
}

static void
test_rows(void **state)
{
    (void)state;
    check_rows(&conf_table_root);
}

/* ---- what strings must look like: parser and schema agree ---- */

struct sample {
    enum conf_text text;
    const char *value;
    const char *kept; /* NULL: refused */
};

static const struct sample samples[] = {
    {CONF_TEXT_NAME, "paris-1", "paris-1"},
    {CONF_TEXT_NAME, "a.b_C9", "a.b_C9"},
    {CONF_TEXT_NAME, ".a", NULL},
    {CONF_TEXT_NAME, "\xc3\xa9", NULL},
    {CONF_TEXT_LISTEN, "0.0.0.0:0", "0.0.0.0:0"},
    {CONF_TEXT_LISTEN, "[::]:8080", "[::]:8080"},
    {CONF_TEXT_LISTEN, "[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]:1"},
    {CONF_TEXT_LISTEN, "1.2.3.4", NULL},
    {CONF_TEXT_LISTEN, "1.2.3.4:", NULL},
    {CONF_TEXT_LISTEN, "1.2.3.4:+1", NULL},
    {CONF_TEXT_LISTEN, "1.2.3:1", NULL},
    {CONF_TEXT_LISTEN, "[::1:1", NULL},
    {CONF_TEXT_LISTEN, "[::1]1", NULL},
    {CONF_TEXT_ADDRESS, "Host-1.a_b:1", "host-1.a_b:1"},
    {CONF_TEXT_ADDRESS, "a:65536", NULL},
    {CONF_TEXT_ADDRESS, "a..b:1", NULL},
    {CONF_TEXT_ADDRESS, ":1", NULL},
    {CONF_TEXT_ADDRESS, "[zz]:1", NULL},
    {CONF_TEXT_BASE, "h:1", "http://h:1"},
    {CONF_TEXT_BASE, "http://h:1/", "http://h:1"},
    {CONF_TEXT_BASE, "http://h", NULL},
    {CONF_TEXT_BASE, "h:1/", NULL},
    {CONF_TEXT_URL, "http://h", "http://h"},
    {CONF_TEXT_URL, "https://[::1]:443/", "https://[::1]:443"},
    {CONF_TEXT_URL, "http://h//", NULL},
    {CONF_TEXT_URL, "http://", NULL},
    {CONF_TEXT_URL, "http://u@h", NULL},
    {CONF_TEXT_URL, "http://h?x", NULL},
    {CONF_TEXT_AUTHORITY, "h", "h"},
    {CONF_TEXT_AUTHORITY, "H:8", "h:8"},
    {CONF_TEXT_AUTHORITY, "h:", NULL},
    {CONF_TEXT_HOST, "*", "*"},
    {CONF_TEXT_HOST, "*.A.b", "*.a.b"},
    {CONF_TEXT_HOST, "[::1]", "[::1]"},
    {CONF_TEXT_HOST, "*a", NULL},
    {CONF_TEXT_HOST, "*.", NULL},
    {CONF_TEXT_HOST, "a.", NULL},
    {CONF_TEXT_HOST, "*.*.a", NULL},
    {CONF_TEXT_PATH, "/", "/"},
    {CONF_TEXT_PATH, "/*", "/*"},
    {CONF_TEXT_PATH, "/a%20b", "/a%20b"},
    {CONF_TEXT_PATH, "/a**", NULL},
    {CONF_TEXT_PATH, "*", NULL},
    {CONF_TEXT_PATH, "/a b", NULL},
    {CONF_TEXT_PATH, "/\xc3\xa9", NULL},
    {CONF_TEXT_METHOD, "GET", "GET"},
    {CONF_TEXT_METHOD, "Get", NULL},
    {CONF_TEXT_FIELD, "X-A", "x-a"},
    {CONF_TEXT_FIELD, "x:", NULL},
    {CONF_TEXT_COOKIE, "A", "A"},
    {CONF_TEXT_COOKIE, "a=", NULL},
    {CONF_TEXT_PARAMETER, "a[]", "a[]"},
    {CONF_TEXT_PARAMETER, "a&", NULL},
    {CONF_TEXT_SECRET, "0123456789abcdef", "0123456789abcdef"},
    {CONF_TEXT_SECRET, "0123456789abcde", NULL},
    {CONF_TEXT_TOKEN, "01234567", "01234567"},
    {CONF_TEXT_TOKEN, "0123456", NULL},
};

/* What the parser takes, the pattern takes. (Not the reverse: an editor may
 * know less.) */
static void
check_pattern(const struct sample *sample)
{
    const char *pattern = conf_text_row(sample->text)->pattern;
    regex_t regex;

    /* POSIX allows no such count as 1024. */
    if (pattern == NULL || strstr(pattern, "1024") != NULL)
        return;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&regex, sample->value, 0, NULL, 0), 0);
    regfree(&regex);
}

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *sample = &samples[i];
        struct buf kept = {0};
        bool right =
            conf_text_row(sample->text)->accept(span_of(sample->value), &kept);

        if (right != (sample->kept != NULL))
            fail_msg("\"%s\"", sample->value);
        if (sample->kept != NULL) {
            assert_string_equal(kept.data, sample->kept);
            check_pattern(sample);
        }
        buf_fini(&kept);
    }
}

/* ---- sizes, durations, names ---- */

struct quantity {
    const char *text;
    bool right;
    uint64_t value;
    const char *back; /* NULL: the same */
};

static const struct quantity size_rows[] = {
    {"0B", true, 0, "0"},
    {"1B", true, 1, NULL},
    {"1024B", true, 1024, "1KiB"},
    {"1536KiB", true, 1536 << 10, NULL},
    {"3TiB", true, UINT64_C(3) << 40, NULL},
    {"16777215TiB", true, UINT64_C(16777215) << 40, NULL},
    {"16777216TiB", false, 0, NULL},
    {"1", false, 0, NULL},
    {"KiB", false, 0, NULL},
    {"1kB", false, 0, NULL},
    {"1 KiB", false, 0, NULL},
    {"-1B", false, 0, NULL},
    {"", false, 0, NULL},
};

static const struct quantity duration_rows[] = {
    {"0s", true, 0, NULL},
    {"0d", true, 0, "0s"},
    {"1500ms", true, 1500, NULL},
    {"60s", true, 60000, "1m"},
    {"90m", true, 5400000, NULL},
    {"24h", true, 86400000, "1d"},
    {"7d", true, UINT64_C(604800000), NULL},
    {"213503982335d", false, 0, NULL},
    {"1h30m", false, 0, NULL},
    {"1.5s", false, 0, NULL},
    {"s", false, 0, NULL},
};

static void
check_quantity(const struct quantity *row,
               bool (*parse)(const char *text, uint64_t *value),
               void (*format)(uint64_t value, struct buf *out))
{
    uint64_t value = 0;
    struct buf text = {0};

    assert_true(parse(row->text, &value) == row->right);
    if (!row->right)
        return;
    assert_true(value == row->value);
    format(value, &text);
    assert_string_equal(text.data, row->back ? row->back : row->text);
    buf_fini(&text);
}

static void
test_quantities(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(size_rows); i++)
        check_quantity(&size_rows[i], conf_parse_size, conf_format_size);
    for (size_t i = 0; i < ARRAY_LEN(duration_rows); i++)
        check_quantity(&duration_rows[i], conf_parse_duration,
                       conf_format_duration);
}

static void
test_nearest(void **state)
{
    static const char *const rows[][2] = {
        {"listn", "listen"}, {"Listen", "listen"}, {"memroy", "memory"},
        {"stie", "site"},    {"sites", "site"},    {"xyzzy", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_nearest nearest = conf_nearest_to(rows[i][0]);

        conf_nearest_offer(&nearest, "");
        conf_nearest_offer(&nearest, "memory");
        conf_nearest_offer(&nearest, "listen");
        conf_nearest_offer(&nearest, "site");
        if (rows[i][1] == NULL)
            assert_null(nearest.best);
        else
            assert_string_equal(nearest.best, rows[i][1]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_schema),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_rows),
        cmocka_unit_test(test_texts),     cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
