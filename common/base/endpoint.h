//  endpoint - "tcp://HOST:PORT" as it stands in settings, tokens and files. The port is all digits
//  and fits: libzmq takes 99999 modulo 65536, and of 70x the 70.
#ifndef FL_BASE_ENDPOINT_H
#define FL_BASE_ENDPOINT_H

#include "common/base/bytes.h"

enum { FL_ENDPOINT_LENGTH_MAX = 128 }; // of a remote one

typedef struct fl_endpoint {
    fl_bytes host; // a view of the text: letters, digits and -._:[]%*
    uint16_t port; // 0: any free one, which only a listener can mean
} fl_endpoint;

//  What to say of a remote one that is refused: the text, and the longest length.
#define FL_ENDPOINT_REFUSED "'%.128s' is no tcp://HOST:PORT of at most %d characters"

//  False when the text is no such thing.
bool fl_endpoint_parse(const char *text, fl_endpoint *endpoint);
//  The same of where somebody else is: a port of 0 and the host * are no place, and it is at most
//  FL_ENDPOINT_LENGTH_MAX long.
bool fl_endpoint_parse_remote(const char *text, fl_endpoint *endpoint);

#endif
