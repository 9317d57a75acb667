//  A RUN.yaml as the canonical text that is submitted.
#include "cloud/run_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/file.h"
#include "common/store/ledger.h"

//  "deploy/digits.yaml" is the run "digits", unless it says another name.
static fl_status
s_name(const fl_conf *conf, const char *path, char name[FL_RUN_NAME_BYTES], fl_why *why)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    const char *said = fl_conf_text(conf, "name");
    memset(name, 0, FL_RUN_NAME_BYTES);
    int length = said[0] != '\0'
                     ? snprintf(name, FL_RUN_NAME_BYTES, "%s", said)
                     : snprintf(name, FL_RUN_NAME_BYTES, "%.*s", (int)strcspn(base, "."), base);
    if (length >= FL_RUN_NAME_BYTES || !fl_run_name_valid(name)) {
        return fl_fail(FL_RANGE, why,
                       "'%.40s' is no name of a run: 1 to %d of a-z 0-9 . -, not digits alone; "
                       "set name, or give --name",
                       said[0] != '\0' ? said : base, FL_RUN_NAME_BYTES - 1);
    }
    return FL_OK;
}

static fl_status
s_canonical(const fl_conf *conf, fl_blob **text, fl_why *why)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&bytes, &size);
    if (out == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    fl_conf_print_given(conf, out);
    if (ftell(out) == 0) {
        (void)fputs("# every setting has its default\n", out); // a recipe is never empty
    }
    bool written = fclose(out) == 0;
    *text = written ? fl_blob_copy(fl_bytes_of(bytes, size)) : NULL;
    free(bytes);
    return *text != NULL ? FL_OK : fl_fail(FL_NOMEM, why, "out of memory");
}

fl_status
fl_run_recipe_read(const char *path, const char *const *sets, uint32_t count, fl_run_recipe *recipe,
                   fl_why *why)
{
    fl_conf *conf = NULL;
    fl_blob *text = NULL;
    *recipe = (fl_run_recipe){ .text = NULL };
    FL_TRY(fl_file_read(path, FL_RUN_RECIPE_MAX, &text, why));
    fl_status status =
        fl_conf_of_text(&fl_run_program, path, fl_blob_bytes(text), sets, count, &conf, why);
    fl_blob_unref(&text);
    if (status == FL_OK) {
        (void)snprintf(recipe->initial, sizeof recipe->initial, "%s",
                       fl_conf_text(conf, "model.initial"));
        status = s_name(conf, path, recipe->name, why);
    }
    FL_THEN(status, s_canonical(conf, &recipe->text, why));
    fl_conf_destroy(&conf);
    return status;
}
