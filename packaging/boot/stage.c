/* The first program of the initramfs: inserts modules, mounts the root, makes it /, runs its init, and has what starts
 * of that touch read ahead.
 *
 * In the initramfs, besides this program as /init:
 *   /modules.list   what is to be done with which module, see `read_list`; the archive's last member
 *   /crash/list     likewise the modules that keep the kernel's last words; before all others
 *   /root.img       the root as a file, to be copied to a RAM disk; without it `root=` names a device
 *   /rescue         a program to be run when there is no way on; without it the machine reboots
 *
 * On the kernel's command line: root=/dev/NAME, root=PARTUUID=GUID or
 * root=PARTLABEL=LABEL, rootwait[=SECONDS], init=PATH,
 * readahead=KIB, panic=SECONDS, snakeroot.boot=WORD, snakeroot.watchdog=SECONDS.
 *
 * The kernel boots on with an initramfs that was cut off or that did not fit into memory: it prints
 * "Initramfs unpacking failed" and runs whatever /init there is.  So the archive ends with the list, and
 * nothing is done before that was found whole.  (Cut off inside of /init itself, the kernel finds no init
 * and panics, which `panic=` turns into a reboot.)
 */
#include "linux.h"
#include "report.h"
#include "root.h"
#include <asm/errno.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <linux/watchdog.h>

#define LIST "/modules.list"
#define CRASH_LIST "/crash/list"
#define ROOT "/root"
#define IMAGE "/root.img"

/* Where init finds the watchdog, and after how many seconds without a sign of life it resets the machine. */
#define WATCHDOG_FD 3
#define WATCHDOG_SECONDS 60

/* the module of the RAM disk, when the list says that the root is to be copied to one */
static const char *ram_module;

static void mount_kernel_file_systems(void)
{
    static const struct {
        const char *type, *target, *options;
        long flags;
    } mounts[] = {
        {"devtmpfs", "/dev", "mode=0755", MS_NOSUID},
        {"proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
    };
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        const char *target = mounts[i].target;
        SYS(mkdirat, AT_FDCWD, target, 0755); /* here, not in the archive: that may be incomplete */
        long r = SYS(mount, mounts[i].type, target, mounts[i].type, mounts[i].flags,
                     mounts[i].options);
        if (r < 0)
            say(WARNING, "cannot mount ", target, r);
    }
}

/* cut the next word off a line; an empty one at its end */
static char *next_word(char **line)
{
    char *word = *line, *p = word;
    while (*p && *p != ' ')
        p++;
    *line = *p ? p + 1 : p;
    *p = 0;
    return word;
}

/* A list has a line for each module, "load SIZE PATH [PARAMETERS]" or "ram SIZE PATH", in the order of their
 * insertion, and the line "end".  What follows a line "need WORD" is for kernels with that word alone.  With `insert` 0 the files' sizes are checked and nothing is done; else the modules
 * are inserted, but for the RAM disk's, which is noted: how large a disk is wanted is not known yet. */
static void read_list(const char *name, int insert)
{
    static char list[8192]; /* a hundred modules */
    const char *incomplete = "the initramfs is incomplete: it was cut off, or memory is short: ";
    char *line, *next = list;
    long r = read_file(name, list, sizeof list);
    if (r < 0)
        fail(incomplete, name, r);
    while (*(line = next)) {
        while (*next && *next != '\n')
            next++;
        if (*next)
            *next++ = 0;
        const char *what = next_word(&line);
        if (same(what, "end"))
            return;
        if (same(what, "need")) {
            if (!has_word(next_word(&line)))
                return;
            continue;
        }
        long size = number(next_word(&line));
        const char *path = next_word(&line);
        if (!insert) {
            struct statx s = {0};
            r = SYS(statx, AT_FDCWD, path, 0, STATX_SIZE, &s);
            if (r < 0 || s.stx_size != (unsigned long)size)
                fail("the initramfs is damaged: ", path, r);
        } else if (same(what, "ram")) {
            ram_module = path;
        } else {
            /* Not the end: perhaps it is of no use on this machine. */
            r = insert_module(path, line);
            if (r < 0)
                say(CRITICAL, "cannot insert the module ", path, r);
        }
    }
    fail(incomplete, join(name, " has no end", "").s, 0);
}

/* A release on trial that hangs is to be left, wherever it hangs: the watchdog begins here, and init, which
 * finds it open, goes on with it (applets/init/health.py).  None is no error: not every kernel has one. */
static void begin_watchdog(void)
{
    const char *wanted = option("snakeroot.watchdog=");
    int seconds = wanted ? number(wanted) : WATCHDOG_SECONDS;
    long fd = open_file("/dev/watchdog", O_WRONLY);
    if (fd < 0)
        return;
    SYS(ioctl, fd, WDIOC_SETTIMEOUT, &seconds);
    SYS(dup3, fd, WATCHDOG_FD, 0);
    if (fd != WATCHDOG_FD)
        SYS(close, fd);
}

/* Remove everything below an open folder: the old root lies in memory, and nobody could reach it to free
 * it later.  Another file system mounted there is left alone. */
static void empty(long folder, const struct statx *top)
{
    char entries[1024] __attribute__((aligned(8)));
    long n;
    while ((n = SYS(getdents64, folder, entries, sizeof entries)) > 0)
        for (long at = 0; at < n; at += ((struct entry *)(entries + at))->length) {
            const char *name = ((struct entry *)(entries + at))->name;
            struct statx s;
            if (same(name, ".") || same(name, ".."))
                continue;
            if (SYS(statx, folder, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &s) < 0 ||
                s.stx_dev_major != top->stx_dev_major || s.stx_dev_minor != top->stx_dev_minor)
                continue;
            int is_folder = (s.stx_mode & 0170000) == 0040000;
            if (is_folder) {
                long inner = SYS(openat, folder, name,
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (inner >= 0) {
                    empty(inner, top);
                    SYS(close, inner);
                }
            }
            SYS(unlinkat, folder, name, is_folder ? AT_REMOVEDIR : 0);
        }
}

/* Make ROOT the root.  pivot_root(2) cannot do it: the initramfs is the one mount that cannot be moved or
 * unmounted.  So the new root is moved over it. */
static void switch_root(void)
{
    static const char *const kept[] = {"/dev", "/proc", "/sys"};
    struct statx top;
    long r, old;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct text target = join(ROOT, kept[i], "");
        if ((r = SYS(mount, kept[i], target.s, NULL, MS_MOVE)) < 0)
            say(CRITICAL, "the root cannot have the mount ", kept[i], r);
    }
    if ((r = SYS(chdir, ROOT)) < 0)
        fail("cannot enter the root", "", r);
    old = open_file("/", O_RDONLY | O_DIRECTORY);
    if ((r = SYS(statx, old, "", AT_EMPTY_PATH, STATX_TYPE, &top)) < 0)
        fail("cannot look at /", "", r);
    if ((r = SYS(mount, ".", "/", NULL, MS_MOVE)) < 0 || (r = SYS(chroot, ".")) < 0 ||
        (r = SYS(chdir, "/")) < 0)
        fail("cannot switch to the root", "", r);
    empty(old, &top);
    SYS(close, old);
}

/* stack: argc, then argv and envp, each ended by NULL, as the kernel leaves them */
__attribute__((used, noreturn)) void start(long *stack)
{
    struct text device, path;
    struct statx s;
    long r;

    arguments = (char **)stack + 1;
    environment = arguments + stack[0] + 1;
    mount_kernel_file_systems();
    read_command_line();
    /* Its name is before the others' in the archive's order: a part that has this program has it, too. */
    if (!SYS(faccessat, AT_FDCWD, CRASH_LIST, 4 /* R_OK */))
        read_list(CRASH_LIST, 1);
    read_list(LIST, 0);
    read_list(LIST, 1);
    if (on_trial())
        begin_watchdog();

    int image = !SYS(faccessat, AT_FDCWD, IMAGE, 4 /* R_OK */);
    if (image && !ram_module)
        fail("no RAM disk for " IMAGE ": ", LIST " has no line \"ram\"", 0);
    device = image ? join(IMAGE, "", "") : find_root();
    if (ram_module)
        device = copy_to_ram(device.s, ram_module);
    SYS(mkdirat, AT_FDCWD, ROOT, 0755);
    mount_root(device.s, ROOT);

    const char *init = option("init=");
    if (!init)
        init = "/sbin/init";
    /* Looked for before the mounts are moved: /rescue then still has its /dev.  Not followed: an absolute
     * link leads to the right place only when the root is /. */
    path = join(ROOT, init, "");
    if ((r = SYS(statx, AT_FDCWD, path.s, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &s)) < 0)
        fail("the root has no ", init, r);
    switch_root();
    prefetch(init);
    arguments[0] = (char *)init;
    fail("cannot run ", init, SYS(execve, init, arguments, environment));
}

/* The kernel enters here with argc at the stack pointer, and frame pointer and return address unset. */
#if defined __x86_64__
__asm__(".globl _start\n"
        "_start: xor %ebp, %ebp\n"
        " mov %rsp, %rdi\n"
        " and $-16, %rsp\n"
        " call start\n");
#elif defined __aarch64__
__asm__(".globl _start\n"
        "_start: mov x29, #0\n"
        " mov x30, #0\n"
        " mov x0, sp\n"
        " b start\n");
#endif
