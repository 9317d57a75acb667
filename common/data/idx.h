//  idx - reader of the IDX format (LeCun, MNIST): unsigned bytes, one file of inputs and one of
//  labels, plain or gzip. Loads all samples or a chosen part of them, streaming, so that memory is
//  the chosen part's. The files may hold anything: what cannot be true is refused by name.
#ifndef FL_DATA_IDX_H
#define FL_DATA_IDX_H

#include <stdint.h>

#include "common/base/status.h"

enum { FL_IDX_SAMPLES_MAX = 100 * 1000 * 1000, FL_IDX_FEATURES_MAX = 1024 * 1024 };

typedef struct fl_dataset {
    uint8_t *inputs;   // (samples, features), 0..255
    uint8_t *labels;   // (samples)
    uint32_t samples;
    uint32_t features; // of one sample: all its dimensions multiplied
} fl_dataset;

//  The labels of a file (yours to free) and their number. FL_MISSING: no such file. FL_IO: it
//  cannot be read, or is no regular file. FL_MALFORMED: not IDX, cut off, or longer than it says.
//  FL_RANGE: above a bound. FL_NOMEM.
FL_CHECKED fl_status fl_idx_labels(const char *path, uint8_t **labels, uint32_t *count,
                                   fl_why *why);
//  What the head of a file of inputs says; as above, but for what comes behind the head.
FL_CHECKED fl_status fl_idx_head(const char *path, uint32_t *samples, uint32_t *features,
                                 fl_why *why);
//  Samples number chosen[0], chosen[1], ... (ascending, each once) of a pair of files; all of them
//  when `chosen` is NULL. As above, and FL_MISMATCH: inputs and labels differ in number; FL_RANGE:
//  a chosen sample does not exist. `self` holds nothing unless FL_OK.
FL_CHECKED fl_status fl_dataset_load(const char *inputs_path, const char *labels_path,
                                     const uint32_t *chosen, uint32_t chosen_count,
                                     fl_dataset *self, fl_why *why);
void fl_dataset_release(fl_dataset *self);

#endif
