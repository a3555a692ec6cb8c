#ifndef WM_SEQ_WINDOW_H
#define WM_SEQ_WINDOW_H
#include <stdint.h>

/* A lower bound of the oldest unsettled seq, without reading an operation: unsettled operations are
 * counted by blocks of WM_SEQS_PER_BLOCK seqs, for the newest WM_SEQ_BLOCKS blocks. The bound is off by
 * up to a block; it is 0 while an operation of an older block is unsettled. */

#ifndef WM_SEQS_PER_BLOCK /* a fuzzer, with few operations, sets it to less */
#define WM_SEQS_PER_BLOCK 1024u
#define WM_SEQ_BLOCKS 64u
#endif

typedef struct wm_seq_window {
    uint32_t counts[WM_SEQ_BLOCKS]; /* of the blocks oldest .. newest, by their number modulo WM_SEQ_BLOCKS */
    uint64_t oldest;                /* has unsettled operations, or is the newest block */
    uint64_t newest;
    uint32_t ancient; /* unsettled in blocks before `oldest` */
} wm_seq_window;

static inline uint32_t *wm_seq_window_count(wm_seq_window *u, uint64_t block)
{
    return block < u->oldest ? &u->ancient : &u->counts[block % WM_SEQ_BLOCKS];
}

/* Makes a block the newest one. */
void wm_seq_window_advance(wm_seq_window *u, uint64_t block);
/* Advances the oldest block over those without unsettled operations. */
void wm_seq_window_pass(wm_seq_window *u);

static inline void wm_seq_window_add(wm_seq_window *u, uint64_t seq)
{
    uint64_t block = seq / WM_SEQS_PER_BLOCK;
    if (block > u->newest) wm_seq_window_advance(u, block);
    ++*wm_seq_window_count(u, block);
}

/* Only for a seq that was added. */
static inline void wm_seq_window_remove(wm_seq_window *u, uint64_t seq)
{
    uint64_t block = seq / WM_SEQS_PER_BLOCK;
    if (--*wm_seq_window_count(u, block) == 0 && block == u->oldest) wm_seq_window_pass(u);
}

/* The bound: no unsettled seq is below it. */
static inline uint64_t wm_seq_window_oldest(const wm_seq_window *u)
{
    return u->ancient > 0 ? 0 : u->oldest * WM_SEQS_PER_BLOCK;
}
#endif
