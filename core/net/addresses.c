#include "net/addresses.h"

#include <arpa/inet.h>
#include <string.h>

bool wm_address_is_numeric(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char plain[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "%"); /* fe80::1%eth0 */
    if (len >= sizeof plain) return false;
    memcpy(plain, text, len);
    plain[len] = 0;
    return inet_pton(AF_INET6, plain, bytes) == 1 || (text[len] == 0 && inet_pton(AF_INET, plain, bytes) == 1);
}

bool wm_addresses_add(wm_addresses *a, const char *text)
{
    if (!wm_address_is_numeric(text) || strlen(text) >= sizeof a->text[0]) return false;
    if (a->count == WM_ADDRESSES_MAX) return true;
    for (int i = 0; i < a->count; i++)
        if (strcmp(a->text[i], text) == 0) return true;
    strcpy(a->text[a->count++], text);
    return true;
}

static bool is_ipv6(const char *text)
{
    return strchr(text, ':') != NULL;
}

void wm_addresses_interleave(wm_addresses *a)
{
    wm_addresses ordered = {.count = 0};
    bool taken[WM_ADDRESSES_MAX] = {false};
    bool ipv6 = a->count > 0 && is_ipv6(a->text[0]);
    while (ordered.count < a->count) {
        int next = -1;
        for (int i = 0; i < a->count; i++) {
            if (taken[i]) continue;
            if (next < 0) next = i; /* when the other family is used up */
            if (is_ipv6(a->text[i]) != ipv6) continue;
            next = i;
            break;
        }
        taken[next] = true;
        strcpy(ordered.text[ordered.count++], a->text[next]);
        ipv6 = !is_ipv6(a->text[next]);
    }
    *a = ordered;
}
