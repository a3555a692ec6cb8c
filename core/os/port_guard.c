#include "os/port_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

void wm_port_guard_share(int guard, bool is_shared)
{
    int value = is_shared;
    setsockopt(guard, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value);
}

static int take(int *port, bool is_shared)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    wm_port_guard_share(fd, is_shared);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int wm_port_guard_open(int *port, bool is_shared)
{
    int guard = take(port, is_shared);
    if (guard >= 0 || is_shared) return guard;
    /* Connections that ended there a moment ago keep others from it who do not share it. */
    guard = take(port, true);
    if (guard >= 0) wm_port_guard_share(guard, false);
    return guard;
}
