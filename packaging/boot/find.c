#include "linux.h"
#include "report.h"
#include "root.h"
#include <asm/errno.h>

/* Seconds to wait for a disk: a USB disk behind a hub or a disk that spins up needs several. */
#define ROOTWAIT 30
#define POLL_MILLISECONDS 10

#define GPT_SIGNATURE 0x5452415020494645 /* "EFI PART" */
#define SECTOR 512
#define GPT_ENTRY 128

/* the value of the line KEY=VALUE in a text; empty when there is none */
static struct text line_value(const char *text, const char *key)
{
    const char *p = text, *found = NULL;
    while (*p && !(found = after(p, key)))
        while (*p && *p++ != '\n')
            ;
    struct text value = join(found ? found : "", "", "");
    for (size_t i = 0; i < value.used; i++)
        if (value.s[i] == '\n')
            value.s[value.used = i] = 0;
    return value;
}

/* A GUID as it lies on a disk, written as PARTUUID is: the first three groups are little endian. */
static struct text guid_text(const unsigned char *raw)
{
    static const unsigned char order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    static const char digits[] = "0123456789abcdef";
    struct text t = {0};
    for (size_t i = 0; i < sizeof order; i++) {
        char byte[3] = {digits[raw[order[i]] >> 4], digits[raw[order[i]] & 15], 0};
        if (i == 4 || i == 6 || i == 8 || i == 10)
            add(&t, "-");
        add(&t, byte);
    }
    return t;
}

/* The own GUID of a partition, by its name in sysfs and its uevent there; empty when it has none.  Linux
 * tells it since 6.15.  Before, the disk's table does (UEFI 2.10, 5.3): the header in sector 1 says where the
 * entries lie. */
static struct text partition_guid(const char *name, const char *uevent)
{
    static char parent[1024];
    static unsigned char sector[SECTOR] __attribute__((aligned(8)));
    struct text guid = line_value(uevent, "PARTUUID="), place = line_value(uevent, "PARTN=");
    if (guid.used || !place.used)
        return guid;
    /* the link of a partition leads into its disk's folder */
    struct text path = join("/sys/class/block/", name, "/../uevent");
    if (read_file(path.s, parent, sizeof parent) <= 0)
        return guid;
    struct text disk = line_value(parent, "DEVNAME=");
    disk = join("/dev/", disk.s, "");
    long fd = open_file(disk.s, O_RDONLY), entry = (number(place.s) - 1) * GPT_ENTRY;
    if (fd < 0)
        return guid;
    if (SYS(pread64, fd, sector, SECTOR, SECTOR) == SECTOR &&
        *(unsigned long *)sector == GPT_SIGNATURE) {
        long table = *(long *)(sector + 72) * SECTOR; /* the field PartitionEntryLBA */
        if (SYS(pread64, fd, sector, SECTOR, table + entry / SECTOR * SECTOR) == SECTOR)
            guid = guid_text(sector + entry % SECTOR + 16); /* UniquePartitionGUID */
    }
    SYS(close, fd);
    return guid;
}

/* The device of the partition with a GPT label or an own GUID, as sysfs tells them; empty when there is none.
 * Two with one label are two disks with the same image, and nothing tells which of them the boot loader came
 * from; the GUID does. */
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
            if (read_file(path.s, uevent, sizeof uevent) <= 0)
                continue;
            struct text own = label ? line_value(uevent, "PARTNAME=") : partition_guid(name, uevent);
            if (!own.used || !same(own.s, label ? label : guid))
                continue;
            if (found.used) {
                say(CRITICAL, "another partition has the root's name and is left alone: ", name, 0);
                continue;
            }
            own = line_value(uevent, "DEVNAME=");
            found = join("/dev/", own.s, "");
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
