/* The frozen program: set the interpreter up, or wake up the one in the snapshot, call toolbox.multicall.main(argv),
   end with its status. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "internal/pycore_interp.h"
#include "internal/pycore_pylifecycle.h"
#include "internal/pycore_runtime.h"
#include "internal/pycore_sysmodule.h"

#include <limits.h>
#include <unistd.h>

#include "snapshot/snapshot.h"

PyMODINIT_FUNC PyInit__syscalls(void);
PyMODINIT_FUNC PyInit__cffi_backend(void);
PyMODINIT_FUNC PyInit__rust(void);

/* All weak: the plain program is linked without the snapshot. */
#pragma weak snapshot_begin
#pragma weak snapshot_main
#pragma weak snapshot_nothing_at_exit

/* Where __file__ of frozen modules seems to lie; some libraries look at it.  Nothing is read from there. */
#define FROZEN_FOLDER L"/frozen"

static void
fail(PyStatus status)
{
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
}

static void
set(PyConfig *config, wchar_t **field, const wchar_t *value)
{
    fail(PyConfig_SetString(config, field, value));
}

/* While recording, nothing may depend on the moment: hashes are those of a fixed seed, and malloc, ours, places
   every object (memory.c). */
#define SEED 20131

void
initialize(int argc, char **argv)
{
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1; /* whatever the locale: bytes that are no UTF-8 survive as surrogates */
    before.coerce_c_locale = 0;
    before.configure_locale = 0;
    before.allocator = snapshot_begin ? PYMEM_ALLOCATOR_MALLOC : PYMEM_ALLOCATOR_DEFAULT;
    fail(Py_PreInitialize(&before));

    PyImport_AppendInittab("_syscalls", PyInit__syscalls);
    PyImport_AppendInittab("_cffi_backend", PyInit__cffi_backend);
    PyImport_AppendInittab("cryptography.hazmat.bindings._rust", PyInit__rust);

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.parse_argv = 0;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 0; /* applets live with the defaults; Python programs set theirs */
    config.pathconfig_warnings = 0;
    config.module_search_paths_set = 1; /* to nothing: all is frozen */
    config.safe_path = 1;
    config.use_frozen_modules = 1;
    config.user_site_directory = 0;
    config.code_debug_ranges = 1; /* of programs that are run; the frozen code has none */
    config.buffered_stdio = 1;
    config.use_hash_seed = snapshot_begin != NULL;
    config.hash_seed = SEED;
    fail(PyConfig_SetBytesArgv(&config, argc, argv));

    /* sys.executable, which Python programs start again: the program itself, under whatever name. */
    char path[PATH_MAX] = "";
    ssize_t length = snapshot_begin ? 0 : readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    fail(PyConfig_SetBytesString(&config, &config.executable, *path ? path : argv[0]));
    fail(PyConfig_SetBytesString(&config, &config.base_executable, *path ? path : argv[0]));
    set(&config, &config.program_name, L"toolbox");
    set(&config, &config.prefix, L"/usr");
    set(&config, &config.exec_prefix, L"/usr");
    set(&config, &config.base_prefix, L"/usr");
    set(&config, &config.base_exec_prefix, L"/usr");
    set(&config, &config.stdlib_dir, FROZEN_FOLDER);
    set(&config, &config.platlibdir, L"lib");
    fail(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    if (PySys_SetObject("frozen", Py_True) < 0) /* what freezers set; toolbox.listing asks for it */
        fail(PyStatus_NoMemory());
}

static PyObject *
multicall_main(void)
{
    PyObject *module = PyImport_ImportModule("toolbox.multicall");
    return module ? PyObject_GetAttrString(module, "main") : NULL;
}

/* Returns the exit status; 1 after a traceback for an exception that should not have come this far. */
static int
run(int argc, char **argv)
{
    PyObject *words = PyList_New(argc);
    for (int i = 0; words && i < argc; i++) {
        PyObject *word = PyUnicode_DecodeFSDefault(argv[i]);
        if (word == NULL)
            Py_CLEAR(words);
        else
            PyList_SET_ITEM(words, i, word);
    }
    PyObject *result = NULL;
    PyObject *begin = snapshot_main ? snapshot_main() : multicall_main();
    if (words && begin)
        result = PyObject_CallOneArg(begin, words);
    long status = result ? PyLong_AsLong(result) : 1;
    if (PyErr_Occurred()) {
        PyErr_Print();
        status = 1;
    }
    return (int)status;
}

/* Wait for the threads that have been started, if any has, as Py_Finalize does. */
static void
wait_for_threads(PyInterpreterState *interpreter)
{
    if (interpreter->threads.next_unique_id <= 1)
        return; /* there was only the first one */
    PyObject *threading = PyImport_GetModule(&_Py_ID(threading));
    if (threading == NULL) {
        PyErr_Clear();
        return;
    }
    PyObject *result = PyObject_CallMethodNoArgs(threading, &_Py_ID(_shutdown));
    if (result == NULL)
        PyErr_WriteUnraisable(threading);
    Py_XDECREF(result);
    Py_DECREF(threading);
}

/* Drop what a program has left in __main__: a file that it never closed is written out then, as Py_Finalize would have it.
   An applet leaves nothing there, and so pays nothing. */
static void
drop_main(void)
{
    enum { ALWAYS_THERE = 7 }; /* __name__, __doc__, __builtins__... */
    PyObject *module = PyImport_GetModule(&_Py_ID(__main__));
    if (module == NULL || !PyModule_Check(module) || PyDict_GET_SIZE(PyModule_GetDict(module)) <= ALWAYS_THERE) {
        PyErr_Clear();
        return;
    }
    PyDict_Clear(PyModule_GetDict(module));
    PyGC_Collect();
}

/* Write out what threads and functions for the end have printed.  120: it could not be, as in python3. */
static int
flush(PyObject *name, int status)
{
    PyObject *file = _PySys_GetAttr(PyThreadState_Get(), name);
    if (file == NULL || file == Py_None)
        return status;
    PyObject *result = PyObject_CallMethodNoArgs(file, &_Py_ID(flush));
    if (result == NULL) {
        PyErr_WriteUnraisable(file);
        return status ? status : 120;
    }
    Py_DECREF(result);
    return status;
}

int
main(int argc, char **argv)
{
    if (snapshot_begin)
        snapshot_begin(argc, argv);
    else
        initialize(argc, argv);
    int status = run(argc, argv);
    /* What Py_Finalize does before it takes the interpreter apart, which would only cost time:
       wait for threads, call what was registered for the end, drop the program's own names, flush. */
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    wait_for_threads(interpreter);
    if (!snapshot_nothing_at_exit || !snapshot_nothing_at_exit())
        _PyAtExit_Call(interpreter);
    drop_main();
    status = flush(&_Py_ID(stdout), status);
    _exit(flush(&_Py_ID(stderr), status));
}
