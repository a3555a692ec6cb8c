#include "oplog/seq_window.h"

void wm_seq_window_pass(wm_seq_window *u)
{
    while (u->oldest < u->newest && u->counts[u->oldest % WM_SEQ_BLOCKS] == 0) u->oldest++;
}

void wm_seq_window_advance(wm_seq_window *u, uint64_t block)
{
    if (block - u->newest >= WM_SEQ_BLOCKS) { /* no block of the window remains */
        for (uint32_t i = 0; i < WM_SEQ_BLOCKS; i++) {
            u->ancient += u->counts[i];
            u->counts[i] = 0;
        }
        u->oldest = u->newest = block;
        return;
    }
    u->newest = block;
    wm_seq_window_pass(u);
    while (u->newest - u->oldest >= WM_SEQ_BLOCKS) {
        uint32_t *count = &u->counts[u->oldest % WM_SEQ_BLOCKS];
        u->ancient += *count;
        *count = 0;
        u->oldest++;
        wm_seq_window_pass(u);
    }
}
