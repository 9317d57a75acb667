//  Blocks that ended unopened (docs/masking.md, R10): what the parent asks and tells of them.
#include "common/round/aggregator_inside.h"

void
fl_aggregator_lapse(fl_aggregator *self)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        fl_transcript_round round;
        fl_bytes lines;
        if (self->block[i].open &&
            fl_secagg_server_lapsed(self->block[i].machine, &round, &lines)) {
            fl_burnt_book_add(self->burnt, &round, lines, &self->task.order.tensors,
                              self->conf.masking->trust.authority);
        }
    }
}

void
fl_aggregator_lapse_fact(fl_aggregator *self, fl_bytes fact, const fl_hash *tensors)
{
    fl_secagg_fact head;
    if (fl_secagg_fact_read(fact, &head) && head.what == FL_KEEP_ROSTER) {
        const uint8_t number = (uint8_t)head.number;
        const fl_transcript_round round = { .run = head.run,
                                            .hop = self->conf.masking->hop,
                                            .edge = self->conf.masking->node,
                                            .block = fl_secagg_block_of(head.block, number),
                                            .round = head.round,
                                            .number = number };
        fl_burnt_book_add(self->burnt, &round, head.list, tensors,
                          self->conf.masking->trust.authority);
    }
}

void
fl_aggregator_tell_burnt(fl_aggregator *self, uint32_t index, fl_outbox *out)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    if (self->burnt != NULL && seat->present) {
        fl_burnt_book_tell(self->burnt, &seat->node, seat->peer, out);
    }
}

void
fl_aggregator_tell_burnt_all(fl_aggregator *self, fl_outbox *out)
{
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_aggregator_tell_burnt(self, i, out);
    }
}
