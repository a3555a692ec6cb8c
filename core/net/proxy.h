#ifndef WM_PROXY_H
#define WM_PROXY_H
#include "net/url.h"

/* An HTTP proxy, which is asked for a tunnel to the node (CONNECT). In the tunnel the connection is the
 * same as without it. */
typedef struct wm_proxy {
    wm_url at;               /* host and port */
    char authorization[350]; /* "Basic …", "" when its URL has no user */
    char name[300];          /* "http://host:port" for messages, without user and password */
    const char *named_by;    /* the environment variable that names it; NULL: the option does */
} wm_proxy;

typedef enum wm_proxy_choice {
    WM_PROXY_NONE,  /* the node is reached directly */
    WM_PROXY_USED,  /* `out` is used */
    WM_PROXY_WRONG, /* the value of `out->named_by` is not the URL of a proxy */
} wm_proxy_choice;

/* Parses http://[user:password@]host[:port]. False when the text is something else. */
bool wm_proxy_parse(const char *text, wm_proxy *out);
/* Chooses the proxy for `url`. `option`: "none", or the URL of a proxy for every node. NULL: the
 * environment decides, by http_proxy for ws://, https_proxy or HTTPS_PROXY for wss://, or else
 * all_proxy or ALL_PROXY; loopback addresses, and hosts in no_proxy or NO_PROXY, are connected to
 * directly then. HTTP_PROXY is ignored, as the client of a CGI program can set it. */
wm_proxy_choice wm_proxy_for(const wm_url *url, const char *option, wm_proxy *out);
/* Whether a list as in no_proxy has the host. Its entries are "*", names (with their subdomains),
 * addresses, or networks such as 10.0.0.0/8; each may have a port. */
bool wm_proxy_list_has(const char *list, const char *host, int port);
#endif
