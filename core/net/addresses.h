#ifndef WM_ADDRESSES_H
#define WM_ADDRESSES_H
#include <netinet/in.h>
#include <stdbool.h>

/* The addresses of one host name, in the order in which they are to be tried. */
#define WM_ADDRESSES_MAX 16

typedef struct wm_addresses {
    char text[WM_ADDRESSES_MAX][INET6_ADDRSTRLEN + 16]; /* numeric; room for a scope such as %eth0 */
    int count;
} wm_addresses;

/* Whether the text is an IPv4 or IPv6 address, and no name. */
bool wm_address_is_numeric(const char *text);
/* Appends a numeric address. False when it is none. One that is there already, and
 * what comes after the first WM_ADDRESSES_MAX, is left out. */
bool wm_addresses_add(wm_addresses *a, const char *text);
/* Families in turns, the first address's family first (RFC 8305, section 4), else in
 * the order given: so one family that leads nowhere costs one attempt. */
void wm_addresses_interleave(wm_addresses *a);
#endif
