/*
 * How long it takes to open a disk store of many records, and what its index
 * costs in memory; and how fast records are written and read.
 *
 *   make V=release build/release/bench/disk_open
 *   build/release/bench/disk_open [-n RECORDS] [-s BODY] [-k] [-r] DIRECTORY
 *
 * DIRECTORY must be missing or empty; what is made in it stays. Prints one line
 * for each step. Files are in the page cache when they are opened again, unless
 * that is emptied in between: run it with -r on the same directory then.
 *
 *   -k  after the writes, stop as a crash does: without the last footer
 *   -r  no writes: open what an earlier run has left, and read
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/disk_stats.h"

static struct disk *
open_store(const char *path, uint64_t budget)
{
    struct disk_options options = {.path = path, .budget = budget};
    struct buf problem = {0};
    struct disk *disk;

    if (disk_open(&options, &disk, &problem) != ERR_OK) {
        fprintf(stderr, "%s\n", problem.data);
        exit(EXIT_FAILURE);
    }
    buf_fini(&problem);
    return disk;
}

static double
seconds_since(uint64_t start_ns)
{
    return (double)(clock_boot_ns() - start_ns) / 1e9;
}

static struct span
key_of(char text[64], unsigned long i)
{
    snprintf(text, 64, "http://bench.example/objects/%lu", i);
    return span_of(text);
}

static void
write_all(struct disk *disk, unsigned long records, size_t body_len)
{
    char *body = mem_zalloc(body_len);
    char meta[200] = {0};
    char text[64];
    uint64_t start = clock_boot_ns();

    for (unsigned long i = 0; i < records; i++) {
        struct disk_write *write;

        CHECK(disk_write_begin(disk, key_of(text, i), 0, body_len, &write) ==
              ERR_OK);
        CHECK(disk_write_append(write, body, body_len) == ERR_OK);
        CHECK(disk_write_commit(&write, (struct span){meta, sizeof(meta)}) ==
              ERR_OK);
    }
    double s = seconds_since(start);

    printf("write   %lu records of %zu bytes: %.2f s, %.0f a second\n", records,
           body_len, s, (double)records / s);
    free(body);
}

static void
read_all(struct disk *disk, unsigned long records, size_t body_len)
{
    enum { N = 200000 };
    char *body = mem_alloc(body_len);
    char text[64];
    unsigned long found = 0;
    uint64_t start = clock_boot_ns();

    for (unsigned long i = 0; i < N; i++) {
        struct disk_record *record;
        unsigned long key = i * 7919 % records;

        if (disk_find(disk, key_of(text, key), 0, DISK_NOW, &record) != ERR_OK)
            continue;
        found +=
            disk_read(record, 0, body, body_len, DISK_NOW) == ERR_OK ? 1 : 0;
        disk_record_unref(&record);
    }
    double s = seconds_since(start);

    printf("read    %d, %lu of them in memory: %.2f s, %.0f a second\n", N,
           found, s, N / s);
    free(body);
}

static void
open_again(const char *path, uint64_t budget, unsigned long records,
           size_t body_len)
{
    struct disk_stats stats;
    uint64_t start = clock_boot_ns();
    struct disk *disk = open_store(path, budget);
    double s = seconds_since(start);

    disk_stats(disk, &stats);
    printf("open    %" PRIu64 " records in %" PRIu64 " segments, %" PRIu64
           " of them without a footer: %.3f s; the index has %.1f bytes a "
           "record\n",
           stats.records, stats.segments, stats.scanned, s,
           (double)stats.index_bytes / (double)stats.records);
    read_all(disk, records, body_len);
    disk_close(&disk);
}

int
main(int argc, char **argv)
{
    unsigned long records = 1000000;
    size_t body_len = 512;
    bool only_read = false;
    bool crash = false;
    int option;

    while ((option = getopt(argc, argv, "n:s:kr")) != -1) {
        if (option == 'n')
            records = strtoul(optarg, NULL, 10);
        else if (option == 's')
            body_len = strtoul(optarg, NULL, 10);
        else if (option == 'k')
            crash = true;
        else if (option == 'r')
            only_read = true;
        else
            return 2;
    }
    if (optind != argc - 1 || records == 0)
        return 2;
    uint64_t budget = records * (body_len + 1024) + (UINT64_C(256) << 20);

    if (!only_read) {
        struct disk *disk = open_store(argv[optind], budget);

        write_all(disk, records, body_len);
        fflush(stdout);
        if (crash)
            _exit(0);
        uint64_t start = clock_boot_ns();

        disk_close(&disk);
        printf("close   %.3f s\n", seconds_since(start));
    }
    open_again(argv[optind], budget, records, body_len);
    return 0;
}
