#ifndef WM_SAVED_COPY_H
#define WM_SAVED_COPY_H
#include "replica/saved/copy_file.h"

/* Connects a replica with the file that keeps it: gives the replica the content of the file, and with each tick writes
 * what has changed in the replica. */
typedef struct wm_saved_copy wm_saved_copy;

/* Id and URL of the nodes of a replica, by node index; "" when they are not known. */
typedef struct wm_node_words {
    const char *(*id)(const void *user, int node_index);
    const char *(*url)(const void *user, int node_index);
    const void *user;
} wm_node_words;

/* Opens the file of a map's copy, or creates it. One that is damaged, or the copy of something else, is set aside as
 * `path`.damaged: wm_saved_copy_dropped. NULL with the reason in `e`: it is in use, of another kind, or cannot be opened. What
 * there is no room for in `space` is left out, and goes from the file, too. */
wm_saved_copy *wm_saved_copy_open(const char *path, const char *map, size_t map_len, wm_node_names *names, wm_record_space *space, wm_log_error *e);
/* Writes what is left to be written if `r` is not NULL, and closes the file. NULL is allowed. */
void wm_saved_copy_close(wm_saved_copy *s, wm_replica *r, wm_node_words words, uint64_t now_us);
/* The rules by which its records are hashed and ordered; false when the file is new. */
bool wm_saved_copy_rules(const wm_saved_copy *s, wm_copy_rules *out);
/* Gives a new replica, which has these rules, the content of the file, and saves its changes from now on. */
void wm_saved_copy_give(wm_saved_copy *s, wm_replica *r, wm_copy_rules rules);
/* The cluster has these rules. If the file has others, the replica gets the cluster's, and what was restored is dropped.
 * Call it before a node is connected. */
void wm_saved_copy_check(wm_saved_copy *s, wm_replica *r, wm_copy_rules rules);
/* Call it at each tick. */
void wm_saved_copy_tend(wm_saved_copy *s, wm_replica *r, wm_node_words words, uint64_t now_us);
/* Why it cannot be written now; WM_LOG_NONE when it can. */
const wm_log_error *wm_saved_copy_problem(const wm_saved_copy *s);
/* Why what was in the file was not used; "" when it was. */
const char *wm_saved_copy_dropped(const wm_saved_copy *s);
/* Grows when one of these two changes. */
uint64_t wm_saved_copy_turns(const wm_saved_copy *s);
uint64_t wm_saved_copy_bytes(const wm_saved_copy *s);
#endif
