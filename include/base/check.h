/*
 * Invariants that hold in every build, and type tags of long-lived structs.
 *
 * A broken invariant is a bug of ours: the program says where and stops, since
 * to go on would be to serve by a broken state.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdint.h>

/* Stops the program with the expression, file and line when it is false. */
#define CHECK(expression)                                                      \
    ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))

/* The first member of a tagged struct. */
#define TAG_FIELD uint32_t tag

/* Stamps a struct with its type's tag; asserts it; clears it before a free. */
#define TAG_SET(object, value) ((object)->tag = (value))
#define TAG_CHECK(object, value)                                               \
    CHECK((object) != NULL && (object)->tag == (value))
#define TAG_CLEAR(object) ((object)->tag = 0)

/* The struct that holds `member` at address `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                    \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Prints the broken invariant to standard error and aborts. */
_Noreturn void check_failed(const char *expression, const char *file, int line);

#endif
