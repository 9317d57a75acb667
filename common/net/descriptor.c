#include "common/net/descriptor.h"

#include <linux/tcp.h>
#include <netinet/in.h>
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

uint16_t
fl_descriptor_port(int descriptor, bool of_peer)
{
    struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof address;
    struct sockaddr *at = (struct sockaddr *)&address;
    if ((of_peer ? getpeername(descriptor, at, &size) : getsockname(descriptor, at, &size)) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET) {
        return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    }
    return 0;
}

uint64_t
fl_descriptor_origin(int descriptor)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    uint64_t origin = 0;
    if (getpeername(descriptor, (struct sockaddr *)&address, &size) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)&address;
        origin = (uint64_t)4 << 56 | ntohl(v4->sin_addr.s_addr) >> 8;
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)&address;
        origin = 6;
        for (unsigned i = 0; i < 7; i++) {
            origin = origin << 8 | v6->sin6_addr.s6_addr[i];
        }
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
