/* The clock of a host that is wrong: loaded before libc, it adds SKEWED_CLOCK seconds to the time of the day and leaves
   the monotonic clock alone. (Not libfaketime 0.9.10: with it time.sleep of Python 3.11 fails or sleeps as long.) */

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t skew(void) {
    const char *given = getenv("SKEWED_CLOCK");
    return given ? atol(given) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *told) {
    int result = syscall(SYS_clock_gettime, clock, told);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) told->tv_sec += skew();
    return result;
}

int gettimeofday(struct timeval *told, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
