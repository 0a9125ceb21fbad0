/*
 * How a row of the table of options is written. Included by the files of rows
 * (conf_table.c, conf_table_routes.c) and by nobody else.
 */
#ifndef CONF_TABLE_INTERNAL_H
#define CONF_TABLE_INTERNAL_H

#include "base/check.h"
#include "conf/conf_internal.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST_AT(type, member, number)                                          \
    AT(type, member), .count_offset = offsetof(struct type, number)

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)
#define TiB (UINT64_C(1) << 40)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

#define TABLE(table, type, words)                                              \
    {                                                                          \
        .what = (words), .options = (table), .count = ARRAY_LEN(table),        \
        .size = sizeof(struct type)                                            \
    }

extern const struct conf_table conf_table_origin;
extern const struct conf_table conf_table_route;

#endif
