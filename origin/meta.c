#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "origin.h"

#define META_MAX 65536

/* ".NAME.meta", beside NAME; hidden, since it begins with a dot. */
static bool
meta_name(const char *name, char out[256])
{
    return snprintf(out, 256, ".%s.meta", name) < 256;
}

static json_t *
load(int fd)
{
    char *text = malloc(META_MAX);
    size_t len = 0;
    ssize_t n = 0;

    while (text != NULL && len < META_MAX &&
           (n = read(fd, text + len, META_MAX - len)) > 0)
        len += (size_t)n;
    json_t *root =
        text == NULL || n < 0 ? NULL : json_loadb(text, len, 0, NULL);

    free(text);
    return root;
}

void
meta_read(int root_fd, const char *text, struct policy *policy)
{
    const char *slash = strrchr(text, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash - text) + 1;
    char path[PATH_SIZE + 16];
    struct buf why = {0};

    snprintf(path, sizeof(path), "%.*s.%s.meta", (int)folder, text,
             text + folder);
    int fd = path_open(root_fd, path, O_RDONLY | O_NONBLOCK);

    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            LOG(LOG_WARN, "cannot read %s: %s", path, strerror(errno));
        return;
    }
    json_t *root = load(fd);

    close(fd);
    if (root == NULL)
        buf_add_text(&why, "it is no JSON");
    if (root == NULL || !policy_from_json(policy, root, "$", NULL, &why))
        LOG(LOG_WARN, "%s is ignored: %s; write the resource anew", path,
            why.data);
    json_decref(root);
    buf_fini(&why);
}

static int
write_all(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int
replace(int folder_fd, const char *name, const char *text)
{
    static unsigned serial;
    char temporary[64];
    int error;

    snprintf(temporary, sizeof(temporary), ".atlas-%d-%u.meta", (int)getpid(),
             serial++);
    int fd = openat(folder_fd, temporary,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);

    if (fd < 0)
        return errno;
    error = write_all(fd, text);
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && renameat(folder_fd, temporary, folder_fd, name) != 0)
        error = errno;
    if (error != 0)
        (void)unlinkat(folder_fd, temporary, 0);
    return error;
}

int
meta_write(int folder_fd, const char *name, const struct policy *policy)
{
    char path[256];

    if (!meta_name(name, path))
        return ENAMETOOLONG;
    if (policy_empty(policy))
        return unlinkat(folder_fd, path, 0) == 0 || errno == ENOENT ? 0 : errno;
    json_t *json = policy_to_json(policy);
    char *text = json_dumps(json, JSON_INDENT(2));

    json_decref(json);
    if (text == NULL)
        return ENOMEM;
    int error = replace(folder_fd, path, text);

    free(text);
    return error;
}
