/* Makes one change of a file fail, or ends the process there: preloaded into a program under test.
 *
 * Counts write, pwrite, writev, sendfile, fwrite, fsync, fdatasync, ftruncate, rename, unlink and mkdir on files whose path
 * holds `fault_place` (by default a folder named ".maskwright"). `fault_arm(at, kind)` picks the at-th from now on
 * (1 is the next) and what happens:
 *   1  it fails with EIO, once              2  it and all after it fail with ENOSPC, until disarmed
 *   3  the process is killed before it      4  it is done by half (a write) or whole, then the process is killed
 *   5  it and all after it fail with EACCES, and so does every opening for writing, until disarmed
 *   6  the drive is gone: it and all after it fail with EIO, and so does all reading and looking, until disarmed
 *   7  the at-th reading or look (not change) fails with EIO, once
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, FAIL_ONCE, FULL, KILL_BEFORE, KILL_WITHIN, DENIED, GONE, READING_FAILS };

static atomic_int kind, at, seen;
static char place[PATH_MAX] = "/.maskwright/";

void fault_arm(int new_at, int new_kind) { seen = 0; at = new_at; kind = new_kind; }
int fault_count(void) { return seen; }
void fault_place(const char *new_place) { snprintf(place, sizeof place, "%s", new_place); }

/* A program that a program under test starts is armed by its environment, and leaves its count in a file. */
__attribute__((constructor)) static void begin(void) {
    const char *new_place = getenv("FAULT_PLACE");
    if (!new_place) return;
    fault_place(new_place);
    fault_arm(atoi(getenv("FAULT_AT")), atoi(getenv("FAULT_KIND")));
}
__attribute__((destructor)) static void end(void) {
    const char *file = getenv("FAULT_COUNT");
    if (!file) return;
    FILE *out = fopen(file, "a");
    if (out) { fprintf(out, "%d\n", seen); fclose(out); }
}

static int is_ours(const char *path) { return strstr(path, place) != NULL; }

static int is_our_file(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_ours(path);
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* What is to happen to this change: NONE, FAIL_ONCE (errno is set) or KILL_WITHIN. */
static int fate(int ours) {
    if (!ours || kind == READING_FAILS) return NONE;
    int number = ++seen, what = kind, when = at;
    if (what == NONE || number < when || (number > when && what != FULL && what != DENIED && what != GONE)) return NONE;
    if (what == KILL_BEFORE) die();
    if (what == KILL_WITHIN) return KILL_WITHIN;
    errno = what == FULL ? ENOSPC : what == DENIED ? EACCES : EIO;
    return FAIL_ONCE;
}

#define FIND(name) do { if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name); } while (0)
#define SIMPLE(name, parameters, ours, ...)                          \
    static int (*real_##name) parameters;                            \
    int name parameters {                                            \
        FIND(name);                                                  \
        int what = fate(ours);                                       \
        if (what == FAIL_ONCE) return -1;                            \
        int result = real_##name(__VA_ARGS__);                       \
        if (what == KILL_WITHIN) die();                              \
        return result;                                               \
    }
#define WRITE(name, parameters, full, half)                          \
    static ssize_t (*real_##name) parameters;                        \
    ssize_t name parameters {                                        \
        FIND(name);                                                  \
        int what = fate(is_our_file(fd));                            \
        if (what == FAIL_ONCE) return -1;                            \
        ssize_t written = what == KILL_WITHIN ? real_##name(half) : real_##name(full); \
        if (what == KILL_WITHIN) die();                              \
        return written;                                              \
    }
#define ARGUMENTS(...) __VA_ARGS__

WRITE(write, (int fd, const void *data, size_t size), ARGUMENTS(fd, data, size), ARGUMENTS(fd, data, size / 2))
WRITE(pwrite, (int fd, const void *data, size_t size, off_t place), ARGUMENTS(fd, data, size, place),
      ARGUMENTS(fd, data, size / 2, place))
WRITE(pwrite64, (int fd, const void *data, size_t size, off64_t place), ARGUMENTS(fd, data, size, place),
      ARGUMENTS(fd, data, size / 2, place))
SIMPLE(fsync, (int fd), is_our_file(fd), fd)
SIMPLE(fdatasync, (int fd), is_our_file(fd), fd)
SIMPLE(ftruncate, (int fd, off_t size), is_our_file(fd), fd, size)
SIMPLE(ftruncate64, (int fd, off64_t size), is_our_file(fd), fd, size)
/* A full disk lets go of files. */
SIMPLE(unlink, (const char *path), kind != FULL && is_ours(path), path)
SIMPLE(rename, (const char *from, const char *to), is_ours(to), from, to)
WRITE(sendfile, (int fd, int from, off_t *at, size_t size), ARGUMENTS(fd, from, at, size),
      ARGUMENTS(fd, from, at, size / 2))
WRITE(sendfile64, (int fd, int from, off64_t *at, size_t size), ARGUMENTS(fd, from, at, size),
      ARGUMENTS(fd, from, at, size / 2))
WRITE(writev, (int fd, const struct iovec *parts, int count), ARGUMENTS(fd, parts, count), ARGUMENTS(fd, parts, count))
SIMPLE(mkdir, (const char *path, mode_t mode), is_ours(path), path, mode)

static size_t (*real_fwrite)(const void *, size_t, size_t, FILE *);
size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    FIND(fwrite);
    int what = fate(is_our_file(fileno(file)));
    if (what == FAIL_ONCE) return 0;
    size_t written = real_fwrite(data, size, count, file);
    if (what == KILL_WITHIN) die();
    return written;
}

/* Openings, readings and looks are not counted: they fail while all changes are denied, or the drive is gone. */
static int is_out(int ours) {
    if (!ours || !(kind == READING_FAILS ? ++seen == at : kind == GONE && seen + 1 >= at)) return 0;
    errno = EIO;
    return 1;
}
static int is_denied(const char *path, int flags) {
    if (is_out(is_ours(path))) return 1;
    if (kind != DENIED || seen + 1 < at || !(flags & (O_WRONLY | O_RDWR | O_CREAT)) || !is_ours(path)) return 0;
    errno = EACCES;
    return 1;
}
#define LOOK(type, name, parameters, ours, failed, ...)              \
    static type (*real_##name) parameters;                           \
    type name parameters {                                           \
        FIND(name);                                                  \
        return is_out(ours) ? failed : real_##name(__VA_ARGS__);     \
    }
LOOK(ssize_t, read, (int fd, void *data, size_t size), is_our_file(fd), -1, fd, data, size)
LOOK(ssize_t, pread, (int fd, void *data, size_t size, off_t at), is_our_file(fd), -1, fd, data, size, at)
LOOK(ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), is_our_file(fd), -1, fd, data, size, at)
LOOK(int, stat, (const char *path, struct stat *found), is_ours(path), -1, path, found)
LOOK(int, stat64, (const char *path, struct stat64 *found), is_ours(path), -1, path, found)
LOOK(int, lstat, (const char *path, struct stat *found), is_ours(path), -1, path, found)
LOOK(int, lstat64, (const char *path, struct stat64 *found), is_ours(path), -1, path, found)
LOOK(int, access, (const char *path, int mode), is_ours(path), -1, path, mode)
LOOK(DIR *, opendir, (const char *path), is_ours(path), NULL, path)
#define OPEN(name)                                                   \
    static int (*real_##name)(const char *, int, ...);               \
    int name(const char *path, int flags, ...) {                     \
        FIND(name);                                                  \
        va_list rest;                                                \
        va_start(rest, flags);                                       \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                \
        return is_denied(path, flags) ? -1 : real_##name(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
#define FOPEN(name)                                                  \
    static FILE *(*real_##name)(const char *, const char *);         \
    FILE *name(const char *path, const char *mode) {                 \
        FIND(name);                                                  \
        return is_denied(path, strpbrk(mode, "wa+") ? O_WRONLY : 0) ? NULL : real_##name(path, mode); \
    }
FOPEN(fopen)
FOPEN(fopen64)
