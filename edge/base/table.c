#include "base/table.h"

#include <stdlib.h>
#include <urcu/urcu-qsbr.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/mem.h"
#include "base/tsan.h"

struct table {
    struct cds_lfht *lfht;
};

struct table *
table_new(size_t size)
{
    struct table *table = mem_zalloc(sizeof(*table));

    table->lfht =
        cds_lfht_new_flavor(size, size, size, 0, &urcu_qsbr_flavor, NULL);
    CHECK(table->lfht != NULL);
    return table;
}

void
table_free(struct table **table)
{
    if (*table == NULL)
        return;
    grace_idle();
    CHECK(cds_lfht_destroy((*table)->lfht, NULL) == 0);
    free(*table);
    *table = NULL;
}

static int
match_hash(struct cds_lfht_node *node, const void *key)
{
    const struct table_node *entry =
        CONTAINER_OF(node, struct table_node, node);

    TSAN_ACQUIRE(node);
    return entry->hash == *(const uint64_t *)key;
}

static struct table_node *
node_of(const struct cds_lfht_iter *iter)
{
    struct cds_lfht_node *node = iter->node;

    if (node == NULL)
        return NULL;
    TSAN_ACQUIRE(node);
    return CONTAINER_OF(node, struct table_node, node);
}

void
table_add(struct table *table, struct table_node *node, uint64_t hash)
{
    grace_enter();
    node->hash = hash;
    cds_lfht_node_init(&node->node);
    TSAN_RELEASE(&node->node);
    cds_lfht_add(table->lfht, (unsigned long)hash, &node->node);
}

bool
table_remove(struct table *table, struct table_node *node)
{
    grace_enter();
    return cds_lfht_del(table->lfht, &node->node) == 0;
}

bool
table_replace(struct table *table, struct table_node *old,
              struct table_node *node)
{
    struct cds_lfht_iter iter;

    grace_enter();
    node->hash = old->hash;
    cds_lfht_node_init(&node->node);
    TSAN_RELEASE(&node->node);
    cds_lfht_lookup(table->lfht, (unsigned long)old->hash, match_hash,
                    &old->hash, &iter);
    while (iter.node != NULL && iter.node != &old->node)
        cds_lfht_next_duplicate(table->lfht, match_hash, &old->hash, &iter);
    if (iter.node == NULL)
        return false;
    return cds_lfht_replace(table->lfht, &iter, (unsigned long)old->hash,
                            match_hash, &old->hash, &node->node) == 0;
}

struct table_node *
table_find(struct table *table, uint64_t hash)
{
    struct cds_lfht_iter iter;

    grace_enter();
    cds_lfht_lookup(table->lfht, (unsigned long)hash, match_hash, &hash, &iter);
    return node_of(&iter);
}

struct table_node *
table_next(struct table *table, struct table_node *node)
{
    struct cds_lfht_iter iter;

    /* cds_lfht goes on from the node's own link; both fields are read. */
    iter.node = &node->node;
    iter.next = node->node.next;
    cds_lfht_next_duplicate(table->lfht, match_hash, &node->hash, &iter);
    return node_of(&iter);
}
