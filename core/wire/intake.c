#include "wire/intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "wire/skim.h"

/* What an announced length alone makes us reserve at most. */
#define RESERVE_BYTES (4u * 1024 * 1024)
/* A message of more is skimmed while it is kept, so that what was kept need not be skimmed
 * at once should it turn out too large: a frame does not say how many will follow it. */
#define SKIM_ALONG_BYTES (64u * 1024)
/* A larger buffer is not kept for the next message. */
#define BUFFER_KEPT (256u * 1024)

struct wm_intake {
    size_t max_bytes;
    const wm_intake_handlers *handlers;
    void *user;
    int envelopes; /* around the messages here */
    uint64_t size; /* of the message at hand, so far */
    bool text;
    bool is_too_large;
    wm_buffer kept;
    size_t skimmed; /* of the kept bytes */
    wm_skim *skim;  /* NULL: not begun */
    /* of an envelope that is too large */
    wm_intake *inner;
    uint8_t word[4]; /* the number at hand, little-endian, as far as it has come */
    size_t word_len;
    bool is_counted;
    uint32_t items_left;
    uint64_t item_left; /* bytes of the item at hand */
    bool in_item;
};

wm_intake *wm_intake_new(size_t max_bytes, const wm_intake_handlers *handlers, void *user)
{
    wm_intake *in = calloc(1, sizeof *in);
    if (in == NULL) return NULL;
    in->max_bytes = max_bytes;
    in->handlers = handlers;
    in->user = user;
    wm_buffer_init(&in->kept);
    return in;
}

void wm_intake_free(wm_intake *in)
{
    if (in == NULL) return;
    wm_intake_free(in->inner);
    wm_skim_free(in->skim);
    wm_buffer_close(&in->kept);
    free(in);
}

bool wm_intake_is_busy(const wm_intake *in)
{
    return in->size > 0;
}

static void forget_kept(wm_intake *in)
{
    if (in->kept.cap > BUFFER_KEPT) wm_buffer_close(&in->kept);
    else wm_buffer_clear(&in->kept);
    in->skimmed = 0;
}

/* Ready for the next message. */
static void reset(wm_intake *in)
{
    forget_kept(in);
    wm_skim_free(in->skim);
    wm_intake_free(in->inner);
    in->skim = NULL;
    in->inner = NULL;
    in->size = in->word_len = 0;
    in->is_too_large = in->is_counted = in->in_item = false;
}

/* -- envelopes ------------------------------------------------------------------- */

static size_t smaller(size_t a, uint64_t b)
{
    return a < b ? a : (size_t)b;
}

/* Reads on in a number: false when its end has not come. */
static bool read_word(wm_intake *in, const uint8_t **bytes, size_t *len, uint32_t *out)
{
    size_t n = smaller(*len, sizeof in->word - in->word_len);
    memcpy(in->word + in->word_len, *bytes, n);
    in->word_len += n;
    *bytes += n;
    *len -= n;
    if (in->word_len < sizeof in->word) return false;
    in->word_len = 0;
    const uint8_t *w = in->word;
    *out = (uint32_t)w[0] | (uint32_t)w[1] << 8 | (uint32_t)w[2] << 16 | (uint32_t)w[3] << 24;
    return true;
}

static int take_item(wm_intake *in, const uint8_t **bytes, size_t *len)
{
    size_t n = smaller(*len, in->item_left);
    in->item_left -= n;
    in->in_item = in->item_left > 0;
    int rc = wm_intake_put(in->inner, *bytes, n, in->item_left, !in->in_item, false);
    *bytes += n;
    *len -= n;
    return rc;
}

/* Some bytes of the data: the count, then each item behind its length. */
static int take_data(void *user, const uint8_t *bytes, size_t len)
{
    wm_intake *in = user;
    uint32_t number;
    if (in->inner == NULL) {
        if (in->envelopes == WM_MESSAGE_MAX_ENVELOPES) return WM_MESSAGE_EENVELOPE;
        in->inner = wm_intake_new(in->max_bytes, in->handlers, in->user);
        if (in->inner == NULL) return WM_ENOMEM;
        in->inner->envelopes = in->envelopes + 1;
    }
    while (len > 0) {
        int rc = 0;
        if (in->in_item) {
            rc = take_item(in, &bytes, &len);
        } else if (in->is_counted && in->items_left == 0) {
            return WM_MESSAGE_EENVELOPE;
        } else if (read_word(in, &bytes, &len, &number)) {
            if (!in->is_counted) {
                in->is_counted = true;
                in->items_left = number;
            } else {
                in->items_left--;
                in->item_left = number;
                in->in_item = true;
                if (number == 0) rc = take_item(in, &bytes, &len);
            }
        }
        if (rc < 0) return rc;
    }
    return 0;
}

static bool is_envelope_whole(const wm_intake *in)
{
    return in->inner == NULL || (in->is_counted && in->items_left == 0 && !in->in_item && in->word_len == 0);
}

/* -- messages -------------------------------------------------------------------- */

/* Skims what was kept and is not skimmed yet. */
static int skim_kept(wm_intake *in)
{
    if (in->skim == NULL && (in->skim = wm_skim_new(take_data, in)) == NULL) return WM_ENOMEM;
    const uint8_t *at = in->kept.data + in->skimmed;
    int rc = wm_skim_on(in->skim, &at, in->kept.data + in->kept.len, in->is_too_large);
    in->skimmed = (size_t)(at - in->kept.data);
    return rc;
}

static int skim_piece(wm_intake *in, const uint8_t *bytes, size_t len)
{
    if (in->text) return WM_OK; /* only its end counts */
    if (in->skim == NULL && (in->skim = wm_skim_new(take_data, in)) == NULL) return WM_ENOMEM;
    return wm_skim_on(in->skim, &bytes, bytes + len, true);
}

static int become_too_large(wm_intake *in)
{
    in->is_too_large = true;
    int rc = in->text || in->kept.len == 0 ? WM_OK : skim_kept(in);
    forget_kept(in);
    return rc;
}

static int keep_piece(wm_intake *in, const uint8_t *bytes, size_t len, uint64_t to_come)
{
    /* Once for the whole frame: growing would copy it again and again. */
    wm_buffer_reserve(&in->kept, len + (to_come < RESERVE_BYTES ? (size_t)to_come : RESERVE_BYTES));
    wm_buffer_append(&in->kept, bytes, len);
    if (in->kept.failed) return WM_ENOMEM;
    if (in->text || in->size + to_come < SKIM_ALONG_BYTES) return WM_OK;
    return skim_kept(in);
}

static int tell_too_large(wm_intake *in)
{
    wm_message m = {.type_name = ""};
    wm_buffer description;
    int rc = in->text ? 0 : wm_skim_end(in->skim, &m);
    if (rc == 0 && !is_envelope_whole(in)) rc = WM_MESSAGE_EENVELOPE;
    if (rc < 0 || in->inner != NULL) return rc; /* an envelope is none itself */
    wm_buffer_init(&description);
    wm_message_describe(&m, WM_LIMIT_BYTES, in->size, &description);
    rc = description.failed ? WM_ENOMEM : in->handlers->too_large(in->user, description.data, description.len);
    wm_buffer_close(&description);
    return rc;
}

static int hand_over(wm_intake *in, const uint8_t *bytes, size_t len)
{
    if (in->is_too_large) return tell_too_large(in);
    if (in->kept.len > 0) return in->handlers->message(in->user, in->kept.data, in->kept.len, in->text, &in->kept);
    return in->handlers->message(in->user, bytes, len, in->text, &in->kept);
}

static int take_piece(wm_intake *in, const uint8_t *bytes, size_t len, uint64_t to_come, bool is_last)
{
    int rc = WM_OK;
    bool is_whole = is_last && in->size == len; /* nothing to put together */
    if (!in->is_too_large && (in->size > in->max_bytes || to_come > in->max_bytes - in->size)) rc = become_too_large(in);
    if (rc < 0) return rc;
    if (in->is_too_large) return skim_piece(in, bytes, len);
    return is_whole ? WM_OK : keep_piece(in, bytes, len, to_come);
}

int wm_intake_put(wm_intake *in, const uint8_t *bytes, size_t len, uint64_t to_come, bool is_last, bool text)
{
    in->text = text;
    in->size += len;
    int rc = take_piece(in, bytes, len, to_come, is_last);
    if (rc == WM_OK && is_last) rc = hand_over(in, bytes, len);
    if (rc < 0 || is_last) reset(in);
    return rc;
}
