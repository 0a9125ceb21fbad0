/*
 * Time. Code that must be testable takes time as an argument; code that must
 * read it does so here. A simulation links an implementation of its own.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* CLOCK_BOOTTIME, and CLOCK_BOOT_BASE_NS more: monotonic, runs on while the
 * machine sleeps. For arrivals, ages, deadlines and leases. It does not begin
 * at 0, so that what is found on disk can be from before the machine was
 * started. */
#define CLOCK_BOOT_BASE_NS (UINT64_C(1) << 57) /* four and a half years */
uint64_t clock_boot_ns(void);

/* Wall clock since 1970 in ms. Only for dates in messages and logs. */
int64_t clock_wall_ms(void);

#endif
