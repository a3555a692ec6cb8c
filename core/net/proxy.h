#ifndef WM_PROXY_H
#define WM_PROXY_H
#include "net/url.h"

/* An HTTP proxy on the way to a node: it is asked for a tunnel (CONNECT), in which the
 * connection then is what it would be without it. */
typedef struct wm_proxy {
    wm_url at;              /* host and port */
    char authorization[350]; /* "Basic …", "" when its URL has no user */
    char name[300];         /* "http://host:port", for people: without user and password */
    const char *named_by;   /* the variable of the environment; NULL: the option */
} wm_proxy;

typedef enum wm_proxy_choice {
    WM_PROXY_NONE,  /* the node is reached directly */
    WM_PROXY_USED,  /* by `out` */
    WM_PROXY_WRONG, /* what was named is no URL of a proxy; `out->named_by` says where */
} wm_proxy_choice;

/* Reads http://[user:password@]host[:port]. False when it is not of that form. */
bool wm_proxy_parse(const char *text, wm_proxy *out);
/* The proxy for the way to `url`. The option decides: "none", or a URL for every node.
 * With NULL it is the environment: http_proxy for ws://, https_proxy or HTTPS_PROXY for
 * wss://, else all_proxy or ALL_PROXY (HTTP_PROXY is not looked at: in a CGI program the
 * client sets it). Loopback, and what no_proxy or NO_PROXY lists, is then reached
 * directly. */
wm_proxy_choice wm_proxy_for(const wm_url *url, const char *option, wm_proxy *out);
/* Whether a list as in no_proxy has the host: "*", names with all below them, addresses,
 * networks such as 10.0.0.0/8; each may have a port. */
bool wm_proxy_list_has(const char *list, const char *host, int port);
#endif
