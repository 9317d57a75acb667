#include "cloud/run_recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 32, SETS_MAX = FL_CONF_SETTINGS_MAX + 1 };

//  The newest value of each setting that was changed, as "KEY=VALUE".
typedef struct changes {
    uint32_t count;
    const char *sets[SETS_MAX];
    char texts[SETS_MAX][FL_SETTING_BYTES + FL_VALUE_BYTES];
    fl_ledger_change page[PAGE];
} changes;

bool
fl_run_recipe_may_change(const char *key)
{
    static const char *const keys[] = { "rounds", "round.",        "server.",  "stop.at",
                                        "keep",   "stop.patience", "evaluate." };
    bool may = false; // another optimizer could not go on with the state of this one
    if (strcmp(key, "server.optimizer") == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t length = strlen(keys[i]);
        bool section = keys[i][length - 1] == '.';
        may = may || (section ? strncmp(key, keys[i], length) == 0 : strcmp(key, keys[i]) == 0);
    }
    return may;
}

//  FL_FULL: more settings than there are, so that the ledger holds something else than ours.
static fl_status
s_note(changes *self, const char *set)
{
    size_t key = strcspn(set, "=") + 1;
    uint32_t i = 0;
    while (i < self->count && strncmp(self->texts[i], set, key) != 0) {
        i++;
    }
    if (i == SETS_MAX) {
        return FL_FULL;
    }
    self->count += i == self->count;
    self->sets[i] = self->texts[i];
    (void)snprintf(self->texts[i], sizeof self->texts[i], "%s", set);
    return FL_OK;
}

static fl_status
s_collect(changes *self, fl_ledger *ledger, const fl_run *run, fl_why *why)
{
    char set[sizeof self->texts[0]];
    uint64_t after = 0;
    uint32_t count;
    do {
        FL_TRY(fl_ledger_run_changes(ledger, run, after, self->page, PAGE, &count, why));
        for (uint32_t i = 0; i < count; i++) {
            const fl_ledger_change *change = &self->page[i];
            after = change->line;
            (void)snprintf(set, sizeof set, "%s=%s", change->setting, change->new_value);
            if (fl_run_recipe_may_change(change->setting) && s_note(self, set) != FL_OK) {
                return fl_fail(FL_FULL, why, "the ledger holds too many changes of this run");
            }
        }
    } while (count == PAGE);
    return FL_OK;
}

fl_status
fl_run_recipe_load(fl_ledger *ledger, const fl_run *run, const char *set, fl_conf **conf,
                   fl_why *why)
{
    fl_blob *recipe = NULL;
    changes *self = calloc(1, sizeof *self);
    *conf = NULL;
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    fl_status status = s_collect(self, ledger, run, why);
    if (status == FL_OK && set != NULL && s_note(self, set) != FL_OK) {
        status = fl_fail(FL_FULL, why, "too many settings of this run were changed");
    }
    FL_THEN(status, fl_ledger_run_recipe(ledger, run, &recipe, why));
    if (status == FL_OK && fl_blob_size(recipe) == 0) { // default settings would be another run
        status = fl_fail(FL_MISMATCH, why, FL_RUN_OLD);
    }
    FL_THEN(status, fl_conf_of_text(&fl_run_program, "recipe", fl_blob_bytes(recipe), self->sets,
                                    self->count, conf, why));
    fl_blob_unref(&recipe);
    free(self);
    return status;
}
