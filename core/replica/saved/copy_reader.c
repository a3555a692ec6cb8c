#include "replica/saved/copy_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef struct reader {
    wm_copy_content *out;
    const char *map;
    size_t map_len;
    wm_node_names *names;
    wm_record_space *space;
    wm_log_error *error;
} reader;

static bool is_wrong(const reader *r, const char *what)
{
    return wm_log_fail(r->error, WM_LOG_DAMAGED, "%s", what);
}

static uint32_t number_at(const uint8_t *at)
{
    uint32_t n;
    memcpy(&n, at, sizeof n);
    return n;
}

static uint64_t long_at(const uint8_t *at)
{
    uint64_t n;
    memcpy(&n, at, sizeof n);
    return n;
}

/* -- what it is of ------------------------------------------------------------------------ */

static bool read_rules(reader *r, const wm_op_entry *entry)
{
    if (entry->seq != WM_COPY_VERSION || entry->len < 12) return is_wrong(r, "it is a copy of another version");
    if (entry->len - 12 != r->map_len || memcmp(entry->bytes + 12, r->map, r->map_len) != 0) return is_wrong(r, "it is the copy of another map");
    wm_copy_rules rules = {(wm_hash_kind)number_at(entry->bytes), number_at(entry->bytes + 4), number_at(entry->bytes + 8) != 0};
    bool is_possible = (rules.hash == WM_HASH_FNV1A || rules.hash == WM_HASH_XXH64) && rules.partitions > 0 && rules.partitions <= 65536;
    if (!is_possible) return is_wrong(r, "its rules are impossible");
    r->out->rules = rules;
    return r->out->has_rules = true;
}

static bool read_writer(reader *r, const wm_op_entry *entry)
{
    wm_copy_content *c = r->out;
    if (entry->seq != c->writer_count) return is_wrong(r, "a writer is missing");
    uint32_t *grown = realloc(c->writers, (c->writer_count + 1u) * sizeof *grown);
    if (grown == NULL) return wm_log_fail_io(r->error, ENOMEM);
    c->writers = grown;
    if (!wm_node_names_intern(r->names, (const char *)entry->bytes, entry->len, &grown[c->writer_count])) return wm_log_fail_io(r->error, ENOMEM);
    c->writer_count++;
    return true;
}

/* -- nodes ------------------------------------------------------------------------------- */

static void forget_name(wm_kept_holding *n)
{
    free((char *)n->id);
    free((char *)n->url);
    n->id = n->url = NULL;
}

static bool add_node(reader *r)
{
    wm_copy_content *c = r->out;
    wm_kept_holding *grown = realloc(c->nodes, (c->node_count + 1u) * sizeof *grown);
    if (grown == NULL) return wm_log_fail_io(r->error, ENOMEM);
    c->nodes = grown;
    c->nodes[c->node_count++] = (wm_kept_holding){.node_index = -1};
    return true;
}

static bool read_node(reader *r, const wm_op_entry *entry)
{
    wm_copy_content *c = r->out;
    bool is_possible = c->has_rules && entry->len == 4 && number_at(entry->bytes) <= WM_MERKLE_MIXED && entry->seq > 0 &&
                       entry->seq <= c->node_count + 1u && entry->seq <= WM_COPY_NODES_MAX;
    if (!is_possible) return is_wrong(r, "an entry of a node cannot be read");
    if (entry->seq == c->node_count + 1u && !add_node(r)) return false;
    wm_kept_holding *n = &c->nodes[entry->seq - 1];
    wm_holding_free(n->holding);
    forget_name(n);
    n->rule = (wm_merkle_rule)number_at(entry->bytes);
    n->holding = wm_holding_new((wm_holding_rules){c->rules.hash, n->rule, c->rules.partitions}, r->names);
    if (n->holding != NULL) wm_holding_count_in(n->holding, r->space);
    return n->holding != NULL || wm_log_fail_io(r->error, ENOMEM);
}

/* NULL when there is none. */
static wm_kept_holding *node_of(const reader *r, uint64_t seq)
{
    uint32_t number = (uint32_t)seq;
    return number > 0 && number <= r->out->node_count ? &r->out->nodes[number - 1] : NULL;
}

static bool read_name(reader *r, const wm_op_entry *entry)
{
    wm_kept_holding *n = node_of(r, entry->seq);
    uint32_t id_len = entry->len >= 12 ? number_at(entry->bytes + 8) : UINT32_MAX;
    if (n == NULL || id_len > entry->len - 12) return is_wrong(r, "the name of a node cannot be read");
    forget_name(n);
    n->equal_ms = long_at(entry->bytes);
    n->id = strndup((const char *)entry->bytes + 12, id_len);
    n->url = strndup((const char *)entry->bytes + 12 + id_len, entry->len - 12 - id_len);
    return (n->id != NULL && n->url != NULL) || wm_log_fail_io(r->error, ENOMEM);
}

/* -- records ----------------------------------------------------------------------------- */

static bool put(reader *r, wm_kept_holding *n, const wm_record *record)
{
    uint32_t hash = wm_hash(r->out->rules.hash, record->key, record->key_len);
    if (!wm_holding_takes(n->holding, hash, record->key, record->key_len)) return r->out->is_cut = n->is_cut = true;
    return wm_holding_put(n->holding, hash, record) == WM_OK || wm_log_fail_io(r->error, ENOMEM);
}

static bool read_put(reader *r, const wm_op_entry *entry)
{
    wm_kept_holding *n = node_of(r, entry->seq);
    uint64_t writer = entry->seq >> 32;
    uint32_t key_len = entry->len >= WM_COPY_PUT_HEAD ? number_at(entry->bytes + 16) : UINT32_MAX;
    if (n == NULL || writer >= r->out->writer_count || key_len > UINT16_MAX || key_len > entry->len - WM_COPY_PUT_HEAD)
        return is_wrong(r, "a record cannot be read");
    const uint8_t *key = entry->bytes + WM_COPY_PUT_HEAD;
    uint32_t value_len = entry->len - WM_COPY_PUT_HEAD - key_len;
    r->out->puts++;
    r->out->bytes += entry->len + WM_OP_ENTRY_HEAD;
    return put(r, n, &(wm_record){
                         .key = (const char *)key,
                         .key_len = key_len,
                         .value = value_len > 0 ? key + key_len : NULL,
                         .value_len = value_len,
                         .millis = long_at(entry->bytes),
                         .counter = long_at(entry->bytes + 8),
                         .node = r->out->writers[writer],
                         .op = WM_NO_OP,
                     });
}

static bool read_drop(reader *r, const wm_op_entry *entry)
{
    const wm_kept_holding *n = node_of(r, entry->seq);
    if (n == NULL) return is_wrong(r, "a removal cannot be read");
    uint32_t hash = wm_hash(r->out->rules.hash, (const char *)entry->bytes, entry->len);
    if (!wm_holding_takes(n->holding, hash, (const char *)entry->bytes, entry->len)) return true;
    return wm_holding_drop(n->holding, hash, (const char *)entry->bytes, entry->len, 0) == WM_OK || wm_log_fail_io(r->error, ENOMEM);
}

/* -- all of it ---------------------------------------------------------------------------- */

static bool read_entry(reader *r, const wm_op_entry *entry)
{
    if (entry->kind != WM_COPY_RULES && !r->out->has_rules) return is_wrong(r, "its rules are missing");
    switch ((wm_copy_entry)entry->kind) {
    case WM_COPY_RULES: return read_rules(r, entry);
    case WM_COPY_WRITER: return read_writer(r, entry);
    case WM_COPY_NODE: return read_node(r, entry);
    case WM_COPY_NAME: return read_name(r, entry);
    case WM_COPY_PUT: return read_put(r, entry);
    case WM_COPY_DROP: return read_drop(r, entry);
    }
    return is_wrong(r, "it has an unknown entry");
}

static bool read_frame(void *user, const uint8_t *payload, size_t len)
{
    const uint8_t *at = payload;
    wm_op_entry entry;
    while (wm_op_entry_next(&at, payload + len, &entry))
        if (!read_entry(user, &entry)) return false;
    return at == payload + len || is_wrong(user, "an entry cannot be read");
}

bool wm_copy_read(wm_log_file *file, const char *map, size_t map_len, wm_node_names *names, wm_record_space *space, wm_copy_content *out, wm_log_error *e)
{
    reader r = {.out = out, .map = map, .map_len = map_len, .names = names, .space = space, .error = e};
    *out = (wm_copy_content){0};
    return wm_log_file_read(file, read_frame, &r, e);
}

void wm_copy_content_close(wm_copy_content *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        wm_holding_free(c->nodes[i].holding);
        forget_name(&c->nodes[i]);
    }
    free(c->nodes);
    free(c->writers);
    *c = (wm_copy_content){0};
}
