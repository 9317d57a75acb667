//  fl - the operator's command.
#include "cloud/fl/verbs.h"
#include "cloud/fl/os.h"

int
main(int argc, char **argv)
{
    fl_why why = { "" };
    fl_world *world = fl_world_new(&why);
    if (world == NULL) {
        (void)fprintf(stderr, "fl: %s\n", why.text);
        return FL_EXIT_FAILED;
    }
    fl_console console = fl_world_console(world);
    int code = fl_cli_run(&fl_verbs, &console, argc, argv, stdout, stderr);
    fl_world_destroy(&world);
    if (fflush(stdout) != 0) {
        (void)fprintf(stderr, "fl: the output could not be written\n");
        code = code == FL_EXIT_OK ? FL_EXIT_FAILED : code;
    }
    return code;
}
