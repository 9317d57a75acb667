//  banned - calls that this house does without, turned into a compile error. The build puts this
//  file in front of every source of a layer or program (-include), so nobody includes it by hand.
//  Instead: snprintf or memcpy for the string calls, fl_rng for numbers, the clock that is handed
//  down for time, malloc with a bound for alloca, fork and exec by name for system.
#ifndef FL_BASE_BANNED_H
#define FL_BASE_BANNED_H

//  The headers that declare them come first: a macro must not meet its own declaration.
#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef strtok
#undef sprintf
#undef vsprintf
#undef rand
#undef srand
#undef time
#undef gmtime
#undef localtime
#undef ctime
#undef asctime
#undef alloca
#undef system
#undef popen
#undef tmpnam
#undef mktemp
#define strcpy(...) fl_banned_strcpy
#define strcat(...) fl_banned_strcat
#define strtok(...) fl_banned_strtok
#define sprintf(...) fl_banned_sprintf
#define vsprintf(...) fl_banned_vsprintf
#define rand(...) fl_banned_rand
#define srand(...) fl_banned_srand
#define time(...) fl_banned_time
#define gmtime(...) fl_banned_gmtime
#define localtime(...) fl_banned_localtime
#define ctime(...) fl_banned_ctime
#define asctime(...) fl_banned_asctime
#define alloca(...) fl_banned_alloca
#define system(...) fl_banned_system
#define popen(...) fl_banned_popen
#define tmpnam(...) fl_banned_tmpnam
#define mktemp(...) fl_banned_mktemp

#endif
