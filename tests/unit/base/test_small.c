/* Lists, hashes, secrets, Bloom filters, counters, errors, clocks, the log. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bloom.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

#define THREADS 4

/* ---- lists ---- */

struct item {
    int value;
    struct list_link link;
};

static int
list_digits(struct list_link *head)
{
    struct item *item;
    int digits = 0;

    list_for_each (item, head, link) {
        digits = digits * 10 + item->value;
    }
    return digits;
}

static void
test_list(void **state)
{
    struct item items[4] = {{1, {0}}, {2, {0}}, {3, {0}}, {4, {0}}};
    struct list_link head;
    struct item *item;
    struct item *next;
    (void)state;

    list_init(&head);
    assert_true(list_empty(&head));
    for (size_t i = 1; i < 4; i++)
        list_push_back(&head, &items[i].link);
    list_push_front(&head, &items[0].link);
    assert_int_equal(list_digits(&head), 1234);
    assert_int_equal(list_first(&head, struct item, link)->value, 1);
    assert_int_equal(list_last(&head, struct item, link)->value, 4);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_int_equal(list_digits(&head), 134);
    list_for_each_safe (item, next, &head, link) {
        if (item->value != 3)
            list_remove(&item->link);
    }
    assert_int_equal(list_digits(&head), 3);
    list_remove(&items[2].link);
    assert_true(list_empty(&head));
}

/* ---- hashes ---- */

static void
test_hash(void **state)
{
    struct hash128 a = hash_bytes(SPAN("abc"), 1);
    (void)state;

    assert_true(hash_eq(a, hash_bytes(SPAN("abc"), 1)));
    assert_false(hash_eq(a, hash_bytes(SPAN("abc"), 2)));
    assert_false(hash_eq(a, hash_bytes(SPAN("abd"), 1)));
    assert_true(hash_eq(hash_bytes(SPAN_NONE, 1), hash_bytes(SPAN(""), 1)));
    assert_int_equal(hash_seed(), hash_seed());
    hash_seed_set(42);
    assert_int_equal(hash_seed(), 42);
}

/* ---- secrets ---- */

/* RFC 4231: test cases 1, 2, 6 (a key longer than a block). */
static void
test_mac(void **state)
{
    static char long_key[131];
    static const struct {
        struct span key, message;
        const char *want;
    } rows[] = {
        {{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
          "\x0b\x0b\x0b\x0b",
          20},
         {"Hi There", 8},
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {{"Jefe", 4},
         {"what do ya want for nothing?", 28},
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {{long_key, 131},
         {"Test Using Larger Than Block-Size Key - Hash Key First", 54},
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    (void)state;

    memset(long_key, 0xaa, sizeof(long_key));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned char mac[SECRET_MAC_LEN];
        char hex[SECRET_MAC_HEX];

        secret_mac(rows[i].key, rows[i].message, mac);
        secret_hex(mac, sizeof(mac), hex);
        assert_string_equal(hex, rows[i].want);
    }
}

static void
test_secret_eq(void **state)
{
    unsigned char a[32];
    unsigned char b[32];
    (void)state;

    assert_true(secret_eq(SPAN("abc"), SPAN("abc")));
    assert_false(secret_eq(SPAN("abc"), SPAN("abd")));
    assert_false(secret_eq(SPAN("abc"), SPAN("ab")));
    assert_true(secret_eq(SPAN_NONE, SPAN("")));
    secret_random(a, sizeof(a));
    secret_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* ---- Bloom filters ---- */

static struct hash128
key_of(uint64_t n)
{
    return hash_bytes((struct span){(const char *)&n, sizeof(n)}, 7);
}

static void
test_bloom(void **state)
{
    struct bloom *bloom = bloom_new(4096);
    unsigned char bits[4096 / 8];
    unsigned wrong = 0;
    (void)state;

    bloom_export(bloom, bits);
    assert_false(bloom_bits_have(bits, 4096, key_of(1)));
    uint64_t version = bloom_version(bloom);

    for (uint64_t n = 0; n < 400; n++)
        bloom_add(bloom, key_of(n));
    assert_true(bloom_version(bloom) > version);
    bloom_export(bloom, bits);
    for (uint64_t n = 0; n < 400; n++)
        assert_true(bloom_bits_have(bits, bloom_slots(bloom), key_of(n)));
    for (uint64_t n = 400; n < 10400; n++)
        wrong += bloom_bits_have(bits, 4096, key_of(n));
    /* (1 - e^(-4 * 400 / 4096))^4 is 1.1 % */
    assert_true(wrong < 300);

    /* What was added twice must be taken out twice; then nothing is left. */
    bloom_add(bloom, key_of(3));
    bloom_remove(bloom, key_of(3));
    bloom_export(bloom, bits);
    assert_true(bloom_bits_have(bits, 4096, key_of(3)));
    for (uint64_t n = 0; n < 400; n++)
        bloom_remove(bloom, key_of(n));
    bloom_export(bloom, bits);
    for (size_t i = 0; i < sizeof(bits); i++)
        assert_int_equal(bits[i], 0);
    bloom_free(&bloom);
    assert_null(bloom);
}

/* A slot that is full stays: better "perhaps" than a wrong "no". */
static void
test_bloom_full(void **state)
{
    struct bloom *bloom = bloom_new(64);
    unsigned char bits[8];
    (void)state;

    for (int i = 0; i < 300; i++)
        bloom_add(bloom, key_of(1));
    uint64_t version = bloom_version(bloom);

    for (int i = 0; i < 300; i++)
        bloom_remove(bloom, key_of(1));
    bloom_export(bloom, bits);
    assert_true(bloom_bits_have(bits, 64, key_of(1)));
    assert_int_equal(bloom_version(bloom), version);
    bloom_free(&bloom);
}

static void *
bloom_work(void *arg)
{
    struct bloom *bloom = arg;

    for (uint64_t n = 0; n < 20000; n++) {
        bloom_add(bloom, key_of(n % 64));
        bloom_remove(bloom, key_of(n % 64));
    }
    return NULL;
}

static void
test_bloom_threads(void **state)
{
    struct bloom *bloom = bloom_new(1024);
    unsigned char bits[1024 / 8];
    pthread_t threads[THREADS];
    (void)state;

    bloom_add(bloom, key_of(1000));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, bloom_work, bloom);
    for (int i = 0; i < 200; i++) {
        bloom_export(bloom, bits);
        assert_true(bloom_bits_have(bits, 1024, key_of(1000)));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    bloom_remove(bloom, key_of(1000));
    bloom_export(bloom, bits);
    for (size_t i = 0; i < sizeof(bits); i++)
        assert_int_equal(bits[i], 0);
    bloom_free(&bloom);
}

/* ---- counters ---- */

static void *
count_work(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++)
        counter_add(COUNTER_RELOADS, 2);
    return NULL;
}

static void
test_counters(void **state)
{
    pthread_t threads[THREADS];
    uint64_t last = 0;
    (void)state;

    counter_add(COUNTER_RELOADS, 5);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_work, NULL);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = counter_read(COUNTER_RELOADS);

        assert_true(now >= last);
        last = now;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter_read(COUNTER_RELOADS), 5 + THREADS * 20000);
    assert_int_equal(counter_read(COUNTER_REQ_HIT), 0);
}

/* Rows of one metric stand together, and only the first has the help. */
static void
test_counter_rows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        const char *name = counter_row((enum counter)i)->name;

        assert_memory_equal(name, "atlas_", 6);
        for (unsigned j = i + 2; j < COUNTER_COUNT; j++) {
            if (strcmp(name, counter_row((enum counter)j)->name) == 0)
                assert_string_equal(name,
                                    counter_row((enum counter)(j - 1))->name);
        }
    }
}

/* ---- errors, clocks ---- */

static void
test_errors_and_clocks(void **state)
{
    uint64_t before = clock_boot_ns();
    (void)state;

    for (unsigned i = 0; i < ERR_COUNT; i++) {
        assert_non_null(err_name((enum err)i));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(err_name((enum err)i),
                                    err_name((enum err)j));
    }
    assert_true(clock_boot_ns() >= before);
    assert_true(clock_wall_ms() > INT64_C(1577836800000)); /* 2020 */
}

/* ---- the log ---- */

/* What `write` puts on standard error. The caller frees it. */
static char *
logged(void (*write_lines)(void))
{
    char path[] = "/tmp/atlas-test-log-XXXXXX";
    int file = mkstemp(path);
    int kept = dup(STDERR_FILENO);

    assert_true(file >= 0 && kept >= 0);
    unlink(path);
    dup2(file, STDERR_FILENO);
    write_lines();
    dup2(kept, STDERR_FILENO);
    close(kept);
    off_t len = lseek(file, 0, SEEK_END);
    char *text = mem_zalloc((size_t)len + 1);

    assert_int_equal(pread(file, text, (size_t)len, 0), len);
    close(file);
    return text;
}

static size_t
count_of(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

static void
write_levels(void)
{
    LOG(LOG_DEBUG, "not told");
    LOG(LOG_INFO, "told %d", 7);
    log_set_level(LOG_ERROR);
    LOG(LOG_WARN, "not told");
    log_set_level(LOG_INFO);
}

static void
write_long(void)
{
    char *text = mem_zalloc(5001);

    memset(text, 'y', 5000);
    LOG(LOG_WARN, "%s", text);
    free(text);
}

static void
write_many(void)
{
    struct log_site site = {0};

    for (int i = 0; i < 40; i++)
        log_write(&site, LOG_INFO, "again and again");
}

/* As if all of that had been in an earlier second. */
static void
write_next_second(void)
{
    struct log_site site = {.second = 1, .count = LOG_BURST + 30};

    log_write(&site, LOG_INFO, "once more");
    log_write(&site, LOG_INFO, "and again");
}

static void
test_log(void **state)
{
    char *text;
    (void)state;

    log_set_name("node-1");
    text = logged(write_levels);
    assert_int_equal(count_of(text, "\n"), 1);
    assert_int_equal(count_of(text, "Z info node-1: told 7\n"), 1);
    free(text);

    text = logged(write_long);
    assert_int_equal(count_of(text, "\n"), 1);
    assert_true(strlen(text) < 2100 && strlen(text) > 1900);
    free(text);

    /* A second may end in between: then there are up to twice as many. */
    text = logged(write_many);
    assert_true(count_of(text, "again and again") >= LOG_BURST);
    assert_true(count_of(text, "again and again") <= 2 * LOG_BURST);
    free(text);

    text = logged(write_next_second);
    assert_int_equal(count_of(text, "once more (30 like this left out)\n"), 1);
    assert_int_equal(count_of(text, "left out"), 1);
    assert_int_equal(count_of(text, "and again\n"), 1);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_mac),
        cmocka_unit_test(test_secret_eq),
        cmocka_unit_test(test_bloom),
        cmocka_unit_test(test_bloom_full),
        cmocka_unit_test(test_bloom_threads),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_counter_rows),
        cmocka_unit_test(test_errors_and_clocks),
        cmocka_unit_test(test_log),
    };

    secret_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
