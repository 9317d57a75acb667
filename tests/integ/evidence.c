//  evidence - what devices with a synthetic trainer must have sent, made outside the fabric: the
//  bytes that the test of a wiretap looks for, and the same bytes sent by plain ZeroMQ as a
//  control; and all sums and models of a run, from its orders and from who was in.
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "cloud/optimizer.h"
#include "common/crypto/entropy.h"
#include "common/crypto/hash.h"
#include "common/machine/policy.h"
#include "common/model/start.h"
#include "common/tensor/fold.h"
#include "common/wire/manifest.h"
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
s_train(const fl_order *order, fl_bytes model, uint64_t seed, uint64_t samples, float *update)
{
    fl_why why = { "" };
    const fl_trainer_synthetic_conf conf = { .samples = samples, .seed = seed };
    fl_trainer trainer;
    words_must(fl_trainer_synthetic_new(&conf, &trainer, &why), &why);
    fl_training training = { .order = *order, .model = model, .update = update };
    words_must(trainer.train(trainer.self, &training, &why), &why);
    trainer.destroy(&trainer.self);
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
                       .weight_max = 1, .devices_max = (uint32_t)words_number("devices", 16) };
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
    fl_blob *model = NULL;
    FL_ASSERT(update != NULL && wire != NULL && file != NULL);
    words_must(fl_start_vector(order.elements, &model, &why), &why);
    s_train(&order, fl_blob_bytes(model), (uint64_t)words_number("seed", 1), 64, update);
    fl_blob_unref(&model);
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

// ---- a whole run ------------------------------------------------------------------------------
typedef struct rerun {
    fl_order order;
    fl_element element;
    fl_blob *model;
    fl_optimizer *optimizer;
    fl_fold *fold; // of the round in hand
    uint64_t weight, count;
} rerun;

static void
s_same(const char *what, uint64_t round, fl_bytes bytes, const fl_hash *wanted)
{
    const fl_hash hash = fl_hash_of(bytes);
    if (!fl_hash_equal(&hash, wanted)) {
        words_die("the %s of round %llu is not the one that its order names", what,
                  (unsigned long long)round);
    }
}

static void
s_start(rerun *self)
{
    fl_why why = { "" };
    const fl_optimizer_conf conf = { .kind = strcmp(words_need("optimizer"), "fedavg") == 0
                                                 ? FL_OPTIMIZER_FEDAVG
                                                 : FL_OPTIMIZER_FEDAVGM,
                                     .rate = strtof(words_need("rate"), NULL),
                                     .momentum = strtof(words_need("momentum"), NULL) };
    words_must(fl_optimizer_check(&conf, &why), &why);
    words_must(fl_start_vector(self->order.elements, &self->model, &why), &why);
    self->optimizer = fl_optimizer_new(&conf, self->order.elements);
    FL_ASSERT(self->optimizer != NULL);
}

//  The plan is what the order, the settings and the manifest say; the manifest is made from the
//  words, and must be the one that was signed.
static void
s_round(rerun *self, const char *order, const char *settings)
{
    uint8_t bytes[FL_ORDER_BYTES], map[FL_PARTS_MADE_MAX], room[FL_PARTS_MADE_MAX];
    const size_t size = strlen(settings) / 2;
    if (size > sizeof map || !fl_unhex(order, bytes, sizeof bytes) ||
        !fl_unhex(settings, map, (unsigned)size) ||
        !fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &self->order)) {
        words_die("no order: %.60s", order);
    }
    fl_plan *plan = &self->order.plan;
    fl_settings_decode(fl_bytes_of(map, size), &self->order);
    (void)snprintf(plan->run, sizeof plan->run, "%s", words_need("name"));
    plan->clip = strtof(words_need("clip"), NULL);
    plan->bits = (uint8_t)words_number("bits", 0);
    plan->pin = words_number("pin", 0) != 0;
    plan->late = (uint8_t)words_number("late", 0);
    plan->staleness_max = (uint32_t)words_number("staleness_max", 0);
    if (self->order.beyond || (fl_plan_masks(plan) && !plan->pin)) {
        words_die("only its devices can train round %llu", (unsigned long long)self->order.round);
    }
    if (self->model == NULL) {
        s_start(self);
    }
    const uint64_t round = self->order.round;
    s_same("settings", round, fl_bytes_of(map, size), &self->order.settings);
    s_same("manifest", round, fl_manifest_encode(&self->order, room), &self->order.manifest);
    s_same("model", round, fl_blob_bytes(self->model), &self->order.model);
    self->element = fl_policy_element(plan);
    self->fold = fl_fold_new(&self->element, self->order.elements);
    self->weight = self->count = 0;
    FL_ASSERT(self->fold != NULL);
}

static void
s_device(rerun *self, const char *name, uint64_t seed, uint64_t samples)
{
    fl_why why = { "" };
    fl_name node;
    uint64_t clipped = 0;
    const fl_order *order = &self->order;
    const uint64_t weight = fl_policy_weight(samples, &order->plan);
    float *update = calloc(order->elements, sizeof *update);
    fl_blob *wire = fl_blob_new(fl_element_bytes(&self->element, order->elements));
    FL_ASSERT(update != NULL && wire != NULL && fl_name_parse(name, &node));
    s_train(order, fl_blob_bytes(self->model), seed, samples, update);
    words_must(fl_element_encode(&self->element, (uint32_t)weight, s_dither(order, &node), 0,
                                 order->elements, update, fl_blob_data(wire), &clipped),
               &why);
    fl_fold_add(self->fold, 0, order->elements, fl_blob_data(wire));
    self->weight += weight;
    self->count++;
    fl_blob_unref(&wire);
    free(update);
}

static void
s_advance(rerun *self)
{
    fl_why why = { "" };
    fl_safetensors file;
    fl_blob *next = NULL;
    fl_safetensors_note note = { .key = "round" };
    const uint64_t elements = self->order.elements;
    (void)snprintf(note.text, sizeof note.text, "%llu", (unsigned long long)self->order.round);
    words_must(fl_safetensors_parse(fl_blob_bytes(self->model), &file, &why), &why);
    words_must(fl_safetensors_save(file.tensor, file.count, &note, 1, NULL, &next), &why);
    float *values = fl_safetensors_values(next, elements);
    float *mean = calloc(elements, sizeof *mean);
    FL_ASSERT(mean != NULL);
    fl_safetensors_read(&file, 0, elements, values);
    fl_fold_mean(self->fold, self->weight, 0, elements, mean);
    fl_optimizer_apply(self->optimizer, mean, values, 0, elements);
    free(mean);
    fl_blob_unref(&self->model);
    self->model = next;
}

static void
s_end(rerun *self)
{
    char sum[2 * sizeof(fl_hash) + 1], model[2 * sizeof(fl_hash) + 1];
    fl_blob *wire = fl_blob_new(fl_fold_wire_bytes(self->fold));
    FL_ASSERT(wire != NULL && self->weight > 0 &&
              fl_fold_finish(self->fold, 0, self->order.elements, fl_blob_data(wire)));
    s_advance(self);
    fl_fold_destroy(&self->fold);
    const fl_hash of_sum = fl_hash_of(fl_blob_bytes(wire));
    const fl_hash of_model = fl_hash_of(fl_blob_bytes(self->model));
    fl_hex(of_sum.bytes, sizeof of_sum, sum);
    fl_hex(of_model.bytes, sizeof of_model, model);
    (void)printf("round number=%llu weight=%llu count=%llu sum=%s model=%s\n",
                 (unsigned long long)self->order.round, (unsigned long long)self->weight,
                 (unsigned long long)self->count, sum, model);
    fl_blob_unref(&wire);
}

//  rerun file=FILE name=RUN clip=C bits=B pin=P late=L staleness_max=S optimizer=O rate=R
//  momentum=M: the file has a line "round ORDER SETTINGS" in hex for each round with a model,
//  behind it a line "device NAME SEED SAMPLES" for each that was in, and "end". Says the sum and
//  the model of each.
static void
s_rerun(void)
{
    static char line[2 * (FL_ORDER_BYTES + FL_PARTS_MADE_MAX) + 64];
    rerun self = { .count = 0 };
    FILE *file = fopen(words_need("file"), "r");
    if (file == NULL) {
        words_die("no file");
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *rest = NULL;
        const char *word = strtok_r(line, " \n", &rest), *first = strtok_r(NULL, " \n", &rest);
        const char *second = strtok_r(NULL, " \n", &rest), *third = strtok_r(NULL, " \n", &rest);
        if (word != NULL && strcmp(word, "end") == 0) {
            s_end(&self);
        } else if (third != NULL) {
            s_device(&self, first, strtoull(second, NULL, 10), strtoull(third, NULL, 10));
        } else if (second != NULL) {
            s_round(&self, first, second);
        }
    }
    (void)fclose(file);
    fl_optimizer_destroy(&self.optimizer);
    fl_blob_unref(&self.model);
}

int
main(int argc, char **argv)
{
    static const words_act acts[] = { { "update", s_update },
                                      { "plain", s_plain },
                                      { "rerun", s_rerun } };
    fl_why why = { "" };
    words_must(fl_crypto_init(&why), &why);
    words_run(argc, argv, acts, sizeof acts / sizeof *acts);
    return 0;
}
