#ifndef WM_SEQ_LIST_H
#define WM_SEQ_LIST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Seqs in the order in which they were added. A zeroed one is empty; free `seqs` at the end. */
typedef struct wm_seq_list {
    uint64_t *seqs;
    size_t count, cap;
} wm_seq_list;

/* Has room for `count` seqs in all, those that are there included. False when out of memory. */
bool wm_seq_list_reserve(wm_seq_list *l, size_t count);
#endif
