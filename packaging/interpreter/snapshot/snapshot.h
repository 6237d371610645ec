/* The snapshot: what its parts share.  README.md beside this file explains the whole. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stddef.h>

/* What the process is: the one that records the image, at build time, or one of the many that start from it. */
enum { RECORDING, RESTORED };
extern int snapshot_phase;

/* main() calls it before anything else.  In the recorder it does not return. */
void snapshot_begin(int argc, char **argv);

/* main.c: start the interpreter from nothing. */
void initialize(int argc, char **argv);

/* record.c: `argv[1]` is a folder with the plan and the files of Python; the image's parts are written there. */
void snapshot_record(int argc, char **argv);

/* restore.c: bring the recorded interpreter back to life in this process. */
void snapshot_restore(int argc, char **argv);

/* memory.c: the heap of the image. */
#define SNAPSHOT_GRANULE 16
#define SNAPSHOT_HEAP_SIZE (160UL << 20)
#define SNAPSHOT_ARENA_SIZE (1UL << 20) /* pymalloc's ARENA_SIZE */
extern char snapshot_heap[];
extern char snapshot_arena[]; /* the first memory of a restored process's own objects */
size_t snapshot_heap_used(void);
void *snapshot_block_of(const void *address);
void snapshot_finish_heap(void);
void snapshot_divide_heap(const size_t *sizes, int count);

/* plan.c: which area a block belongs to, or -1; and, while recording, a bit for each granule where a block starts. */
#define SNAPSHOT_AREAS 32 /* at most */
extern unsigned long *snapshot_starts;
void snapshot_read_plan(const char *path);
void snapshot_next_chapter(void);
int snapshot_planned_area(void);
void snapshot_note_block(const void *block);
void snapshot_write_blocks(const char *path);

/* outside.c: pthread keys whose numbers the image knows. */
void snapshot_restore_keys(void);

/* audit.c: list the words of the image that would dangle in a file, for audit.py. */
void snapshot_audit(const char *path);

/* restore.c: toolbox.multicall.main, borrowed. */
struct _object;
struct _object *snapshot_main(void);

/* restore.c: whether functions that are registered for the end of the process have nothing to do. */
int snapshot_nothing_at_exit(void);

/* hashlib.c: drop _hashlib's pointers into OpenSSL's heap. */
void snapshot_forget_digests(struct _object *module);

/* layout.ld: where the data of all objects inside the image begins and ends. */
extern char snapshot_data[], snapshot_data_end[];

#endif
