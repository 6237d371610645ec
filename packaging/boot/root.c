#include "linux.h"
#include "report.h"
#include "root.h"
#include <asm/errno.h>
#include <linux/fs.h>
#include <linux/mount.h>

/* Squashfs 4.0's superblock (Documentation/filesystems/squashfs.rst, fs/squashfs/squashfs_fs.h) */
#define SQUASHFS_MAGIC 0x73717368 /* "hsqs" */
struct squashfs {
    unsigned magic;
    char other[36];
    unsigned long bytes_used; /* at 40; little endian, as both our processors are */
    char rest[48];
};
_Static_assert(sizeof(struct squashfs) == 96, "the superblock's size");

#define RAM_DISK "/dev/ram0"
/* direct I/O wants addresses and lengths in whole blocks */
#define BLOCK 4096

/* the size of the squashfs in an open file or device; fails when there is none, or only a part of it */
static unsigned long squashfs_size(long fd, const char *path)
{
    struct squashfs head = {0};
    long r = SYS(pread64, fd, &head, sizeof head, 0);
    if (r < 0)
        fail("cannot read ", path, r);
    if (r < (long)sizeof head || head.magic != SQUASHFS_MAGIC)
        fail("no squashfs on ", path, 0);
    /* The end of a device is found like a file's, too. */
    long size = SYS(lseek, fd, 0, 2 /* SEEK_END */);
    if (size < 0 || (unsigned long)size < head.bytes_used) {
        struct text t = join(path, ": it has ", "");
        add_number(&t, head.bytes_used);
        add(&t, " bytes, of which there are ");
        add_number(&t, size);
        fail("the squashfs is cut off on ", t.s, 0);
    }
    return head.bytes_used;
}

struct text copy_to_ram(const char *from, const char *module)
{
    static char buffer[256 << 10] __attribute__((aligned(BLOCK)));
    long r, n, in = open_file(from, O_RDONLY);
    if (in < 0)
        fail("cannot open ", from, in);
    unsigned long size = squashfs_size(in, from), blocks = (size + BLOCK - 1) / BLOCK;
    /* just as large as it must be, whatever the size of the partition */
    struct text parameters = join("rd_nr=1 rd_size=", "", "");
    add_number(&parameters, blocks * (BLOCK / 1024));
    if ((r = insert_module(module, parameters.s)) < 0)
        fail("no RAM disk: cannot insert ", module, r);
    /* O_DIRECT: no second copy of it all in the page cache */
    long out = open_file(RAM_DISK, O_WRONLY | O_DIRECT);
    if (out < 0)
        fail("cannot open ", RAM_DISK, out);
    for (unsigned long at = 0; at < size; at += n) {
        n = SYS(pread64, in, buffer, sizeof buffer, at);
        if (n <= 0 || (n % BLOCK && at + n < size)) /* a short read: the disk is failing */
            fail("cannot read all of ", from, n);
        /* the last piece in whole blocks, and no more of them than the RAM disk has */
        long whole = (n + BLOCK - 1) / BLOCK * BLOCK;
        if ((unsigned long)whole > blocks * BLOCK - at)
            whole = blocks * BLOCK - at;
        if ((r = SYS(write, out, buffer, whole)) != whole)
            fail("cannot copy the root to memory: ", RAM_DISK, r);
    }
    SYS(close, in);
    SYS(close, out);
    return join(RAM_DISK, "", "");
}

/* No read-ahead on a disk that holds nothing but the root: the page fault of a mapped program reads around
 * the page by that much, and every 32 KiB block that it touches is decompressed whole.  Without it a cold
 * start is quicker by a quarter to two thirds and fills less of the page cache.
 *
 * But it belongs to the disk, not to the partition, and without it a file on /perm is read page by page, at a
 * tenth of the speed.  So the disk of a partition keeps what the kernel gave it.  `readahead=KIB` sets it
 * for either. */
static void set_read_ahead(long fd, const char *device)
{
    const char *wanted = option("readahead="), *name = after(device, "/dev/");
    struct text partition = join("/sys/class/block/", name ? name : "", "/partition");
    if (!wanted && !SYS(faccessat, AT_FDCWD, partition.s, 0 /* F_OK */))
        return;
    long r = SYS(ioctl, fd, BLKRASET, wanted ? 2 * number(wanted) : 0); /* in sectors */
    if (r < 0)
        say(WARNING, "cannot set the read-ahead of ", device, r);
}

void mount_root(const char *device, const char *folder)
{
    long r, fd = open_file(device, O_RDONLY);
    if (fd < 0)
        fail("cannot open ", device, fd);
    squashfs_size(fd, device);
    set_read_ahead(fd, device);
    SYS(close, fd);
    r = SYS(mount, device, folder, "squashfs", MS_RDONLY | MS_NODEV, 0);
    if (r == -ENODEV)
        fail("cannot mount the root: the kernel knows no squashfs, its module is missing: ", device, r);
    if (r < 0)
        fail("cannot mount the root, is it damaged? ", device, r);
}

long insert_module(const char *path, const char *parameters)
{
    long r, fd = open_file(path, O_RDONLY);
    if (fd < 0)
        return fd;
    r = SYS(finit_module, fd, parameters, 0);
    SYS(close, fd);
    return r == -EEXIST ? 0 : r;
}
