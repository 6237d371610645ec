/* The tables of frozen modules, in place of CPython's Python/frozen.c: all of our Python code.
   freeze.py writes the rows; the code itself lies in read-only data. */
#include "Python.h"
#include "internal/pycore_import.h"

extern const unsigned char frozen_code[];
#define code frozen_code

static const struct _frozen bootstrap[] = {
#include "bootstrap.h"
    {0, 0, 0, 0},
};

static const struct _frozen modules[] = {
#include "modules.h"
    {0, 0, 0, 0},
};

static const struct _frozen none[] = {{0, 0, 0, 0}};

static const struct _module_alias aliases[] = {
    {"_frozen_importlib", "importlib._bootstrap"},
    {"_frozen_importlib_external", "importlib._bootstrap_external"},
    {"os.path", "posixpath"},
    {0, 0},
};

const struct _frozen *_PyImport_FrozenBootstrap = bootstrap;
const struct _frozen *_PyImport_FrozenStdlib = modules;
const struct _frozen *_PyImport_FrozenTest = none;
const struct _module_alias *_PyImport_FrozenAliases = aliases;
const struct _frozen *PyImport_FrozenModules = NULL;
