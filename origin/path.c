#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One character of `in` at *i, decoded; false when malformed. */
static bool
next_char(struct span in, size_t *i, char *c, bool *escaped)
{
    *c = in.ptr[*i];
    *escaped = *c == '%';
    if (*escaped) {
        if (in.len - *i < 3)
            return false;
        int high = hex_digit(in.ptr[*i + 1]);
        int low = hex_digit(in.ptr[*i + 2]);

        if (high < 0 || low < 0)
            return false;
        *c = (char)(high * 16 + low);
        *i += 2;
    }
    *i += 1;
    return *c != '\0';
}

bool
path_unescape(struct span in, char *out, size_t *len)
{
    size_t n = 0;
    bool escaped;

    for (size_t i = 0; i < in.len; n++) {
        if (!next_char(in, &i, &out[n], &escaped))
            return false;
    }
    out[n] = '\0';
    *len = n;
    return true;
}

static enum path_verdict
check_segment(struct span s)
{
    if (s.len == 0 || span_eq(s, SPAN(".")) || span_eq(s, SPAN("..")) ||
        s.len > PATH_NAME_MAX)
        return PATH_BAD;
    if (s.ptr[0] == '.' && !span_eq(s, SPAN(".well-known")))
        return PATH_HIDDEN;
    return PATH_OK;
}

/* Decoded, but for its slashes; an encoded slash is refused. */
static bool
decode(struct span raw, char *text)
{
    bool escaped;
    size_t n = 0;

    for (size_t i = 0; i < raw.len; n++) {
        if (n + 1 >= PATH_SIZE || !next_char(raw, &i, &text[n], &escaped) ||
            (escaped && text[n] == '/'))
            return false;
    }
    text[n] = '\0';
    return true;
}

enum path_verdict
path_decode(struct span raw, char text[PATH_SIZE], bool *folder)
{
    enum path_verdict worst = PATH_OK;
    struct span part;

    text[0] = '\0';
    *folder = false;
    if (raw.len == 0 || raw.ptr[0] != '/')
        return PATH_BAD;
    raw = span_sub(raw, 1, raw.len);
    *folder = raw.len == 0 || raw.ptr[raw.len - 1] == '/';
    if (*folder && raw.len > 0)
        raw.len--;
    else if (*folder)
        return PATH_OK;
    if (!decode(raw, text))
        return PATH_BAD;
    for (struct span rest = span_of(text); span_split(&rest, '/', &part);) {
        enum path_verdict verdict = check_segment(part);

        if (verdict == PATH_BAD)
            return PATH_BAD;
        if (verdict == PATH_HIDDEN)
            worst = PATH_HIDDEN;
    }
    return worst;
}

/* pchar of RFC 3986 section 3.3, and the slash. */
static bool
stays(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("/-._~!$&'()*+,;=:@", c) != NULL);
}

char *
path_encode(const char *text)
{
    struct buf out = {0};

    buf_add_char(&out, '/');
    for (; *text != '\0'; text++) {
        if (stays(*text))
            buf_add_char(&out, *text);
        else
            buf_printf(&out, "%%%02X", (unsigned)(unsigned char)*text);
    }
    return buf_steal(&out);
}

int
path_open(int root_fd, const char *text, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    /* EAGAIN: something was renamed meanwhile, and the kernel cannot tell
     * whether the path still lies beneath. */
    int tries = 16;

    do {
        fd = syscall(SYS_openat2, root_fd, *text == '\0' ? "." : text, &how,
                     sizeof(how));
    } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && --tries > 0)));
    return (int)fd;
}

static int
open_folder(int root_fd, const char *text, size_t len)
{
    char part[PATH_SIZE];

    memcpy(part, text, len);
    part[len] = '\0';
    return path_open(root_fd, part, O_DIRECTORY | O_RDONLY);
}

/* Makes the folder that the first `to` bytes of text name; the one that it
 * lies in, the first `from` bytes, exists. */
static bool
make_folder(int root_fd, const char *text, size_t from, size_t to)
{
    char name[PATH_SIZE];
    size_t start = from == 0 ? 0 : from + 1;
    int parent = open_folder(root_fd, text, from);

    if (parent < 0)
        return false;
    memcpy(name, text + start, to - start);
    name[to - start] = '\0';
    int made = mkdirat(parent, name, 0777);
    int error = errno;

    close(parent);
    errno = error;
    return made == 0 || error == EEXIST;
}

static bool
make_folders(int root_fd, const char *text, size_t len)
{
    size_t from = 0;

    for (size_t to = 1; to <= len; to++) {
        if (text[to] != '/')
            continue;
        if (!make_folder(root_fd, text, from, to))
            return false;
        from = to;
    }
    return true;
}

int
path_open_parent(int root_fd, const char *text, bool create, const char **name)
{
    const char *slash = strrchr(text, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - text);

    *name = slash == NULL ? text : slash + 1;
    if (strlen(text) >= PATH_SIZE) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open_folder(root_fd, text, len);

    if (fd >= 0 || errno != ENOENT || !create)
        return fd;
    if (!make_folders(root_fd, text, len))
        return -1;
    return open_folder(root_fd, text, len);
}
