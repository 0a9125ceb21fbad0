/*
 * Replays a fuzz target's corpus where there is no libFuzzer: every file that
 * is named, and every file in a folder that is named, goes through it once,
 * and the empty input first. Prints how many there were.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0;
    size_t n;

    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    /* Grown to its size and no further, so that a read past the end is seen. */
    do {
        uint8_t block[4096];

        n = fread(block, 1, sizeof(block), file);
        data = realloc(data, size + n + (size + n == 0));
        CHECK(data != NULL);
        memcpy(data + size, block, n);
        size += n;
    } while (n > 0);
    fclose(file);
    fprintf(stderr, "\r%.60s: ", path); /* the last line names the culprit */
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static size_t
replay(const char *path)
{
    struct stat info;
    struct dirent *entry;
    size_t count = 0;

    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        return replay_file(path);
    DIR *dir = opendir(path);

    if (dir == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    while ((entry = readdir(dir)) != NULL) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        count += replay(name);
    }
    closedir(dir);
    return count;
}

int
main(int argc, char **argv)
{
    size_t count = 1;

    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    fprintf(stderr, "\n%zu inputs\n", count);
    return EXIT_SUCCESS;
}
