/* Range requests (RFC 9110 section 14) and multipart/byteranges. */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "http/fields.h"

/* More ranges than this, after joining those that overlap or nearly touch,
 * are ignored: many small ranges are an attack (RFC 9110 section 17.15). */
#define RANGE_MAX 16

struct range {
    uint64_t first;
    uint64_t last; /* inclusive */
};

struct range_set {
    size_t count;
    struct range list[RANGE_MAX];
};

enum range_result {
    RANGE_NONE,          /* no range, or one to be ignored: the whole, 200 */
    RANGE_OK,            /* 206 */
    RANGE_UNSATISFIABLE, /* 416 */
};

/* Judges a GET against a representation of `length` bytes, a 200. If-Range is
 * held against the validators of `stored` (strong comparison; NULL: If-Range
 * never holds). */
enum range_result range_evaluate(const struct fields *request, uint64_t length,
                                 const struct fields *stored,
                                 struct range_set *out);

/* Whether an If-Range, if there is one, holds for these validators. */
bool range_if_range_holds(const struct fields *request,
                          const struct fields *stored);

/* One range whose length is not known yet. */
struct range_spec {
    bool suffix;    /* the last `first` bytes */
    uint64_t first; /* or the suffix' length */
    uint64_t last;  /* UINT64_MAX: to the end */
};

/* The single range of a request. False: none, several, or to be ignored. */
bool range_parse_single(const struct fields *request, struct range_spec *out);
/* The same of a Range field's value. */
bool range_parse_value(struct span value, struct range_spec *out);
/* False: unsatisfiable. */
bool range_resolve(const struct range_spec *spec, uint64_t length,
                   struct range *out);

/* Takes out of a response what is no longer true of a part of it: the
 * Content-Range it may have come with, and the digests of its whole content
 * (RFC 9530 section 2; Repr-Digest, of the representation, stays). */
void range_part_fields(struct fields *fields);

/* Adds what a 416 carries of a stored response: who answered, and what lets
 * scripts see it; nothing of the representation, nor of how long that may be
 * kept. Content-Range and Cache-Control are the caller's. Borrowed. */
void range_unsatisfiable_fields(const struct fields *stored,
                                struct fields *out);

/* ---- Content-Range ---- */

struct content_range {
    bool unsatisfied;    /* "bytes * / N": no range */
    bool complete_known; /* not "/ *" */
    uint64_t first;
    uint64_t last;
    uint64_t complete;
};

bool content_range_parse(struct span value, struct content_range *out);
/* Adds "bytes 0-9/100" (length RANGE_UNKNOWN: "bytes 0-9/ *"), or
 * "bytes * / 100" for a 416, all without the blanks round the star. */
#define RANGE_UNKNOWN UINT64_MAX
void content_range_format(struct range range, uint64_t length, struct buf *out);
void content_range_format_unsatisfied(uint64_t length, struct buf *out);

/* ---- a part that is kept (RFC 9111 section 3.3) ---- */

struct range_part {
    uint64_t first;    /* of its bytes, in the whole */
    uint64_t length;   /* of what there is of it */
    uint64_t complete; /* of the whole, or RANGE_UNKNOWN */
    bool to_end;       /* its last byte is the last of the whole */
    bool exact;        /* it has as many bytes as its Content-Range says. Else
                        * where it begins counts, and what there is of it; and
                        * it is not to be put together with others. */
};

/* What a 206 with this Content-Range has, whose content is `length` bytes.
 * False when it is no single part, or is longer than it says. */
bool range_part_of(struct span content_range, uint64_t length,
                   struct range_part *out);
/* The bytes of the whole that `spec` means, when the part has them all. */
bool range_in_part(const struct range_spec *spec, const struct range_part *part,
                   struct range *out);
/* Whether a has all that b has. */
bool range_part_covers(const struct range_part *a, const struct range_part *b);
/* Adds "bytes=0-9", "bytes=5-", "bytes=-5". */
void range_spec_format(const struct range_spec *spec, struct buf *out);

/* ---- multipart/byteranges (RFC 9110 section 14.6) ---- */

#define RANGE_BOUNDARY_LEN 32

struct range_multipart {
    char boundary[RANGE_BOUNDARY_LEN + 1];
    struct span content_type; /* of each part; ptr NULL: none */
    uint64_t length;          /* of the representation */
};

/* `random` are two random numbers: a boundary must not be foreseeable. */
void range_multipart_init(struct range_multipart *multipart,
                          const uint64_t random[2], struct span content_type,
                          uint64_t length);
/* Adds the value of the response's Content-Type. */
void range_multipart_type(const struct range_multipart *multipart,
                          struct buf *out);
/* Adds what stands before a part's bytes; `first_part` leaves out the line end
 * that closes the part before. */
void range_multipart_head(const struct range_multipart *multipart,
                          struct range range, bool first_part, struct buf *out);
void range_multipart_end(const struct range_multipart *multipart,
                         struct buf *out);
/* Bytes of the whole body. */
uint64_t range_multipart_length(const struct range_multipart *multipart,
                                const struct range_set *set);

#endif
