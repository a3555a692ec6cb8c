#ifndef WM_ADDRESSES_H
#define WM_ADDRESSES_H
#include <netinet/in.h>
#include <stdbool.h>

/* The addresses of one host name, in the order in which they are tried. */
#define WM_ADDRESSES_MAX 16

typedef struct wm_addresses {
    char text[WM_ADDRESSES_MAX][INET6_ADDRSTRLEN + 16]; /* numeric; room for a scope such as %eth0 */
    int count;
} wm_addresses;

/* Whether the text is an IPv4 or IPv6 address. */
bool wm_address_is_numeric(const char *text);
/* Appends a numeric address. False when the text is not one. Duplicates, and addresses after the first
 * WM_ADDRESSES_MAX, are ignored. */
bool wm_addresses_add(wm_addresses *a, const char *text);
/* Sorts IPv4 and IPv6 addresses alternately, beginning with the family of the first one (RFC 8305,
 * section 4); within a family the order stays. So a family that is not reachable costs one attempt. */
void wm_addresses_interleave(wm_addresses *a);
#endif
