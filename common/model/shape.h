//  shape - what a multi-layer perceptron looks like: the sizes of its layers, and where each of
//  its tensors lies in the flat vector of parameters. {784, 10} is softmax regression. A value.
//  The vector's order is that of the tensors' names, so that it equals the data of the file.
#ifndef FL_MODEL_SHAPE_H
#define FL_MODEL_SHAPE_H

#include "common/base/status.h"
#include "common/model/safetensors.h"

enum { FL_LAYERS_MAX = 8, FL_LAYER_SIZE_MAX = 1 << 20, FL_CLASSES_MAX = 256 };

typedef struct fl_shape {
    uint32_t layers;                  // of weights, 1..FL_LAYERS_MAX
    uint32_t size[FL_LAYERS_MAX + 1]; // inputs, hidden ..., classes
} fl_shape;

//  From "784-128-10". FL_MALFORMED: not numbers between dashes. FL_RANGE: too many layers, or a
//  size out of bounds (classes: at least 2 and at most FL_CLASSES_MAX).
FL_CHECKED fl_status fl_shape_parse(const char *text, fl_shape *shape, fl_why *why);
//  The other way round; always terminated.
void fl_shape_text(const fl_shape *self, char *text, size_t size);

uint32_t fl_shape_inputs(const fl_shape *self);
uint32_t fl_shape_classes(const fl_shape *self);
uint64_t fl_shape_elements(const fl_shape *self);
//  Index in the flat vector of a layer's bias (out) and weight (out, in).
uint64_t fl_shape_bias(const fl_shape *self, uint32_t layer);
uint64_t fl_shape_weight(const fl_shape *self, uint32_t layer);

//  Its tensors in the order of their names, how many; `first` and `elements` are left to the file.
uint32_t fl_shape_tensors(const fl_shape *self, fl_tensor tensors[2 * FL_LAYERS_MAX]);
//  "(10,128)": the dimensions of a tensor; always terminated.
void fl_shape_dimensions(const fl_tensor *tensor, char *text, size_t size);

//  The model as a file: "layer0.bias", "layer0.weight", "layer1.bias", ... with `values`
//  (elements). Equal parameters and notes give equal bytes. FL_NOMEM.
FL_CHECKED fl_status fl_shape_save(const fl_shape *self, const float *values,
                                   const fl_safetensors_note *notes, uint32_t note_count,
                                   fl_blob **blob);
//  The shape of the network in a file; FL_MISMATCH when it holds none.
FL_CHECKED fl_status fl_shape_infer(const fl_safetensors *file, fl_shape *shape, fl_why *why);
//  FL_MISMATCH unless the file holds exactly this network; `why` says what differs.
FL_CHECKED fl_status fl_shape_check(const fl_shape *self, const fl_safetensors *file, fl_why *why);

#endif
