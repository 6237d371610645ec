#include "linux.h"
#include "root.h"
#include <asm/signal.h>
#include <linux/elf.h>

#define PAGE 4096
#define LEAST_PRIORITY 19

/* A program may say in a note which parts of its file starts touch (packaging/interpreter/snapshot/image.py). */
#define OWNER "Snakeroot"
#define PARTS 1
struct __attribute__((packed)) note {
    Elf64_Nhdr head;
    char owner[(sizeof OWNER + 3) & -4];
    struct {
        unsigned long offset, size;
    } parts[];
};

/* the note in the first bytes of a program's file, or NULL */
static const struct note *find_note(const char *head)
{
    const Elf64_Ehdr *elf = (const void *)head;
    const Elf64_Phdr *segment;
    if (!after(head, ELFMAG) || elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_phoff > PAGE ||
        elf->e_phoff + elf->e_phnum * sizeof *segment > PAGE)
        return NULL;
    segment = (const void *)(head + elf->e_phoff);
    for (int i = 0; i < elf->e_phnum; i++, segment++) {
        unsigned long at = segment->p_offset, end = at + segment->p_filesz;
        if (segment->p_type != PT_NOTE || at > PAGE || end > PAGE)
            continue;
        while (at + sizeof(struct note) <= end) {
            const struct note *note = (const void *)(head + at);
            unsigned long size = sizeof note->head + ((note->head.n_namesz + 3UL) & -4) +
                                 ((note->head.n_descsz + 3UL) & -4);
            if (size > end - at)
                break;
            if (note->head.n_type == PARTS && note->head.n_namesz == sizeof OWNER &&
                same(note->owner, OWNER))
                return note;
            at += size;
        }
    }
    return NULL;
}

void prefetch(const char *path)
{
    static char head[PAGE];
    /* What goes wrong here costs the time that was to be saved, and nothing else. */
    if (SYS(clone, SIGCHLD, 0, 0, 0, 0))
        return;
    SYS(setpriority, 0 /* PRIO_PROCESS */, 0, LEAST_PRIORITY);
    long fd = open_file(path, O_RDONLY);
    const struct note *note = NULL;
    if (SYS(pread64, fd, head, sizeof head, 0) == sizeof head)
        note = find_note(head);
    for (size_t i = 0; note && i < note->head.n_descsz / sizeof *note->parts; i++) {
        unsigned long at = note->parts[i].offset & -PAGE, end = note->parts[i].offset + note->parts[i].size;
        char byte;
        /* readahead(2) reads nothing from a disk that has been told to read nothing ahead (root.c). */
        while (at < end && SYS(pread64, fd, &byte, 1, at) == 1)
            at += PAGE;
    }
    SYS(exit_group, 0);
}
