//  data_check - whether two files with samples and labels fit a network, before anything else is
//  done with them: their form, their number, the width of a sample and the labels. The samples
//  themselves are not read. Blocks for the disk; one thread.
#ifndef FL_RUNTIME_DATA_CHECK_H
#define FL_RUNTIME_DATA_CHECK_H

#include "common/model/shape.h"

//  A shape without layers is any network; a file that is not there fits, as it may be made later
//  (start.wait). FL_MISMATCH, or what idx.h
//  says of a file that it cannot use; `why` names the file.
FL_CHECKED fl_status fl_data_check(const char *inputs, const char *labels, const fl_shape *shape,
                                   fl_why *why);

#endif
