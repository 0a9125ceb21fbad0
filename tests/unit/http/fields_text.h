/* Fields from text, for tables: "Name: value" lines parted by '\n'. */
#ifndef TEST_FIELDS_TEXT_H
#define TEST_FIELDS_TEXT_H

#include "http/fields.h"

/* Borrows from `text`; end with fields_fini. NULL gives no fields. */
static inline struct fields
fields_of_text(const char *text)
{
    struct fields fields = {0};
    struct span rest = span_of(text);
    struct span line;

    while (span_split(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':', 0);

        if (colon < line.len)
            fields_add(&fields, span_sub(line, 0, colon),
                       span_trim(span_sub(line, colon + 1, line.len)));
    }
    return fields;
}

#endif
