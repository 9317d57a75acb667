#include "common/net/descriptor.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

uint64_t
fl_descriptor_inode(int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return 0;
    }
    return (uint64_t)status.st_ino;
}

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

static address
s_address(int descriptor, bool of_peer)
{
    address at = { .any = { .sa_family = AF_UNSPEC } };
    socklen_t size = sizeof at;
    if ((of_peer ? getpeername : getsockname)(descriptor, &at.any, &size) != 0) {
        at.any.sa_family = AF_UNSPEC;
    }
    return at;
}

uint16_t
fl_descriptor_port(int descriptor, bool of_peer)
{
    const address at = s_address(descriptor, of_peer);
    return ntohs(at.any.sa_family == AF_INET    ? at.v4.sin_port
                 : at.any.sa_family == AF_INET6 ? at.v6.sin6_port
                                                : 0);
}

void
fl_descriptor_place(int descriptor, char place[FL_PLACE_CHARS + 1])
{
    const address at = s_address(descriptor, true);
    char host[INET_ADDRSTRLEN] = "";
    place[0] = '\0';
    if (at.any.sa_family == AF_INET &&
        inet_ntop(AF_INET, &at.v4.sin_addr, host, sizeof host) != NULL) {
        (void)snprintf(place, FL_PLACE_CHARS + 1, "%.15s:%u", host, ntohs(at.v4.sin_port));
    }
}

uint64_t
fl_descriptor_origin(int descriptor)
{
    const address at = s_address(descriptor, true);
    uint64_t origin = at.any.sa_family == AF_INET6 ? 6 : 0;
    if (at.any.sa_family == AF_INET) {
        return (uint64_t)4 << 56 | ntohl(at.v4.sin_addr.s_addr) >> 8;
    }
    for (unsigned i = 0; origin != 0 && i < 7; i++) {
        origin = origin << 8 | at.v6.sin6_addr.s6_addr[i];
    }
    return origin;
}

bool
fl_descriptor_counts(int descriptor, uint64_t *received, uint64_t *acknowledged)
{
    struct tcp_info info = { .tcpi_bytes_received = 0 };
    socklen_t size = sizeof info;
    bool told = getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
    *received = info.tcpi_bytes_received;
    *acknowledged = info.tcpi_bytes_acked;
    return told;
}

uint64_t
fl_descriptor_unread(int descriptor)
{
    int unread = 0;
    return ioctl(descriptor, FIONREAD, &unread) == 0 ? (uint64_t)unread : UINT64_MAX;
}

bool
fl_descriptor_shut(int descriptor, uint64_t inode)
{
    return inode != 0 && fl_descriptor_inode(descriptor) == inode &&
           shutdown(descriptor, SHUT_RDWR) == 0;
}
