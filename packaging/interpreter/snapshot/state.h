/* What the recorder leaves for restore.c, in the image. */
#ifndef SNAPSHOT_STATE_H
#define SNAPSHOT_STATE_H

#include <Python.h>
#include <stdint.h>

/* CPython's RandomObject (Modules/_randommodule.c), whose definition is private: the Mersenne Twister's state. */
struct random {
    PyObject_HEAD
    int index;
    uint32_t state[624];
};

/* What a standard descriptor may be, as far as a stream on it differs: the columns of restore.py's streams. */
enum { SEEKABLE, PIPE, TERMINAL, KINDS };

extern struct snapshot_state {
    PyThreadState *thread;         /* the interpreter's only thread */
    PyObject *restore;             /* restore.py: restore() */
    PyObject *streams;             /* restore.py: (stdin, stdout, stderr), each a tuple of KINDS streams */
    PyObject *environment;         /* posix.environ, empty; os.environ looks through it */
    PyObject *random;              /* random._inst, the generator of the module's functions */
    PyObject *main;                /* toolbox.multicall.main */
    PyObject *before_forkers;      /* what modules have registered for forks */
    PyObject *after_forkers_child;
    void *at_exit;                 /* what is registered with atexit: logging.shutdown */
    PyObject *log_handlers;        /* logging._handlerList */
    PyObject *log_handler;         /* the only one in it: it prints to standard error */
} snapshot_state;

#endif
