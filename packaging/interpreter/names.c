/* Users, groups, hosts: before the first question to the C library, pin where it looks for the answer.

   A static glibc follows the host's /etc/nsswitch.conf into dlopen and crashes in a library of another build
   (libnss_systemd).  Files and DNS are what it has built in.  The linker leads every call here first (--wrap); a start
   that asks for no name does not pay for it. */

#define _GNU_SOURCE
#include <grp.h>
#include <netdb.h>
#include <nss.h>
#include <pwd.h>
#include <stddef.h>

static void
pin(void)
{
    static const char *const databases[] = {
        "aliases", "ethers", "group", "gshadow", "initgroups", "networks",
        "passwd", "protocols", "rpc", "services", "shadow",
    };
    static int pinned; /* pinning twice, in two threads, does no harm */
    if (pinned)
        return;
    for (size_t i = 0; i < sizeof databases / sizeof *databases; i++)
        __nss_configure_lookup(databases[i], "files");
    __nss_configure_lookup("hosts", "files dns");
    pinned = 1;
}

#define WRAP(type, name, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters \
    { \
        pin(); \
        return __real_##name arguments; \
    }

WRAP(int, getpwnam_r, (const char *a, struct passwd *b, char *c, size_t d, struct passwd **e), (a, b, c, d, e))
WRAP(int, getpwuid_r, (uid_t a, struct passwd *b, char *c, size_t d, struct passwd **e), (a, b, c, d, e))
WRAP(void, setpwent, (void), ())
WRAP(int, getgrnam_r, (const char *a, struct group *b, char *c, size_t d, struct group **e), (a, b, c, d, e))
WRAP(int, getgrgid_r, (gid_t a, struct group *b, char *c, size_t d, struct group **e), (a, b, c, d, e))
WRAP(void, setgrent, (void), ())
WRAP(int, getgrouplist, (const char *a, gid_t b, gid_t *c, int *d), (a, b, c, d))
WRAP(int, initgroups, (const char *a, gid_t b), (a, b))
WRAP(int, getaddrinfo, (const char *a, const char *b, const struct addrinfo *c, struct addrinfo **d), (a, b, c, d))
WRAP(int, getnameinfo,
     (const struct sockaddr *a, socklen_t b, char *c, socklen_t d, char *e, socklen_t f, int g), (a, b, c, d, e, f, g))
WRAP(struct hostent *, gethostbyname, (const char *a), (a))
WRAP(int, gethostbyname_r,
     (const char *a, struct hostent *b, char *c, size_t d, struct hostent **e, int *f), (a, b, c, d, e, f))
WRAP(int, gethostbyaddr_r,
     (const void *a, socklen_t b, int c, struct hostent *d, char *e, size_t f, struct hostent **g, int *h),
     (a, b, c, d, e, f, g, h))
WRAP(struct servent *, getservbyname, (const char *a, const char *b), (a, b))
WRAP(struct servent *, getservbyport, (int a, const char *b), (a, b))
WRAP(struct protoent *, getprotobyname, (const char *a), (a))
