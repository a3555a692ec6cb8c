#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/msgpack.h"
#include "sim/wire/json.h"

#define PRINT_MAX 512

void sim_json_raw(wm_buffer *b, const char *text)
{
    wm_buffer_append(b, text, strlen(text));
}

void sim_json_printf(wm_buffer *b, const char *format, ...)
{
    char text[PRINT_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) return;
    wm_buffer_append(b, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static const char *short_escape(uint8_t c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

void sim_json_string(wm_buffer *b, const char *text, size_t len)
{
    sim_json_raw(b, "\"");
    size_t plain = 0; /* start of what needs no escape */
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        wm_buffer_append(b, text + plain, i - plain);
        plain = i + 1;
        const char *escape = short_escape(c);
        if (escape) sim_json_raw(b, escape);
        else sim_json_printf(b, "\\u%04x", c);
    }
    wm_buffer_append(b, text + plain, len - plain);
    sim_json_raw(b, "\"");
}

void sim_json_hex(wm_buffer *b, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *at = wm_buffer_reserve(b, len * 2 + 2);
    if (at == NULL) return;
    *at++ = '"';
    for (size_t i = 0; i < len; i++) {
        *at++ = (uint8_t)digits[bytes[i] >> 4];
        *at++ = (uint8_t)digits[bytes[i] & 15];
    }
    *at = '"';
    b->len += len * 2 + 2;
}

static void number(wm_buffer *b, double v)
{
    char text[40];
    if (!isfinite(v)) {
        sim_json_raw(b, "null");
        return;
    }
    if (v == floor(v) && fabs(v) < 1e15) {
        sim_json_printf(b, "%.0f", v);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    sim_json_raw(b, text);
}

static void binary(wm_buffer *b, const wm_mp_item *it)
{
    sim_json_raw(b, "{\"type\":\"Buffer\",\"data\":[");
    for (uint32_t i = 0; i < it->len; i++) sim_json_printf(b, i ? ",%u" : "%u", it->bytes[i]);
    sim_json_raw(b, "]}");
}

static void value(wm_mp_reader *r, wm_buffer *b);

static bool is_absent(const wm_mp_reader *r)
{
    wm_mp_reader peek = *r;
    wm_mp_item it;
    return wm_mp_read(&peek, &it) == WM_MP_OK && it.kind == WM_MP_ABSENT;
}

static void members(wm_mp_reader *r, uint32_t count, wm_buffer *b)
{
    bool first = true;
    sim_json_raw(b, "{");
    for (; count > 0; count--) {
        wm_mp_item key;
        if (wm_mp_read(r, &key) != WM_MP_OK) return;
        if (is_absent(r)) {
            wm_mp_skip(r);
            continue;
        }
        if (!first) sim_json_raw(b, ",");
        first = false;
        if (key.kind == WM_MP_STR) sim_json_string(b, (const char *)key.bytes, key.len);
        else sim_json_printf(b, "\"%llu\"", key.kind == WM_MP_UINT ? (unsigned long long)key.u : 0);
        sim_json_raw(b, ":");
        value(r, b);
    }
    sim_json_raw(b, "}");
}

static void value(wm_mp_reader *r, wm_buffer *b)
{
    wm_mp_item it;
    if (wm_mp_read(r, &it) != WM_MP_OK) return;
    switch (it.kind) {
    case WM_MP_BOOL:
        sim_json_raw(b, it.b ? "true" : "false");
        break;
    case WM_MP_UINT:
        sim_json_printf(b, "%llu", (unsigned long long)it.u);
        break;
    case WM_MP_INT:
        sim_json_printf(b, "%lld", (long long)it.i);
        break;
    case WM_MP_FLOAT:
        number(b, it.f);
        break;
    case WM_MP_STR:
        sim_json_string(b, (const char *)it.bytes, it.len);
        break;
    case WM_MP_BIN:
        binary(b, &it);
        break;
    case WM_MP_ARRAY:
        sim_json_raw(b, "[");
        for (uint32_t i = 0; i < it.count; i++) {
            if (i > 0) sim_json_raw(b, ",");
            value(r, b);
        }
        sim_json_raw(b, "]");
        break;
    case WM_MP_MAP:
        members(r, it.count, b);
        break;
    case WM_MP_NIL:
    case WM_MP_EXT:
    case WM_MP_ABSENT:
        sim_json_raw(b, "null");
        break;
    }
}

void sim_json_from_msgpack(const uint8_t *bytes, size_t len, wm_buffer *out)
{
    wm_mp_reader r;
    wm_mp_reader_init(&r, bytes, len);
    value(&r, out);
}
