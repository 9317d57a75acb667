//  limits - every bound of the fabric in one table. What is above one of these is refused by name.
#ifndef FL_BASE_LIMITS_H
#define FL_BASE_LIMITS_H

enum {
    FL_SEATS_MAX = 4096,                              // children of one parent
    FL_HEADER_BYTES_MAX = 64 * 1024,                  // one msgpack header
    FL_CHUNK_BYTES_MIN = 64 * 1024,                   // a bulk frame until the rate is known
    FL_CHUNK_BYTES_MAX = 1024 * 1024,                 // a bulk frame, ever
    FL_MESSAGE_BYTES_MAX = FL_CHUNK_BYTES_MAX + 4096, // one ZeroMQ frame
    FL_CERT_BYTES_MAX = 512,                          // a certificate in HELLO
    FL_SEALED_BYTES_MAX = 1024,                       // a sealed enrolment request
    FL_ROLL_MAX = 512,                                // report lines that ride on one contribution
    FL_DENY_MAX = 128 * 1024,                         // entries of a deny list
    FL_DENY_LIST_BYTES_MAX = 13 + 24 * FL_DENY_MAX + 64, // a signed deny list
    FL_DENY_BYTES_MAX = 60 * 1024,                       // of it in one header
    FL_DENY_WHOLE_MAX = 13 + 24 * 2048 + 64,             // a longer list travels in parts
    FL_TEXT_MAX = 160,                                   // a human line on the wire
    FL_SLOTS_MAX = 64,                                   // staged contributions of one parent
    FL_TRACKS = 2,                                       // rounds that are open at a time at a root
    FL_ON_MAX = 16,                  // children that a run is limited to, by name
    FL_STATS = 8,                    // sums that ride beside the vector
    FL_JSON_BYTES_MAX = 1024 * 1024, // an operator's answer
    FL_BEAT_MS_MIN = 10,             // heartbeat interval that a child takes from its parent ...
    FL_BEAT_MS_MAX = 60 * 60 * 1000, // ... at most
};

//  A model or an update, in bytes (16 GiB): offsets are 64 bits wide everywhere.
#define FL_VECTOR_BYTES_MAX ((uint64_t)16 << 30)

#endif
