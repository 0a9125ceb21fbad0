#include "origin.h"

#include <string.h>

#include "answer.h"

void
origin_handle(struct exchange *x)
{
    struct origin *origin = x->app;

    if (strcmp(exchange_listener(x), "control") == 0) {
        control_begin(x);
        return;
    }
    origin->requests++;
    counts_add(origin->paths, x->target.path);
    if (origin->settings->test_paths && scripted_path(x->target.path))
        scripted_begin(x);
    else
        files_begin(x);
}
