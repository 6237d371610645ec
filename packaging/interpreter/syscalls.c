/* The module _syscalls: system calls by number, for toolbox.linux.

   syscall(number, *arguments) -> int     up to six arguments; OSError with the kernel's errno
       int: as it is; None: NULL; str: a file name, encoded as os.fsencode does;
       bytes-like: a pointer to its memory, which the kernel may write to if it is writable
   addressof(buffer) -> int               where a buffer's memory is; the caller keeps it alive
   SYS_NAME                               numbers, as the C library of this architecture has them
*/
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 6

static PyObject *
call(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    long values[MOST + 1] = {0};
    Py_buffer buffers[MOST];
    PyObject *names[MOST];
    int held = 0, encoded = 0;
    PyObject *result = NULL;

    if (count < 1 || count > MOST + 1) {
        PyErr_Format(PyExc_TypeError, "syscall() takes a number and up to %d arguments", MOST);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *object = arguments[i];
        if (PyLong_Check(object)) {
            /* The mask lets both -1 and 0xffffffff through, as C does. */
            values[i] = (long)PyLong_AsUnsignedLongMask(object);
            if (values[i] == -1 && PyErr_Occurred())
                goto done;
        }
        else if (i == 0) {
            PyErr_SetString(PyExc_TypeError, "the system call's number must be an int");
            goto done;
        }
        else if (object == Py_None) {
            values[i] = 0;
        }
        else if (PyUnicode_Check(object)) {
            if (!PyUnicode_FSConverter(object, &names[encoded]))
                goto done;
            values[i] = (long)PyBytes_AS_STRING(names[encoded++]);
        }
        else {
            Py_buffer *buffer = &buffers[held];
            if (PyObject_GetBuffer(object, buffer, PyBUF_WRITABLE) < 0) {
                PyErr_Clear();
                if (PyObject_GetBuffer(object, buffer, PyBUF_SIMPLE) < 0)
                    goto done;
            }
            held++;
            values[i] = (long)buffer->buf;
        }
    }
    long returned;
    int error;
    Py_BEGIN_ALLOW_THREADS
    returned = syscall(values[0], values[1], values[2], values[3], values[4], values[5], values[6]);
    error = errno;
    Py_END_ALLOW_THREADS
    if (returned == -1) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    else {
        result = PyLong_FromLong(returned);
    }
done:
    while (encoded)
        Py_DECREF(names[--encoded]);
    while (held)
        PyBuffer_Release(&buffers[--held]);
    return result;
}

static PyObject *
address_of(PyObject *module, PyObject *object)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *result = PyLong_FromVoidPtr(buffer.buf);
    PyBuffer_Release(&buffer);
    return result;
}

static const struct {
    const char *name;
    long number;
} numbers[] = {
#define CALL(name) {"SYS_" #name, SYS_##name}
    CALL(capget), CALL(capset), CALL(chroot), CALL(clock_adjtime), CALL(clock_settime), CALL(clone3),
    CALL(close_range), CALL(delete_module), CALL(fanotify_init), CALL(fanotify_mark), CALL(finit_module),
    CALL(fsconfig), CALL(fsmount), CALL(fsopen), CALL(fstatfs), CALL(init_module), CALL(inotify_add_watch),
    CALL(inotify_init1), CALL(inotify_rm_watch), CALL(ioprio_set), CALL(ioprio_get), CALL(kcmp),
    CALL(kexec_file_load), CALL(memfd_create), CALL(mount), CALL(mount_setattr), CALL(move_mount),
    CALL(open_tree), CALL(openat2), CALL(personality), CALL(pidfd_getfd), CALL(pidfd_open),
    CALL(pidfd_send_signal), CALL(pivot_root), CALL(prctl), CALL(quotactl), CALL(reboot), CALL(renameat2),
    CALL(seccomp), CALL(setdomainname), CALL(sethostname), CALL(setns), CALL(settimeofday), CALL(statx),
    CALL(swapoff), CALL(swapon), CALL(sync_file_range), CALL(syncfs), CALL(syslog), CALL(umount2),
    CALL(unshare), CALL(vhangup),
#undef CALL
};

static int
execute(PyObject *module)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (PyModule_AddIntConstant(module, numbers[i].name, numbers[i].number) < 0)
            return -1;
    return 0;
}

static PyMethodDef methods[] = {
    {"syscall", (PyCFunction)(void (*)(void))call, METH_FASTCALL, PyDoc_STR("Make a system call.")},
    {"addressof", address_of, METH_O, PyDoc_STR("The address of a buffer's memory.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_syscalls",
    .m_doc = PyDoc_STR("System calls by number."),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__syscalls(void)
{
    return PyModuleDef_Init(&definition);
}
