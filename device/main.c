//  fl-device - the device tier.
#include "common/runtime/launch.h"
#include "common/trainer/fence.h"
#include "device/process.h"
#include "device/settings.h"

int
main(int argc, char **argv)
{
    if (fl_fence_asked(argc, argv)) {
        fl_fence_main(argv);
    }
    return fl_launch(&fl_device_program, argc, argv, fl_device_process);
}
