/* Text, the messages of the first stage, and what happens when it cannot go on. */

/* a line or a path under construction; what does not fit is cut off */
struct text {
    size_t used;
    char s[512];
};
void add(struct text *t, const char *s);
void add_number(struct text *t, long n);

/* a text of up to three parts */
struct text join(const char *a, const char *b, const char *c);

/* printk's levels; with `quiet` on the command line the console shows those below 4 */
#define CRITICAL "<2>"
#define WARNING "<4>"

/* one line in the kernel's log: "first stage: WHAT ARGUMENT: ENOENT (2)"; error 0: none */
void say(const char *level, const char *what, const char *argument, long error);

/* say it, then run /rescue when there is one, else reboot */
__attribute__((noreturn)) void fail(const char *what, const char *argument, long error);

/* the kernel's command line; its word KEY=value (the last one, as in the kernel), or NULL */
void read_command_line(void);
const char *option(const char *key);
/* whether it says that this release is on trial: it is left when it fails, and nobody is there to read a screen */
int on_trial(void);
/* whether the bare word stands on it */
int has_word(const char *word);

/* read a whole file; returns its bytes, at most size - 1, and puts a zero behind them */
long read_file(const char *path, char *buffer, size_t size);

void sleep_milliseconds(long n);

/* argv and envp as the kernel made them, to be passed on */
extern char **arguments, **environment;
