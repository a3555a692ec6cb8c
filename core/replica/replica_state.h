#ifndef WM_REPLICA_STATE_H
#define WM_REPLICA_STATE_H
#include "replica/replica.h"

/* The state of a replica, for its own files: replica_view.c (what it shows), replica_changes.c (whose value
 * changed), replica_figures.c, replica_nodes.c, replica_restored.c, each using those before it. */

typedef struct wm_replica_node {
    wm_merkle_rule rule;
    wm_holding *holding;
    wm_holding *gone;      /* on a new connection: what it no longer holds, until it is known whether that is lost; or NULL */
    uint32_t count_before; /* records before that connection */
    wm_hlc latest;         /* the latest time of its records so far */
    wm_hlc latest_before;  /* the same, before the first of the connections on which it was not equal yet */
    wm_sync sync;
    uint64_t equal_ms;        /* when it was last equal in another process; see wm_kept_holding */
    wm_key_queue acked;       /* own writes that it acknowledged and did not send back by then, with their `seen` */
    uint64_t echoes_until_us; /* of a replica that only hears: then those up to echoes_seen are as old as their
                               * acknowledgements; 0: there are none */
    uint64_t echoes_seen;
} wm_replica_node;

/* Records that a node came up without. */
typedef struct wm_lost {
    wm_holding *holding;
    int node_index; /* that the node had */
    bool is_told;
    size_t position;                 /* where looking for those that other nodes hold goes on */
    bool is_sifted;                  /* there are none */
    const wm_replica_node *forsaken; /* the node that is away with them, and may come back with them; or NULL */
} wm_lost;

/* Records that are shown no more, whose keys are still to be reported. */
typedef struct wm_dismissed {
    wm_holding *holding;
    size_t position;
    wm_change_origin origin;
} wm_dismissed;

/* What another process knew of a node that was not connected in this one. */
typedef struct wm_restored {
    char *id, *url;
    wm_merkle_rule rule;
    uint64_t equal_ms;
    bool is_cut;   /* as of wm_kept_holding */
    wm_hlc latest; /* time of its records */
    wm_holding *holding;
} wm_restored;

struct wm_replica {
    wm_replica_options options;
    wm_replica_sources sources;
    wm_sync_hooks hooks;
    wm_replica_node **nodes; /* by node index; NULL: never connected */
    uint32_t node_count;
    wm_restored *restored;
    uint32_t restored_count;
    bool is_tracked; /* wm_replica_track */
    wm_lost *lost;
    uint32_t lost_count;
    wm_dismissed *dismissed;
    uint32_t dismissed_count;
    uint64_t turns; /* see wm_replica_turns */
    uint64_t seen;
    wm_hlc latest;
    bool is_watched;
    wm_key_queue changes; /* with their origins */
    bool is_own_due;      /* a node was equal first, or owners changed: `own` is looked through */
    bool is_own_again;    /* owners changed while that was under way */
    wm_change_origin own_origin;
    size_t own_position; /* where that goes on */
    uint32_t moved_node; /* where looking through the holdings goes on after the owners changed */
    size_t moved_position;
    bool is_moving;
    wm_replica_figures figures;
    size_t base_count; /* keys of the base that have a value */
    bool is_uncounted; /* base_count is not known */
};

/* -- replica_view.c -- */

typedef struct wm_replica_key {
    const char *text;
    uint32_t len;
    uint32_t hash;     /* of the cluster */
    uint32_t own_hash; /* of `own` */
} wm_replica_key;

wm_replica_key wm_replica_key_of(const wm_replica *r, const char *key, size_t len);
/* The record of a key in `own`, if this client wrote it. */
bool wm_replica_own(const wm_replica *r, const wm_replica_key *k, wm_record *out);
/* Whether this node acknowledged an own record. */
bool wm_replica_acked_by(const wm_record *own, int node_index);
/* Whether what this node has of the key, as of a time after the acknowledgement, ends an own record. */
bool wm_replica_decides(const wm_replica *r, const wm_replica_key *k, const wm_record *own, int node_index);
/* Whether an own record is settled, and was not acknowledged since the map is followed: it is shown where no node holds its key,
 * until its owner was compared. */
bool wm_replica_is_provisional(const wm_replica *r, const wm_record *own);
/* Whether a node was compared since this client follows it. */
bool wm_replica_is_any_known(const wm_replica *r);
/* Whether the key's owner was; where no owner is known, whether any node was. */
bool wm_replica_is_owner_known(const wm_replica *r, const wm_replica_key *k);
/* As wm_replica_get. */
bool wm_replica_show(wm_replica *r, const wm_replica_key *k, wm_record *out, wm_replica_place *place);
/* What is shown of a key without `own`. */
bool wm_replica_base(const wm_replica *r, const wm_replica_key *k, wm_record *out, wm_replica_place *place);
/* The newest record of a key that any node holds. */
bool wm_replica_held(const wm_replica *r, const wm_replica_key *k, wm_record *out, wm_replica_place *place);

/* Whether a key counts in base_count: it has a value in the base. Ask before the base changes. On v2 each record has one, whatever node
 * is the owner. */
bool wm_replica_counts(const wm_replica *r, const wm_replica_key *k);
/* Keeps base_count after what the base has of a key may have changed. `did_count`: of wm_replica_counts before that. */
void wm_replica_recount(wm_replica *r, const wm_replica_key *k, bool did_count);
/* The holding is about to be part of the base. */
void wm_replica_count_in(wm_replica *r, wm_holding *h);

/* -- replica_changes.c -- */

/* Other owners than before may have been compared: what becomes of `own` is told bit by bit. */
void wm_replica_look_at_own(wm_replica *r, wm_change_origin origin);
wm_replica_sight wm_replica_look(wm_replica *r, const wm_replica_key *k);
/* Adds the key to the changes if it is not shown as before. */
void wm_replica_tell(wm_replica *r, const wm_replica_key *k, const wm_replica_sight *before, wm_change_origin origin);
/* The key is held by a node: what is lost of it does not count any more. */
void wm_replica_found(wm_replica *r, const wm_replica_key *k);
/* Takes over records that are shown no more, and tells their keys bit by bit. */
void wm_replica_dismiss(wm_replica *r, wm_holding *h, wm_change_origin origin);

/* -- replica_figures.c -- */

/* There was no room for a record of the node. */
void wm_replica_run_short(wm_replica *r, wm_replica_node *n);

/* -- replica_nodes.c -- */

/* The node, which is made if need be; NULL when out of memory. */
wm_replica_node *wm_replica_node_or_new(wm_replica *r, int node_index, wm_merkle_rule rule);
#endif
