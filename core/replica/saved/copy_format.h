#ifndef WM_COPY_FORMAT_H
#define WM_COPY_FORMAT_H
#include "oplog/file/op_entry.h"
#include "replica/replica.h"

/* The entries in the frames of a saved copy's file, as op_entry.h; `seq` is a number that the file gives. Numbers are of
 * this machine's byte order. Neither sums nor graves are in it: the sums are computed from the records. */
typedef enum wm_copy_entry {
    WM_COPY_RULES = 1, /* seq: WM_COPY_VERSION; hash, partitions, merges (4 bytes each), the map's name */
    WM_COPY_WRITER,    /* seq: number, from 0 on; the id of a writer of records */
    WM_COPY_NODE,      /* seq: number, from 1 on; the Merkle rule (4 bytes): from now on a holding of nothing */
    WM_COPY_NAME,      /* seq: number; equal_ms (8 bytes), length of the id (4 bytes), the id, the URL; no id: nobody's */
    WM_COPY_PUT,       /* seq: number of the holding + writer << 32; millis, counter (8 bytes each), length of the key (4 bytes),
                        * the key, the value; no value: a tombstone */
    WM_COPY_DROP,      /* seq: number; the key */
} wm_copy_entry;

#define WM_COPY_VERSION 1u
/* The kind of the file, for wm_log_file_open. */
#define WM_COPY_KIND "copy"
#define WM_COPY_PUT_HEAD 20u
/* Holdings that a file may have. */
#define WM_COPY_NODES_MAX 4096u

/* By which the records of a cluster are hashed and ordered. */
typedef struct wm_copy_rules {
    wm_hash_kind hash;
    uint32_t partitions;
    bool merges; /* see wm_replica_options */
} wm_copy_rules;
#endif
