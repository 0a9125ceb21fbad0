/* The head of an origin's response, line by line as it is received; the
 * origin may be anybody's. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "fetch/fetch_internal.h"
#include "http/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_head(const struct head *head)
{
    CHECK(head->status >= 100 && head->status <= 599);
    CHECK(head->content_length >= -1);
    CHECK(!head->chunked || head->content_length == -1);
    CHECK(!head->foreign || (head->content_length == -1 && !head->chunked));
    for (size_t i = 0; i < head->fields.count; i++) {
        struct span name = head->fields.list[i].name;
        struct span value = head->fields.list[i].value;

        CHECK(name.len > 0);
        CHECK(value.len == 0 || (memchr(value.ptr, '\n', value.len) == NULL &&
                                 memchr(value.ptr, '\0', value.len) == NULL));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct head_limits limits = {.bytes = 4096, .fields = 32};
    struct span rest = {size > 0 ? (const char *)data : "", size};
    struct head head = {0};
    char detail[HEAD_DETAIL_MAX] = "";

    head_reset(&head);
    while (rest.len > 0) {
        size_t end = span_find(rest, '\n', 0) + 1;
        enum head_event event =
            head_line(&head, &limits, span_sub(rest, 0, end), detail);

        if (event == HEAD_BAD) {
            CHECK(memchr(detail, '\0', sizeof(detail)) != NULL &&
                  detail[0] != '\0');
            break;
        }
        if (event == HEAD_INTERIM || event == HEAD_FINAL)
            check_head(&head);
        CHECK(event != HEAD_INTERIM || head.status < 200);
        if (event == HEAD_FINAL)
            break;
        rest = span_sub(rest, end, rest.len);
    }
    head_fini(&head);
    return 0;
}
