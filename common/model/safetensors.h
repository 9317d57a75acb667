//  safetensors - a model as one file: the length of a JSON header (u64, little-endian), the header
//  padded with spaces to 8 bytes, then the values. One vector of F32: tensors follow each other
//  without gap or overlap, which the format demands. Values; `parse` keeps views into its input.
//  An attacker may control every byte that `parse` reads.
#ifndef FL_MODEL_SAFETENSORS_H
#define FL_MODEL_SAFETENSORS_H

#include "common/base/blob.h"
#include "common/base/id.h"

enum {
    FL_TENSORS_MAX = 512,
    FL_TENSOR_RANK_MAX = 4,
    FL_TENSOR_NAME_MAX = 48,
    FL_NOTES_MAX = 16,
    FL_SAFETENSORS_HEADER_MAX = 1024 * 1024,
};

typedef struct fl_tensor {
    char name[FL_TENSOR_NAME_MAX];
    uint32_t rank;
    uint64_t shape[FL_TENSOR_RANK_MAX];
    uint64_t first;    // index of its first value in the vector; set by parse
    uint64_t elements; // set by parse
} fl_tensor;

//  A line of __metadata__.
typedef struct fl_safetensors_note {
    char key[32];
    char text[128];
} fl_safetensors_note;

typedef struct fl_safetensors {
    uint32_t count;
    fl_tensor tensor[FL_TENSORS_MAX]; // in the order of their data
    uint64_t elements;
    fl_bytes data; // (elements) F32, little-endian; aligned only as the input is
} fl_safetensors;

//  FL_MALFORMED: not this format, cut off, overlapping, with gaps. FL_RANGE: above a bound.
//  FL_MISMATCH: a tensor is not F32. `self` is undefined then.
FL_CHECKED fl_status fl_safetensors_parse(fl_bytes bytes, fl_safetensors *self, fl_why *why);
//  The same of the header's text alone, of a file with so many bytes of data: without views.
FL_CHECKED fl_status fl_safetensors_parse_head(fl_bytes text, uint64_t data_bytes,
                                               fl_safetensors *self, fl_why *why);
//  By name; NULL when there is none.
const fl_tensor *fl_safetensors_find(const fl_safetensors *self, const char *name);
//  Of names, shapes and values, tensors by ascending name: the same whatever else the file says.
fl_hash fl_safetensors_digest(const fl_safetensors *self);
//  Copy the vector's values [first, first + count) to `values`.
void fl_safetensors_read(const fl_safetensors *self, uint64_t first, uint64_t count, float *values);

//  A new file (yours) with these tensors in this order (name, rank, shape), and `values` for all
//  of them one after another; NULL: zeros. The same arguments give the same bytes. FL_NOMEM.
FL_CHECKED fl_status fl_safetensors_save(const fl_tensor *tensors, uint32_t count,
                                         const fl_safetensors_note *notes, uint32_t note_count,
                                         const float *values, fl_blob **blob);
//  Where a new file holds its values (elements), to be filled in before anyone else has it.
float *fl_safetensors_values(fl_blob *blob, uint64_t elements);

#endif
