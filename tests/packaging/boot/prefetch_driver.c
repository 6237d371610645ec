/* prefetch() of a file, outside of a boot: the status is its process's, or 128 and the signal that ended it. */
#include <sys/wait.h>

void prefetch(const char *path);

int main(int argc, char **argv)
{
    int status;
    if (argc != 2)
        return 2;
    prefetch(argv[1]);
    if (wait(&status) < 0)
        return 3;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
