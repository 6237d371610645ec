/* In place of CPython's Modules/getpath.c: there is no installation to look for.  main.c says all paths. */
#include "Python.h"
#include "internal/pycore_pathconfig.h"

PyStatus
_PyConfig_InitPathConfig(PyConfig *config, int compute_path_config)
{
    return PyStatus_Ok();
}

PyObject *
_Py_Get_Getpath_CodeObject(void)
{
    return NULL;
}
