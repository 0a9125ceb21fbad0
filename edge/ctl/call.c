/* A request to the node's admin listener, and its answer. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl_internal.h"
#include "version.h"

#define CONNECT_MS 3000L
#define ANSWER_MS 60000L
#define ANSWER_MAX ((size_t)64 * 1024 * 1024)

static size_t
on_data(char *data, size_t size, size_t count, void *arg)
{
    struct buf *text = arg;

    if (text->len + size * count > ANSWER_MAX)
        return 0;
    buf_add(text, data, size * count);
    return size * count;
}

static struct curl_slist *
headers_of(const struct ctl *ctl, const char *body)
{
    struct curl_slist *list = curl_slist_append(NULL, "Accept: */*");

    if (body == NULL)
        return list;
    list = curl_slist_append(list, "Content-Type: application/json");
    list = curl_slist_append(list, "Expect:");
    if (ctl->token != NULL) {
        char *line = mem_printf("Authorization: Bearer %s", ctl->token);

        list = curl_slist_append(list, line);
        free(line);
    }
    return list;
}

static CURLcode
perform(const struct ctl *ctl, const char *url, const char *body,
        struct call *call, char error[CURL_ERROR_SIZE])
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = headers_of(ctl, body);

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "atlasctl/" ATLAS_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call->text);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)strlen(body));
    }
    CURLcode code = curl_easy_perform(curl);

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &call->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code;
}

static enum ctl_exit
unreachable(const struct ctl *ctl, CURLcode code, const char *error)
{
    const char *why = error[0] != '\0' ? error : curl_easy_strerror(code);

    ctl_say("no answer from the node at %s: %s", ctl->admin, why);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        ctl_say("--admin wants the address of the admin listener, as "
                "http://127.0.0.1:9080");
        return CTL_USAGE;
    }
    ctl_say("is atlas-edge running, and is \"admin.listen\" in its "
            "configuration this address? Another one is given by --admin "
            "http://HOST:PORT or by $ATLAS_ADMIN");
    return CTL_NO_NODE;
}

enum ctl_exit
call_node(const struct ctl *ctl, const char *path, const char *body,
          struct call *call)
{
    char *url = mem_printf("%s%s", ctl->admin, path);
    char error[CURL_ERROR_SIZE] = "";
    json_error_t where;

    *call = (struct call){0};
    CURLcode code = perform(ctl, url, body, call, error);

    free(url);
    if (code != CURLE_OK) {
        call_fini(call);
        return unreachable(ctl, code, error);
    }
    call->json =
        json_loadb(buf_span(&call->text).ptr, call->text.len, 0, &where);
    if (json_is_object(call->json))
        return CTL_DONE;
    ctl_say("%s answered %ld, but not with the JSON of an Atlas node; is it "
            "the address of an admin listener (\"admin.listen\")?",
            ctl->admin, call->status);
    call_fini(call);
    return CTL_NO_NODE;
}

void
call_fini(struct call *call)
{
    json_decref(call->json);
    buf_fini(&call->text);
    *call = (struct call){0};
}

enum ctl_exit
call_refused(const struct call *call)
{
    ctl_say("the node refused (%ld): %s", call->status,
            call_text(call->json, "detail"));
    if (call->status == 401)
        ctl_say("the token is given by --token, --token-file or "
                "$ATLAS_TOKEN");
    return CTL_REFUSED;
}

const char *
call_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

long long
call_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

bool
call_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}
