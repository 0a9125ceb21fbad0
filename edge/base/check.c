#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void
check_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "atlas: broken invariant at %s:%d: %s\n", file, line,
            expression);
    abort();
}
