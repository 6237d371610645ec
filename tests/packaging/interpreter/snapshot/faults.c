/* For a test's link: allocations that fail.  FAULT_FIRST=N: the Nth from the start of main's process on, and then
   every FAULT_EVERYth (0: no other). */

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

#include "snapshot.h"

static long first, every, count;

__attribute__((constructor)) static void
read_settings(void)
{
    const char *value = getenv("FAULT_FIRST");
    first = value ? atol(value) : 0;
    value = getenv("FAULT_EVERY");
    every = value ? atol(value) : 0;
}

static int
fails(void)
{
    if (first == 0 || snapshot_phase != RESTORED)
        return 0;
    long passed = ++count - first;
    if (passed != 0 && (passed < 0 || every == 0 || passed % every != 0))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_mmap(void *, size_t, int, int, int, off_t);
int __real_posix_memalign(void **, size_t, size_t);

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *block, size_t size) { return fails() ? NULL : __real_realloc(block, size); }

void *
__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return fails() ? (void *)-1 : __real_mmap(address, length, protection, flags, fd, offset);
}

int
__wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __real_posix_memalign(block, alignment, size);
}
