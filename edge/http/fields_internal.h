/* Shared by the modules of this layer, not by others. */
#ifndef HTTP_FIELDS_INTERNAL_H
#define HTTP_FIELDS_INTERNAL_H

#include "http/fields.h"

/* Orders field names: by length, then by letters without case. A total order
 * for sorting and searching, not an alphabetic one. */
int name_compare(struct span a, struct span b);

/* False when a quoted string in this list member does not end. Whatever is put
 * behind such a member would be read as a part of it. */
bool quotes_closed(struct span member);

#endif
