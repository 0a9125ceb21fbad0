/* What goes over the simulated web. */
#ifndef SIM_WEB_INTERNAL_H
#define SIM_WEB_INTERNAL_H

#include "base/buf.h"
#include "http/fields.h"

struct web_response {
    unsigned status;
    struct pack *pack;
    struct fields fields; /* of the pack, borrowed */
    struct buf body;
};

struct web_response *web_response_new(unsigned status,
                                      const struct fields *fields,
                                      struct span body);
/* NULL is allowed. */
void web_response_free(struct web_response *response);

/* The origin carries it out, now. */
struct web_response *origin_answer(struct span method, struct span target,
                                   const struct fields *fields,
                                   struct span body);

#endif
