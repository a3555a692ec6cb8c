#include "net/proxy.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CREDENTIALS_MAX 240
#define HTTP_PORT 80

/* -- a proxy's URL -- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the percent escapes of the user and the password; false when they are too long. */
static bool decode(const char *p, size_t len, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        if (used + 1 >= size) return false;
        bool escaped = p[i] == '%' && len - i > 2 && hex_digit(p[i + 1]) >= 0 && hex_digit(p[i + 2]) >= 0;
        out[used++] = escaped ? (char)(hex_digit(p[i + 1]) << 4 | hex_digit(p[i + 2])) : p[i];
        if (escaped) i += 2;
    }
    out[used] = 0;
    return true;
}

static bool set_authorization(const char *credentials, size_t len, wm_proxy *out)
{
    char plain[CREDENTIALS_MAX];
    if (!decode(credentials, len, plain, sizeof plain)) return false;
    memcpy(out->authorization, "Basic ", 6);
    EVP_EncodeBlock((uint8_t *)out->authorization + 6, (uint8_t *)plain, (int)strlen(plain));
    return true;
}

bool wm_proxy_parse(const char *text, wm_proxy *out)
{
    *out = (wm_proxy){0};
    const char *scheme = strstr(text, "://");
    if (scheme != NULL) {
        if (scheme - text != 4 || strncasecmp(text, "http", 4) != 0) return false;
        text = scheme + 3;
    }
    size_t authority = strcspn(text, "/?#");
    const char *at = memrchr(text, '@', authority);
    if (at != NULL && !set_authorization(text, (size_t)(at - text), out)) return false;
    const char *end;
    if (!wm_url_authority(at ? at + 1 : text, HTTP_PORT, &out->at, &end)) return false;
    char host[280];
    wm_url_host_text(&out->at, 0, host, sizeof host);
    snprintf(out->name, sizeof out->name, "http://%s", host);
    return true;
}

/* -- who goes without one -- */

typedef struct ip {
    uint8_t bytes[16];
    int size; /* bytes of the address: 4, 16, or 0 for a name */
} ip;

static ip read_ip(const char *text)
{
    ip a = {0};
    if (inet_pton(AF_INET, text, a.bytes) == 1) a.size = 4;
    else if (inet_pton(AF_INET6, text, a.bytes) == 1) a.size = 16;
    return a;
}

static bool is_in_network(const ip *a, const ip *network, long bits)
{
    if (a->size == 0 || a->size != network->size || bits < 0 || bits > a->size * 8) return false;
    size_t whole = (size_t)bits / 8;
    uint8_t mask = (uint8_t)(0xff00 >> bits % 8);
    return memcmp(a->bytes, network->bytes, whole) == 0 &&
           (bits % 8 == 0 || ((a->bytes[whole] ^ network->bytes[whole]) & mask) == 0);
}

static bool is_loopback(const char *host)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, one[16] = {[15] = 1};
    size_t len = strlen(host);
    if (len > 0 && host[len - 1] == '.') len--; /* a name may end with the dot of the root */
    if (len >= 9 && strncasecmp(host + len - 9, "localhost", 9) == 0 && (len == 9 || host[len - 10] == '.')) return true;
    ip a = read_ip(host);
    if (a.size == 4) return a.bytes[0] == 127;
    if (a.size != 16) return false;
    return memcmp(a.bytes, one, 16) == 0 || (memcmp(a.bytes, mapped, 12) == 0 && a.bytes[12] == 127);
}

static bool is_name_below(const char *host, const char *name)
{
    if (*name == '.') name++;
    size_t host_len = strlen(host), len = strlen(name);
    if (len == 0 || host_len < len || strcasecmp(host + host_len - len, name) != 0) return false;
    return host_len == len || host[host_len - len - 1] == '.';
}

/* Cuts the port off the end of an entry; an IPv6 address with a port has brackets. 0: every port. */
static int take_port(char *entry)
{
    char *colon = strrchr(entry, ':');
    bool has_port = colon != NULL && (colon == strchr(entry, ':') || (entry[0] == '[' && colon[-1] == ']'));
    if (!has_port) return 0;
    *colon = 0;
    long port = strtol(colon + 1, NULL, 10);
    return port >= 0 && port <= UINT16_MAX ? (int)port : -1; /* no port is -1 */
}

static bool entry_has(char *entry, const char *host, int port)
{
    int of_port = take_port(entry);
    if (of_port != 0 && of_port != port) return false;
    size_t len = strlen(entry);
    if (entry[0] == '[' && len > 1 && entry[len - 1] == ']') {
        entry[len - 1] = 0;
        entry++;
    }
    ip a = read_ip(host);
    char *slash = strchr(entry, '/');
    if (slash != NULL) *slash = 0;
    ip network = read_ip(entry);
    if (network.size == 0) return slash == NULL && (strcmp(entry, "*") == 0 || (a.size == 0 && is_name_below(host, entry)));
    return is_in_network(&a, &network, slash ? strtol(slash + 1, NULL, 10) : network.size * 8);
}

bool wm_proxy_list_has(const char *list, const char *host, int port)
{
    char entry[300];
    while (*list != 0) {
        size_t len = strcspn(list, ", \t");
        if (len > 0 && len < sizeof entry) {
            memcpy(entry, list, len);
            entry[len] = 0;
            if (entry_has(entry, host, port)) return true;
        }
        list += len;
        if (*list != 0) list++;
    }
    return false;
}

/* -- the choice -- */

/* The first of the variables that has a value, or NULL. */
static const char *variable(const char *const *names, const char **name)
{
    for (; *names != NULL; names++) {
        const char *value = getenv(*names);
        *name = *names;
        if (value != NULL && value[0] != 0) return value;
    }
    return NULL;
}

static const char *of_environment(const wm_url *url, const char **name)
{
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const tls[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
    static const char *const without[] = {"no_proxy", "NO_PROXY", NULL};
    const char *list = variable(without, name);
    if (is_loopback(url->host) || (list != NULL && wm_proxy_list_has(list, url->host, url->port))) return NULL;
    return variable(url->tls ? tls : plain, name);
}

wm_proxy_choice wm_proxy_for(const wm_url *url, const char *option, wm_proxy *out)
{
    const char *name = NULL;
    if (option != NULL && strcmp(option, "none") == 0) return WM_PROXY_NONE;
    const char *text = option ? option : of_environment(url, &name);
    if (text == NULL) return WM_PROXY_NONE;
    bool read = wm_proxy_parse(text, out);
    out->named_by = name;
    return read ? WM_PROXY_USED : WM_PROXY_WRONG;
}
