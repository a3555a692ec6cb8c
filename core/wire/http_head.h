#ifndef WM_HTTP_HEAD_H
#define WM_HTTP_HEAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The head of an HTTP/1.1 message: first line and headers. Without sockets; all pointers are into the
 * caller's bytes. */

#define WM_HTTP_HEAD_MAX 16384 /* bytes of a head; a longer one is refused */

typedef struct wm_text_span {
    const char *p;
    size_t len;
} wm_text_span;

typedef struct wm_http_head {
    wm_text_span first_line;
    wm_text_span headers; /* whole lines, each with its end */
} wm_http_head;

/* Reads a head. Returns its length in bytes with the empty line; 0 when it is not complete; -1 when it
 * is longer than WM_HTTP_HEAD_MAX or a header has no colon. */
int wm_http_head_read(const uint8_t *bytes, size_t len, wm_http_head *out);
/* The value of the first header of this name (letters in any case). False when there is none. */
bool wm_http_header(const wm_http_head *head, const char *name, wm_text_span *value);
/* Whether a header of this name has the element in its comma-separated value. */
bool wm_http_header_lists(const wm_http_head *head, const char *name, const char *element);
/* The status code in the first line of an answer, and the reason behind it; -1 when it is not an HTTP
 * answer. */
int wm_http_status(const wm_http_head *head, wm_text_span *reason);

/* Whether the span equals the text, letters in any case. */
bool wm_span_is(wm_text_span s, const char *text);
/* Copies the span, cut to `size` with its final 0. */
void wm_span_copy(wm_text_span s, char *out, size_t size);
/* The same for a terminal: bytes that are not printable ASCII become \xHH. */
void wm_span_escape(wm_text_span s, char *out, size_t size);
#endif
