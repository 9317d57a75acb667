//  node - stands in for a node in tests: what the queries answer lands here, and real workers do
//  their work. Include after unit.h; a test that includes this links no other node.
#ifndef FL_SUPPORT_NODE_H
#define FL_SUPPORT_NODE_H

#include <poll.h>
#include <stdio.h>

#include "common/runtime/node.h"

enum { STATION_WAIT_MS = 10000 };

static fl_workers *workers;         // the test's to make and to end
static unsigned answers;         // since the last station_hear
static uint32_t answered;        // the last ticket, its code and its text
static uint8_t code;
static char text[65536];

void
fl_node_answer(fl_node *self, uint32_t ticket, uint8_t code_of, fl_blob **json_p)
{
    (void)self;
    fl_bytes json = *json_p == NULL ? fl_bytes_of("", 0) : fl_blob_bytes(*json_p);
    assert_true(json.size < sizeof text);
    (void)snprintf(text, sizeof text, "%.*s", (int)json.size, (const char *)json.data);
    fl_blob_unref(json_p);
    answered = ticket;
    code = code_of;
    answers++;
}

fl_workers *
fl_node_workers(fl_node *self)
{
    (void)self;
    return workers;
}

const fl_cert *
fl_node_certificate(const fl_node *self)
{
    (void)self;
    return NULL;
}

const fl_metrics *
fl_node_metrics(const fl_node *self)
{
    static const fl_metrics metrics = { .net_admitted_total = 31 };
    (void)self;
    return &metrics;
}

fl_time
fl_node_since(const fl_node *self)
{
    (void)self;
    return 0;
}

//  Wait for so many answers, and no more.
static inline void
station_hear(unsigned count)
{
    while (answers < count) {
        struct pollfd ready = { .fd = fl_workers_fd(workers), .events = POLLIN };
        assert_int_equal(poll(&ready, 1, STATION_WAIT_MS), 1);
        (void)fl_workers_collect(workers);
    }
    assert_int_equal(answers, count);
    answers = 0;
}

#endif
