/* What the image may not keep of the machine and the process that recorded it: their calls are renamed to these.

   While recording, the host is a fixed one: the same inputs give the same image.  Its values are chosen so that record.py
   recognizes them wherever they are found in the heap: a module that keeps one would carry the build machine's time
   or directory into every process.  In a restored process these are the C library's own functions.

   The numbers of pthread keys are in the image (CPython, Rust and cffi hold some), the keys themselves in the C library:
   the same numbers are made again at each start, before anybody else asks for one. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "snapshot.h"

#define recording (__builtin_expect(snapshot_phase == RECORDING, 0))

/* host_audit.py knows these, too. */
#define SECONDS 1234567890L
#define NANOSECONDS 987654321L
#define PROCESS 1913131313
#define THREAD 1917171717
#define USER 1911111111
#define DIRECTORY "/snapshot-working-directory"
#define HOST "snapshot-host"
#define RANDOM 0x5a

int
snapshot_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!recording)
        return clock_gettime(clock, now);
    *now = (struct timespec){SECONDS, NANOSECONDS};
    return 0;
}

int
snapshot_gettimeofday(struct timeval *now, void *zone)
{
    if (!recording)
        return gettimeofday(now, zone);
    *now = (struct timeval){SECONDS, NANOSECONDS / 1000};
    return 0;
}

time_t
snapshot_time(time_t *now)
{
    if (!recording)
        return time(now);
    if (now)
        *now = SECONDS;
    return SECONDS;
}

pid_t snapshot_getpid(void) { return recording ? PROCESS : getpid(); }
pid_t snapshot_getppid(void) { return recording ? PROCESS : getppid(); }
uid_t snapshot_getuid(void) { return recording ? USER : getuid(); }
uid_t snapshot_geteuid(void) { return recording ? USER : geteuid(); }
gid_t snapshot_getgid(void) { return recording ? USER : getgid(); }
gid_t snapshot_getegid(void) { return recording ? USER : getegid(); }
pthread_t snapshot_pthread_self(void) { return recording ? THREAD : pthread_self(); }

char *
snapshot_getcwd(char *buffer, size_t size)
{
    if (!recording)
        return getcwd(buffer, size);
    if (buffer == NULL || size < sizeof DIRECTORY) {
        errno = ERANGE;
        return NULL;
    }
    return strcpy(buffer, DIRECTORY);
}

int
snapshot_gethostname(char *name, size_t size)
{
    if (!recording)
        return gethostname(name, size);
    snprintf(name, size, "%s", HOST);
    return 0;
}

/* With _FORTIFY_SOURCE the compiler calls these where it knows the room that a buffer has. */
char *
snapshot_getcwd_chk(char *buffer, size_t size, size_t room)
{
    if (size > room)
        abort();
    return snapshot_getcwd(buffer, size);
}

int
snapshot_gethostname_chk(char *name, size_t size, size_t room)
{
    if (size > room)
        abort();
    return snapshot_gethostname(name, size);
}

int
snapshot_uname(struct utsname *names)
{
    int error = uname(names);
    if (recording && !error) {
        strcpy(names->nodename, HOST);
        strcpy(names->release, HOST);
        strcpy(names->version, HOST);
    }
    return error;
}

ssize_t
snapshot_getrandom(void *buffer, size_t size, unsigned flags)
{
    if (!recording)
        return getrandom(buffer, size, flags);
    memset(buffer, RANDOM, size);
    return (ssize_t)size;
}

long
snapshot_syscall(long number, ...)
{
    if (recording && number == SYS_gettid)
        return THREAD;
    va_list list;
    va_start(list, number);
    long a[6];
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (recording && number == SYS_getrandom)
        return snapshot_getrandom((void *)a[0], (size_t)a[1], 0);
    return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static struct {
    pthread_key_t number;
    void (*destructor)(void *);
} keys[64];
static unsigned key_count;

int
snapshot_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    int error = pthread_key_create(key, destructor);
    if (!error && recording) {
        if (key_count == sizeof keys / sizeof *keys)
            return EAGAIN;
        keys[key_count].number = *key;
        keys[key_count++].destructor = destructor;
    }
    return error;
}

int
snapshot_pthread_key_delete(pthread_key_t key)
{
    for (unsigned i = 0; recording && i < key_count; i++)
        if (keys[i].number == key) {
            keys[i] = keys[--key_count];
            break;
        }
    return pthread_key_delete(key);
}

void
snapshot_restore_keys(void)
{
    /* The C library hands out the lowest free number: make all up to the highest in order, then drop those between. */
    pthread_key_t end = 0;
    for (unsigned i = 0; i < key_count; i++)
        if (keys[i].number >= end)
            end = keys[i].number + 1;
    char wanted[1024] = {0}; /* PTHREAD_KEYS_MAX, which glibc keeps to itself */
    for (pthread_key_t number = 0; number < end; number++) {
        void (*destructor)(void *) = NULL;
        for (unsigned i = 0; i < key_count; i++)
            if (keys[i].number == number) {
                destructor = keys[i].destructor;
                wanted[number] = 1;
            }
        pthread_key_t made;
        if (pthread_key_create(&made, destructor) || made != number) {
            fputs("toolbox: the C library gives other thread keys than when the program was built\n", stderr);
            abort();
        }
    }
    for (pthread_key_t number = 0; number < end; number++)
        if (!wanted[number])
            pthread_key_delete(number);
}
