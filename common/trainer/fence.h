//  fence - the process between us and a command that somebody else wrote. It is this program,
//  started anew, so that it holds nothing of ours: it takes what the command may not have, starts
//  it, passes its end on, and ends whatever the command left behind. It ends the command too when
//  we go away, however we do. Linux; where a kernel gives less, it says what is missing.
#ifndef FL_TRAINER_FENCE_H
#define FL_TRAINER_FENCE_H

#include <stdbool.h>
#include <stdint.h>

//  What the command's network is.
typedef enum fl_network {
    FL_NETWORK_LOOPBACK, // itself
    FL_NETWORK_WORLD     // that of this machine
} fl_network;

//  What holds.
typedef enum fl_fences {
    FL_FENCE_NETWORK = 1,   // the world cannot be reached
    FL_FENCE_FILES = 2,     // what is hidden is, and only its own directory can be written
    FL_FENCE_PROCESSES = 4, // nothing outlives the command, nor is seen by it
    FL_FENCE_ALL = 7
} fl_fences;

//  Descriptors beside 0 to 2: a byte on the leash is an order, its end is FL_LEASH_KILL; on the
//  word the fence says "fences N", then "end CODE LEFT": an exit code, or 256 and a signal, and
//  whether there were processes left.
enum { FL_FENCE_LEASH = 3, FL_FENCE_WORD = 4 };
//  And of a command that stays: what it is asked, and what it answers; the model, and what it makes
//  of it; none from there on.
enum { FL_FENCE_ASKED = 5, FL_FENCE_ANSWER = 6 };
enum { FL_FENCE_MODEL = 7, FL_FENCE_UPDATE = 8, FL_FENCE_END = 9 };
enum { FL_LEASH_TERM = 'T', FL_LEASH_KILL = 'K' };

//  Words of its command line: this, then its own directory, the one that it begins in, the hidden
//  one ("": none), network, bytes of memory (0: any) and of a file, the command for /bin/sh, and
//  "stays" or "once".
#define FL_FENCE_NAME "tributary-fence"
enum { FL_FENCE_WORDS = 9 };

//  Is this process to be one? The first question of a main.
bool fl_fence_asked(int argc, char **argv);
//  Be one, to the end of the process.
_Noreturn void fl_fence_main(char **argv);

#endif
