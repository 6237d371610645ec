/* Recording, at build time: start the interpreter, let record.py import everything, and write what has become of the
   image's data and heap into files.  image.py puts them into the program. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "internal/pycore_frame.h"
#include "internal/pycore_gc.h"
#include "internal/pycore_import.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_object.h"
#include "internal/pycore_obmalloc.h"
#include "internal/pycore_parking_lot.h"
#include "internal/pycore_pymem.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot.h"
#include "state.h"

static _Noreturn void
fail(const char *what)
{
    if (PyErr_Occurred())
        PyErr_Print();
    fprintf(stderr, "snapshot: %s\n", what);
    _exit(1);
}

/* Reference counts that are never written keep pages of the image clean and shared: every object becomes immortal.
   What is reached from the objects that the collector knows, is followed through strings, tuples and code.  The list
   of what is to do lies in the C library's heap, outside the image. */
static struct {
    PyObject **objects;
    size_t count, room;
} todo;

static int
immortalize_later(PyObject *object, void *unused)
{
    if (object == NULL || _Py_IsImmortal(object))
        return 0;
    _Py_SetImmortalUntracked(object);
    if (todo.count == todo.room) {
        todo.room = todo.room ? 2 * todo.room : 1 << 16;
        todo.objects = realloc(todo.objects, todo.room * sizeof *todo.objects);
        if (todo.objects == NULL)
            fail("out of memory");
    }
    todo.objects[todo.count++] = object;
    return 0;
}

static void
immortalize(PyObject *roots)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(roots); i++) {
        immortalize_later(PyList_GET_ITEM(roots, i), NULL);
        while (todo.count) {
            PyObject *object = todo.objects[--todo.count];
            if (PyCode_Check(object)) { /* not a container in the collector's eyes */
                PyCodeObject *code = (PyCodeObject *)object;
                PyObject *const parts[] = {
                    code->co_consts, code->co_names, code->co_exceptiontable, code->co_localsplusnames,
                    code->co_localspluskinds, code->co_filename, code->co_name, code->co_qualname,
                    code->co_linetable,
                };
                for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
                    immortalize_later(parts[k], NULL);
            }
            traverseproc traverse = Py_TYPE(object)->tp_traverse;
            if (traverse && PyObject_IS_GC(object))
                traverse(object, immortalize_later, NULL);
        }
    }
    free(todo.objects);
}

/* The collector has nothing to do with immortal objects, and need not know them: two pointers less in each.  Types and
   capsules, which are few, stay known: CPython's tests ask whether some are. */
static void
untrack_immortals(PyGC_Head *list)
{
    PyGC_Head *next;
    for (PyGC_Head *head = _PyGCHead_NEXT(list); head != list; head = next) {
        next = _PyGCHead_NEXT(head);
        PyObject *object = _Py_FROM_GC(head);
        if (_Py_IsImmortal(object) && !PyType_Check(object) && !PyCapsule_CheckExact(object))
            PyObject_GC_UnTrack(object);
    }
}

static PyObject *
attribute(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module);
    PyObject *value = found ? PyObject_GetAttrString(found, name) : NULL;
    if (value == NULL)
        fail(name);
    Py_DECREF(found);
    return value;
}

static void
call(PyObject *function)
{
    PyObject *result = PyObject_CallNoArgs(function);
    if (result == NULL)
        fail("a step failed");
    Py_DECREF(result);
}

/* chapter(): for record.py, when it begins with something else. */
static PyObject *
chapter(PyObject *module, PyObject *nothing)
{
    snapshot_next_chapter();
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"chapter", chapter, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* What of the host is in the heap?  A child looks, whose own objects lie in the C library's heap. */
static void
audit(PyObject *module)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        snapshot_phase = RESTORED;
        PyObject *found = PyObject_CallMethod(module, "audit", NULL);
        if (found == NULL)
            fail("the audit failed");
        _exit((int)PyLong_AsLong(found));
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
        fail("the image would hold what belongs to the machine that makes it");
}

/* Run a file of the recorder's folder as a module. */
static PyObject *
load(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    char *text = malloc(1 << 16);
    size_t length = text ? fread(text, 1, 1 << 16, file) : 0;
    fclose(file);
    if (length == 0 || length == 1 << 16)
        fail(path);
    text[length] = '\0';
    PyObject *code = Py_CompileString(text, path, Py_file_input);
    free(text);
    PyObject *module = code ? PyImport_ExecCodeModule(name, code) : NULL;
    if (module == NULL)
        fail(path);
    Py_DECREF(code);
    return module;
}

static void
write_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(name, "w");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(name);
        _exit(1);
    }
}

/* The marshalled code of modules whose code objects are in the image: a line with address and size for each. */
static void
list_dropped(void)
{
    char name[256];
    FILE *codes = fopen("codes", "r"), *dropped = fopen("dropped", "w");
    if (codes == NULL || dropped == NULL)
        fail("codes, dropped");
    while (fscanf(codes, "%255s", name) == 1)
        for (const struct _frozen *row = _PyImport_FrozenStdlib; row->name; row++)
            if (strcmp(row->name, name) == 0)
                /* All but the first byte: where that is zero, CPython says that the table is wrong. */
                fprintf(dropped, "%lx %x\n", (unsigned long)row->code + 1, (unsigned)row->size - 1);
    fclose(codes);
    if (fclose(dropped) != 0)
        fail("dropped");
}

void
snapshot_record(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1]) != 0) {
        fputs("usage: recorder FOLDER   (a step of the build)\n", stderr);
        _exit(2);
    }
    snapshot_read_plan("plan");
    snapshot_next_chapter();
    char *nothing[] = {"/bin/toolbox", NULL};
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* whatever the build's parent ignores */
    initialize(1, nothing);

    PyObject *restore = load("restore.py", "_restore"), *recorder = load("record.py", "_record");
    PyObject *record = PyObject_GetAttrString(recorder, "record");
    if (record == NULL || PyModule_AddFunctions(recorder, functions) < 0)
        fail("record() is missing");
    call(record);
    Py_DECREF(record);
    audit(recorder);
    snapshot_next_chapter();
    PyDict_Clear(PyModule_GetDict(recorder));
    Py_DECREF(recorder);
    struct snapshot_state *state = &snapshot_state;
    state->restore = PyObject_GetAttrString(restore, "restore");
    state->streams = PyObject_GetAttrString(restore, "streams");
    state->random = attribute("random", "_inst");
    state->environment = attribute("posix", "environ");
    if (Py_TYPE(state->random)->tp_basicsize < (Py_ssize_t)sizeof(struct random))
        fail("random.Random has another layout");
    state->main = attribute("toolbox.multicall", "main");
    if (state->restore == NULL || state->streams == NULL)
        fail("restore.py is incomplete");
    PyDict_Clear(state->environment);
    state->log_handlers = attribute("logging", "_handlerList");
    if (PyInterpreterState_Get()->atexit.ncallbacks != 1 || PyList_GET_SIZE(state->log_handlers) != 1)
        fail("logging.shutdown is not all that is registered for the end, or has not just one handler");
    state->log_handler = PyList_GET_ITEM(state->log_handlers, 0);
    state->at_exit = PyInterpreterState_Get()->atexit.callbacks[0];

    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *collect = attribute("gc", "collect"), *freeze = attribute("gc", "freeze");
    call(collect);
    call(collect); /* what the first has made garbage */
    PyObject *objects = PyObject_CallMethod(gc, "get_objects", NULL);
    if (objects == NULL)
        fail("gc.get_objects");
    immortalize(objects);
    _Py_SetMortal(objects, 1);
    Py_DECREF(objects);
    call(freeze);

    PyObject *hashlib = PyImport_ImportModule("_hashlib");
    if (hashlib == NULL)
        fail("_hashlib");
    snapshot_forget_digests(hashlib);

    /* Importing the module signal has made Ctrl-C an exception, here.  Where the program starts it is not. */
    _PyRuntime.signals.handlers[SIGINT].func = _PyRuntime.signals.default_handler;

    PyThreadState *thread = PyThreadState_Get();
    PyInterpreterState *interpreter = thread->interp;
    untrack_immortals(&interpreter->gc.permanent_generation.head);
    /* Frames that have returned: their words point anywhere. */
    if (thread->datastack_cached_chunk)
        _PyObject_VirtualFree(thread->datastack_cached_chunk, thread->datastack_cached_chunk->size);
    thread->datastack_cached_chunk = NULL;
    memset(thread->datastack_top, 0, (size_t)((char *)thread->datastack_limit - (char *)thread->datastack_top));
    /* A restored process wakes up as the child of a fork does, but what modules have registered for forks is
       not for it: it would take locks and seed generators that restore() takes care of. */
    state->thread = thread;
    state->before_forkers = interpreter->before_forkers;
    state->after_forkers_child = interpreter->after_forkers_child;
    interpreter->before_forkers = interpreter->after_forkers_child = NULL;
    PyOS_BeforeFork();
    _PyParkingLot_AfterFork(); /* restore.c counts on it */
    thread->thread_id = 0;
    thread->native_thread_id = 0;
    _PyRuntime.main_thread = 0;
    /* From now on objects are pymalloc's again; it sees that those of the image are not, and hands them to free(). */
    _PyMem_SetupAllocators(PYMEM_ALLOCATOR_PYMALLOC);
    PyObject_Free(PyObject_Malloc(1)); /* makes it ready, with an arena */
    snapshot_finish_heap();
    snapshot_phase = RESTORED;

    size_t used = (snapshot_heap_used() + 4095) & ~4095UL;
    write_file("data", snapshot_data, (size_t)(snapshot_data_end - snapshot_data));
    write_file("heap", snapshot_heap, used);
    write_file("arena", snapshot_arena, SNAPSHOT_ARENA_SIZE);
    write_file("starts", snapshot_starts, used / SNAPSHOT_GRANULE / 8);
    list_dropped();
    snapshot_write_blocks("blocks");
    snapshot_audit("dangling");
    _exit(0);
}
