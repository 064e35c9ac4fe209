/* Loaded before libc into the program under test: counts the calls that touch what lies below a
 * folder, by class and over all threads; makes the Nth of a class fail, a write do half of what it is asked
 * for, or kills the process before or after it; and logs every call when it is done.
 *
 *   FAULTS_ROOT   the folder, as realpath gives it
 *   FAULTS_LOG    where a line a call goes: class, number, "ok" or the errno, path, new path
 *   FAULTS_CALL   class, number, what ("before", "after", "short", "stop" or an errno), "once" or "on"
 *
 * C, since a few of these calls are variadic and a preloaded object wants no runtime of its own. */
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, SYNC, RENAME, OPEN, STAT, MKDIR, UNLINK, TRUNCATE, CLASSES };
static const char *const NAMES[CLASSES] = {"write", "sync",  "rename", "open",
                                           "stat",  "mkdir", "unlink", "truncate"};

static atomic_long counts[CLASSES];
static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static int wanted = -1, wanted_errno, kills_before, kills_after, is_short, stops, goes_on;
static long wanted_number;

__attribute__((constructor)) static void set_up(void) {
  const char *text = getenv("FAULTS_ROOT");
  if (!text) return;
  root_length = strlen(text);
  memcpy(root, text, root_length + 1);
  if ((text = getenv("FAULTS_LOG"))) {
    int fd = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_APPEND | O_CREAT, 0600);
    /* Out of the way of those who close what they think is theirs. */
    log_fd = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
    syscall(SYS_close, fd);
  }
  char name[16], what[16], how[16];
  if (!(text = getenv("FAULTS_CALL"))) return;
  if (sscanf(text, "%15s %ld %15s %15s", name, &wanted_number, what, how) != 4) abort();
  for (int i = 0; i < CLASSES; i++)
    if (!strcmp(name, NAMES[i])) wanted = i;
  if (wanted < 0) abort();
  kills_before = !strcmp(what, "before");
  kills_after = !strcmp(what, "after");
  is_short = !strcmp(what, "short");
  stops = !strcmp(what, "stop");
  wanted_errno = kills_before || kills_after || is_short || stops ? 0 : atoi(what);
  goes_on = !strcmp(how, "on");
}

/* The path that a call names, whichever way. */
static void resolve(char *to, int folder, const char *path) {
  char link[64];
  ssize_t length = 0;
  to[0] = 0;
  if (path && path[0] == '/') {
    snprintf(to, PATH_MAX, "%s", path);
    return;
  }
  snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
  length = syscall(SYS_readlinkat, AT_FDCWD, link, to, PATH_MAX - 1);
  if (length < 0) length = 0;
  to[length] = 0;
  if (path && path[0]) snprintf(to + length, PATH_MAX - length, "/%s", path);
}

struct call {
  int class;
  long number;
  char path[PATH_MAX];
};

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

static int is_hit(const struct call *call) {
  return call->class == wanted &&
         (call->number == wanted_number || (goes_on && call->number > wanted_number));
}

static void tell(const struct call *call, int error, const char *to) {
  char line[3 * PATH_MAX], result[16] = "ok";
  if (log_fd < 0) return;
  if (error) snprintf(result, sizeof result, "%d", error);
  int length = snprintf(line, sizeof line, "%s\t%ld\t%s\t%s\t%s\n", NAMES[call->class], call->number,
                        result, call->path + root_length, to ? to + root_length : "");
  syscall(SYS_write, log_fd, line, length);
}

static int is_inside(const char *path) {
  return root_length && !strncmp(path, root, root_length) &&
         (path[root_length] == '/' || path[root_length] == 0);
}

/* Counts a call; gives the error that it must fail with, or 0. */
static int begin(struct call *call, int class, int folder, const char *path) {
  int before = errno;
  call->class = class;
  call->number = 0;
  resolve(call->path, folder, path);
  errno = before;
  if (!is_inside(call->path)) return 0;
  call->number = atomic_fetch_add(&counts[class], 1) + 1;
  if (!is_hit(call)) return 0;
  if (kills_before) die();
  /* Until somebody lets it go on. */
  if (stops) syscall(SYS_kill, getpid(), SIGSTOP);
  if (wanted_errno) tell(call, wanted_errno, NULL);
  return wanted_errno;
}

static void end(const struct call *call, int failed, const char *to) {
  int before = errno;
  if (!call->number) return;
  tell(call, failed ? before : 0, to);
  if (kills_after && is_hit(call)) die();
  errno = before;
}

#define NEXT(name) \
  static __typeof__(&name) next; \
  if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL(error, value) \
  do { \
    errno = (error); \
    return (value); \
  } while (0)
#define CALL(type, class, folder, path, value, ...) \
  struct call call; \
  int error = begin(&call, class, folder, path); \
  if (error) FAIL(error, value); \
  type result = next(__VA_ARGS__); \
  end(&call, result == (value), NULL); \
  return result

/* How many bytes of `n` a write does. */
static size_t done_of(const struct call *call, size_t n) {
  return is_short && is_hit(call) && n > 1 ? n / 2 : n;
}

#define WRITE_CALL(fd, ...) \
  struct call call; \
  int error = begin(&call, WRITE, fd, NULL); \
  if (error) FAIL(error, -1); \
  ssize_t result = next(__VA_ARGS__); \
  end(&call, result == -1, NULL); \
  return result

ssize_t write(int fd, const void *bytes, size_t n) {
  NEXT(write);
  WRITE_CALL(fd, fd, bytes, done_of(&call, n));
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
  NEXT(writev);
  struct iovec half = *parts;
#define IS_HALF (done_of(&call, parts->iov_len) < parts->iov_len)
  half.iov_len /= 2;
  WRITE_CALL(fd, fd, IS_HALF ? &half : parts, IS_HALF ? 1 : n);
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
  NEXT(pwrite);
  WRITE_CALL(fd, fd, bytes, done_of(&call, n), at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
  NEXT(pwrite64);
  WRITE_CALL(fd, fd, bytes, done_of(&call, n), at);
}
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t n, unsigned flags) {
  NEXT(copy_file_range);
  WRITE_CALL(to, from, at, to, there, done_of(&call, n), flags);
}
int fsync(int fd) {
  NEXT(fsync);
  CALL(int, SYNC, fd, NULL, -1, fd);
}
int fdatasync(int fd) {
  NEXT(fdatasync);
  CALL(int, SYNC, fd, NULL, -1, fd);
}
int ftruncate(int fd, off_t length) {
  NEXT(ftruncate);
  CALL(int, TRUNCATE, fd, NULL, -1, fd, length);
}
int ftruncate64(int fd, off64_t length) {
  NEXT(ftruncate64);
  CALL(int, TRUNCATE, fd, NULL, -1, fd, length);
}
int mkdir(const char *path, mode_t mode) {
  NEXT(mkdir);
  CALL(int, MKDIR, AT_FDCWD, path, -1, path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
  NEXT(mkdirat);
  CALL(int, MKDIR, folder, path, -1, folder, path, mode);
}
int unlink(const char *path) {
  NEXT(unlink);
  CALL(int, UNLINK, AT_FDCWD, path, -1, path);
}
int unlinkat(int folder, const char *path, int flags) {
  NEXT(unlinkat);
  CALL(int, UNLINK, folder, path, -1, folder, path, flags);
}
int rmdir(const char *path) {
  NEXT(rmdir);
  CALL(int, UNLINK, AT_FDCWD, path, -1, path);
}

#define RENAME_CALL(to_folder, ...) \
  struct call call; \
  char target[PATH_MAX]; \
  int error = begin(&call, RENAME, AT_FDCWD, from); \
  if (error) FAIL(error, -1); \
  resolve(target, to_folder, to); \
  int result = next(__VA_ARGS__); \
  end(&call, result == -1, is_inside(target) ? target : NULL); \
  return result

int rename(const char *from, const char *to) {
  NEXT(rename);
  RENAME_CALL(AT_FDCWD, from, to);
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  NEXT(renameat);
  RENAME_CALL(to_folder, from_folder, from, to_folder, to);
}
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  NEXT(renameat2);
  RENAME_CALL(to_folder, from_folder, from, to_folder, to, flags);
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list more; \
    va_start(more, flags); \
    mode = va_arg(more, mode_t); \
    va_end(more); \
  }

int open(const char *path, int flags, ...) {
  NEXT(open);
  MODE(flags);
  CALL(int, OPEN, AT_FDCWD, path, -1, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  NEXT(open64);
  MODE(flags);
  CALL(int, OPEN, AT_FDCWD, path, -1, path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  NEXT(openat);
  MODE(flags);
  CALL(int, OPEN, folder, path, -1, folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  NEXT(openat64);
  MODE(flags);
  CALL(int, OPEN, folder, path, -1, folder, path, flags, mode);
}
int creat(const char *path, mode_t mode) {
  NEXT(creat);
  CALL(int, OPEN, AT_FDCWD, path, -1, path, mode);
}
DIR *opendir(const char *path) {
  NEXT(opendir);
  CALL(DIR *, OPEN, AT_FDCWD, path, NULL, path);
}

int stat(const char *path, struct stat *to) {
  NEXT(stat);
  CALL(int, STAT, AT_FDCWD, path, -1, path, to);
}
int stat64(const char *path, struct stat64 *to) {
  NEXT(stat64);
  CALL(int, STAT, AT_FDCWD, path, -1, path, to);
}
int lstat(const char *path, struct stat *to) {
  NEXT(lstat);
  CALL(int, STAT, AT_FDCWD, path, -1, path, to);
}
int lstat64(const char *path, struct stat64 *to) {
  NEXT(lstat64);
  CALL(int, STAT, AT_FDCWD, path, -1, path, to);
}
int fstat(int fd, struct stat *to) {
  NEXT(fstat);
  CALL(int, STAT, fd, NULL, -1, fd, to);
}
int fstat64(int fd, struct stat64 *to) {
  NEXT(fstat64);
  CALL(int, STAT, fd, NULL, -1, fd, to);
}
int fstatat(int folder, const char *path, struct stat *to, int flags) {
  NEXT(fstatat);
  CALL(int, STAT, folder, path, -1, folder, path, to, flags);
}
int fstatat64(int folder, const char *path, struct stat64 *to, int flags) {
  NEXT(fstatat64);
  CALL(int, STAT, folder, path, -1, folder, path, to, flags);
}
int statx(int folder, const char *path, int flags, unsigned mask, struct statx *to) {
  NEXT(statx);
  /* std asks with no path at all whether there is such a call; see the flags that build this. */
  CALL(int, STAT, folder, path, -1, folder, path, flags, mask, to);
}
int access(const char *path, int mode) {
  NEXT(access);
  CALL(int, STAT, AT_FDCWD, path, -1, path, mode);
}
