//  Which run holds which model: what keeps a file in the directory of models.
#include "common/store/ledger_inside.h"

fl_status
fl_ledger_model_put(fl_ledger *self, const fl_ledger_model *model, fl_why *why)
{
    fl_query query =
        fl_query_of(self->sql, "INSERT INTO model(run, why, round, hash, bytes) VALUES(?,?,?,?,?) "
                               "ON CONFLICT(run, why, round) DO UPDATE SET hash=excluded.hash, "
                               "bytes=excluded.bytes");
    fl_query_blob(&query, model->run.bytes, sizeof model->run.bytes);
    fl_query_u64(&query, model->why);
    fl_query_u64(&query, model->round);
    fl_query_blob(&query, model->hash.bytes, sizeof model->hash.bytes);
    fl_query_u64(&query, model->bytes);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_model_newest(fl_ledger *self, const fl_run *run, fl_model_why held, uint64_t *round,
                       fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT round FROM model WHERE run=? AND why=? "
                                            "ORDER BY round DESC LIMIT 1");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, held);
    bool found = fl_query_next(&query);
    *round = found ? fl_query_take_u64(&query) : 0;
    FL_TRY(fl_query_end(&query, why));
    return found ? FL_OK : fl_fail(FL_MISSING, why, "the run holds no such model");
}

static fl_status
s_give_up(fl_ledger *self, const fl_run *run, fl_model_why held, uint64_t round, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "DELETE FROM model WHERE run=? AND why=? AND round=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, held);
    fl_query_u64(&query, round);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_model_surplus(fl_ledger *self, const fl_run *run, fl_model_why held, uint32_t keep,
                        fl_hash *hash, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT round, hash FROM model WHERE run=? AND why=? "
                                            "ORDER BY round DESC LIMIT 1 OFFSET ?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, held);
    fl_query_u64(&query, keep);
    uint64_t round = 0;
    bool found = fl_query_next(&query);
    if (found) {
        round = fl_query_take_u64(&query);
        (void)fl_query_take_blob(&query, hash->bytes, sizeof hash->bytes);
    }
    FL_TRY(fl_query_end(&query, why));
    return found ? s_give_up(self, run, held, round, why)
                 : fl_fail(FL_MISSING, why, "no model is beyond those that are kept");
}

fl_status
fl_ledger_model_holder(fl_ledger *self, const fl_run *run, const fl_hash *hash, fl_run *holder,
                       fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, run == NULL ? "SELECT run FROM model WHERE hash=? LIMIT 1"
                               : "SELECT run FROM model WHERE hash=? AND run=? LIMIT 1");
    fl_query_blob(&query, hash->bytes, sizeof hash->bytes);
    if (run != NULL) {
        fl_query_blob(&query, run->bytes, sizeof run->bytes);
    }
    bool found = fl_query_next(&query);
    if (found) {
        (void)fl_query_take_blob(&query, holder->bytes, sizeof holder->bytes);
    }
    FL_TRY(fl_query_end(&query, why));
    return found ? FL_OK : fl_fail(FL_MISSING, why, "nobody holds that model");
}
