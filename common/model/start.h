//  start - the model that a run begins with, as a file: a fresh network, the weights of a file, or
//  a vector of zeros for load tests. Equal arguments give equal bytes.
#ifndef FL_MODEL_START_H
#define FL_MODEL_START_H

#include "common/model/shape.h"

//  A network with the parameters of fl_network_init. The blob is yours. FL_NOMEM.
FL_CHECKED fl_status fl_start_network(const fl_shape *shape, uint64_t seed, fl_blob **blob,
                                      fl_why *why);
//  A network with the weights in `bytes`, a safetensors file of any run or an npz archive
//  (common/model/npz.h): exactly its tensors, in any order. FL_MISMATCH: one is missing, too many,
//  of other dimensions, or holds a value that is not finite; `why` names it. As npz and safetensors
//  too.
FL_CHECKED fl_status fl_start_weights(const fl_shape *shape, fl_bytes bytes, fl_blob **blob,
                                      fl_why *why);
//  One tensor "w" of `elements` zeros. FL_RANGE: none, or more than a vector may have; FL_NOMEM.
FL_CHECKED fl_status fl_start_vector(uint64_t elements, fl_blob **blob, fl_why *why);

#endif
