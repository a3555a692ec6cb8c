#include "vhosts.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names a version of a CA file. */
static void name_of(const char *ca_file, char *out, size_t size)
{
    struct stat s;
    if (ca_file == NULL) snprintf(out, size, "system");
    else if (stat(ca_file, &s) != 0) snprintf(out, size, "none %s", ca_file);
    else
        snprintf(out, size, "%llu %lld.%09ld %lld %s", (unsigned long long)s.st_ino, (long long)s.st_mtim.tv_sec,
                 s.st_mtim.tv_nsec, (long long)s.st_size, ca_file);
}

static char *keep(wm_vhosts *v, const char *name)
{
    char **grown = realloc(v->names, (v->count + 1) * sizeof *grown);
    if (grown == NULL) return NULL;
    v->names = grown;
    char *copy = strdup(name);
    if (copy != NULL) grown[v->count++] = copy;
    return copy;
}

struct lws_vhost *wm_vhosts_get(wm_vhosts *v, struct lws_context *context, const struct lws_protocols *protocols,
                                const char *ca_file)
{
    char name[4200]; /* a path and some numbers */
    name_of(ca_file, name, sizeof name);
    struct lws_vhost *vhost = lws_get_vhost_by_name(context, name);
    if (vhost != NULL) return vhost;
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .client_ssl_ca_filepath = ca_file,
        .vhost_name = keep(v, name),
    };
    return info.vhost_name == NULL ? NULL : lws_create_vhost(context, &info);
}

void wm_vhosts_close(wm_vhosts *v)
{
    for (uint32_t i = 0; i < v->count; i++) free(v->names[i]);
    free(v->names);
    *v = (wm_vhosts){0};
}
