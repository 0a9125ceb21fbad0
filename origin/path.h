/*
 * From the path of a request to a file below the root, and never outside it.
 *
 * A path is decoded once and taken literally: what has a "." or ".." segment,
 * an empty one, an encoded slash or a NUL is refused rather than repaired, so
 * that two spellings never mean one file. Names that begin with "." (but
 * ".well-known") are this server's own, or hidden, and are not found.
 *
 * Every lookup goes through openat2 with RESOLVE_BENEATH: symbolic links are
 * followed as long as they stay inside the root.
 */
#ifndef ORIGIN_PATH_H
#define ORIGIN_PATH_H

#include <stdbool.h>

#include "base/span.h"

/* With the NUL; a longer path is PATH_BAD. */
#define PATH_SIZE 2048
/* So that the name of what is kept beside a file fits too. */
#define PATH_NAME_MAX 240

enum path_verdict {
    PATH_OK,
    PATH_BAD,   /* 400: malformed */
    PATH_HIDDEN /* 404: may not be seen */
};

/* Takes "/a%20b/c" apart: text gets "a b/c", relative to the root; "" for the
 * root itself. `folder` is true when it ended with a slash. Pure. */
enum path_verdict path_decode(struct span raw, char text[PATH_SIZE],
                              bool *folder);

/* The text, relative to the root, as the path of a URL: with a leading slash,
 * percent-encoded as browsers do. The caller frees. */
char *path_encode(const char *text);

/* Decodes %XX; false when malformed or a NUL comes out. `out` holds
 * in.len + 1 bytes. */
bool path_unescape(struct span in, char *out, size_t *len);

/* Opens a path relative to `root_fd`, beneath it. `flags` as of
 * open(2), without O_CREAT. -1 with errno. */
int path_open(int root_fd, const char *text, int flags);

/* Opens the folder that `text` lies in, and gives the last segment in *name
 * (inside `text`). With `create`, folders that are missing are made. -1 with
 * errno: ENOTDIR when a file is where a folder is needed. */
int path_open_parent(int root_fd, const char *text, bool create,
                     const char **name);

#endif
