/* Random work for memory.c: first as a recorder, with a plan, then as many threads and children that start from the image.

   memory_driver SEED STEPS -> 0; it aborts at the first byte that is not as it should be.  Build it with AddressSanitizer,
   which sees whatever is given to the C library and is not its own, or run it in valgrind. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot.h"

void *snapshot_malloc(size_t);
void *snapshot_calloc(size_t, size_t);
void *snapshot_realloc(void *, size_t);
void snapshot_free(void *);
int snapshot_posix_memalign(void **, size_t, size_t);
void *snapshot_aligned_alloc(size_t, size_t);
void *snapshot_mmap(void *, size_t, int, int, int, off_t);
int snapshot_munmap(void *, size_t);

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* plan.c's part: a block's area is drawn, too. */
static unsigned long starts[SNAPSHOT_HEAP_SIZE / SNAPSHOT_GRANULE / 8 / sizeof(long)];
unsigned long *snapshot_starts = starts;
#define AREAS 4
static unsigned plan_seed;
int snapshot_planned_area(void) { return rand_r(&plan_seed) % AREAS - 1; }
void snapshot_note_block(const void *block) { CHECK(snapshot_block_of(block) == block); }

struct block {
    unsigned char *start;
    size_t size;
    unsigned char fill;
};

static void
fill(struct block *block, unsigned char *start, size_t size, unsigned *seed)
{
    *block = (struct block){start, size, (unsigned char)(1 + rand_r(seed) % 255)};
    memset(start, block->fill, size);
}

static void
check(const struct block *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        CHECK(block->start[i] == block->fill);
}

static size_t
draw_size(unsigned *seed)
{
    switch (rand_r(seed) % 16) {
    case 0:
        return 0;
    case 1:
        return (size_t)rand_r(seed) % 100000;
    case 2:
    case 3:
        return (size_t)rand_r(seed) % 5000;
    default:
        return (size_t)rand_r(seed) % 300;
    }
}

static unsigned char *
draw_block(size_t size, unsigned *seed)
{
    void *start = NULL;
    size_t alignment = (size_t)16 << rand_r(seed) % 9;
    int zeroed = snapshot_phase == RECORDING;
    switch (rand_r(seed) % 4) {
    case 0:
        start = snapshot_calloc(1 + size / 8, 8);
        zeroed = 1;
        break;
    case 1:
        CHECK(snapshot_posix_memalign(&start, alignment, size) == 0);
        CHECK((uintptr_t)start % alignment == 0);
        break;
    case 2:
        start = snapshot_aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
        CHECK((uintptr_t)start % alignment == 0);
        break;
    default:
        start = snapshot_malloc(size);
    }
    CHECK(start && (uintptr_t)start % 16 == 0);
    for (size_t i = 0; zeroed && i < size; i++)
        CHECK(((unsigned char *)start)[i] == 0);
    return start;
}

static void
step(struct block *block, unsigned *seed)
{
    size_t size = draw_size(seed);
    if (block->start == NULL) {
        fill(block, draw_block(size, seed), size, seed);
        return;
    }
    check(block, block->size);
    if (rand_r(seed) % 3) {
        snapshot_free(block->start);
        block->start = NULL;
        return;
    }
    size += size == 0; /* the C library's realloc(block, 0) frees */
    unsigned char *moved = snapshot_realloc(block->start, size);
    CHECK(moved);
    if (moved == block->start && size < block->size && snapshot_phase == RECORDING)
        memset(moved + size, 0, block->size - size); /* a block's own end may keep what was there */
    block->start = moved;
    check(block, size < block->size ? size : block->size);
    fill(block, moved, size, seed);
}

#define BLOCKS 4000
static struct block image[BLOCKS];
static long steps;

static int
in_image(const void *start)
{
    return (const char *)start >= snapshot_heap && (const char *)start < snapshot_heap + SNAPSHOT_HEAP_SIZE;
}

/* A thread of a restored process: it grows, shrinks and drops its share of the image, and blocks of its own. */
static void *
live(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument, share = seed % 4;
    for (long i = 0; i < steps; i++)
        step(&image[(unsigned)rand_r(&seed) % (BLOCKS / 4) * 4 + share], &seed);
    return NULL;
}

static void
live_in_threads(unsigned seed)
{
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, live, (void *)(uintptr_t)(seed * 4 + i)) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void
live_in_child(unsigned seed)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        live_in_threads(seed);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int
main(int argc, char **argv)
{
    CHECK(argc == 3);
    unsigned seed = plan_seed = (unsigned)atoi(argv[1]);
    steps = atol(argv[2]);
    size_t sizes[AREAS - 1] = {1 << 16, 1 << 18, 1 << 20};
    snapshot_divide_heap(sizes, AREAS - 1);

    /* The recorder. */
    for (long i = 0; i < 4 * steps; i++)
        step(&image[rand_r(&seed) % BLOCKS], &seed);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS, mode = PROT_READ | PROT_WRITE;
    char *chunk = snapshot_mmap(NULL, 5000, mode, flags, -1, 0);
    CHECK(in_image(chunk) && (uintptr_t)chunk % 4096 == 0 && snapshot_munmap(chunk, 5000) == 0);
    CHECK(snapshot_mmap(NULL, SNAPSHOT_ARENA_SIZE, mode, flags, -1, 0) == snapshot_arena);
    errno = 0;
    CHECK(snapshot_malloc(SNAPSHOT_HEAP_SIZE) == NULL && errno == ENOMEM);
    CHECK(snapshot_malloc(SIZE_MAX) == NULL && snapshot_malloc(SIZE_MAX - 8) == NULL);
    CHECK(snapshot_calloc(SIZE_MAX / 2, 3) == NULL);
    snapshot_free(NULL);
    for (int i = 0; i < BLOCKS; i++)
        if (image[i].start) {
            check(&image[i], image[i].size);
            CHECK(in_image(image[i].start));
            CHECK(snapshot_block_of(image[i].start + image[i].size / 2) == image[i].start);
        }
    /* All that is no block is zero: nothing of the dead, no link of a list. */
    snapshot_finish_heap();
    size_t used = snapshot_heap_used(), live_bytes = 0, nonzero = 0;
    for (int i = 0; i < BLOCKS; i++)
        live_bytes += image[i].start ? image[i].size : 0;
    for (size_t i = 0; i < used; i++)
        nonzero += snapshot_heap[i] != 0;
    CHECK(nonzero == live_bytes);

    /* Processes that start from it: children first, for what the parent drops is gone. */
    snapshot_phase = RESTORED;
    char *before = malloc(used), *arena = snapshot_mmap(NULL, SNAPSHOT_ARENA_SIZE, mode, flags, -1, 0);
    CHECK(before && arena != snapshot_arena && snapshot_munmap(arena, SNAPSHOT_ARENA_SIZE) == 0);
    memcpy(before, snapshot_heap, used);
    live_in_child(seed + 1);
    CHECK(memcmp(before, snapshot_heap, used) == 0);
    /* free() does not write to the image: its pages stay shared. */
    for (int i = 0; i < BLOCKS; i += 7) {
        snapshot_free(image[i].start);
        image[i].start = NULL;
    }
    CHECK(memcmp(before, snapshot_heap, used) == 0);
    live_in_threads(seed + 2);
    live_in_child(seed + 3);
    for (int i = 0; i < BLOCKS; i++)
        if (image[i].start) {
            check(&image[i], image[i].size);
            snapshot_free(image[i].start);
        }
    CHECK(snapshot_malloc(SIZE_MAX / 2) == NULL && snapshot_calloc(SIZE_MAX, 2) == NULL);
    snapshot_arena[5] = 1;
    CHECK(snapshot_munmap(snapshot_arena, SNAPSHOT_ARENA_SIZE) == 0 && snapshot_arena[5] == 0);
    free(before);
    return 0;
}
