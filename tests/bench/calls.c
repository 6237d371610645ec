/* A plugin of QEMU: which granules of 16 bytes below 2 GiB are read, written or executed after the first access to
   the snapshot's heap, by any program.  argv: into=PATH, which gets a byte for each granule.

   Debian has no package of qemu-plugin.h; what is used of it is declared here, as its documentation has it
   (QEMU, "TCG Plugins"). */

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TOP 0x80000000UL
#define HEAP 0x40000000UL
#define GRANULE_BITS 4

typedef uint64_t plugin;
struct block;
struct instruction;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin, void (*)(plugin, struct block *));
extern size_t qemu_plugin_tb_n_insns(const struct block *);
extern struct instruction *qemu_plugin_tb_get_insn(const struct block *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct instruction *);
extern void qemu_plugin_register_vcpu_mem_cb(struct instruction *,
                                             void (*)(unsigned, uint32_t, uint64_t, void *), int, int, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct instruction *, void (*)(unsigned, void *), int, void *);

enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };

__attribute__((visibility("default"))) int qemu_plugin_version = VERSION;

static unsigned char *touched;
static int begun;

static void
touch(uint64_t address)
{
    if (address >= HEAP && address < TOP)
        begun = 1;
    if (begun && address < TOP)
        touched[address >> GRANULE_BITS] = 1;
}

static void
accessed(unsigned processor, uint32_t how, uint64_t address, void *data)
{
    touch(address);
}

static void
executed(unsigned processor, void *address)
{
    touch((uint64_t)address);
}

static void
translated(plugin self, struct block *block)
{
    size_t count = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < count; i++) {
        struct instruction *one = qemu_plugin_tb_get_insn(block, i);
        uint64_t address = qemu_plugin_insn_vaddr(one);
        qemu_plugin_register_vcpu_mem_cb(one, accessed, NO_REGISTERS, READS_AND_WRITES, NULL);
        if (address < TOP)
            qemu_plugin_register_vcpu_insn_exec_cb(one, executed, NO_REGISTERS, (void *)address);
    }
}

__attribute__((visibility("default"))) int
qemu_plugin_install(plugin self, const void *qemu, int argc, char **argv)
{
    if (argc != 1 || strncmp(argv[0], "into=", 5) != 0)
        return -1;
    int fd = open(argv[0] + 5, O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || ftruncate(fd, TOP >> GRANULE_BITS) < 0)
        return -1;
    touched = mmap(NULL, TOP >> GRANULE_BITS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (touched == MAP_FAILED)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(self, translated);
    return 0;
}
