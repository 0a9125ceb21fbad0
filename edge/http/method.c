#include "http/method.h"

#include "base/check.h"

bool
method_safe(struct span method)
{
    static const struct span safe[] = {
        {"GET", 3},      {"HEAD", 4},   {"OPTIONS", 7}, {"TRACE", 5},
        {"PROPFIND", 8}, {"REPORT", 6}, {"SEARCH", 6},  {"QUERY", 5},
    };

    for (size_t i = 0; i < ARRAY_LEN(safe); i++) {
        if (span_eq(method, safe[i]))
            return true;
    }
    return false;
}
