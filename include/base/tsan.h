/*
 * What ThreadSanitizer cannot see: liburcu orders memory inside a library that
 * is not instrumented. These tell the sanitizer of that order, and are nothing
 * in any other build. Used by base/grace.c and base/table.c only.
 */
#ifndef BASE_TSAN_H
#define BASE_TSAN_H

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define TSAN_ACQUIRE(address) __tsan_acquire(address)
#define TSAN_RELEASE(address) __tsan_release(address)
#else
#define TSAN_ACQUIRE(address) ((void)(address))
#define TSAN_RELEASE(address) ((void)(address))
#endif

#endif
