/* In place of CPython's Modules/_hashopenssl.c, with all of it inside.

   _hashlib keeps the EVP_MD pointers that it has fetched, and importing hashlib fetches some.  They point into OpenSSL's
   heap, which is not in the image: forget them; _hashlib fetches them again when they are asked for. */
#include "Modules/_hashopenssl.c"

static int
forget(_Py_hashtable_t *table, const void *key, const void *value, void *unused)
{
    py_hashentry_t *entry = (py_hashentry_t *)value;
    entry->evp = entry->evp_nosecurity = NULL;
    return 0;
}

void
snapshot_forget_digests(PyObject *module)
{
    _Py_hashtable_foreach(get_hashlib_state(module)->hashtable, forget, NULL);
}
