/* The system's resolver with names of a spec's own, for the process that this is
 * preloaded into. FAKE_DNS="name=MS:address,address;..." gives each name its addresses
 * after MS milliseconds; without addresses it does not exist. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*resolve)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* What stands behind the name in FAKE_DNS, NULL when it is not there. */
static const char *entry_of(const char *name)
{
    const char *at = getenv("FAKE_DNS");
    size_t len = strlen(name);
    while (at != NULL && *at != 0) {
        if (strncmp(at, name, len) == 0 && at[len] == '=') return at + len + 1;
        at = strchr(at, ';');
        if (at != NULL) at++;
    }
    return NULL;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **out)
{
    resolve real = (resolve)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *entry = name ? entry_of(name) : NULL;
    if (entry == NULL) return real(name, service, hints, out);
    char *at;
    usleep((useconds_t)strtoul(entry, &at, 10) * 1000);
    *out = NULL;
    struct addrinfo **tail = out;
    struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    while (*at == ':' || *at == ',') {
        char address[64] = "";
        size_t len = strcspn(++at, ",;");
        if (len == 0 || len >= sizeof address) break;
        memcpy(address, at, len);
        at += len;
        if (real(address, service, &numeric, tail) != 0) break;
        tail = &(*tail)->ai_next;
    }
    return *out != NULL ? 0 : EAI_NONAME;
}
