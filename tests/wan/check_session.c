/* `session`: what a token covers is never unread, whatever node is asked. */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "check_internal.h"

static int
by_session_begin(const void *left, const void *right)
{
    const struct check_op *a = *(const struct check_op *const *)left;
    const struct check_op *b = *(const struct check_op *const *)right;

    if (a->session != b->session)
        return (a->session > b->session) - (a->session < b->session);
    return (a->begin > b->begin) - (a->begin < b->begin);
}

/* The operations that answered, of one session after another. The caller
 * frees. */
static const struct check_op **
in_sessions(const struct check *check, size_t *count)
{
    const struct check_op **ops =
        mem_zalloc((check->op_count + 1) * sizeof(struct check_op *));

    *count = 0;
    for (size_t i = 0; i < check->op_count; i++) {
        const struct check_op *op = &check->ops[i];

        if (op->session != 0 && op->outcome == HISTORY_OK &&
            check->keys[op->key].level == HISTORY_SESSION)
            ops[(*count)++] = op;
    }
    qsort(ops, *count, sizeof(struct check_op *), by_session_begin);
    return ops;
}

/* `covered` holds, by key, what the token covers, if that is of this
 * session. */
static void
check_one(struct check *check, const struct check_op *op,
          const struct check_op **covered)
{
    const struct check_op *before = covered[op->key];

    if (before != NULL && before->session != op->session)
        before = NULL;
    if (op->kind == HISTORY_READ && op->sent && before != NULL) {
        check->levels[HISTORY_SESSION].checked++;
        if (op->value < before->value) {
            const struct check_op *ops[] = {before, op};

            check_report(check, RULE_BACK, ops, ARRAY_LEN(ops));
        }
    }
    if (op->got && (before == NULL || op->value > before->value))
        covered[op->key] = op;
}

bool
check_sessions(struct check *check, struct buf *why)
{
    const struct check_op **covered =
        mem_zalloc((check->key_count + 1) * sizeof(struct check_op *));
    size_t count;
    const struct check_op **ops = in_sessions(check, &count);
    bool good = true;

    for (size_t i = 0; good && i < count; i++) {
        if (i > 0 && ops[i]->session == ops[i - 1]->session &&
            ops[i]->begin < ops[i - 1]->end) {
            buf_printf(why, "session %llu does two things at once",
                       (unsigned long long)ops[i]->session);
            good = false;
            break;
        }
        check_one(check, ops[i], covered);
    }
    free(ops);
    free(covered);
    return good;
}
