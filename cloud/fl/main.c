//  fl - the operator's command.
#include "cloud/fl/os.h"
#include "cloud/fl/verbs.h"
#include "common/trainer/fence.h"

int
main(int argc, char **argv)
{
    fl_why why = { "" };
    if (fl_fence_asked(argc, argv)) {
        fl_fence_main(argv);
    }
    fl_os *world = fl_os_new(&why);
    if (world == NULL) {
        (void)fprintf(stderr, "fl: %s\n", why.text);
        return FL_EXIT_FAILED;
    }
    fl_context context = fl_os_context(world);
    int code = fl_cli_run(&fl_verbs, &context, argc, argv, stdout, stderr);
    fl_os_destroy(&world);
    if (fflush(stdout) != 0) {
        (void)fprintf(stderr, "fl: the output could not be written\n");
        code = code == FL_EXIT_OK ? FL_EXIT_FAILED : code;
    }
    return code;
}
