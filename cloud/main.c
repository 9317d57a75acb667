//  fl-root - the cloud tier.
#include "cloud/process.h"
#include "cloud/settings.h"
#include "common/runtime/launch.h"

int
main(int argc, char **argv)
{
    return fl_launch(&fl_root_program, argc, argv, fl_root_process);
}
