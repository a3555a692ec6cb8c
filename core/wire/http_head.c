#include "wire/http_head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static wm_text_span trimmed(const char *p, const char *end)
{
    while (p != end && (*p == ' ' || *p == '\t')) p++;
    while (p != end && (end[-1] == ' ' || end[-1] == '\t')) end--;
    return (wm_text_span){p, (size_t)(end - p)};
}

bool wm_span_is(wm_text_span s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

void wm_span_copy(wm_text_span s, char *out, size_t size)
{
    size_t len = s.len < size ? s.len : size - 1;
    memcpy(out, s.p, len);
    out[len] = '\0';
}

void wm_span_escape(wm_text_span s, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < s.len && used + sizeof "\\xHH" <= size; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c >= 0x20 && c < 0x7f) out[used++] = (char)c;
        else used += (size_t)sprintf(out + used, "\\x%02x", c);
    }
    out[used] = '\0';
}

/* The next line of the headers; false at their end. */
static bool next_line(const char **p, const char *end, wm_text_span *line)
{
    if (*p >= end) return false;
    const char *stop = memmem(*p, (size_t)(end - *p), "\r\n", 2);
    *line = (wm_text_span){*p, (size_t)(stop - *p)};
    *p = stop + 2;
    return true;
}

static const char *colon_of(wm_text_span line)
{
    return memchr(line.p, ':', line.len);
}

int wm_http_head_read(const uint8_t *bytes, size_t len, wm_http_head *out)
{
    size_t look = len < WM_HTTP_HEAD_MAX ? len : WM_HTTP_HEAD_MAX;
    const uint8_t *stop = memmem(bytes, look, "\r\n\r\n", 4);
    if (stop == NULL) return len < WM_HTTP_HEAD_MAX ? 0 : -1;
    const char *p = (const char *)bytes, *end = (const char *)stop + 2;
    next_line(&p, end, &out->first_line);
    out->headers = (wm_text_span){p, (size_t)(end - p)};
    for (wm_text_span line; next_line(&p, end, &line);)
        if (colon_of(line) == NULL) return -1;
    return (int)(stop + 4 - bytes);
}

/* The value of the next header of that name. */
static bool next_header(const char **p, const char *end, const char *name, wm_text_span *value)
{
    for (wm_text_span line; next_line(p, end, &line);) {
        const char *colon = colon_of(line);
        if (!wm_span_is(trimmed(line.p, colon), name)) continue;
        *value = trimmed(colon + 1, line.p + line.len);
        return true;
    }
    return false;
}

bool wm_http_header(const wm_http_head *head, const char *name, wm_text_span *value)
{
    const char *p = head->headers.p;
    return next_header(&p, p + head->headers.len, name, value);
}

static bool lists(wm_text_span s, const char *element)
{
    const char *p = s.p, *end = s.p + s.len;
    while (p != end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        if (wm_span_is(trimmed(p, comma ? comma : end), element)) return true;
        p = comma ? comma + 1 : end;
    }
    return false;
}

bool wm_http_header_lists(const wm_http_head *head, const char *name, const char *element)
{
    wm_text_span value;
    const char *p = head->headers.p, *end = p + head->headers.len;
    while (next_header(&p, end, name, &value))
        if (lists(value, element)) return true;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int wm_http_status(const wm_http_head *head, wm_text_span *reason)
{
    const char *p = head->first_line.p, *end = p + head->first_line.len;
    if (end - p < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ') return -1;
    if (!is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11])) return -1;
    *reason = trimmed(p + 12, end);
    return (p[9] - '0') * 100 + (p[10] - '0') * 10 + p[11] - '0';
}
