/* Places, and when each of them and of the links between them was disturbed. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check_internal.h"

size_t
check_place_of(const struct check *check, struct span name)
{
    for (size_t i = 0; i < check->place_count; i++) {
        if (span_eq(name, span_of(check->places[i].name)))
            return i;
    }
    return CHECK_PLACES;
}

size_t
check_site_of(const struct check *check, struct span site)
{
    for (size_t i = 0; i < check->place_count; i++) {
        if (span_eq(site, span_of(check->places[i].site)))
            return i;
    }
    return CHECK_PLACES;
}

bool
check_add_place(struct check *check, const struct history_line *line,
                struct buf *why)
{
    if (check->place_count == CHECK_PLACES) {
        buf_add_text(why, "there are too many places");
        return false;
    }
    if (check_place_of(check, line->name) < CHECK_PLACES) {
        buf_printf(why, "%.*s is there already", SPAN_FMT(line->name));
        return false;
    }
    check->places[check->place_count++] = (struct check_place){
        .name = mem_strndup(line->name.ptr, line->name.len),
        .role = mem_strndup(line->role.ptr, line->role.len),
        .site = mem_strndup(line->site.ptr, line->site.len),
    };
    return true;
}

/* ---- taking faults ---- */

static void
disturb(struct check_element *element, const struct history_line *line)
{
    MEM_GROW(element->list, element->count, element->cap);
    element->list[element->count++] = (struct check_interval){
        line->begin, line->end == 0 ? CHECK_FOREVER : line->end};
}

/* "a1", "a1>origin", "*" for all, or "-" for nothing. */
static bool
disturb_named(struct check *check, const struct history_line *line,
              struct span name)
{
    size_t sign = span_find(name, '>', 0);
    size_t from = check_place_of(check, span_sub(name, 0, sign));

    if (span_eq(name, SPAN("*"))) {
        disturb(&check->everything, line);
        return true;
    }
    if (from == CHECK_PLACES)
        return span_eq(name, SPAN("-"));
    if (sign == name.len) {
        disturb(&check->processes[from], line);
        return true;
    }
    size_t to = check_place_of(check, span_sub(name, sign + 1, name.len));

    if (to == CHECK_PLACES)
        return false;
    disturb(&check->links[from][to], line);
    return true;
}

static void
count_kind(struct check *check, struct span name)
{
    for (size_t i = 0; i < check->kind_count; i++) {
        if (span_eq(name, span_of(check->kinds[i].name))) {
            check->kinds[i].count++;
            return;
        }
    }
    MEM_GROW(check->kinds, check->kind_count, check->kind_cap);
    check->kinds[check->kind_count++] =
        (struct check_kind){mem_strndup(name.ptr, name.len), 1};
}

bool
check_add_fault(struct check *check, const struct history_line *line,
                struct span text, struct buf *why)
{
    struct span on = line->on;
    struct span name;

    while (span_split(&on, ',', &name)) {
        if (!disturb_named(check, line, name)) {
            buf_printf(why, "there is no place \"%.*s\"", SPAN_FMT(name));
            return false;
        }
    }
    MEM_GROW(check->fault_texts, check->fault_count, check->fault_text_cap);
    MEM_GROW(check->fault_times, check->fault_count, check->fault_time_cap);
    check->fault_texts[check->fault_count] = mem_strndup(text.ptr, text.len);
    check->fault_times[check->fault_count++] = (struct check_interval){
        line->begin, line->end == 0 ? CHECK_FOREVER : line->end};
    count_kind(check, line->what);
    return true;
}

const char *
check_fault(const struct check *check, size_t index, uint64_t *count)
{
    if (index >= check->kind_count)
        return NULL;
    *count = check->kinds[index].count;
    return check->kinds[index].name;
}

/* ---- asking ---- */

static uint64_t
disturbed(const struct check_element *element, uint64_t until)
{
    uint64_t last = 0;

    for (size_t i = 0; i < element->count; i++) {
        if (element->list[i].begin <= until && element->list[i].end > last)
            last = element->list[i].end;
    }
    return last;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t
check_process_disturbed(const struct check *check, size_t place, uint64_t until)
{
    return later(disturbed(&check->processes[place], until),
                 disturbed(&check->everything, until));
}

uint64_t
check_link_disturbed(const struct check *check, size_t a, size_t b,
                     uint64_t until)
{
    return later(disturbed(&check->links[a][b], until),
                 disturbed(&check->links[b][a], until));
}

void
check_faults_free(struct check *check)
{
    for (size_t i = 0; i < CHECK_PLACES; i++) {
        free(check->places[i].name);
        free(check->places[i].role);
        free(check->places[i].site);
        free(check->processes[i].list);
        for (size_t k = 0; k < CHECK_PLACES; k++)
            free(check->links[i][k].list);
    }
    free(check->everything.list);
    for (size_t i = 0; i < check->fault_count; i++)
        free(check->fault_texts[i]);
    free(check->fault_texts);
    free(check->fault_times);
    for (size_t i = 0; i < check->kind_count; i++)
        free(check->kinds[i].name);
    free(check->kinds);
}
