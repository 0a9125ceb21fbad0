/*
 * Header fields (RFC 9110 section 5): lists that borrow, and packs that own.
 *
 * A `struct fields` is a list of borrowed name and value spans, in the order
 * received, repeated names kept. A `struct pack` is an immutable copy in one
 * allocation: names and values are NUL-terminated there, ready to be handed to
 * a library that wants strings. Names compare without case.
 */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/buf.h"
#include "base/span.h"

struct field {
    struct span name;
    struct span value; /* trimmed of OWS */
};

struct fields {
    struct field *list;
    size_t count;
    size_t cap; /* 0: the list is borrowed, and may not grow */
};

/* Zero-initialise a list that is to grow; fini frees only the list. */
void fields_add(struct fields *fields, struct span name, struct span value);
void fields_add_all(struct fields *fields, const struct fields *more);
void fields_clear(struct fields *fields);
void fields_fini(struct fields *fields);

/* Takes out every field of this name. */
void fields_remove(struct fields *fields, struct span name);
/* Takes out what is hop by hop (RFC 9110 section 7.6.1): Connection and the
 * fields it names, Keep-Alive, Proxy-Connection, Proxy-Authenticate,
 * Proxy-Authorization, Proxy-Authentication-Info, TE, Trailer,
 * Transfer-Encoding, Upgrade, HTTP2-Settings. A Connection option that names
 * an end-to-end field which we need to be right (Cache-Control, Host,
 * Content-Length, Vary, Set-Cookie, Age and the like) is not obeyed. */
void fields_remove_hop_by_hop(struct fields *fields);
/* Of these, only what Connection names; Connection itself stays. */
void fields_remove_nominated(struct fields *fields);

/* The first value of this name, or a span with ptr NULL. */
struct span fields_get(const struct fields *fields, struct span name);
bool fields_has(const struct fields *fields, struct span name);
size_t fields_count(const struct fields *fields, struct span name);

/* All values of this name joined with ", " (RFC 9110 section 5.3), added to
 * `out`. False, and nothing added, when there is none. */
bool fields_join(const struct fields *fields, struct span name,
                 struct buf *out);

/*
 * Walks the members of a comma-separated list field over all its lines
 * (RFC 9110 section 5.6.1): quoted strings are kept whole, OWS is trimmed,
 * empty members are skipped. Zero-initialise the cursor.
 */
struct member_cursor {
    size_t line;      /* the next field to look at */
    struct span rest; /* of the current line */
};
bool fields_next_member(const struct fields *fields, struct span name,
                        struct member_cursor *cursor, struct span *member);

/* ---- packs ---- */

struct pack; /* immutable, reference-counted, any thread */

struct pack *pack_new(const struct fields *fields);
struct pack *pack_ref(struct pack *pack);
void pack_unref(struct pack **pack);
/* Valid as long as a reference is held; ptr[len] is NUL in every span. */
const struct fields *pack_fields(const struct pack *pack);
/* Bytes of memory it costs. */
size_t pack_cost(const struct pack *pack);

/* ---- syntax (RFC 9110 section 5.6) ---- */

bool token_char(char c);
bool token_valid(struct span s); /* at least one tchar, nothing else */
/* No byte below 0x20 but TAB, no 0x7f. */
bool field_value_valid(struct span s);

#endif
