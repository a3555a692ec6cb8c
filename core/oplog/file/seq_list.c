#include "oplog/file/seq_list.h"

#include <stdlib.h>

bool wm_seq_list_reserve(wm_seq_list *l, size_t count)
{
    if (count <= l->cap) return true;
    size_t cap = l->cap ? l->cap * 2 : 1024;
    if (cap < count) cap = count;
    uint64_t *grown = realloc(l->seqs, cap * sizeof *grown);
    if (grown == NULL) return false;
    l->seqs = grown;
    l->cap = cap;
    return true;
}
