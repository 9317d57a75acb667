//  npz - the arrays of a NumPy archive as a safetensors file. An archive is a zip file with one
//  array a member: PKWARE, APPNOTE.TXT 6.3.10, and NumPy, NEP 1 (.npy 1.0, 2.0, 3.0). Taken are
//  members that are stored or deflated; of them arrays of little-endian floats of 2, 4 or 8 bytes
//  in C order. Refused by name: encryption, zip64 (4 GiB and more), another compression, another
//  type, Fortran order, what safetensors.h bounds. An attacker may control every byte.
#ifndef FL_MODEL_NPZ_H
#define FL_MODEL_NPZ_H

#include "common/model/safetensors.h"

//  True when the bytes begin as a zip file does.
bool fl_npz_is(fl_bytes bytes);
//  The arrays as F32, in the order of the archive, named as its members are without ".npy". The
//  blob is yours. FL_MALFORMED: damaged. FL_MISMATCH: of a kind that is refused. FL_RANGE: above a
//  bound. FL_NOMEM.
FL_CHECKED fl_status fl_npz_convert(fl_bytes archive, fl_blob **blob, fl_why *why);

#endif
