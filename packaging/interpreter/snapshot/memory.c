/* The memory of everything inside the image.  Their calls of malloc, free, mmap... are renamed to these (inside.syms).

   While recording, blocks come from snapshot_heap, whose contents become part of the program.  In a restored process
   new blocks come from the C library, and those of the image, which it does not know, are never given to it:
   free() leaves them alone, realloc() copies out of them.  So the image's blocks have no headers; while recording, a bit
   map tells where each begins, and with that its size. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "snapshot.h"

#define GRANULE SNAPSHOT_GRANULE
#define WORD (8 * sizeof(unsigned long))
#define SMALL 1024 /* freed blocks up to this size wait in a list for their size */
#define PAGE 4096

int snapshot_phase = RECORDING;
char snapshot_heap[SNAPSHOT_HEAP_SIZE] __attribute__((aligned(PAGE)));
char snapshot_arena[SNAPSHOT_ARENA_SIZE] __attribute__((aligned(SNAPSHOT_ARENA_SIZE)));

/* A freed block while recording; both words are cleared when it is taken, so that all memory comes zeroed. */
struct gap {
    struct gap *next;
    size_t size;
};

/* The heap's parts, side by side: a block goes where the plan says, by what starts do with it and what it is (heat.py).
   The last one takes what there is no plan for, or no room. */
static struct area {
    char *start;
    size_t size, used;
    struct gap *small[SMALL / GRANULE + 1];
    struct gap *large;
} areas[SNAPSHOT_AREAS + 1];
static int last;

static inline int
inside(const void *block)
{
    return (uintptr_t)block - (uintptr_t)snapshot_heap < SNAPSHOT_HEAP_SIZE;
}

static struct area *
area_of(const void *block)
{
    struct area *area = areas;
    while ((size_t)((const char *)block - area->start) >= area->size)
        area++;
    return area;
}

static size_t
granule_of(const void *block)
{
    return (size_t)((const char *)block - snapshot_heap) / GRANULE;
}

static void
mark_start(const void *block)
{
    size_t i = granule_of(block);
    snapshot_starts[i / WORD] |= 1UL << (i % WORD);
}

static void
unmark_start(const void *block)
{
    size_t i = granule_of(block);
    snapshot_starts[i / WORD] &= ~(1UL << (i % WORD));
}

/* The bytes from a block's start to the next mark: another block's start, or the end of what an area uses. */
static size_t
size_of(const void *block)
{
    size_t first = granule_of(block), i = first + 1;
    unsigned long word;
    while ((word = snapshot_starts[i / WORD] >> (i % WORD)) == 0)
        i += WORD - i % WORD;
    return (i + (size_t)__builtin_ctzl(word) - first) * GRANULE;
}

size_t
snapshot_heap_used(void)
{
    return (size_t)(areas[last].start - snapshot_heap) + areas[last].used;
}

/* The start of the block that an address of the heap lies in. */
void *
snapshot_block_of(const void *address)
{
    size_t i = granule_of(address);
    while (i && !(snapshot_starts[i / WORD] >> (i % WORD) & 1))
        i--;
    return snapshot_heap + i * GRANULE;
}

/* Before the first block: divide the heap into `count` areas of these sizes in bytes, and one of all that remains. */
void
snapshot_divide_heap(const size_t *sizes, int count)
{
    char *start = snapshot_heap;
    for (int i = 0; i < count; i++) {
        areas[i].start = start;
        areas[i].size = sizes[i];
        start += sizes[i];
    }
    areas[count].start = start;
    areas[count].size = (size_t)(snapshot_heap + SNAPSHOT_HEAP_SIZE - start);
    last = count;
}

static void
keep_gap(struct area *area, struct gap *gap, size_t size)
{
    struct gap **list = size <= SMALL ? &area->small[size / GRANULE] : &area->large;
    mark_start(gap);
    gap->size = size;
    gap->next = *list;
    *list = gap;
}

/* Take `size` bytes, a multiple of the granule, from the gaps; NULL when none is large enough. */
static void *
take_gap(struct area *area, size_t size)
{
    struct gap **link = size <= SMALL ? &area->small[size / GRANULE] : &area->large;
    while (*link && (*link)->size < size)
        link = &(*link)->next;
    struct gap *gap = *link;
    if (gap == NULL)
        return NULL;
    *link = gap->next;
    size_t rest = gap->size - size;
    gap->next = NULL;
    gap->size = 0;
    if (rest)
        keep_gap(area, (struct gap *)((char *)gap + size), rest);
    return gap;
}

static void *
take(struct area *area, size_t alignment, size_t size)
{
    if (alignment <= GRANULE) {
        void *block = take_gap(area, size);
        if (block)
            return block;
    }
    uintptr_t next = (uintptr_t)area->start + area->used;
    size_t skipped = -next & (alignment - 1);
    if (area->used + skipped + size >= area->size) /* the mark of the end has its place, too */
        return NULL;
    if (skipped)
        keep_gap(area, (struct gap *)next, skipped);
    area->used += skipped + size;
    mark_start((char *)next + skipped);
    mark_start(area->start + area->used);
    return (char *)next + skipped;
}

/* A zeroed block of the image. */
static void *
record_block(size_t alignment, size_t wanted)
{
    void *block = NULL;
    if (wanted <= SNAPSHOT_HEAP_SIZE) {
        size_t size = wanted ? (wanted + GRANULE - 1) & ~(size_t)(GRANULE - 1) : GRANULE;
        int planned = snapshot_planned_area();
        if (planned >= 0)
            block = take(&areas[planned], alignment, size);
        if (block == NULL)
            block = take(&areas[last], alignment, size);
    }
    if (block)
        snapshot_note_block(block);
    else
        errno = ENOMEM;
    return block;
}

static void
forget_block(void *block)
{
    struct area *area = area_of(block);
    size_t size = size_of(block);
    memset(block, 0, size); /* nothing of the dead goes into the file */
    if ((char *)block + size == area->start + area->used) {
        unmark_start((char *)block + size);
        area->used -= size; /* the mark of its start is that of the end now */
    }
    else
        keep_gap(area, block, size);
}

/* Recording is over: the lists of gaps are of no use any more, and their links must not be in the image. */
void
snapshot_finish_heap(void)
{
    for (struct area *area = areas; area <= areas + last; area++)
        for (size_t i = 0; i <= SMALL / GRANULE; i++) {
            struct gap **list = i ? &area->small[i] : &area->large;
            for (struct gap *next, *gap = *list; gap; gap = next) {
                next = gap->next;
                memset(gap, 0, sizeof *gap);
            }
            *list = NULL;
        }
}

void *
snapshot_malloc(size_t size)
{
    if (__builtin_expect(snapshot_phase == RESTORED, 1))
        return malloc(size);
    return record_block(GRANULE, size);
}

void *
snapshot_calloc(size_t count, size_t size)
{
    if (__builtin_expect(snapshot_phase == RESTORED, 1))
        return calloc(count, size);
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return record_block(GRANULE, bytes);
}

void
snapshot_free(void *block)
{
    if (!inside(block))
        free(block); /* NULL, too */
    else if (snapshot_phase == RECORDING)
        forget_block(block);
}

static void *
record_realloc(void *block, size_t size)
{
    size_t old = size_of(block);
    if (size <= old && (size > old / 2 || old <= 4 * GRANULE)) {
        memset((char *)block + size, 0, old - size); /* nor of what was cut off */
        return block;
    }
    void *copy = record_block(GRANULE, size);
    if (copy == NULL)
        return size <= old ? block : NULL;
    memcpy(copy, block, size < old ? size : old);
    forget_block(block);
    return copy;
}

void *
snapshot_realloc(void *block, size_t size)
{
    if (block == NULL)
        return snapshot_malloc(size);
    if (!inside(block))
        return realloc(block, size);
    if (snapshot_phase == RECORDING)
        return record_realloc(block, size);
    /* Nobody knows its size any more.  What lies behind it is copied, too, where nobody expects anything. */
    size_t most = (size_t)(snapshot_heap + snapshot_heap_used() - (char *)block);
    void *copy = malloc(size);
    return copy ? memcpy(copy, block, size < most ? size : most) : NULL;
}

/* Rust asks in these ways for alignments above 16. */
int
snapshot_posix_memalign(void **block, size_t alignment, size_t size)
{
    if (__builtin_expect(snapshot_phase == RESTORED, 1))
        return posix_memalign(block, alignment, size);
    *block = record_block(alignment < GRANULE ? GRANULE : alignment, size);
    return *block ? 0 : ENOMEM;
}

void *
snapshot_aligned_alloc(size_t alignment, size_t size)
{
    void *block;
    int error = snapshot_posix_memalign(&block, alignment, size);
    if (error) {
        errno = error;
        return NULL;
    }
    return block;
}

/* CPython takes the memory of Python's stack frames and pymalloc's arenas by mmap. */
void *
snapshot_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    int wanted = MAP_PRIVATE | MAP_ANONYMOUS;
    if (snapshot_phase == RESTORED || address || (flags & wanted) != wanted)
        return mmap(address, length, protection, flags, fd, offset);
    if (length == SNAPSHOT_ARENA_SIZE)
        return snapshot_arena; /* pymalloc's first; record.c asks for one */
    void *block = record_block(PAGE, (length + PAGE - 1) & ~(size_t)(PAGE - 1));
    return block ? block : MAP_FAILED;
}

/* The linker's renaming is one to one, and Rust uses the other name. */
void *
snapshot_mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return snapshot_mmap(address, length, protection, flags, fd, offset);
}

int
snapshot_munmap(void *address, size_t length)
{
    if (address == snapshot_arena)
        return madvise(address, length, MADV_DONTNEED);
    if (!inside(address))
        return munmap(address, length);
    snapshot_free(address);
    return 0;
}
