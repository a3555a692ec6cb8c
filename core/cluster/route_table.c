#include "cluster/route_table.h"

#include <stdlib.h>

bool wm_route_table_init(wm_route_table *t, wm_hash_kind hash, uint32_t count)
{
    wm_partition_route *all = calloc(count, sizeof *all);
    if (all == NULL) return false;
    for (uint32_t i = 0; i < count; i++) all[i] = (wm_partition_route){.node_index = -1, .home = -1, .connection = WM_NO_CONNECTION};
    *t = (wm_route_table){.hash = hash, .count = count, .magic = UINT64_MAX / count + 1, .is_new = true, .all = all};
    return true;
}

void wm_route_table_close(wm_route_table *t)
{
    free(t->all);
    t->all = NULL;
}

uint32_t wm_route_table_partition_of(const wm_route_table *t, const char *key, size_t len)
{
    return wm_route_table_partition_of_hash(t, wm_hash(t->hash, key, len));
}
