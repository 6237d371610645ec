#include "linux.h"
#include "report.h"
#include "root.h"
#include <asm/errno.h>
#include <linux/fs.h>
#include <linux/mount.h>

/* Seconds to wait for a disk: a USB disk behind a hub or a disk that spins up needs several. */
#define ROOTWAIT 30
#define POLL_MILLISECONDS 10

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

/* --- finding it ------------------------------------------------------------------------------ */

/* whether the text has the line KEY=VALUE */
static int has_line(const char *text, const char *key, const char *value)
{
    for (const char *p = text; *p;) {
        const char *q = after(p, key);
        if (q)
            q = after(q, value);
        if (q && (*q == '\n' || !*q))
            return 1;
        while (*p && *p++ != '\n')
            ;
    }
    return 0;
}

/* the value of KEY= in a text of lines, as a text of its own; empty when it has none */
static struct text line_value(const char *text, const char *key)
{
    for (const char *p = text; *p;) {
        const char *q = after(p, key);
        if (q) {
            struct text value = join(q, "", "");
            for (size_t i = 0; i < value.used; i++)
                if (value.s[i] == '\n')
                    value.s[value.used = i] = 0;
            return value;
        }
        while (*p && *p++ != '\n')
            ;
    }
    return (struct text){0};
}

/* A GUID as it lies on a disk, written as Linux writes PARTUUID: the first three groups little endian. */
static struct text guid_text(const unsigned char *raw)
{
    static const signed char order[] = {3, 2, 1, 0, -1, 5,  4,  -1, 7,  6,
                                        -1, 8, 9, -1, 10, 11, 12, 13, 14, 15};
    struct text t = {0};
    for (size_t i = 0; i < sizeof order; i++) {
        char two[3] = {"0123456789abcdef"[raw[order[i] < 0 ? 0 : order[i]] >> 4],
                       "0123456789abcdef"[raw[order[i] < 0 ? 0 : order[i]] & 15], 0};
        add(&t, order[i] < 0 ? "-" : two);
    }
    return t;
}

/* Whether a partition has this own GUID.  Linux tells it since 6.15; before, the disk's table does (UEFI
 * 2.10, 5.3): the header in sector 1, which says where the entries lie, of 128 bytes each. */
static int has_guid(const char *name, const char *uevent, const char *guid)
{
    static char parent[1024];
    static unsigned char sector[512] __attribute__((aligned(8)));
    struct text number_text = line_value(uevent, "PARTN="), disk, path;
    long entry, fd, found = 0;
    if (!number_text.used)
        return 0;
    path = join("/sys/class/block/", name, "/../uevent");
    if (read_file(path.s, parent, sizeof parent) <= 0)
        return 0;
    disk = line_value(parent, "DEVNAME=");
    disk = join("/dev/", disk.s, "");
    if ((fd = open_file(disk.s, O_RDONLY)) < 0)
        return 0;
    entry = (number(number_text.s) - 1) * 128;
    if (SYS(pread64, fd, sector, sizeof sector, 512) == sizeof sector &&
        *(unsigned long *)sector == 0x5452415020494645 /* "EFI PART" */ &&
        SYS(pread64, fd, sector, sizeof sector,
            *(unsigned long *)(sector + 72) * 512 + entry / 512 * 512) == sizeof sector)
        found = same(guid_text(sector + entry % 512 + 16).s, guid);
    SYS(close, fd);
    return found;
}

/* The partition with a GPT label or an own GUID: the kernel writes PARTNAME=LABEL into its uevent.  Empty:
 * none.  Two with one label are two disks with the same image, and nothing tells which of them the boot
 * loader came from; the GUID does. */
static struct text find_partition(const char *label, const char *guid)
{
    static char entries[4096] __attribute__((aligned(8))), uevent[1024];
    struct text found = {0};
    long n, fd = open_file("/sys/class/block", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        fail("cannot open ", "/sys/class/block", fd);
    while ((n = SYS(getdents64, fd, entries, sizeof entries)) > 0)
        for (long at = 0; at < n; at += ((struct entry *)(entries + at))->length) {
            const char *name = ((struct entry *)(entries + at))->name;
            struct text path = join("/sys/class/block/", name, "/uevent");
            if (read_file(path.s, uevent, sizeof uevent) <= 0 ||
                !(label ? has_line(uevent, "PARTNAME=", label)
                        : has_line(uevent, "PARTUUID=", guid) || has_guid(name, uevent, guid)))
                continue;
            if (found.used)
                say(CRITICAL, "another partition has the root's name and is left alone: ", name, 0);
            else
                found = join("/dev/", name, "");
        }
    SYS(close, fd);
    return found;
}

struct text find_root(void)
{
    const char *root = option("root="), *wait = option("rootwait="), *label, *guid;
    if (!root)
        fail("no root= on the kernel command line, and no /root.img", "", 0);
    label = after(root, "PARTLABEL=");
    guid = after(root, "PARTUUID=");
    /* as the kernel itself reads them: rootwait waits for ever, rootwait=S for S seconds */
    long polls = (wait ? number(wait) : ROOTWAIT) * 1000 / POLL_MILLISECONDS;
    for (;; polls--) {
        struct text device = label || guid ? find_partition(label, guid) : join(root, "", "");
        /* Opened, not only looked for: it is in sysfs before it is in /dev, and a card reader is there
         * before its card is. */
        long fd = device.used ? open_file(device.s, O_RDONLY) : -ENOENT;
        if (fd >= 0) {
            SYS(close, fd);
            return device;
        }
        if (polls <= 0 && !has_word("rootwait"))
            fail("the root's disk did not appear: ", root, fd);
        sleep_milliseconds(POLL_MILLISECONDS);
    }
}

/* --- what is on it --------------------------------------------------------------------------- */

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
 * the page by that much, and every 128 KiB block that it touches is decompressed whole.  Without it a cold
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
