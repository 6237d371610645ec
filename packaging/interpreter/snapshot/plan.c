/* Where the recorder places each block of the heap, so that what a start touches lies side by side.

   Recording is deterministic: the nth block of one recording is the nth of the next.  The first recording notes where
   each of its blocks has come to lie; heat.py watches some starts from that image, and writes a plan for the second: a
   line with the sizes of the areas, then a byte for each block, the area that it belongs to. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snapshot.h"

static unsigned char *plan;
static size_t planned;
static size_t blocks; /* so many have been allocated */

/* Granule of the heap -> number of the block that began there last, counted from 1; in a map of its own. */
static uint32_t *numbers;
#define GRANULES (SNAPSHOT_HEAP_SIZE / SNAPSHOT_GRANULE)

static _Noreturn void
fail(const char *path)
{
    perror(path);
    _exit(1);
}

void
snapshot_read_plan(const char *path)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    numbers = mmap(NULL, GRANULES * sizeof *numbers, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (numbers == MAP_FAILED)
        fail("snapshot: memory");
    size_t sizes[SNAPSHOT_COLD] = {0};
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    if (fscanf(file, "%zu %zu %zu %zu", &sizes[0], &sizes[1], &sizes[2], &planned) != 4 || fgetc(file) != '\n') {
        fprintf(stderr, "%s: not a plan\n", path);
        _exit(1);
    }
    plan = malloc(planned + 1);
    if (plan == NULL || fread(plan, 1, planned, file) != planned)
        fail(path);
    fclose(file);
    snapshot_divide_heap(sizes);
}

int
snapshot_planned_area(size_t size)
{
    (void)size;
    size_t block = blocks++;
    return block < planned ? plan[block] - '0' : SNAPSHOT_COLD;
}

void
snapshot_note_block(const void *block)
{
    numbers[((const char *)block - snapshot_heap) / SNAPSHOT_GRANULE] = (uint32_t)blocks;
}

/* For heat.py: the heap's granules, each with the number of its block, as 32-bit words. */
void
snapshot_write_blocks(const char *path)
{
    size_t count = snapshot_heap_used() / SNAPSHOT_GRANULE;
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(numbers, sizeof *numbers, count, file) != count || fclose(file) != 0)
        fail(path);
}
