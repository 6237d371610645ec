/* Where the recorder places each block of the heap, so that what a start touches lies side by side, and the rest by kinds.

   Recording is deterministic: the nth block of one recording is the nth of the next.  The first recording notes where
   each of its blocks has come to lie; heat.py watches some starts from that image, and writes a plan for the second.

   That the second has other addresses may change a little: sets of objects have another order.  So blocks are counted
   anew in each of many chapters (the import of a module is one), and a difference does not reach beyond its own.

   The plan: a line with the numbers of areas, chapters and blocks; for each area its size in bytes, as a 64-bit word; where
   each chapter begins, as 32-bit words; a byte for each block, the area that it belongs to. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snapshot.h"

static unsigned char *areas; /* of each block; NOWHERE: it had gone when the first recording ended */
#define NOWHERE 255
static uint32_t *planned; /* where the plan's chapters begin, and the number of its blocks */
static size_t planned_chapters;

static uint32_t begun[1 << 14]; /* where our own chapters begin */
static size_t chapters, blocks;

unsigned long *snapshot_starts;

/* Granule of the heap -> number of the block that began there last, counted from 1; in a map of its own. */
static uint32_t *numbers;
#define GRANULES (SNAPSHOT_HEAP_SIZE / SNAPSHOT_GRANULE)

static _Noreturn void
fail(const char *path)
{
    perror(path);
    _exit(1);
}

/* Zeros, in a map of its own. */
static void *
map(size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        fail("snapshot: memory");
    return made;
}

void
snapshot_read_plan(const char *path)
{
    numbers = map(GRANULES * sizeof *numbers);
    snapshot_starts = map(GRANULES / 8);
    size_t sizes[SNAPSHOT_AREAS], count, blocks_planned;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    if (fscanf(file, "%zu %zu %zu", &count, &planned_chapters, &blocks_planned) != 3 || fgetc(file) != '\n'
        || count > SNAPSHOT_AREAS) {
        fprintf(stderr, "%s: not a plan\n", path);
        _exit(1);
    }
    planned = malloc((planned_chapters + 1) * sizeof *planned);
    areas = malloc(blocks_planned + 1);
    if (planned == NULL || areas == NULL || fread(sizes, sizeof *sizes, count, file) != count
        || fread(planned, sizeof *planned, planned_chapters, file) != planned_chapters
        || fread(areas, 1, blocks_planned, file) != blocks_planned)
        fail(path);
    planned[planned_chapters] = (uint32_t)blocks_planned;
    fclose(file);
    snapshot_divide_heap(sizes, (int)count);
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
        return -1;
    size_t there = planned[chapters - 1] + (block - begun[chapters - 1]);
    return there < planned[chapters] && areas[there] != NOWHERE ? areas[there] : -1;
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
