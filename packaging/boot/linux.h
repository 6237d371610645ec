/* Linux system calls and the few string functions that the first stage needs: there is no libc.
 *
 * A call that fails returns -errno, as the kernel does.  Structures and constants come from the kernel's
 * own headers (package linux-libc-dev).
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <stddef.h>

#if defined __x86_64__
static inline long call6(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    /* the instruction itself overwrites rcx and r11 */
    __asm__ volatile("syscall"
                     : "+a"(n)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return n;
}
#elif defined __aarch64__
static inline long call6(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
                  x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e,
                  x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "no system calls known for this processor"
#endif

/* SYS(mount, source, target, ...): up to six arguments, those left out are 0 */
#define SYS(...) SYS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(name, a, b, c, d, e, f, ...) \
    call6(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* struct linux_dirent64 of getdents64(2), which no header of the kernel exports */
struct entry {
    unsigned long inode;
    long offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static inline long open_file(const char *path, long flags)
{
    return SYS(openat, AT_FDCWD, path, flags | O_CLOEXEC);
}

static inline size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

static inline int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* what follows `head` in `s`, or NULL when `s` does not begin with it */
static inline const char *after(const char *s, const char *head)
{
    while (*head)
        if (*s++ != *head++)
            return NULL;
    return s;
}

/* the decimal digits at the start of `s`; 0 when there are none */
static inline long number(const char *s)
{
    long n = 0;
    while (*s >= '0' && *s <= '9')
        n = n * 10 + *s++ - '0';
    return n;
}
