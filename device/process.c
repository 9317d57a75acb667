#include "device/process.h"

#include <stdlib.h>

#include "common/app/lock.h"
#include "common/base/log.h"
#include "common/host/clock.h"
#include "common/host/desk.h"
#include "common/host/keeper.h"
#include "common/host/settings.h"
#include "device/device.h"
#include "device/settings.h"

typedef struct process {
    const fl_conf *conf;
    const char *state;
    fl_lock *lock;
    fl_identity *identity;
    fl_masking_member_conf masking;
    fl_masking_mark mark;
    fl_dataset data;
    fl_trainer trainer;
    fl_device *device;
    fl_station *station;
    fl_desk *desk;
} process;

static fl_status
s_open_files(process *self, fl_why *why)
{
    fl_status status = fl_home_open(self->state, why);
    if (status == FL_OK) {
        status = fl_lock_take(self->state, "fl-device", &self->lock, why);
    }
    if (status == FL_OK) {
        const fl_identity_conf conf = { .directory = self->state, .role = FL_ROLE_DEVICE,
                                        .parent = true, .wall_s = fl_clock_wall_s };
        status = fl_identity_open(&conf, &self->identity, why);
    }
    if (status == FL_OK) {
        status = fl_keeper_mark(self->state, &self->mark, why);
    }
    return status;
}

static void
s_fill(void *arg, fl_view_input *input)
{
    process *self = arg;
    const fl_member *member = fl_device_member(self->device);
    const fl_task *task = fl_member_task(member);
    input->tier = "device";
    input->node = *fl_identity_node(self->identity);
    input->run = *fl_member_run(member);
    input->round = task == NULL ? 0 : task->order.round;
    input->parent = fl_identity_parent(self->identity)->endpoint;
    input->final = fl_device_done(self->device);
    input->member = member;
}

static bool
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    process *self = arg;
    return fl_desk_ask(self->desk, ticket, ask);
}

static bool
s_done(void *arg)
{
    process *self = arg;
    return fl_device_done(self->device);
}

static bool
s_keep(void *arg, const fl_effect *keep)
{
    const process *self = arg;
    const fl_keeper keeper = { .directory = self->state };
    return fl_keeper_keep(&keeper, keep);
}

static fl_status
s_seat(process *self, fl_why *why)
{
    fl_member_conf member = fl_settings_member(self->conf, FL_ROLE_DEVICE);
    member.node = *fl_identity_node(self->identity);
    self->masking = fl_settings_masking(self->conf, self->identity);
    member.masking = &self->masking;
    member.mark = &self->mark;
    self->device = fl_device_new(&member);
    const fl_desk_conf desk = { .station = self->station, .fill = s_fill, .self = self };
    self->desk = fl_desk_new(&desk);
    if (self->device == NULL || self->desk == NULL) {
        fl_why_set(why, "out of memory");
        return FL_NOMEM;
    }
    const fl_tier tier = { .self = self, .machine = fl_device_machine(self->device),
                           .trainer = &self->trainer, .ask = s_ask, .done = s_done,
                           .saver = { .self = self, .keep = s_keep } };
    return fl_station_seat(self->station, &tier, why);
}

static void
s_close(process *self)
{
    fl_station_close(&self->station);
    fl_desk_destroy(&self->desk);
    fl_device_destroy(&self->device);
    if (self->trainer.destroy != NULL) {
        self->trainer.destroy(&self->trainer.self);
    }
    fl_dataset_release(&self->data);
    fl_identity_close(&self->identity);
    fl_lock_release(&self->lock);
}

fl_status
fl_device_process(const fl_conf *conf, fl_stop *stop, fl_why *why)
{
    process self = { .conf = conf, .state = fl_conf_text(conf, "state") };
    fl_settings_log(conf, "device", "");
    fl_status status = s_open_files(&self, why);
    if (status == FL_OK) {
        fl_log_set_node(fl_identity_node(self.identity)->name);
        status = fl_device_trainer(conf, &self.data, &self.trainer, why);
    }
    if (status == FL_OK) {
        fl_station_conf station = fl_settings_station(conf, false);
        station.identity = self.identity;
        station.stop = stop;
        station.parent = true;
        status = fl_station_open(&station, &self.station, why);
    }
    if (status == FL_OK) {
        status = s_seat(&self, why);
    }
    if (status == FL_OK) {
        fl_log(FL_LOG_INFO, "started",
               fl_log_u64("samples", self.trainer.samples(self.trainer.self)),
               fl_log_text("parent", fl_identity_parent(self.identity)->endpoint));
        if (!fl_station_run(self.station)) {
            fl_why_set(why, "work was left running at the end");
            status = FL_BUSY;
        }
    }
    s_close(&self);
    return status;
}
