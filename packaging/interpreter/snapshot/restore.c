/* The start of a process from the image: make true again what the recorded interpreter believes of its process.

   Python's own part is the work of a child after a fork, so that is what CPython is told this is. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "internal/pycore_pylifecycle.h" // _PyOS_URandomNonblock()
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"
#include "internal/pycore_signal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snapshot.h"
#include "state.h"

extern char **environ;

/* Where in the file lies what starts touch (offset and size of each part), for whoever reads it ahead: the first stage of
   the boot, boot/prefetch.c.  image.py fills it in. */
static const struct {
    uint32_t owner_size, size, type;
    char owner[12];
    uint32_t parts[4][2][2]; /* of 64 bits each; a note's alignment is 4 */
} note __attribute__((section(".note.snakeroot"), used, aligned(4))) = {sizeof "Snakeroot", sizeof note.parts, 1, "Snakeroot"};

struct snapshot_state snapshot_state;

static _Noreturn void
fail(void)
{
    if (PyErr_Occurred())
        PyErr_Print();
    static const char message[] = "toolbox: cannot start: out of memory?\n";
    ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    (void)written;
    _exit(125);
}

/* In a start from the image nobody is parked, and making the lots empty once more would copy three pages. */
void
__wrap__PyParkingLot_AfterFork(void)
{
    void __real__PyParkingLot_AfterFork(void);
    PyThreadState *thread = _PyThreadState_GET();
    if (thread == NULL || thread->native_thread_id != 0) /* a fork; a start has no number yet */
        __real__PyParkingLot_AfterFork();
}

/* The interpreter's thread is this process's. */
static void
restore_thread(void)
{
    PyThreadState *thread = snapshot_state.thread;
    _Py_tss_tstate = thread;
    thread->thread_id = PyThread_get_thread_ident();
    PyOS_AfterFork_Child();
    if (PyThread_tss_set(&_PyRuntime.autoTSSkey, thread) != 0)
        fail();
    PyInterpreterState *interpreter = thread->interp;
    interpreter->before_forkers = snapshot_state.before_forkers;
    interpreter->after_forkers_child = snapshot_state.after_forkers_child;
}

/* signal.getsignal() tells what was inherited: the parent may have set some to be ignored (nohup). */
static void
restore_signals(void)
{
    struct sigaction action;
    for (int number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &action) != 0 || action.sa_handler != SIG_IGN)
            continue;
        _PyRuntime.signals.handlers[number].func = _PyRuntime.signals.ignore_handler;
    }
}

/* The module random's generator gets a state of its own from the kernel, as good as what seed() would make of it. */
static int
restore_random(void)
{
    struct random *random = (struct random *)snapshot_state.random;
    random->index = sizeof random->state / sizeof *random->state; /* used up: the next number makes the next state */
    if (_PyOS_URandomNonblock(random->state, sizeof random->state) == 0)
        return 0;
    /* Early in the boot of a kernel that has no random bytes yet: seed() knows what to do then. */
    PyErr_Clear();
    PyObject *done = PyObject_CallMethod(snapshot_state.random, "seed", NULL);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static int
restore_environment(void)
{
    for (char **entry = environ; *entry; entry++) {
        char *equals = strchr(*entry, '=');
        if (equals == NULL)
            continue;
        PyObject *name = PyBytes_FromStringAndSize(*entry, equals - *entry);
        PyObject *value = PyBytes_FromString(equals + 1);
        int failed = !name || !value || PyDict_SetDefaultRef(snapshot_state.environment, name, value, NULL) < 0;
        Py_XDECREF(name);
        Py_XDECREF(value);
        if (failed)
            return -1;
    }
    return 0;
}

/* Borrowed: the stream that was made for a descriptor of this kind; None for a closed one, NULL for an error.

   A descriptor is shared with other processes, which move its offset at any moment: it is asked for, never set.  tell()
   makes the buffer ask, and remember the answer. */
static PyObject *
restore_stream(int fd)
{
    off_t position = lseek(fd, 0, SEEK_CUR);
    if (position < 0 && errno == EBADF)
        return Py_None;
    int kind = position >= 0 ? SEEKABLE : isatty(fd) ? TERMINAL : PIPE;
    PyObject *stream = PyTuple_GET_ITEM(PyTuple_GET_ITEM(snapshot_state.streams, fd), kind);
    if (position > 0) {
        PyObject *buffer = PyObject_GetAttrString(stream, "buffer");
        PyObject *there = buffer ? PyObject_CallMethod(buffer, "tell", NULL) : NULL;
        Py_XDECREF(buffer);
        if (there == NULL)
            return NULL;
        Py_DECREF(there);
    }
    return stream;
}

void
snapshot_restore(int argc, char **argv)
{
    snapshot_restore_keys();
    restore_thread();
    restore_signals();
    if (restore_environment() < 0 || restore_random() < 0)
        fail();
    PyObject *streams[3];
    for (int fd = 0; fd < 3; fd++)
        if ((streams[fd] = restore_stream(fd)) == NULL)
            fail();
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    PyObject *executable = PyUnicode_DecodeFSDefault(*path ? path : argc ? argv[0] : "");
    PyObject *words = PyList_New(argc);
    for (int i = 0; words && i < argc; i++) {
        PyObject *word = PyUnicode_DecodeFSDefault(argv[i]);
        if (word == NULL)
            fail();
        PyList_SET_ITEM(words, i, word);
    }
    if (executable == NULL || words == NULL)
        fail();
    PyObject *const arguments[] = {executable, words, streams[0], streams[1], streams[2]};
    PyObject *result = PyObject_Vectorcall(snapshot_state.restore, arguments, 5, NULL);
    if (result == NULL)
        fail();
    Py_DECREF(result);
    Py_DECREF(executable);
    Py_DECREF(words);
}

/* logging.shutdown is registered, for the image holds logging: a quarter of what `true` does, for nothing, unless the program
   has a handler of its own.  The image's prints to standard error, which is flushed after this anyway. */
int
snapshot_nothing_at_exit(void)
{
    const struct snapshot_state *state = &snapshot_state;
    const struct atexit_state *registered = &PyInterpreterState_Get()->atexit;
    return registered->ncallbacks == 1 && (void *)registered->callbacks[0] == state->at_exit &&
           PyList_GET_SIZE(state->log_handlers) == 1 && PyList_GET_ITEM(state->log_handlers, 0) == state->log_handler;
}

PyObject *
snapshot_main(void)
{
    return snapshot_state.main;
}

void
snapshot_begin(int argc, char **argv)
{
    if (snapshot_phase == RESTORED)
        snapshot_restore(argc, argv);
    else
        snapshot_record(argc, argv);
}
