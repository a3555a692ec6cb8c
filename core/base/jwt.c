#include "base/jwt.h"

#include <math.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_BYTES 32
#define SIGNATURE_CHARS 43
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define MAX_TOKEN (1u << 20)
#define MAX_JSON_DEPTH 64

/* -- base64url without padding (RFC 4648, section 5) -- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encoded_len(size_t len)
{
    return len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
}

static char *encode64(const uint8_t *in, size_t len, char *out)
{
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (held += 8; held >= 6; held -= 6) *out++ = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0) *out++ = alphabet[bits << (6 - held) & 63];
    return out;
}

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

/* `out` has room for len / 4 * 3 + 3 bytes. False for a foreign character, an
 * impossible length, or spare bits that are not zero. */
static bool decode64(const char *in, size_t len, uint8_t *out, size_t *out_len)
{
    uint32_t bits = 0;
    int held = 0;
    uint8_t *start = out;
    if (len % 4 == 1) return false;
    for (size_t i = 0; i < len; i++) {
        int d = digit64(in[i]);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *out++ = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1)) return false;
    *out_len = (size_t)(out - start);
    return true;
}

static bool sign(const char *text, size_t len, const char *secret, uint8_t out[SIGNATURE_BYTES])
{
    unsigned out_len = 0;
    return HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text, len, out, &out_len) != NULL &&
           out_len == SIGNATURE_BYTES;
}

/* -- just enough JSON to read members of the outer object -- */

typedef struct json {
    const char *p;
    const char *end;
} json;

static void blanks(json *j)
{
    while (j->p != j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r')) j->p++;
}

static bool take(json *j, char c)
{
    blanks(j);
    if (j->p == j->end || *j->p != c) return false;
    j->p++;
    return true;
}

static bool string(json *j, const char **text, size_t *len)
{
    if (!take(j, '"')) return false;
    *text = j->p;
    for (; j->p != j->end && *j->p != '"'; j->p++) {
        if ((uint8_t)*j->p < 0x20) return false;
        if (*j->p == '\\' && ++j->p == j->end) return false;
    }
    if (j->p == j->end) return false;
    *len = (size_t)(j->p++ - *text);
    return true;
}

static bool number(json *j, double *out)
{
    char copy[64];
    size_t n = 0;
    blanks(j);
    while (j->p != j->end && n < sizeof copy - 1 && strchr("+-.eE0123456789", *j->p) && *j->p) copy[n++] = *j->p++;
    copy[n] = '\0';
    char *stop;
    *out = strtod(copy, &stop);
    return n > 0 && *stop == '\0' && copy[0] != '+' && copy[0] != '.' && isfinite(*out);
}

static bool word(json *j, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(j->end - j->p) < n || memcmp(j->p, w, n) != 0) return false;
    j->p += n;
    return true;
}

static bool value(json *j, int depth);

static bool members(json *j, int depth, char close, bool named)
{
    const char *text;
    size_t len;
    if (depth == MAX_JSON_DEPTH) return false;
    if (take(j, close)) return true;
    do {
        if (named && !(string(j, &text, &len) && take(j, ':'))) return false;
        if (!value(j, depth + 1)) return false;
    } while (take(j, ','));
    return take(j, close);
}

static bool value(json *j, int depth)
{
    const char *text;
    size_t len;
    double ignored;
    blanks(j);
    if (j->p == j->end) return false;
    switch (*j->p) {
    case '{':
        j->p++;
        return members(j, depth, '}', true);
    case '[':
        j->p++;
        return members(j, depth, ']', false);
    case '"':
        return string(j, &text, &len);
    case 't':
        return word(j, "true");
    case 'f':
        return word(j, "false");
    case 'n':
        return word(j, "null");
    default:
        return number(j, &ignored);
    }
}

/* Finds a member of the object that is the whole text; the last one when there
 * are several. False when the text is no JSON object. */
static bool find(const char *text, size_t len, const char *name, json *out)
{
    json j = {text, text + len};
    *out = (json){NULL, NULL};
    if (!take(&j, '{')) return false;
    if (!take(&j, '}')) {
        do {
            const char *key;
            size_t key_len;
            if (!string(&j, &key, &key_len) || !take(&j, ':')) return false;
            blanks(&j);
            json at = j;
            if (!value(&j, 1)) return false;
            if (key_len == strlen(name) && memcmp(key, name, key_len) == 0) *out = (json){at.p, j.p};
        } while (take(&j, ','));
        if (!take(&j, '}')) return false;
    }
    blanks(&j);
    return j.p == j.end;
}

/* -- tokens -- */

size_t wm_jwt_sign(const char *payload_json, const char *secret, char *out, size_t size)
{
    size_t payload_len = strlen(payload_json);
    if (payload_len > MAX_TOKEN) return 0;
    size_t signed_len = encoded_len(strlen(HEADER)) + 1 + encoded_len(payload_len);
    size_t need = signed_len + 1 + SIGNATURE_CHARS;
    if (size <= need) return 0;

    uint8_t mac[SIGNATURE_BYTES];
    char *p = encode64((const uint8_t *)HEADER, strlen(HEADER), out);
    *p++ = '.';
    p = encode64((const uint8_t *)payload_json, payload_len, p);
    if (!sign(out, signed_len, secret, mac)) return 0;
    *p++ = '.';
    p = encode64(mac, sizeof mac, p);
    *p = '\0';
    return need;
}

static const char *check_header(const char *text, size_t len)
{
    json alg;
    const char *name;
    size_t name_len;
    if (!find(text, len, "alg", &alg)) return "invalid token";
    if (alg.p == NULL || !string(&alg, &name, &name_len)) return "invalid algorithm";
    return name_len == 5 && memcmp(name, "HS256", 5) == 0 ? NULL : "invalid algorithm";
}

static const char *check_times(const char *text, size_t len, int64_t now_s)
{
    json member;
    double t;
    if (!find(text, len, "nbf", &member)) return "invalid token";
    if (member.p != NULL) {
        if (!number(&member, &t)) return "invalid nbf value";
        if (t > (double)now_s) return "jwt not active";
    }
    find(text, len, "exp", &member);
    if (member.p == NULL) return NULL;
    if (!number(&member, &t)) return "invalid exp value";
    return (double)now_s >= t ? "jwt expired" : NULL;
}

static const char *check_signature(const char *token, size_t signed_len, const char *signature, size_t len,
                                   const char *secret)
{
    uint8_t mac[SIGNATURE_BYTES], given[SIGNATURE_BYTES + 4];
    size_t given_len;
    if (len != SIGNATURE_CHARS || !decode64(signature, len, given, &given_len)) return "invalid signature";
    if (!sign(token, signed_len, secret, mac)) return "invalid signature";
    return CRYPTO_memcmp(mac, given, sizeof mac) == 0 ? NULL : "invalid signature";
}

/* `scratch` has room for the decoded header and the decoded payload. */
static const char *verify(const char *token, size_t len, const char *secret, int64_t now_s, uint8_t *scratch,
                          char *payload, size_t size)
{
    const char *end = token + len, *reason;
    const char *dot1 = memchr(token, '.', len);
    const char *dot2 = dot1 ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1)) : NULL;
    if (dot2 == NULL || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1))) return "jwt malformed";

    size_t text_len;
    if (!decode64(token, (size_t)(dot1 - token), scratch, &text_len)) return "invalid token";
    if (dot2 + 1 == end) return "jwt signature is required";
    if ((reason = check_header((char *)scratch, text_len)) != NULL) return reason;
    reason = check_signature(token, (size_t)(dot2 - token), dot2 + 1, (size_t)(end - dot2 - 1), secret);
    if (reason != NULL) return reason;
    if (!decode64(dot1 + 1, (size_t)(dot2 - dot1 - 1), scratch, &text_len)) return "invalid token";
    if ((reason = check_times((char *)scratch, text_len, now_s)) != NULL) return reason;

    if (payload == NULL) return NULL;
    if (text_len >= size) return "jwt payload too large";
    memcpy(payload, scratch, text_len);
    payload[text_len] = '\0';
    return NULL;
}

const char *wm_jwt_verify(const char *token, size_t len, const char *secret, int64_t now_s, char *payload, size_t size)
{
    if (len == 0) return "jwt must be provided";
    if (len > MAX_TOKEN) return "jwt malformed";
    uint8_t *scratch = malloc(len + 4);
    if (scratch == NULL) return "out of memory";
    const char *reason = verify(token, len, secret, now_s, scratch, payload, size);
    free(scratch);
    return reason;
}
