//  rules - the rules of docs/masking.md as switches, so that a test build can show that
//  each attack works without its rule. In every other build they are constants: always on.
#ifndef FL_SECAGG_RULES_H
#define FL_SECAGG_RULES_H

enum {
    FL_RULE_PSIG = 1 << 0,        // R1: a missing signature never means dead
    FL_RULE_SIGNED = 1 << 12,     // R1: nor does a bad one mean alive
    FL_RULE_ONE_CONTENT = 1 << 1, // R2: one content per message type, so one UNMASK
    FL_RULE_SUBSET = 1 << 2,      // R3: S within P within what I found good
    FL_RULE_SIZE = 1 << 3,        // R3: enough survivors
    FL_RULE_ACKS = 1 << 4,        // R3: enough others were shown the same
    FL_RULE_ONCE = 1 << 5,        // R4: masked once
    FL_RULE_SAME_MODEL = 1 << 6,  // R4: one set of survivors per model
    FL_RULE_BASE = 1 << 7,        // R8: trained from this round's model
    FL_RULE_FLOORS = 1 << 8,      // floors of one's own
    FL_RULE_PROFILE = 1 << 9,     // no weaker profile
    FL_RULE_CTX_TASK = 1 << 10,   // the task is in the context
    FL_RULE_ROSTER = 1 << 11,     // the roster is in the context, and in all that members share
};

#ifdef FL_TEST_RULES
#define FL_SECAGG_RULES_FIELD unsigned rules_off;
#define FL_SECAGG_RULE(conf, rule) (((conf)->rules_off & (unsigned)(rule)) == 0)
#else
#define FL_SECAGG_RULES_FIELD
#define FL_SECAGG_RULE(conf, rule) ((void)(conf), true)
#endif

#endif
