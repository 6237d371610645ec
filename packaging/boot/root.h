/* Where the root file system comes from. */

/* Wait for the device that `root=` names; fail when it does not come.  Returns its path. */
struct text find_root(void);

/* Copy the squashfs on `from` (a device or a file) to a new RAM disk, made by the module brd in the file
 * `module`.  Returns the path of the RAM disk. */
struct text copy_to_ram(const char *from, const char *module);

/* Mount the squashfs on `device` at `folder`, read-only. */
void mount_root(const char *device, const char *folder);

/* Have a process read what starts of the program touch, while this one goes on: decompressing is for another processor. */
void prefetch(const char *path);

/* Insert a kernel module; -errno, 0 also when it was there before. */
long insert_module(const char *path, const char *parameters);
