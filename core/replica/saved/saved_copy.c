#include "replica/saved/saved_copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

/* Records that one tick writes. */
#define RECORDS_AT_ONCE 2000u
/* After a failure the next try is so much later. */
#define RETRY_US 2000000u

struct wm_saved_copy {
    wm_copy_file *file;
    wm_copy_content content; /* until it is given */
    wm_copy_rules rules;     /* of the replica */
    wm_kept_holding *all;    /* the holdings of the replica; its memory is reused */
    uint32_t count, cap;
    wm_log_error problem;
    uint64_t retry_us;
    uint64_t turns;
    char dropped[256];
};

/* -- life -------------------------------------------------------------------------------- */

/* What is wrong with it shows when the file is opened. */
static void make_folder_of(const char *path)
{
    char *folder = strdup(path), *end = folder != NULL ? strrchr(folder, '/') : NULL;
    if (end != NULL && end != folder) {
        *end = 0;
        (void)!mkdir(folder, 0700);
    }
    free(folder);
}

static bool set_aside(const char *path, wm_log_error *e)
{
    char *aside = NULL;
    if (asprintf(&aside, "%s.damaged", path) < 0) return wm_log_fail_io(e, ENOMEM);
    bool ok = rename(path, aside) == 0 || wm_log_fail_io(e, errno);
    free(aside);
    return ok;
}

wm_saved_copy *wm_saved_copy_open(const char *path, const char *map, size_t map_len, wm_node_names *names, wm_record_space *space, wm_log_error *e)
{
    wm_saved_copy *s = calloc(1, sizeof *s);
    if (s == NULL) {
        wm_log_fail_io(e, ENOMEM);
        return NULL;
    }
    make_folder_of(path);
    s->file = wm_copy_file_open(path, map, map_len, names, space, &s->content, e);
    if (s->file == NULL && e->problem == WM_LOG_DAMAGED) {
        snprintf(s->dropped, sizeof s->dropped, "%s", e->text);
        s->turns++;
        if (set_aside(path, e)) s->file = wm_copy_file_open(path, map, map_len, names, space, &s->content, e);
    }
    if (s->file != NULL) return s;
    free(s);
    return NULL;
}

bool wm_saved_copy_rules(const wm_saved_copy *s, wm_copy_rules *out)
{
    *out = s->content.rules;
    return s->content.has_rules;
}

const wm_log_error *wm_saved_copy_problem(const wm_saved_copy *s)
{
    return &s->problem;
}

const char *wm_saved_copy_dropped(const wm_saved_copy *s)
{
    return s->dropped;
}

uint64_t wm_saved_copy_turns(const wm_saved_copy *s)
{
    return s->turns;
}

uint64_t wm_saved_copy_bytes(const wm_saved_copy *s)
{
    return wm_copy_file_length(s->file);
}

/* -- what is in the file ------------------------------------------------------------------ */

static bool is_same(const wm_copy_rules *a, const wm_copy_rules *b)
{
    return a->hash == b->hash && a->partitions == b->partitions && a->merges == b->merges;
}

static void drop(wm_saved_copy *s)
{
    snprintf(s->dropped, sizeof s->dropped, "it is of another cluster: one of the other family, or with another hash");
    wm_copy_file_begin_anew(s->file);
    s->turns++;
}

static void restore(wm_replica *r, wm_kept_holding *n)
{
    bool is_named = n->id != NULL && n->url != NULL && (n->id[0] != 0 || n->url[0] != 0);
    if (is_named && wm_replica_restore(r, n)) n->holding = NULL;
}

void wm_saved_copy_give(wm_saved_copy *s, wm_replica *r, wm_copy_rules rules)
{
    if (s->content.has_rules && !is_same(&s->content.rules, &rules)) drop(s);
    else
        for (uint32_t i = 0; i < s->content.node_count; i++) restore(r, &s->content.nodes[i]);
    if (s->content.is_cut) wm_copy_file_begin_anew(s->file); /* of what is left of it */
    wm_copy_content_close(&s->content);
    s->rules = rules;
    wm_replica_track(r);
}

void wm_saved_copy_check(wm_saved_copy *s, wm_replica *r, wm_copy_rules rules)
{
    if (is_same(&s->rules, &rules) || !wm_replica_change_rules(r, rules.hash, rules.partitions, rules.merges)) return;
    s->rules = rules;
    drop(s);
}

/* -- what is written ---------------------------------------------------------------------- */

static bool add(wm_saved_copy *s, const wm_kept_holding *n, wm_node_words words)
{
    if (s->count == s->cap) {
        wm_kept_holding *grown = realloc(s->all, (s->cap * 2 + 4) * sizeof *grown);
        if (grown == NULL) return false;
        s->all = grown;
        s->cap = s->cap * 2 + 4;
    }
    wm_kept_holding *added = &s->all[s->count++];
    *added = *n;
    if (n->node_index < 0) return true;
    added->id = words.id(words.user, n->node_index);
    added->url = words.url(words.user, n->node_index);
    return true;
}

static bool list_holdings(wm_saved_copy *s, const wm_replica *r, wm_node_words words, uint64_t now_us, wm_log_error *e)
{
    wm_kept_holding n;
    uint64_t wall_ms = wm_wall_ms();
    s->count = 0;
    for (uint32_t i = 0; wm_replica_kept(r, i, now_us, wall_ms, &n); i++)
        if (!add(s, &n, words)) return wm_log_fail_io(e, ENOMEM);
    return true;
}

static bool save(wm_saved_copy *s, const wm_replica *r, wm_node_words words, uint64_t now_us)
{
    wm_log_error e = {0};
    uint32_t records = RECORDS_AT_ONCE;
    bool ok = list_holdings(s, r, words, now_us, &e) && wm_copy_file_save(s->file, &s->rules, s->all, s->count, &records, &e);
    s->turns += ok != (s->problem.problem == WM_LOG_NONE);
    s->problem = ok ? (wm_log_error){0} : e;
    return ok;
}

void wm_saved_copy_tend(wm_saved_copy *s, wm_replica *r, wm_node_words words, uint64_t now_us)
{
    if (now_us < s->retry_us) return;
    s->retry_us = save(s, r, words, now_us) ? 0 : now_us + RETRY_US;
}

void wm_saved_copy_close(wm_saved_copy *s, wm_replica *r, wm_node_words words, uint64_t now_us)
{
    if (s == NULL) return;
    bool ok = r != NULL && save(s, r, words, now_us);
    while (ok && wm_copy_file_is_behind(s->file, s->all, s->count)) ok = save(s, r, words, now_us);
    wm_copy_file_close(s->file);
    wm_copy_content_close(&s->content);
    free(s->all);
    free(s);
}
