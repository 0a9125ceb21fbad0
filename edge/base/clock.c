#include "base/clock.h"

#include <time.h>

uint64_t
clock_boot_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return CLOCK_BOOT_BASE_NS + (uint64_t)t.tv_sec * NS_PER_S +
           (uint64_t)t.tv_nsec;
}

int64_t
clock_wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
