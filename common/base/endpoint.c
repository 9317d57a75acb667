#include "common/base/endpoint.h"

#include <string.h>

//  At most five digits, and nothing else.
static bool
s_parse_port(const char *text, uint16_t *port)
{
    const size_t length = strspn(text, "0123456789");
    uint32_t value = 0;
    if (length == 0 || length > 5 || text[length] != '\0') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

bool
fl_endpoint_parse(const char *text, fl_endpoint *endpoint)
{
    static const char scheme[] = "tcp://";
    const char *host = text + sizeof scheme - 1;
    if (strncmp(text, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *colon = strrchr(host, ':');
    const size_t good = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._:[]%*");
    if (colon == NULL || colon == host || host + good < colon) {
        return false;
    }
    endpoint->host = fl_bytes_of(host, (size_t)(colon - host));
    return s_parse_port(colon + 1, &endpoint->port);
}

bool
fl_endpoint_parse_remote(const char *text, fl_endpoint *endpoint)
{
    return strlen(text) <= FL_ENDPOINT_LENGTH_MAX && fl_endpoint_parse(text, endpoint) &&
           endpoint->port > 0 && memchr(endpoint->host.data, '*', endpoint->host.size) == NULL;
}
