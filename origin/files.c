#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/range.h"
#include "origin.h"

#define INDEX "index.html"
#define TAG_PATH_MAX 96

static const struct {
    const char *ending;
    const char *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".htm", "text/html; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/markdown; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".xml", "application/xml"},
    {".csv", "text/csv; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/vnd.microsoft.icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".pdf", "application/pdf"},
    {".zip", "application/zip"},
    {".gz", "application/gzip"},
    {".mp3", "audio/mpeg"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
    {".m3u8", "application/vnd.apple.mpegurl"},
};

static const char *
type_of(const char *text)
{
    const char *dot = strrchr(text, '.');

    for (size_t i = 0; dot != NULL && i < ARRAY_LEN(types); i++) {
        if (strcasecmp(dot, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* ---- what is said about a file ---- */

void
files_etag(const struct stat *st, char etag[FILES_ETAG_SIZE])
{
    uint64_t ns =
        (uint64_t)st->st_mtim.tv_sec * NS_PER_S + (uint64_t)st->st_mtim.tv_nsec;

    snprintf(etag, FILES_ETAG_SIZE, "\"%llx-%llx-%llx\"",
             (unsigned long long)ns, (unsigned long long)st->st_size,
             (unsigned long long)st->st_ino);
}

/* The tag that stands for a path on whatever host: used where the settings
 * name no hosts, so that no URL can be told. */
static void
path_tag(const char *text, char tag[POLICY_TAG_MAX])
{
    char *path = path_encode(text);

    if (strlen(path) <= TAG_PATH_MAX && strchr(path, ',') == NULL) {
        snprintf(tag, POLICY_TAG_MAX, "path:%s", path);
    } else {
        struct hash128 hash = hash_bytes(span_of(path), 0);

        snprintf(tag, POLICY_TAG_MAX, "path-hash:%016llx%016llx",
                 (unsigned long long)hash.hi, (unsigned long long)hash.lo);
    }
    free(path);
}

void
files_policy(const struct origin *origin, const char *text,
             struct policy *policy)
{
    const struct settings *s = origin->settings;
    char path[PATH_SIZE + 1];
    char tag[POLICY_TAG_MAX];

    if (announce_enabled(origin->announcer) && s->host_count == 0) {
        path_tag(text, tag);
        policy_add_tag(policy, span_of(tag));
    }
    snprintf(path, sizeof(path), "/%s", text);
    rules_apply(&s->defaults, s->rules, s->rule_count, path, policy);
    meta_read(origin->root_fd, text, policy);
}

static void
add_policy(struct exchange *x, const struct policy *policy)
{
    struct buf tags = {0};

    if (policy->cache_control != NULL)
        answer_header(x, "Cache-Control", policy->cache_control);
    for (size_t i = 0; i < policy->tag_count; i++)
        buf_printf(&tags, "%s%s", i == 0 ? "" : ", ", policy->tags[i]);
    if (policy->tag_count > 0)
        answer_header(x, "Cache-Tag", tags.data);
    for (size_t i = 0; i < policy->header_count; i++) {
        /* That of the file is told where the file is sent. */
        if (strcasecmp(policy->headers[i].name, "Content-Type") != 0)
            answer_header(x, policy->headers[i].name, policy->headers[i].value);
    }
    buf_fini(&tags);
}

/* ---- conditions ---- */

struct validators {
    struct fields fields;
    struct field list[3];
    char etag[FILES_ETAG_SIZE];
    char modified[DATE_SIZE];
    char date[DATE_SIZE];
};

static void
fill_validators(struct validators *v, const struct stat *st)
{
    files_etag(st, v->etag);
    date_format(st->st_mtim.tv_sec, v->modified);
    date_format(clock_wall_ms() / 1000, v->date);
    v->list[0] = (struct field){SPAN("ETag"), span_of(v->etag)};
    v->list[1] = (struct field){SPAN("Last-Modified"), span_of(v->modified)};
    v->list[2] = (struct field){SPAN("Date"), span_of(v->date)};
    v->fields = (struct fields){v->list, 3, 0};
}

bool
files_conditions_hold(struct exchange *x, const struct stat *st)
{
    struct validators v;

    if (st != NULL)
        fill_validators(&v, st);
    switch (conditional_evaluate_origin(span_of(x->method), &x->request,
                                        st == NULL ? NULL : &v.fields,
                                        clock_wall_ms() / 1000)) {
    case CONDITION_NOT_MODIFIED:
        answer_not_modified(x, (uint64_t)st->st_size);
        return false;
    case CONDITION_FAILED:
        answer_clear(x);
        answer_error(x, 412, "the resource is not what the request asks for");
        return false;
    case CONDITION_NONE:
    case CONDITION_ORIGIN:
        break;
    }
    return true;
}

/* ---- GET ---- */

struct file {
    char text[PATH_SIZE + sizeof(INDEX) + 1];
    int fd;
    struct stat st;
    struct policy policy;
    struct validators validators;
};

static const char *
file_type(const struct file *file)
{
    const char *set = policy_header(&file->policy, "Content-Type");

    return set == NULL ? type_of(file->text) : set;
}

static void
send_parts(struct exchange *x, struct file *file, const struct range_set *set)
{
    struct range_multipart multipart;
    struct body *body = body_new();
    struct buf text = {0};
    uint64_t random[2];

    secret_random(random, sizeof(random));
    range_multipart_init(&multipart, random, span_of(file_type(file)),
                         (uint64_t)file->st.st_size);
    range_multipart_type(&multipart, &text);
    answer_header(x, "Content-Type", text.data);
    body->fd = file->fd;
    file->fd = -1;
    for (size_t i = 0; i < set->count; i++) {
        struct range r = set->list[i];

        buf_clear(&text);
        range_multipart_head(&multipart, r, i == 0, &text);
        body_add_text(body, buf_span(&text));
        body_add_file(body, r.first, r.last - r.first + 1);
    }
    buf_clear(&text);
    range_multipart_end(&multipart, &text);
    body_add_text(body, buf_span(&text));
    buf_fini(&text);
    answer_body(x, 206, &body);
}

static void
send_range(struct exchange *x, struct file *file, struct range r)
{
    struct buf text = {0};
    int fd = file->fd;

    content_range_format(r, (uint64_t)file->st.st_size, &text);
    answer_header(x, "Content-Range", text.data);
    answer_header(x, "Content-Type", file_type(file));
    buf_fini(&text);
    file->fd = -1;
    answer_file(x, 206, fd, r.first, r.last - r.first + 1);
}

static void
send_whole(struct exchange *x, struct file *file)
{
    int fd = file->fd;

    answer_header(x, "Content-Type", file_type(file));
    if (file->st.st_size == 0) {
        answer_empty(x, 200);
        return;
    }
    file->fd = -1;
    answer_file(x, 200, fd, 0, (uint64_t)file->st.st_size);
}

static void
send_unsatisfiable(struct exchange *x, const struct file *file)
{
    struct buf text = {0};

    answer_clear(x);
    content_range_format_unsatisfied((uint64_t)file->st.st_size, &text);
    answer_header(x, "Content-Range", text.data);
    buf_fini(&text);
    answer_error(x, 416, "no byte of the file is in this range");
}

static void
send_file(struct exchange *x, struct file *file)
{
    struct range_set set = {0};
    enum range_result result = RANGE_NONE;

    if (!x->is_head)
        result = range_evaluate(&x->request, (uint64_t)file->st.st_size,
                                &file->validators.fields, &set);
    switch (result) {
    case RANGE_UNSATISFIABLE:
        send_unsatisfiable(x, file);
        break;
    case RANGE_OK:
        if (set.count == 1)
            send_range(x, file, set.list[0]);
        else
            send_parts(x, file, &set);
        break;
    case RANGE_NONE:
        send_whole(x, file);
        break;
    }
}

static int
status_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
    case EISDIR:
    case ENXIO: /* a FIFO or a socket */
        return 404;
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return 503;
    default:
        return 500;
    }
}

static void
refuse(struct exchange *x, struct file *file, int error)
{
    int status = status_of(error);

    if (status == 500)
        LOG(LOG_ERROR, "cannot read %s: %s", file->text, strerror(error));
    /* A resource that comes into being must find the copies of its absence. */
    if (status == 404)
        add_policy(x, &file->policy);
    answer_error(x, status, strerror(error));
}

static void
redirect(struct exchange *x, struct file *file)
{
    char *path = path_encode(file->text);
    struct buf to = {0};

    buf_printf(&to, "%s/", path);
    if (x->target.query.ptr != NULL) {
        buf_add_char(&to, '?');
        buf_add_span(&to, x->target.query);
    }
    answer_header(x, "Location", to.data);
    buf_fini(&to);
    free(path);
    add_policy(x, &file->policy);
    answer_error(x, 301, "this is a folder");
}

static void
answer_open_file(struct exchange *x, struct file *file)
{
    if (fstat(file->fd, &file->st) != 0) {
        refuse(x, file, errno);
    } else if (S_ISDIR(file->st.st_mode)) {
        redirect(x, file);
    } else if (!S_ISREG(file->st.st_mode)) {
        refuse(x, file, ENOENT);
    } else {
        fill_validators(&file->validators, &file->st);
        add_policy(x, &file->policy);
        answer_header(x, "ETag", file->validators.etag);
        answer_header(x, "Last-Modified", file->validators.modified);
        answer_header(x, "Accept-Ranges", "bytes");
        if (files_conditions_hold(x, &file->st))
            send_file(x, file);
    }
}

/* Takes the path of the request apart; false when that was answered. */
static bool
locate(struct exchange *x, char text[PATH_SIZE], bool *folder)
{
    switch (path_decode(x->target.path, text, folder)) {
    case PATH_BAD:
        answer_error(x, 400, "the path is malformed, or not in its one form");
        return false;
    case PATH_HIDDEN:
        answer_error(x, 404, "there is no such resource");
        return false;
    case PATH_OK:
        break;
    }
    return true;
}

static void
get(struct exchange *x)
{
    struct origin *origin = x->app;
    struct file file = {.fd = -1};
    char text[PATH_SIZE];
    bool folder;

    if (!locate(x, text, &folder))
        return;
    snprintf(file.text, sizeof(file.text), "%s%s%s", text,
             folder && text[0] != '\0' ? "/" : "", folder ? INDEX : "");
    files_policy(origin, file.text, &file.policy);
    file.fd = path_open(origin->root_fd, file.text, O_RDONLY | O_NONBLOCK);
    if (file.fd < 0)
        refuse(x, &file, errno);
    else
        answer_open_file(x, &file);
    if (file.fd >= 0)
        close(file.fd);
    policy_fini(&file.policy);
}

/* ---- DELETE ---- */

static void
remove_file(struct exchange *x, const char *text, int folder_fd,
            const char *name)
{
    struct origin *origin = x->app;
    struct policy before = {0};
    struct policy none = {0};
    struct stat st;

    if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        answer_error(x, status_of(errno), strerror(errno));
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        answer_error(x, 409, "this is a folder");
        return;
    }
    if (!files_conditions_hold(x, &st))
        return;
    files_policy(origin, text, &before);
    announce_intend(origin->announcer);
    if (unlinkat(folder_fd, name, 0) != 0) {
        answer_error(x, status_of(errno), strerror(errno));
    } else {
        (void)meta_write(folder_fd, name, &none);
        watch_note(origin->watch, text, NULL);
        publish_then_answer(x, 204, text, &before, NULL, true);
    }
    policy_fini(&before);
}

static void delete (struct exchange *x)
{
    struct origin *origin = x->app;
    char text[PATH_SIZE];
    const char *name;
    bool folder;

    if (!locate(x, text, &folder))
        return;
    if (folder) {
        answer_error(x, 409, "this is a folder");
        return;
    }
    int fd = path_open_parent(origin->root_fd, text, false, &name);

    if (fd < 0) {
        answer_error(x, status_of(errno), strerror(errno));
        return;
    }
    remove_file(x, text, fd, name);
    close(fd);
}

/* ---- the rest ---- */

static void
tell_methods(struct exchange *x)
{
    answer_header(x, "Allow", "GET, HEAD, PUT, DELETE, OPTIONS");
    if (strcmp(x->method, "OPTIONS") == 0)
        answer_empty(x, 204);
    else
        answer_error(x, 405, "this method is not for files");
}

void
files_begin(struct exchange *x)
{
    if (strcmp(x->method, "GET") == 0 || x->is_head)
        x->on_end = get;
    else if (strcmp(x->method, "PUT") == 0)
        upload_begin(x);
    else if (strcmp(x->method, "DELETE") == 0)
        x->on_end = delete;
    else
        x->on_end = tell_methods;
}
