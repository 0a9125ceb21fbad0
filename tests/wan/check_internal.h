/* What the files of the checker share. */
#ifndef WAN_CHECK_INTERNAL_H
#define WAN_CHECK_INTERNAL_H

#include "check.h"

#define CHECK_PLACES 64
#define CHECK_FOREVER UINT64_MAX

struct check_op {
    uint64_t begin;
    uint64_t end;
    uint64_t value; /* of a purge: of the last write that it found */
    uint64_t session;
    uint32_t key;
    uint16_t place; /* index; CHECK_PLACES: none */
    uint16_t site;  /* of a purge: where it was published, by a place of it */
    uint16_t status;
    uint8_t kind;
    uint8_t outcome;
    bool local, stored, torn, hard, all, sent, got;
    bool seen; /* a write: some read returned it */
};

/* The operations of a key, each kind by its begin. */
struct check_key {
    char *name;
    enum history_level level;
    struct check_op *reads, *writes, *purges;
    size_t read_count, write_count, purge_count;
    /* From then on a copy may have been taken away: a hard purge, or a write
     * through a node, had begun. */
    uint64_t removed;
};

struct check_place {
    char *name;
    char *role;
    char *site;
};

struct check_interval {
    uint64_t begin;
    uint64_t end;
};

/* When a process, or a direction of a link, was disturbed. */
struct check_element {
    struct check_interval *list;
    size_t count, cap;
};

struct check_kind {
    char *name;
    uint64_t count;
};

struct check {
    check_fn fn;
    void *arg;
    struct check_op *ops;
    size_t op_count, op_cap;
    struct check_key *keys;
    size_t key_count, key_cap;
    struct check_place places[CHECK_PLACES];
    size_t place_count;
    struct check_element processes[CHECK_PLACES];
    struct check_element links[CHECK_PLACES][CHECK_PLACES];
    struct check_element everything;
    /* The faults as they were told. */
    char **fault_texts;
    struct check_interval *fault_times;
    size_t fault_count, fault_text_cap, fault_time_cap;
    struct check_kind *kinds;
    size_t kind_count, kind_cap;
    uint64_t bound_us;
    uint64_t converge_us;
    struct check_level levels[HISTORY_LEVELS];
};

/* ---- check.c ---- */

/* Tells of a violation; NULLs among the operations are left out. */
void check_report(struct check *check, enum check_rule rule,
                  const struct check_op *const *ops, size_t count);
/* The write of a value, if it may have had an effect; or NULL. */
const struct check_op *check_write_of(const struct check_key *key,
                                      uint64_t value);
/* The last write, or the first one that is later than `value`, that took effect
 * and ended before `time`; or NULL. */
const struct check_op *check_last_before(const struct check_key *key,
                                         uint64_t time);
const struct check_op *check_first_over(const struct check_key *key,
                                        uint64_t value, uint64_t time);

/* ---- check_rules.c, check_session.c, check_ap.c ---- */

void check_key_rules(struct check *check, struct check_key *key);
bool check_sessions(struct check *check, struct buf *why);
void check_ap(struct check *check, const struct check_key *key);

/* ---- check_faults.c ---- */

/* The index of a place, or of the first one of a site; CHECK_PLACES when there
 * is none of this name. */
size_t check_place_of(const struct check *check, struct span name);
size_t check_site_of(const struct check *check, struct span site);
bool check_add_place(struct check *check, const struct history_line *line,
                     struct buf *why);
bool check_add_fault(struct check *check, const struct history_line *line,
                     struct span text, struct buf *why);
/* When the last disturbance ended that had begun by `until`, of a process or of
 * either direction of a link. 0: there was none. */
uint64_t check_process_disturbed(const struct check *check, size_t place,
                                 uint64_t until);
uint64_t check_link_disturbed(const struct check *check, size_t a, size_t b,
                              uint64_t until);
void check_faults_free(struct check *check);

#endif
