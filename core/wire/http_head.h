#ifndef WM_HTTP_HEAD_H
#define WM_HTTP_HEAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The head of an HTTP/1.1 message: the first line and the headers. No sockets here; all
 * pointers are into the caller's bytes. */

#define WM_HTTP_HEAD_MAX 16384 /* bytes of a head; a longer one is refused */

typedef struct wm_text_span {
    const char *p;
    size_t len;
} wm_text_span;

typedef struct wm_http_head {
    wm_text_span first_line;
    wm_text_span headers; /* whole lines, each with its end */
} wm_http_head;

/* Reads a head. The bytes it takes, with the empty line; 0 when it is not complete yet;
 * -1 when it is longer than WM_HTTP_HEAD_MAX or one of its headers has no colon. */
int wm_http_head_read(const uint8_t *bytes, size_t len, wm_http_head *out);
/* The value of the first header of that name, in any case; false when there is none. */
bool wm_http_header(const wm_http_head *head, const char *name, wm_text_span *value);
/* Whether a header of that name has the element in its comma-separated value. */
bool wm_http_header_lists(const wm_http_head *head, const char *name, const char *element);
/* The status code of an answer's first line and what stands behind it; -1 when the line is
 * that of no HTTP answer. */
int wm_http_status(const wm_http_head *head, wm_text_span *reason);

/* Whether the span is the text, in any case. */
bool wm_span_is(wm_text_span s, const char *text);
/* Copies the span with a 0 at its end, cut when `size` is too small. */
void wm_span_copy(wm_text_span s, char *out, size_t size);
/* The same for text that a terminal may show: what is not printable ASCII becomes \xHH. */
void wm_span_escape(wm_text_span s, char *out, size_t size);
#endif
