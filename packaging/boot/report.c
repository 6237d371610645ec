#include "linux.h"
#include "report.h"
#include <linux/reboot.h>
#include <linux/time_types.h>

/* COMMAND_LINE_SIZE is 2048 on both architectures */
static char command_line[4096];

char **arguments, **environment;

void add(struct text *t, const char *s)
{
    while (*s && t->used < sizeof t->s - 2) /* one byte for a line end, one for the zero */
        t->s[t->used++] = *s++;
    t->s[t->used] = 0;
}

void add_number(struct text *t, long n)
{
    char digits[24], *p = digits + sizeof digits - 1;
    for (*p = 0; n > 9; n /= 10)
        *--p = '0' + n % 10;
    *--p = '0' + n;
    add(t, p);
}

struct text join(const char *a, const char *b, const char *c)
{
    struct text t = {0};
    add(&t, a);
    add(&t, b);
    add(&t, c);
    return t;
}

/* those that a boot can meet; others are shown as a number */
static const char *error_name(long error)
{
    static const char *const names[] = {
        [1] = "EPERM",   [2] = "ENOENT",  [5] = "EIO",      [6] = "ENXIO",   [8] = "ENOEXEC",
        [12] = "ENOMEM", [13] = "EACCES", [15] = "ENOTBLK", [16] = "EBUSY",  [17] = "EEXIST",
        [19] = "ENODEV", [20] = "ENOTDIR", [22] = "EINVAL", [28] = "ENOSPC", [40] = "ELOOP",
    };
    size_t n = (size_t)-error;
    return n < sizeof names / sizeof *names && names[n] ? names[n] : "error";
}

void say(const char *level, const char *what, const char *argument, long error)
{
    struct text t = join(level, "first stage: ", what);
    add(&t, argument);
    if (error < 0) {
        add(&t, ": ");
        add(&t, error_name(error));
        add(&t, " (");
        add_number(&t, -error);
        add(&t, ")");
    }
    t.s[t.used++] = '\n';
    /* Through the kernel's log, every console, a screen and pstore have the line, in its order among the
     * kernel's own.  Opened anew for each: the kernel limits the rate of lines by open file. */
    long fd = open_file("/dev/kmsg", O_WRONLY);
    SYS(write, fd < 0 ? 2 : fd, t.s, t.used);
    if (fd >= 0)
        SYS(close, fd);
}

/* Seconds until a reboot: the kernel's own word panic=N, so that a failure here and a panic behave alike.
 * Negative: at once.  Without it 10, enough to read a line on a screen. */
static long patience(void)
{
    const char *seconds = option("panic=");
    if (!seconds || *seconds == '0')
        return 10;
    return *seconds == '-' ? 0 : number(seconds);
}

void fail(const char *what, const char *argument, long error)
{
    say(CRITICAL, what, argument, error);
    if (!SYS(faccessat, AT_FDCWD, "/rescue", 1 /* X_OK */)) {
        say(CRITICAL, "running /rescue", "", 0);
        arguments[0] = "/rescue";
        long r = SYS(execve, "/rescue", arguments, environment);
        say(CRITICAL, "cannot run /rescue", "", r);
    }
    /* A reboot, not a halt: a boot loader that counts tries can then fall back to another system. */
    struct text t = {0};
    add_number(&t, patience());
    add(&t, " s");
    say(CRITICAL, "reboot in ", t.s, 0);
    /* The kernel's last words are kept for the next boot only when it panics, as it does when its first
     * process ends. */
    const char *panics = option("panic=");
    if (on_trial() && panics && *panics != '0')
        SYS(exit_group, 1);
    sleep_milliseconds(patience() * 1000);
    SYS(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0);
    for (;;) /* the kernel panics when its first process ends */
        sleep_milliseconds(1000000);
}

void read_command_line(void)
{
    read_file("/proc/cmdline", command_line, sizeof command_line);
    /* words end with a zero each; the buffer's own last zero ends the list */
    for (char *p = command_line; *p; p++)
        if (*p <= ' ')
            *p = 0;
}

/* the first word at or after `p` */
static const char *next_word(const char *p)
{
    const char *end = command_line + sizeof command_line;
    while (p < end && !*p)
        p++;
    return p < end ? p : NULL;
}

const char *option(const char *key)
{
    const char *value, *found = NULL;
    for (const char *p = next_word(command_line); p; p = next_word(p + length(p)))
        if ((value = after(p, key)))
            found = value;
    return found;
}

int on_trial(void)
{
    const char *word = option("snakeroot.boot=");
    return word && same(word, "trial");
}

int has_word(const char *word)
{
    for (const char *p = next_word(command_line); p; p = next_word(p + length(p)))
        if (same(p, word))
            return 1;
    return 0;
}

long read_file(const char *path, char *buffer, size_t size)
{
    long n = 0, r = 0, fd = open_file(path, O_RDONLY);
    if (fd < 0)
        return fd;
    while (n < (long)size - 1 && (r = SYS(read, fd, buffer + n, size - 1 - n)) > 0)
        n += r;
    SYS(close, fd);
    buffer[n] = 0;
    return r < 0 ? r : n;
}

void sleep_milliseconds(long n)
{
    struct __kernel_timespec t = {n / 1000, n % 1000 * 1000000};
    SYS(nanosleep, &t, 0);
}

/* gcc makes calls of these three by itself, even where no source names them */
void *memset(void *to, int byte, size_t n)
{
    for (char *p = to; n--;)
        *p++ = byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    const char *q = from;
    for (char *p = to; n--;)
        *p++ = *q++;
    return to;
}

size_t strlen(const char *s)
{
    return length(s);
}
