#include "sim/model/query.h"

#include <stdlib.h>
#include <string.h>

#include "sim/wire/alloc.h"
#include "sim/wire/compare.h"

#define PREDICATE_DEPTH 32

/* -- reading -- */

static bool add_sort(sim_query *out, const wm_mp_item *field, const wm_mp_item *direction)
{
    if (field->kind != WM_MP_STR || out->sort_count == SIM_SORTS_MAX) return false;
    if (!wm_mp_is(direction, "asc") && !wm_mp_is(direction, "desc")) return false;
    sim_sort *sort = &out->sorts[out->sort_count++];
    *sort = (sim_sort){sim_copy(field->bytes, field->len), field->len, wm_mp_is(direction, "desc")};
    return true;
}

/* Of a map with several fields the first one counts. */
static bool read_sort_map(const uint8_t *bytes, size_t len, sim_query *out)
{
    wm_mp_reader r;
    wm_mp_item map, field, direction;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &map) != WM_MP_OK || map.kind != WM_MP_MAP) return false;
    if (map.count == 0) return true;
    if (wm_mp_read(&r, &field) != WM_MP_OK || wm_mp_read(&r, &direction) != WM_MP_OK) return false;
    return add_sort(out, &field, &direction);
}

static bool read_sort_list(const uint8_t *bytes, size_t len, sim_query *out)
{
    wm_mp_reader r;
    wm_mp_item list;
    const uint8_t *entry, *field, *direction;
    size_t entry_len, field_len, direction_len;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &list) != WM_MP_OK || list.kind != WM_MP_ARRAY) return false;
    for (uint32_t i = 0; i < list.count; i++) {
        if (wm_mp_slice(&r, &entry, &entry_len) != WM_MP_OK) return false;
        wm_mp_find(entry, entry_len, "field", &field, &field_len);
        wm_mp_find(entry, entry_len, "direction", &direction, &direction_len);
        wm_mp_item name = sim_item_of(field, field_len), word = sim_item_of(direction, direction_len);
        if (!add_sort(out, &name, &word)) return false;
    }
    return true;
}

static bool read_sort(const uint8_t *bytes, size_t len, sim_query *out)
{
    return out->form == SIM_SORT_MAP ? read_sort_map(bytes, len, out) : read_sort_list(bytes, len, out);
}

static bool read_limit(const uint8_t *bytes, size_t len, sim_query *out)
{
    uint64_t limit;
    wm_mp_item it = sim_item_of(bytes, len);
    if (!wm_mp_as_uint(&it, &limit) || limit > UINT32_MAX) return false;
    if (limit == 0 && out->form == SIM_SORT_MAP) return false;
    out->has_limit = true;
    out->limit = (uint32_t)limit;
    return true;
}

/* A field that is a map; nil and absent count as none. */
static bool read_map(const uint8_t *bytes, size_t len, const char *name, uint8_t **out, size_t *out_len)
{
    const uint8_t *found;
    size_t found_len;
    wm_mp_find(bytes, len, name, &found, &found_len);
    if (found == NULL || *found == 0xc0) return true;
    wm_mp_item it = sim_item_of(found, found_len);
    if (it.kind != WM_MP_MAP) return false;
    *out = (uint8_t *)sim_copy(found, found_len);
    *out_len = found_len;
    return true;
}

bool sim_query_read(sim_family family, sim_sort_form form, const uint8_t *bytes, size_t len, sim_query *out)
{
    const uint8_t *found;
    size_t found_len;
    *out = (sim_query){.family = family, .form = form};
    wm_mp_item it = sim_item_of(bytes, len);
    bool ok = it.kind == WM_MP_MAP && read_map(bytes, len, "where", &out->where, &out->where_len) &&
              read_map(bytes, len, "predicate", &out->predicate, &out->predicate_len);
    if (ok) {
        wm_mp_find(bytes, len, "sort", &found, &found_len);
        if (found != NULL && *found != 0xc0) ok = read_sort(found, found_len, out);
    }
    if (ok) {
        wm_mp_find(bytes, len, "limit", &found, &found_len);
        if (found != NULL && *found != 0xc0) ok = read_limit(found, found_len, out);
    }
    if (!ok) sim_query_close(out);
    return ok;
}

void sim_query_close(sim_query *q)
{
    free(q->where);
    free(q->predicate);
    for (uint32_t i = 0; i < q->sort_count; i++) free(q->sorts[i].field);
    *q = (sim_query){0};
}

/* -- matching -- */

static bool holds(const char *op, size_t op_len, sim_order order)
{
    switch (op_len) {
    case 2:
        if (memcmp(op, "gt", 2) == 0) return order == SIM_GREATER;
        if (memcmp(op, "lt", 2) == 0) return order == SIM_LESS;
        return memcmp(op, "eq", 2) == 0 && order == SIM_EQUAL;
    case 3:
        if (memcmp(op, "gte", 3) == 0) return order == SIM_GREATER || order == SIM_EQUAL;
        if (memcmp(op, "lte", 3) == 0) return order == SIM_LESS || order == SIM_EQUAL;
        return memcmp(op, "neq", 3) == 0 && order != SIM_EQUAL;
    default:
        return false;
    }
}

/* {"$gte": 18, ...}: a map whose first key begins with a dollar. */
static bool is_operator_map(const uint8_t *bytes, size_t len)
{
    wm_mp_reader r;
    wm_mp_item map, key;
    wm_mp_reader_init(&r, bytes, len);
    if (wm_mp_read(&r, &map) != WM_MP_OK || map.kind != WM_MP_MAP || map.count == 0) return false;
    return wm_mp_read(&r, &key) == WM_MP_OK && key.kind == WM_MP_STR && key.len > 0 && key.bytes[0] == '$';
}

static bool operators_hold(const uint8_t *bytes, size_t len, const uint8_t *field, size_t field_len)
{
    wm_mp_reader r;
    wm_mp_item map, key;
    const uint8_t *wanted;
    size_t wanted_len;
    wm_mp_reader_init(&r, bytes, len);
    wm_mp_read(&r, &map);
    for (uint32_t i = 0; i < map.count; i++) {
        if (wm_mp_read(&r, &key) != WM_MP_OK || wm_mp_slice(&r, &wanted, &wanted_len) != WM_MP_OK) return false;
        if (key.kind != WM_MP_STR || key.len < 2) return false;
        sim_order order = sim_compare(field, field_len, wanted, wanted_len);
        bool ok = wm_mp_is(&key, "$ne")   ? order != SIM_EQUAL
                  : wm_mp_is(&key, "$eq") ? false /* not known to the 0.11 server */
                                          : holds((const char *)key.bytes + 1, key.len - 1, order);
        if (!ok) return false;
    }
    return true;
}

static bool where_matches(const sim_query *q, const uint8_t *value, size_t len)
{
    wm_mp_reader r;
    wm_mp_item map, key;
    const uint8_t *wanted, *field;
    size_t wanted_len, field_len;
    wm_mp_reader_init(&r, q->where, q->where_len);
    wm_mp_read(&r, &map);
    for (uint32_t i = 0; i < map.count; i++) {
        if (wm_mp_read(&r, &key) != WM_MP_OK || wm_mp_slice(&r, &wanted, &wanted_len) != WM_MP_OK) return false;
        if (key.kind != WM_MP_STR) return false;
        sim_find_field(value, len, (const char *)key.bytes, key.len, &field, &field_len);
        if (q->family == SIM_FAMILY_0_11 && is_operator_map(wanted, wanted_len)) {
            if (!operators_hold(wanted, wanted_len, field, field_len)) return false;
        } else if (sim_compare(field, field_len, wanted, wanted_len) != SIM_EQUAL) {
            return false;
        }
    }
    return true;
}

static bool predicate_matches(const uint8_t *node, size_t node_len, const uint8_t *value, size_t len, int depth)
{
    const uint8_t *bytes, *wanted, *field;
    size_t size, wanted_len, field_len;
    wm_mp_reader r;
    wm_mp_find(node, node_len, "op", &bytes, &size);
    if (bytes == NULL || depth > PREDICATE_DEPTH) return false;
    wm_mp_item op = sim_item_of(bytes, size);
    if (op.kind != WM_MP_STR) return false;

    bool is_and = wm_mp_is(&op, "and"), is_or = wm_mp_is(&op, "or"), is_not = wm_mp_is(&op, "not");
    if (is_and || is_or || is_not) {
        wm_mp_item list;
        wm_mp_find(node, node_len, "children", &bytes, &size);
        if (bytes == NULL) return is_and;
        wm_mp_reader_init(&r, bytes, size);
        if (wm_mp_read(&r, &list) != WM_MP_OK || list.kind != WM_MP_ARRAY) return false;
        for (uint32_t i = 0; i < list.count; i++) {
            if (wm_mp_slice(&r, &bytes, &size) != WM_MP_OK) return false;
            bool matches = predicate_matches(bytes, size, value, len, depth + 1);
            if (is_not) return !matches;
            if (matches == is_or) return is_or;
        }
        return is_and;
    }
    wm_mp_find(node, node_len, "attribute", &bytes, &size);
    wm_mp_find(node, node_len, "value", &wanted, &wanted_len);
    if (bytes == NULL || wanted == NULL) return false;
    wm_mp_item attribute = sim_item_of(bytes, size);
    if (attribute.kind != WM_MP_STR) return false;
    sim_find_field(value, len, (const char *)attribute.bytes, attribute.len, &field, &field_len);
    return holds((const char *)op.bytes, op.len, sim_compare(field, field_len, wanted, wanted_len));
}

bool sim_query_matches(const sim_query *q, const uint8_t *value, size_t len)
{
    if (sim_value_is_nil(value, len)) return false;
    if (q->predicate != NULL) return predicate_matches(q->predicate, q->predicate_len, value, len, 0);
    return q->where == NULL || where_matches(q, value, len);
}

/* -- running -- */

/* Below 0 when `a` comes first. */
static int by_field(const sim_query *q, const sim_sort *sort, const sim_record *a, const sim_record *b)
{
    const uint8_t *fa, *fb;
    size_t la, lb;
    sim_find_field(a->value, a->value_len, sort->field, sort->len, &fa, &la);
    sim_find_field(b->value, b->value_len, sort->field, sort->len, &fb, &lb);
    if (q->form == SIM_SORT_LIST && (fa == NULL || fb == NULL)) return (fa == NULL) - (fb == NULL);
    sim_order order = sim_compare(fa, la, fb, lb);
    int sign = order == SIM_LESS ? -1 : order == SIM_GREATER;
    return sort->descending ? -sign : sign;
}

static int by_key(const sim_record *a, const sim_record *b)
{
    uint32_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key, b->key, shorter);
    return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int by_sorts(const void *a, const void *b, void *user)
{
    const sim_query *q = user;
    const sim_record *ra = *(sim_record *const *)a, *rb = *(sim_record *const *)b;
    int order = 0;
    for (uint32_t i = 0; i < q->sort_count && order == 0; i++) order = by_field(q, &q->sorts[i], ra, rb);
    return order == 0 && q->form == SIM_SORT_LIST ? by_key(ra, rb) : order;
}

sim_record **sim_query_run(const sim_query *q, const sim_map *map, uint64_t wall_ms,
                           bool (*keep)(void *user, const sim_record *r), void *user, uint32_t *count,
                           bool *cut)
{
    uint32_t n = 0, cap = 0;
    sim_record **found = NULL;
    for (sim_record *r = map != NULL ? map->first : NULL; r != NULL; r = r->next) {
        if (keep != NULL && !keep(user, r)) continue;
        if (!sim_record_present(r, wall_ms) || !sim_query_matches(q, r->value, r->value_len)) continue;
        found = sim_grow(found, &cap, n + 1, sizeof *found);
        found[n++] = r;
    }
    bool is_ordered = q->sort_count > 0 || q->form == SIM_SORT_LIST;
    if (is_ordered && n > 1) qsort_r(found, n, sizeof *found, by_sorts, (void *)q);
    *cut = q->has_limit && n > q->limit;
    *count = *cut ? q->limit : n;
    return found;
}
