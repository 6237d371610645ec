/* Where the recorder places each block of the heap, so that what a start touches lies side by side.

   Recording is deterministic: the nth block of one recording is the nth of the next.  The first recording notes where
   each of its blocks has come to lie; heat.py watches some starts from that image, and writes a plan for the second.

   That the second has other addresses may change a little: sets of objects have another order.  So blocks are counted
   anew in each of many chapters (the import of a module is one), and a difference does not reach beyond its own.

   The plan: a line with the sizes of the areas, the number of chapters and that of blocks; where each chapter begins, as
   32-bit words; a digit for each block, the area that it belongs to. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snapshot.h"

static unsigned char *areas;
static uint32_t *planned; /* where the plan's chapters begin, and the number of its blocks */
static size_t planned_chapters;

static uint32_t begun[1 << 14]; /* where our own chapters begin */
static size_t chapters, blocks;

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
    size_t sizes[SNAPSHOT_COLD] = {0}, count;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    if (fscanf(file, "%zu %zu %zu %zu %zu", &sizes[0], &sizes[1], &sizes[2], &planned_chapters, &count) != 5
        || fgetc(file) != '\n') {
        fprintf(stderr, "%s: not a plan\n", path);
        _exit(1);
    }
    planned = malloc((planned_chapters + 1) * sizeof *planned);
    areas = malloc(count + 1);
    if (planned == NULL || areas == NULL || fread(planned, sizeof *planned, planned_chapters, file) != planned_chapters
        || fread(areas, 1, count, file) != count)
        fail(path);
    planned[planned_chapters] = (uint32_t)count;
    fclose(file);
    snapshot_divide_heap(sizes);
}

void
snapshot_next_chapter(void)
{
    if (chapters == sizeof begun / sizeof *begun) {
        fputs("snapshot: too many chapters\n", stderr);
        _exit(1);
    }
    begun[chapters++] = (uint32_t)blocks;
}

int
snapshot_planned_area(void)
{
    size_t block = blocks++;
    if (chapters == 0 || chapters > planned_chapters)
        return SNAPSHOT_COLD;
    size_t there = planned[chapters - 1] + (block - begun[chapters - 1]);
    return there < planned[chapters] ? areas[there] - '0' : SNAPSHOT_COLD;
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
    file = fopen("chapters", "w");
    if (file == NULL || fwrite(begun, sizeof *begun, chapters, file) != chapters || fclose(file) != 0)
        fail("chapters");
}
