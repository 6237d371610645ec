/* A tool of valgrind: which bytes below 4 GiB a run reads, executes and writes.

   Valgrind's own lackey prints a line for each access, many millions of them; this one prints at the end, for each stretch
   of bytes that have been touched alike, a line with its address, its length and `w` if it was written, else `r`.  What the
   kernel reads and writes for a system call counts as well. */

#include "pub_tool_basics.h"
#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_machine.h"
#include "pub_tool_mallocfree.h"
#include "pub_tool_options.h"
#include "pub_tool_threadstate.h"
#include "pub_tool_tooliface.h"

#define PAGE_BITS 12
#define PAGE_SIZE (1UL << PAGE_BITS)
#define TOP (1UL << 32)

enum { UNTOUCHED, READ, WRITTEN };

/* for each page that has been touched a byte for each of its bytes */
static UChar *pages[TOP >> PAGE_BITS];

static void
touch(Addr address, SizeT size, UChar how)
{
    for (Addr end = address + size; address < end && address < TOP; address++) {
        UChar **page = &pages[address >> PAGE_BITS];
        if (*page == NULL)
            *page = VG_(calloc)("watch.page", PAGE_SIZE, 1);
        UChar *byte = &(*page)[address & (PAGE_SIZE - 1)];
        if (*byte < how)
            *byte = how;
    }
}

static VG_REGPARM(2) void
touch_read(Addr address, SizeT size)
{
    touch(address, size, READ);
}

static VG_REGPARM(2) void
touch_written(Addr address, SizeT size)
{
    touch(address, size, WRITTEN);
}

static void
call(IRSB *to, Bool written, IRExpr *address, SizeT size)
{
    IRExpr **arguments = mkIRExprVec_2(address, mkIRExpr_HWord(size));
    IRDirty *dirty = written ? unsafeIRDirty_0_N(2, "touch_written", VG_(fnptr_to_fnentry)(touch_written), arguments)
                             : unsafeIRDirty_0_N(2, "touch_read", VG_(fnptr_to_fnentry)(touch_read), arguments);
    addStmtToIRSB(to, IRStmt_Dirty(dirty));
}

static IRSB *
instrument(VgCallbackClosure *closure, IRSB *from, const VexGuestLayout *layout, const VexGuestExtents *extents,
           const VexArchInfo *host, IRType guest_word, IRType host_word)
{
    IRSB *to = deepCopyIRSBExceptStmts(from);
    IRTypeEnv *types = from->tyenv;
    for (Int i = 0; i < from->stmts_used; i++) {
        IRStmt *statement = from->stmts[i];
        IRExpr *value;
        switch (statement->tag) {
        case Ist_IMark:
            call(to, False, mkIRExpr_HWord(statement->Ist.IMark.addr), statement->Ist.IMark.len);
            break;
        case Ist_WrTmp:
            value = statement->Ist.WrTmp.data;
            if (value->tag == Iex_Load)
                call(to, False, value->Iex.Load.addr, sizeofIRType(value->Iex.Load.ty));
            break;
        case Ist_Store:
            value = statement->Ist.Store.data;
            call(to, True, statement->Ist.Store.addr, sizeofIRType(typeOfIRExpr(types, value)));
            break;
        case Ist_StoreG: /* whether the condition holds or not: they are rare */
            value = statement->Ist.StoreG.details->data;
            call(to, True, statement->Ist.StoreG.details->addr, sizeofIRType(typeOfIRExpr(types, value)));
            break;
        case Ist_LoadG: {
            IRType narrow, wide;
            typeOfIRLoadGOp(statement->Ist.LoadG.details->cvt, &wide, &narrow);
            call(to, False, statement->Ist.LoadG.details->addr, sizeofIRType(narrow));
            break;
        }
        case Ist_Dirty: {
            IRDirty *dirty = statement->Ist.Dirty.details;
            if (dirty->mFx != Ifx_None)
                call(to, dirty->mFx != Ifx_Read, dirty->mAddr, dirty->mSize);
            break;
        }
        case Ist_CAS:
            value = statement->Ist.CAS.details->dataLo;
            call(to, True, statement->Ist.CAS.details->addr,
                 sizeofIRType(typeOfIRExpr(types, value)) * (statement->Ist.CAS.details->dataHi ? 2 : 1));
            break;
        case Ist_LLSC: {
            IRTemp result = statement->Ist.LLSC.result;
            value = statement->Ist.LLSC.storedata;
            call(to, value != NULL, statement->Ist.LLSC.addr,
                 sizeofIRType(value ? typeOfIRExpr(types, value) : typeOfIRTemp(types, result)));
            break;
        }
        default:
            break;
        }
        addStmtToIRSB(to, statement);
    }
    return to;
}

static void
kernel_reads(CorePart part, ThreadId thread, const HChar *name, Addr address, SizeT size)
{
    if (part == Vg_CoreSysCall)
        touch(address, size, READ);
}

static void
kernel_reads_string(CorePart part, ThreadId thread, const HChar *name, Addr address)
{
    if (part == Vg_CoreSysCall && address < TOP)
        touch(address, VG_(strlen)((const HChar *)address) + 1, READ);
}

static void
kernel_wrote(CorePart part, ThreadId thread, Addr address, SizeT size)
{
    if (part == Vg_CoreSysCall)
        touch(address, size, WRITTEN);
}

static void
print(Int status)
{
    Addr begun = 0;
    UChar last = UNTOUCHED;
    for (Addr address = 0; address <= TOP; address++) {
        UChar *page = address < TOP ? pages[address >> PAGE_BITS] : NULL;
        UChar now = page ? page[address & (PAGE_SIZE - 1)] : UNTOUCHED;
        if (now != last) {
            if (last != UNTOUCHED)
                VG_(printf)("%lx %lu %c\n", begun, address - begun, last == WRITTEN ? 'w' : 'r');
            begun = address;
            last = now;
        }
        if (page == NULL)
            address |= PAGE_SIZE - 1;
    }
}

static void
after_options(void)
{
}

static void
before_options(void)
{
    VG_(details_name)("watch");
    VG_(details_description)("which bytes a run touches");
    VG_(details_copyright_author)("");
    VG_(details_bug_reports_to)("this project");
    VG_(basic_tool_funcs)(after_options, instrument, print);
    VG_(track_pre_mem_read)(kernel_reads);
    VG_(track_pre_mem_read_asciiz)(kernel_reads_string);
    VG_(track_post_mem_write)(kernel_wrote);
}

VG_DETERMINE_INTERFACE_VERSION(before_options)
