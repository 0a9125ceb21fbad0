/* The origin: what its parts share. One thread, one loop. */
#ifndef ORIGIN_ORIGIN_H
#define ORIGIN_ORIGIN_H

#include <sys/stat.h>

#include "announce.h"
#include "counts.h"
#include "path.h"
#include "policy.h"
#include "server.h"
#include "settings.h"
#include "watch.h"

struct origin {
    struct loop *loop;
    const struct settings *settings;
    struct server *server;
    struct announcer *announcer; /* never NULL */
    struct watch *watch;         /* NULL: nothing is watched */
    int root_fd;
    struct counts *paths; /* requests by path */
    struct counts *named; /* of /_test/count/NAME */
    uint64_t requests;
    uint64_t serial; /* of what must be unique: bodies, temporary files */
    int64_t last_mtime_ns;
};

/* Chooses what answers a request: the handler of the server. */
void origin_handle(struct exchange *x);

/* ---- files.c: GET, HEAD and DELETE of files ---- */

void files_begin(struct exchange *x);

/* The validators of a file, into fields. */
#define FILES_ETAG_SIZE 64
void files_etag(const struct stat *st, char etag[FILES_ETAG_SIZE]);
/* Whether the conditions of the request hold for the file as it is now;
 * `st` is NULL when there is none. If not, answers 412 (or 304). */
bool files_conditions_hold(struct exchange *x, const struct stat *st);
/* Everything that is said about `text`, and that it was set to by PUT. */
void files_policy(const struct origin *origin, const char *text,
                  struct policy *policy);
/* Publishes that `text` has changed from what `before` says to what `after`
 * says. `gone`: it is there no more. `done` may be NULL. */
struct announcement *files_announce(struct origin *origin, const char *text,
                                    const struct policy *before,
                                    const struct policy *after, bool gone,
                                    announce_fn done, void *arg);
/* The same for all that lies, or lay, in a folder; "" is the root. */
void files_announce_folder(struct origin *origin, const char *text);

/* ---- upload.c: PUT ---- */

void upload_begin(struct exchange *x);

/* ---- publish.c: answers that wait for a publication ---- */

/* Answers `status` without a body, once what changed was published, or the
 * time to wait for that is over. Atlas-Publish says which. */
void publish_then_answer(struct exchange *x, int status, const char *text,
                         const struct policy *before,
                         const struct policy *after, bool gone);

/* ---- meta.c: what a PUT said, kept beside the file ---- */

/* Reads it into *policy; nothing when there is none. */
void meta_read(int root_fd, const char *text, struct policy *policy);
/* Writes or, when it is empty, removes it. 0 or an errno. */
int meta_write(int folder_fd, const char *name, const struct policy *policy);

/* ---- scripted.c: /_test, and control.c ---- */

bool scripted_path(struct span path);
void scripted_begin(struct exchange *x);
void control_begin(struct exchange *x);

#endif
