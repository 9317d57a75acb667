#include "common/tensor/combine.h"

#include <string.h>

static void
s_sum_add(void **kept, fl_fold *sum, const uint8_t *wire, uint64_t weight)
{
    (void)kept;
    (void)weight; // it is in the elements
    fl_fold_add(sum, 0, fl_fold_elements(sum), wire);
}

static const fl_combine_rule rules[] = {
    { "sum", false, s_sum_add, NULL },
};

const fl_combine_rule *
fl_combine_find(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}
