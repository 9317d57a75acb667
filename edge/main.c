//  edge-agg - the edge tier.
#include "common/runtime/launch.h"
#include "edge/process.h"
#include "edge/settings.h"

int
main(int argc, char **argv)
{
    return fl_launch(&fl_edge_program, argc, argv, fl_edge_process);
}
