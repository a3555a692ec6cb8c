#ifndef WM_REPLICA_H
#define WM_REPLICA_H
#include "replica/key_queue.h"
#include "replica/sync.h"

/* A replica of one map: what each node holds of it (its holdings: the base), and what this client wrote and
 * has not seen back (the overlay). What it shows of a key is a function of these and of the partition map:
 * the overlay, else the owner's record, else the newest record of another node.
 *
 * The overlay is in the local copy of the client, `own`: its records that this client wrote and that are not
 * marked WM_RECORD_OVER. One that is not acknowledged hides the base. One that is acknowledged ends when the
 * node sends it back, or was read or compared after the acknowledgement. One that was acknowledged before the
 * map was followed is shown while no node holds the key, and ends when the owner was compared. */
typedef struct wm_replica wm_replica;

/* Marks of records in `own`. */
#define WM_RECORD_OVER 4u   /* the base is as new */
#define WM_RECORD_ECHOED 8u /* its node has sent it back, and did not acknowledge it yet */
/* It was not acknowledged while the map is followed, and its owner was compared: what the nodes hold counts, also when the key
 * gets an owner that was not compared yet. */
#define WM_RECORD_COMPARED 16u
#define WM_RECORD_TOLD 128u /* it was taken from the list of changes */
/* Of every local copy: what became of the write, if it was not acknowledged. */
#define WM_RECORD_REJECTED 32u
#define WM_RECORD_DROPPED 64u /* from a full op log */

/* The nodes that own the partitions. */
typedef struct wm_owners {
    int *node_index; /* by partition; -1: not known */
    uint32_t count;
} wm_owners;

typedef struct wm_replica_options {
    wm_holding_rules rules;
    wm_sync_rhythm rhythm;
    bool merges;            /* 0.11: records have their writers' times, and the newest of any node counts; tombstones are records */
    bool drops_lost;        /* what a node has lost is removed; else it stays shown, and is counted */
    bool only_hears;        /* it is not compared: a holding has what its node has announced, and nothing else is known of the
                      * node. So an own write is shown until the node announces something later. */
    wm_record_space *space; /* that its records count into, borrowed; NULL: they are not counted */
} wm_replica_options;

/* What it looks at; borrowed. */
typedef struct wm_replica_sources {
    wm_record_store *own;
    wm_node_names *names;
    const wm_owners *owners;
    /* Whether the operation that wrote a record of `own` is unsettled. */
    bool (*is_unsettled)(const void *user, const wm_record *own);
    const void *user;
} wm_replica_sources;

/* Why the value of a key has changed: X(NAME, "lua name"). */
#define WM_CHANGE_ORIGINS(X) \
    X(SNAPSHOT, "snapshot")  \
    X(REMOTE, "remote")      \
    X(REPAIR, "repair")      \
    X(LOST, "lost")          \
    X(LOCAL, "local")
typedef enum wm_change_origin {
#define X(name, text) WM_CHANGE_##name,
    WM_CHANGE_ORIGINS(X)
#undef X
} wm_change_origin;
/* Static. */
const char *wm_change_origin_name(wm_change_origin origin);

/* NULL when out of memory. */
wm_replica *wm_replica_new(wm_replica_options options, wm_replica_sources sources);
/* NULL is allowed. `own` keeps its marks. */
void wm_replica_free(wm_replica *r);
/* Takes the marks off the records of `own`, which stays: the next replica knows nothing of what this one heard. */
void wm_replica_release(wm_replica *r);
/* One that only heard is compared from now on. False when it was made by other rules: it stays as it was. */
bool wm_replica_begin_comparing(wm_replica *r, wm_replica_options options);
bool wm_replica_only_hears(const wm_replica *r);

/* -- nodes -- */

/* A connection to a node, which hears the map's events, and the rule by which the node hashes its trees. WM_OK or
 * WM_ENOMEM. */
int wm_replica_connect(wm_replica *r, int node_index, int connection, wm_merkle_rule rule);
/* The node is known by another index from now on, as it is reached by another address. Call it before it is
 * connected; nothing happens while one of the two is connected. */
void wm_replica_rename(wm_replica *r, int from, int to);
void wm_replica_disconnect(wm_replica *r, int node_index);
/* The cluster does without a node that is not connected: what only it held is lost. */
void wm_replica_forsake(wm_replica *r, int node_index);
/* One more than the highest node index so far. */
uint32_t wm_replica_node_count(const wm_replica *r);
/* The node's sync; NULL when it was never connected. Valid until the replica is freed. */
wm_sync *wm_replica_sync(wm_replica *r, int node_index);
/* The owners have changed. */
void wm_replica_owners_changed(wm_replica *r);

/* -- saving -- */

/* What a node held, or a process that has ended knew of it. */
typedef struct wm_kept_holding {
    int node_index; /* -1: not connected in this process */
    const char *id; /* of the node, when node_index is -1 */
    const char *url;
    wm_merkle_rule rule;
    uint64_t equal_ms; /* it was last equal then, as a time of the wall clock; 0: never */
    wm_holding *holding;
    bool is_cut; /* there was no room for all of it */
} wm_kept_holding;

/* Notes from now on which records change: wm_holding_track. */
void wm_replica_track(wm_replica *r);
/* Adds what a node held when another process ended, whose holding is taken over, and id and URL copied. It is shown like
 * what a node holds that is away, until wm_replica_adopt or wm_replica_drop_restored. False when out of memory: nothing was taken. */
bool wm_replica_restore(wm_replica *r, const wm_kept_holding *kept);
/* Makes what was restored the holding of a node that has this id, or else this URL, unless something is known of the node already.
 * Call it before the node is connected. */
void wm_replica_adopt(wm_replica *r, int node_index, const char *id, const char *url);
/* Removes what was restored of nodes that are no more; their keys change as by a repair. */
void wm_replica_drop_restored(wm_replica *r);
/* The cluster turned out to have other rules than those it was made by: what was restored is removed. False once a node
 * was connected, and when out of memory. */
bool wm_replica_change_rules(wm_replica *r, wm_hash_kind hash, uint32_t partitions, bool merges);
/* The number `i` of its holdings, with those that were restored; false at the end. Pointers hold until the replica
 * changes. */
bool wm_replica_kept(const wm_replica *r, uint32_t i, uint64_t now_us, uint64_t wall_ms, wm_kept_holding *out);

/* -- what happens -- */

/* A node reports a change; ignored when it is compared and not connected. Returns WM_OK; 1 when nothing changed; WM_EINVAL for
 * an impossible time; WM_ENOMEM. */
int wm_replica_event(wm_replica *r, int node_index, const wm_map_event *event, uint64_t now_us);
/* A node acknowledged the operation `op`, which wrote this key. Call it before the operation is settled. */
void wm_replica_acked(wm_replica *r, int node_index, const char *key, size_t len, uint32_t op, uint64_t now_us);
/* Of a replica that only hears: an own write whose echo has not come 2 s after its acknowledgement is as old as
 * that, as the node has dropped the echo. Call it at each tick. */
void wm_replica_await_echoes(wm_replica *r, uint64_t now_us);
/* There may be room again for records that were refused. */
void wm_replica_resume(wm_replica *r);
/* Work that is bounded by `*most`, about so many records. Call it at each tick. */
void wm_replica_work(wm_replica *r, uint32_t *most);
/* The latest time of all records so far, for the client's clock. */
wm_hlc wm_replica_latest(const wm_replica *r);
/* Arrivals so far. */
uint64_t wm_replica_seen(const wm_replica *r);
const wm_sync_rhythm *wm_replica_rhythm(const wm_replica *r);

/* -- what it shows -- */

/* Where a record comes from. */
typedef struct wm_replica_place {
    int node_index; /* of the node that holds it; -1: none does */
    bool is_own;    /* of the overlay */
    bool is_lost;   /* the node that held it came up without it */
} wm_replica_place;

/* The record of a key, which may be a tombstone; false when there is none. Pointers hold until the replica or
 * `own` changes. `place` may be NULL. */
bool wm_replica_get(wm_replica *r, const char *key, size_t len, wm_record *out, wm_replica_place *place);
/* Walks over all records that it shows, tombstones included, as wm_record_store_next. A position is below
 * 2^53. */
uint64_t wm_replica_next(wm_replica *r, uint64_t position, wm_record *out);

/* Keys with a value. It looks at the records of `own` and not at the others, which are counted as they change; once all of them
 * after nodes came or went with records. */
size_t wm_replica_size(wm_replica *r);

/* Whether a record of `own` is what is known of its key: no other value is shown. */
bool wm_replica_stands(wm_replica *r, const wm_record *own);

/* -- changes -- */

/* Keeps a list of the keys whose value changes, from now on. Each key is in it once. */
void wm_replica_watch(wm_replica *r);
/* This client has written a key: it is in the list, too, as WM_CHANGE_LOCAL. Until it is taken, several writes of a key
 * are in it several times, and the last is taken once. */
void wm_replica_wrote(wm_replica *r, const char *key, size_t len);
/* What is shown of a key at a moment; not looked at unless changes are watched. */
typedef struct wm_replica_sight {
    bool has_value;
    uint64_t hash;
} wm_replica_sight;

/* Whatever else happens to a record of `own` or to its operation (it is sent again, or is settled without an
 * acknowledgement) happens between these two: if the key is not shown as before, it is in the list as WM_CHANGE_REPAIR. So
 * what wm_replica_get has of a key differs from what was told of it only while the key is in the list. */
wm_replica_sight wm_replica_before_own(wm_replica *r, const char *key, size_t len);
void wm_replica_after_own(wm_replica *r, const char *key, size_t len, const wm_replica_sight *before);
size_t wm_replica_changes(const wm_replica *r);
/* How many keys are still to be taken, at most: those in the list, and those that are looked through for it. 0: none. */
size_t wm_replica_behind(const wm_replica *r);
/* Takes the key that changed first. `out`: its record, whose value is NULL when there is none. False when the list
 * is empty. */
bool wm_replica_next_change(wm_replica *r, wm_record *out, wm_change_origin *origin);

/* -- figures -- */

/* Grows when a node is connected or lost, when it is equal first on a connection, after each walk before that, and when it
 * has lost records. */
uint64_t wm_replica_turns(const wm_replica *r);

typedef struct wm_replica_figures {
    uint64_t events;
    uint64_t repairs; /* differences that walks found after the snapshot */
    uint64_t missed;  /* of the repairs, those on a connection that had been equal: an event was dropped, or is late */
    uint64_t lost;    /* records that nodes have lost and that are still shown */
    uint64_t gone;    /* of them, those of which it is not known yet whether they are lost or removed */
    uint64_t records; /* that nodes hold, each as often as it is held */
    uint64_t no_memory;
    uint32_t short_of; /* holdings that lack records for want of room: wm_replica_options.space */
    bool is_full;      /* there is no room for them now */
} wm_replica_figures;
wm_replica_figures wm_replica_figures_of(const wm_replica *r);
/* The next loss that was not reported to the script, and that is known to be one. wm_replica_next_lost gives its keys from
 * `*first` on, up to positions below `*end`. `node_index`: of the node that lost them. False: there is none. */
bool wm_replica_next_loss(wm_replica *r, int *node_index, uint64_t *first, uint64_t *end);
/* Walks over the keys that are lost. */
uint64_t wm_replica_next_lost(wm_replica *r, uint64_t position, wm_record *out);
#endif
