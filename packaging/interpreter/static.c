/* Shared libraries in the static programs: there are none, and whoever asks for one is told who has them. */

#include <dlfcn.h>
#include <stdio.h>

char *
__wrap_dlerror(void)
{
    char *__real_dlerror(void);
    static char text[1024];
    char *said = __real_dlerror();
    if (said == NULL)
        return NULL;
    snprintf(text, sizeof text,
             "%s (this is the static program, which has no shared libraries; in snakeroot.toml, runtime = \"dynamic\""
             " runs the service by the one that has)",
             said);
    return text;
}
