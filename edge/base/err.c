#include "base/err.h"

#include "base/check.h"

const char *
err_name(enum err err)
{
    static const char *const names[ERR_COUNT] = {
        [ERR_OK] = "ok",
        [ERR_AGAIN] = "again",
        [ERR_END] = "end",
        [ERR_NOMEM] = "out of memory",
        [ERR_IO] = "input/output",
        [ERR_TIMEOUT] = "timeout",
        [ERR_REFUSED] = "connection refused",
        [ERR_RESET] = "connection reset",
        [ERR_PROTOCOL] = "protocol",
        [ERR_LIMIT] = "limit",
        [ERR_NOT_FOUND] = "not found",
        [ERR_LOST] = "lost",
        [ERR_CANCELLED] = "cancelled",
        [ERR_CONFIG] = "configuration",
        [ERR_AUTH] = "authentication",
    };

    CHECK((unsigned)err < ERR_COUNT);
    return names[err];
}
