#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/msgpack.h"
#include "base/utf8.h"
#include "sim/wire/encoding.h"
#include "sim/wire/json.h"

#define DEPTH_MAX WM_MP_MAX_DEPTH
#define NUMBER_MAX 64

typedef struct reader {
    const char *p;
    const char *end;
    wm_buffer *out;
} reader;

static void blanks(reader *r)
{
    while (r->p != r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}

static bool take(reader *r, char c)
{
    blanks(r);
    if (r->p == r->end || *r->p != c) return false;
    r->p++;
    return true;
}

static bool word(reader *r, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(r->end - r->p) < len || memcmp(r->p, text, len) != 0) return false;
    r->p += len;
    return true;
}

static bool hex4(reader *r, uint32_t *out)
{
    uint32_t v = 0;
    if (r->end - r->p < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = *r->p++;
        uint32_t digit;
        if (c >= '0' && c <= '9') digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f') digit = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F') digit = (uint32_t)(c - 'A' + 10);
        else return false;
        v = v << 4 | digit;
    }
    *out = v;
    return true;
}

static void put_code_point(wm_buffer *b, uint32_t c)
{
    uint8_t t[4];
    size_t n;
    if (c < 0x80) {
        t[0] = (uint8_t)c;
        n = 1;
    } else if (c < 0x800) {
        t[0] = (uint8_t)(0xc0 | c >> 6);
        n = 2;
    } else if (c < 0x10000) {
        t[0] = (uint8_t)(0xe0 | c >> 12);
        n = 3;
    } else {
        t[0] = (uint8_t)(0xf0 | c >> 18);
        n = 4;
    }
    for (size_t i = 1; i < n; i++) t[i] = (uint8_t)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
    wm_buffer_append(b, t, n);
}

/* After "\u": one code unit, with its other half when it is a pair. A half
 * alone becomes U+FFFD. */
static bool unicode_escape(reader *r, wm_buffer *text)
{
    uint32_t c, low;
    if (!hex4(r, &c)) return false;
    if (c >= 0xd800 && c < 0xdc00) {
        reader ahead = *r;
        if (word(&ahead, "\\u") && hex4(&ahead, &low) && low >= 0xdc00 && low < 0xe000) {
            *r = ahead;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        } else {
            c = 0xfffd;
        }
    } else if (c >= 0xdc00 && c < 0xe000) {
        c = 0xfffd;
    }
    put_code_point(text, c);
    return true;
}

static bool escape(reader *r, wm_buffer *text)
{
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end) return false;
    char c = *r->p++;
    if (c == 'u') return unicode_escape(r, text);
    const char *found = c ? strchr(names, c) : NULL;
    if (found == NULL) return false;
    wm_buffer_append(text, means + (found - names), 1);
    return true;
}

static bool string_into(reader *r, wm_buffer *text)
{
    if (!take(r, '"')) return false;
    for (;;) {
        const char *plain = r->p;
        while (r->p != r->end && *r->p != '"' && *r->p != '\\' && (uint8_t)*r->p >= 0x20) r->p++;
        wm_buffer_append(text, plain, (size_t)(r->p - plain));
        if (r->p == r->end || (uint8_t)*r->p < 0x20) return false;
        if (*r->p++ == '"') return true;
        if (!escape(r, text)) return false;
    }
}

static bool string(reader *r)
{
    wm_buffer text;
    wm_buffer_init(&text);
    bool ok = string_into(r, &text) && wm_utf8_valid(text.data, text.len);
    if (ok) wm_mp_write_str(r->out, (const char *)text.data, text.len);
    wm_buffer_close(&text);
    return ok;
}

static bool number(reader *r)
{
    char text[NUMBER_MAX];
    size_t n = 0;
    while (r->p != r->end && n < sizeof text - 1 && *r->p && strchr("+-.eE0123456789", *r->p)) text[n++] = *r->p++;
    text[n] = '\0';
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] < '0' || digits[0] > '9') return false;
    if (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') return false;
    char *stop;
    double v = strtod(text, &stop);
    if (*stop != '\0') return false;
    wm_mp_write_number(r->out, v);
    return true;
}

static bool value(reader *r, int depth);

/* The array's header is as long as its count needs, so it is put in front
 * afterwards. */
static bool array(reader *r, int depth)
{
    size_t start = r->out->len;
    uint32_t count = 0;
    if (!take(r, ']')) {
        do {
            if (!value(r, depth)) return false;
            count++;
        } while (take(r, ','));
        if (!take(r, ']')) return false;
    }
    wm_buffer header;
    wm_buffer_init(&header);
    wm_mp_write_array(&header, count);
    size_t body = r->out->len - start;
    if (wm_buffer_reserve(r->out, header.len) != NULL) {
        memmove(r->out->data + start + header.len, r->out->data + start, body);
        memcpy(r->out->data + start, header.data, header.len);
        r->out->len += header.len;
    }
    wm_buffer_close(&header);
    return true;
}

static bool object(reader *r, int depth)
{
    size_t start = r->out->len;
    uint32_t count = 0;
    sim_put_map(r->out, SIM_FAMILY_0_11, 0);
    if (take(r, '}')) return true;
    do {
        blanks(r);
        if (!string(r) || !take(r, ':') || !value(r, depth)) return false;
        count++;
    } while (take(r, ','));
    if (!take(r, '}') || count > UINT16_MAX || r->out->failed) return false;
    r->out->data[start + 1] = (uint8_t)(count >> 8);
    r->out->data[start + 2] = (uint8_t)count;
    return true;
}

static bool value(reader *r, int depth)
{
    blanks(r);
    if (r->p == r->end || depth >= DEPTH_MAX) return false;
    switch (*r->p) {
    case '{':
        r->p++;
        return object(r, depth + 1);
    case '[':
        r->p++;
        return array(r, depth + 1);
    case '"':
        return string(r);
    case 't':
        wm_mp_write_bool(r->out, true);
        return word(r, "true");
    case 'f':
        wm_mp_write_bool(r->out, false);
        return word(r, "false");
    case 'n':
        wm_mp_write_nil(r->out);
        return word(r, "null");
    default:
        return number(r);
    }
}

bool sim_json_to_msgpack(const char *text, size_t len, wm_buffer *out)
{
    reader r = {text, text + len, out};
    if (!value(&r, 0)) return false;
    blanks(&r);
    return r.p == r.end && !out->failed;
}
