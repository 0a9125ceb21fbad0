/* Intrusive doubly linked lists: liburcu's, under the names we use. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <urcu/list.h>

#define list_link cds_list_head
#define list_for_each(position, head, member)                                  \
    cds_list_for_each_entry (position, head, member)
#define list_for_each_safe(position, next, head, member)                       \
    cds_list_for_each_entry_safe (position, next, head, member)
#define list_first(head, type, member) cds_list_first_entry(head, type, member)
#define list_last(head, type, member) cds_list_entry((head)->prev, type, member)

static inline void
list_init(struct list_link *head)
{
    CDS_INIT_LIST_HEAD(head);
}

static inline bool
list_empty(const struct list_link *head)
{
    return head->next == head;
}

static inline void
list_push_back(struct list_link *head, struct list_link *link)
{
    cds_list_add_tail(link, head);
}

static inline void
list_push_front(struct list_link *head, struct list_link *link)
{
    cds_list_add(link, head);
}

/* Takes the link out of its list; it may be taken out again without harm. */
static inline void
list_remove(struct list_link *link)
{
    cds_list_del_init(link);
}

#endif
