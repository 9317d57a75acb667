//  evidence - what the test of a wiretap looks for: the bytes that a device must have sent, and the
//  same bytes sent by plain ZeroMQ as a control.
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "common/crypto/entropy.h"
#include "common/crypto/hash.h"
#include "common/model/start.h"
#include "common/tensor/element.h"
#include "device/trainer_synthetic.h"
#include "tests/support/words.h"

enum { CHUNK = 65536 };

//  The seed of a contribution's dither, as common/runtime/effects.c draws it.
static uint64_t
s_dither(const fl_order *order, const fl_name *node)
{
    uint8_t bytes[16 + 8 + 8];
    fl_writer writer = fl_writer_over(bytes, sizeof bytes);
    fl_write_from(&writer, node->name, sizeof node->name);
    fl_write_u64(&writer, order->round);
    fl_write_u64(&writer, order->plan.seed);
    fl_hash hash = fl_hash_domain("tributary/dither", fl_bytes_of(bytes, sizeof bytes));
    fl_reader reader = fl_reader_of(fl_bytes_of(hash.bytes, sizeof hash.bytes));
    return fl_read_u64(&reader);
}

static void
s_train(fl_order *order, float *update)
{
    fl_why why = { "" };
    const fl_trainer_synthetic_conf conf = { .elements = order->elements,
                                             .samples = 64,
                                             .seed = (uint64_t)words_number("seed", 1) };
    fl_trainer trainer;
    fl_blob *model = NULL;
    words_must(fl_start_vector(order->elements, &model, &why), &why);
    words_must(fl_trainer_synthetic_new(&conf, &trainer, &why), &why);
    fl_training training = { .order = *order, .model = fl_blob_bytes(model), .update = update };
    words_must(trainer.train(trainer.self, &training, &why), &why);
    trainer.destroy(&trainer.self);
    fl_blob_unref(&model);
}

//  update out=FILE node=N seed=S round=R elements=N bits=B devices=N: the contribution that a
//  device with a synthetic trainer sends under such a plan (the rest as the root has it by
//  default), byte for byte. The report of a round of one device proves it by the hash of the sum.
static void
s_update(void)
{
    fl_why why = { "" };
    fl_name node;
    uint64_t clipped = 0;
    fl_element fixed = { .clip = 1.0f, .bits = (uint8_t)words_number("bits", 20), .weight_unit = 64,
                       .weight_max = 255, .devices_max = (uint32_t)words_number("devices", 16) };
    fl_order order = { .round = (uint64_t)words_number("round", 1),
                       .elements = (uint64_t)words_number("elements", 1000),
                       .plan = { .clip = fixed.clip, .seed = 1 } };
    words_must(fl_element_choose(&fixed, &why), &why);
    if (!fl_name_parse(words_need("node"), &node)) {
        words_die("no such node");
    }
    float *update = calloc(order.elements, sizeof *update);
    fl_blob *wire = fl_blob_new(order.elements * fixed.wire_bytes);
    FILE *file = fopen(words_need("out"), "wb");
    FL_ASSERT(update != NULL && wire != NULL && file != NULL);
    s_train(&order, update);
    words_must(fl_element_encode(&fixed, 1, s_dither(&order, &node), 0, order.elements, update,
                           fl_blob_data(wire), &clipped), &why);
    (void)fwrite(fl_blob_data(wire), 1, fl_blob_size(wire), file);
    (void)fclose(file);
    fl_blob_unref(&wire);
    free(update);
}

//  plain file=FILE: the bytes of a file over plain ZeroMQ on loopback, as a control.
static void
s_plain(void)
{
    FILE *file = fopen(words_need("file"), "rb");
    void *context = zmq_ctx_new();
    void *push = zmq_socket(context, ZMQ_PUSH), *pull = zmq_socket(context, ZMQ_PULL);
    static uint8_t chunk[CHUNK];
    char endpoint[128];
    size_t room = sizeof endpoint, size;
    if (file == NULL || zmq_bind(pull, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(pull, ZMQ_LAST_ENDPOINT, endpoint, &room) != 0 ||
        zmq_connect(push, endpoint) != 0) {
        words_die("no plain connection");
    }
    (void)printf("plain %s\n", endpoint);
    (void)fflush(stdout);
    while ((size = fread(chunk, 1, sizeof chunk, file)) > 0) {
        if (zmq_send(push, chunk, size, 0) < 0 || zmq_recv(pull, chunk, sizeof chunk, 0) < 0) {
            words_die("%s", zmq_strerror(zmq_errno()));
        }
    }
    (void)fclose(file);
    (void)zmq_close(push);
    (void)zmq_close(pull);
    (void)zmq_ctx_term(context);
}

int
main(int argc, char **argv)
{
    static const words_act acts[] = { { "update", s_update }, { "plain", s_plain } };
    fl_why why = { "" };
    words_must(fl_crypto_init(&why), &why);
    words_run(argc, argv, acts, sizeof acts / sizeof *acts);
    return 0;
}
