/*
 * Structured field values (RFC 9651, which includes RFC 8941): a strict pull
 * parser. Nothing is copied: what it gives points into the text.
 *
 * A syntax error anywhere makes the whole field invalid, also for what was
 * read before it. So either walk to STRUCTURED_END before you act on anything,
 * or ask structured_valid first.
 */
#ifndef HTTP_STRUCTURED_H
#define HTTP_STRUCTURED_H

#include "base/buf.h"
#include "base/span.h"

enum structured_type {
    STRUCTURED_INTEGER, /* integer */
    STRUCTURED_DECIMAL, /* integer: thousandths */
    STRUCTURED_STRING,  /* text: inside the quotes, still escaped */
    STRUCTURED_TOKEN,   /* text */
    STRUCTURED_BYTES,   /* text: the base64 between the colons */
    STRUCTURED_BOOLEAN, /* integer: 0 or 1 */
    STRUCTURED_DATE,    /* integer: seconds since 1970 */
    STRUCTURED_DISPLAY, /* text: inside the quotes, still percent-encoded */
    STRUCTURED_INNER,   /* text: inside the parentheses: structured_inner */
};

struct structured_item {
    enum structured_type type;
    int64_t integer;
    struct span text;
    struct span parameters; /* ";a=1;b": walk with structured_parameter */
};

enum structured_result {
    STRUCTURED_MEMBER, /* *item (and *key) are set */
    STRUCTURED_END,    /* no more, and all of it was well-formed */
    STRUCTURED_ERROR,  /* a syntax error: ignore the field */
};

struct structured_cursor {
    struct span rest;
    bool begun;
};

/* To begin: leading spaces are taken off. Lines of one field must have been
 * joined with ", " before (fields_join). */
struct structured_cursor structured_cursor_of(struct span text);

/* The next member of a List. */
enum structured_result structured_list(struct structured_cursor *cursor,
                                       struct structured_item *item);
/* The next member of a Dictionary. A key may come again: its last value is
 * the one that counts (RFC 9651 section 4.2.2). A member without a value is
 * the Boolean true. */
enum structured_result structured_dictionary(struct structured_cursor *cursor,
                                             struct span *key,
                                             struct structured_item *item);
/* The one item of an Item field; false when it is anything else. */
bool structured_item(struct span text, struct structured_item *item);

/* The next item of an inner list; begin with structured_cursor_of(text of the
 * inner list). */
enum structured_result structured_inner(struct structured_cursor *cursor,
                                        struct structured_item *item);
/* The next parameter; begin with structured_cursor_of(item.parameters). A
 * parameter without a value is the Boolean true. */
enum structured_result structured_parameter(struct structured_cursor *cursor,
                                            struct span *key,
                                            struct structured_item *value);

bool structured_list_valid(struct span text);
bool structured_dictionary_valid(struct span text);

/* Adds the value of a STRUCTURED_STRING without its escapes. */
void structured_unescape(struct span text, struct buf *out);
/* Adds a String with its quotes; bytes that a String cannot hold (RFC 9651
 * section 3.3.3: all but printable ASCII) become '?'. */
void structured_add_string(struct buf *out, struct span text);

#endif
