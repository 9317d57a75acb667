#include "cloud/run_settings.h"

#include "common/machine/policy.h"
#include "common/model/npz.h"
#include "common/model/start.h"

uint64_t
fl_run_settings_memory(const fl_conf *conf, const fl_conf *root, uint64_t elements)
{
    const fl_root_conf run = fl_run_settings_root(conf, root);
    const fl_element element = fl_policy_element(&run.plan);
    const uint32_t named = run.aggregator.on_count, most = run.plan.block_max;
    const uint64_t children = named > 0 ? named : run.aggregator.seats_max;
    const bool masked = run.plan.masking[1] != FL_MASKING_NONE;
    const uint64_t blocks = masked ? (children + most - 1) / most : 1;
    const bool of_owners = !fl_trainer_own(fl_conf_text(conf, "train.trainer"));
    fl_shape shape;
    if (!of_owners) {
        elements = (uint64_t)fl_conf_int(conf, "model.elements");
    }
    if (elements == 0 && !of_owners) {
        fl_status status = fl_shape_parse(fl_conf_text(conf, "model.layers"), &shape, NULL);
        FL_ASSERT(status == FL_OK); // s_check has seen to it
        elements = fl_shape_elements(&shape);
    }
    return elements * (blocks * sizeof(int64_t) + sizeof(float)) +
           run.aggregator.slots * fl_element_bytes(&element, elements);
}

//  Whatever tensors it has, all F32.
static fl_status
s_given_model(fl_bytes initial, fl_blob **model, fl_why *why)
{
    fl_safetensors file;
    if (fl_npz_is(initial)) {
        return fl_npz_convert(initial, model, why);
    }
    FL_TRY(fl_safetensors_parse(initial, &file, why));
    *model = fl_blob_copy(initial);
    return *model != NULL ? FL_OK : fl_fail(FL_NOMEM, why, "out of memory");
}

//  A vector that another run made.
static fl_status
s_given_vector(uint64_t elements, fl_bytes initial, fl_blob **model, fl_why *why)
{
    fl_safetensors file;
    FL_TRY(fl_safetensors_parse(initial, &file, why));
    if (file.count != 1 || file.elements != elements) {
        return fl_fail(FL_MISMATCH, why,
                       "it has %u tensors of %llu elements in all, and "
                       "model.elements is %llu",
                       file.count, (unsigned long long)file.elements, (unsigned long long)elements);
    }
    *model = fl_blob_copy(initial);
    return *model != NULL ? FL_OK : fl_fail(FL_NOMEM, why, "out of memory");
}

fl_status
fl_run_settings_model(const fl_conf *conf, fl_bytes initial, fl_blob **model, fl_why *why)
{
    uint64_t elements = (uint64_t)fl_conf_int(conf, "model.elements");
    if (!fl_trainer_own(fl_conf_text(conf, "train.trainer"))) {
        return s_given_model(initial, model, why);
    }
    if (elements > 0 && initial.size > 0) {
        return s_given_vector(elements, initial, model, why);
    }
    if (elements > 0) {
        return fl_start_vector(elements, model, why);
    }
    fl_shape shape;
    FL_TRY(fl_shape_parse(fl_conf_text(conf, "model.layers"), &shape, why));
    if (initial.size > 0) {
        return fl_start_weights(&shape, initial, model, why);
    }
    return fl_start_network(&shape, (uint64_t)fl_conf_int(conf, "model.seed"), model, why);
}
