/* At the end of recording: no word of the image may point to memory that a restored process does not have. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snapshot.h"

/* The linker's: the program's own addresses. */
extern const char __executable_start, _end;

/* The maps that will not be there: the C library's heap, anonymous ones, the stack. */
static struct {
    unsigned long start, end;
    char name[24];
} maps[64];
static int map_count;

static void
read_maps(void)
{
    static char line[512];
    FILE *file = fopen("/proc/self/maps", "r");
    if (file == NULL) {
        perror("snapshot: /proc/self/maps");
        _exit(1);
    }
    while (fgets(line, sizeof line, file)) {
        unsigned long start, end, inode;
        char mode[8], path[256] = "";
        if (sscanf(line, "%lx-%lx %7s %*x %*s %lu %255s", &start, &end, mode, &inode, path) < 4)
            continue;
        int own = start < (unsigned long)&_end && path[0] != '[';
        if (inode || own)
            continue; /* the program itself, with its .bss and the heap of the image */
        if (map_count == (int)(sizeof maps / sizeof *maps)) {
            fputs("snapshot: too many maps\n", stderr);
            _exit(1);
        }
        maps[map_count].start = start;
        maps[map_count].end = end;
        snprintf(maps[map_count++].name, sizeof maps->name, "%s", path[0] ? path : "anonymous");
    }
    fclose(file);
}

/* The name of the type, if a word is a pointer to one of the image's heap. */
static const char *
type_name(unsigned long word)
{
    unsigned long start = (unsigned long)snapshot_heap, end = start + snapshot_heap_used();
    if (word % sizeof(long) || word < start || word + sizeof(PyTypeObject) > end)
        return NULL;
    const char *name = ((const PyTypeObject *)word)->tp_name;
    int readable = (name > snapshot_heap && name < snapshot_heap + snapshot_heap_used())
                   || (name > &__executable_start && name < &_end);
    return readable && *name > ' ' && *name < 127 ? name : NULL;
}

static void
scan(FILE *report, const char *start, size_t size)
{
    for (const char *at = start; at + sizeof(long) <= start + size; at += sizeof(long)) {
        unsigned long word = *(const unsigned long *)at;
        for (int i = 0; i < map_count; i++)
            if (word >= maps[i].start && word < maps[i].end) {
                const char *block = start == snapshot_heap ? snapshot_block_of(at) : at;
                const unsigned long *words = (const unsigned long *)block;
                const char *type = start == snapshot_heap ? type_name(words[1]) : NULL;
                if (type == NULL && start == snapshot_heap)
                    type = type_name(words[3]); /* the collector's two words come first */
                fprintf(report, "%lx %lx %s %lx %lx %lx %lx %lx %s\n", (unsigned long)at, word, maps[i].name,
                        (unsigned long)block, words[0], words[1], words[2], words[3], type ? type : "-");
            }
    }
}

void
snapshot_audit(const char *path)
{
    read_maps();
    FILE *report = fopen(path, "w");
    if (report == NULL) {
        perror(path);
        _exit(1);
    }
    scan(report, snapshot_data, (size_t)(snapshot_data_end - snapshot_data));
    scan(report, snapshot_heap, snapshot_heap_used());
    fclose(report);
}
