/* outside.c's thread keys: recorded here, forgotten as another process has them, and made again. */
#include <pthread.h>
#include <stdio.h>

#include "snapshot.h"

int snapshot_pthread_key_create(pthread_key_t *, void (*)(void *));
int snapshot_pthread_key_delete(pthread_key_t);

static int ended;

static void
end(void *value)
{
    ended += *(int *)value;
}

static void *
thread(void *key)
{
    static int seven = 7;
    return pthread_setspecific(*(pthread_key_t *)key, &seven) ? key : NULL;
}

int
main(void)
{
    pthread_key_t keys[3], next;
    for (int i = 0; i < 3; i++)
        if (snapshot_pthread_key_create(&keys[i], i == 2 ? end : NULL))
            return 1;
    snapshot_pthread_key_delete(keys[1]); /* somebody's of the recorder alone */
    pthread_key_delete(keys[0]);
    pthread_key_delete(keys[2]);
    snapshot_phase = RESTORED;
    snapshot_restore_keys();
    pthread_t one;
    void *failed;
    if (pthread_create(&one, NULL, thread, &keys[2]) || pthread_join(one, &failed) || failed)
        return 2; /* the number is nobody's */
    if (ended != 7)
        return 3; /* its destructor is gone */
    if (pthread_key_create(&next, NULL) || next != keys[1])
        return 4; /* the number between is not free, or one of ours is */
    return 0;
}
