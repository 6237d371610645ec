/* What libraries do before main(), although few processes need it: put off until one does.

   OpenSSL and liblzma ask what the processor can do (CPUID).  In a virtual machine the host answers such a question, which
   takes longer than a system call, and they ask some ten at each start.  The linker leads the calls here first (--wrap). */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Before main() _init calls it; OpenSSL calls it again as it is first used (OPENSSL_init_crypto), and that call counts.
   Where it is a constructor instead (ARM, which has no CPUID), the first call is one too many, and is not missed.

   With the other caches of what the processor can do, on a page that each start writes to. */
void
__wrap_OPENSSL_cpuid_setup(void)
{
    void __real_OPENSSL_cpuid_setup(void);
    static char called __attribute__((section(".processor")));
    if (called)
        __real_OPENSSL_cpuid_setup();
    called = 1;
}

/* late.ld: the constructors of liblzma, which choose between its functions for a checksum. */
extern void (*const late_constructors[])(void), (*const late_constructors_end[])(void);

static void
construct(void)
{
    for (size_t i = 0; late_constructors + i < late_constructors_end; i++)
        late_constructors[i]();
}

static void
construct_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, construct);
}

uint32_t
__wrap_lzma_crc32(const uint8_t *data, size_t size, uint32_t crc)
{
    uint32_t __real_lzma_crc32(const uint8_t *, size_t, uint32_t);
    construct_once();
    return __real_lzma_crc32(data, size, crc);
}

uint64_t
__wrap_lzma_crc64(const uint8_t *data, size_t size, uint64_t crc)
{
    uint64_t __real_lzma_crc64(const uint8_t *, size_t, uint64_t);
    construct_once();
    return __real_lzma_crc64(data, size, crc);
}
