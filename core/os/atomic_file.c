#include "os/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_in_place(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int rc = write_all(fd, data, len);
    if (close(fd) != 0 && rc == 0) rc = errno;
    return rc;
}

/* Creates a temporary file beside `target`, and stores its name in `temporary`. A file that a killed
 * process with the same id has left is skipped. */
static int create_beside(const char *target, char *temporary, size_t size)
{
    for (int i = 0; i < 100; i++) {
        snprintf(temporary, size, "%s.%ld-%d.tmp", target, (long)getpid(), i);
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/* The rename is part of the directory, so that is synced, too, where the file system supports it. */
static void sync_directory(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) *slash = '\0';
    int fd = open(slash == NULL ? "." : (slash == path ? "/" : path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash != NULL) *slash = '/';
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

/* `old` is the status of the present file, or NULL. */
static int replace(char *target, const struct stat *old, const void *data, size_t len)
{
    char temporary[PATH_MAX + 48];
    int fd = create_beside(target, temporary, sizeof temporary);
    if (fd < 0) return errno;
    int rc = write_all(fd, data, len);
    if (rc == 0 && old != NULL && fchmod(fd, old->st_mode & 07777) != 0) rc = errno;
    if (rc == 0 && fsync(fd) != 0) rc = errno;
    if (close(fd) != 0 && rc == 0) rc = errno;
    if (rc == 0 && rename(temporary, target) != 0) rc = errno;
    if (rc != 0) unlink(temporary);
    else sync_directory(target);
    return rc;
}

/* Resolves the links of `path` into `target` (PATH_MAX bytes). `*exists` tells whether the file exists,
 * and `old` its status. Returns an errno for what can never be written. */
static int find_target(const char *path, char *target, struct stat *old, bool *exists)
{
    *exists = stat(path, old) == 0;
    if (!*exists && errno != ENOENT) return errno;
    if (*exists && S_ISDIR(old->st_mode)) return EISDIR;
    if (*exists && S_ISREG(old->st_mode)) return realpath(path, target) == NULL ? errno : 0;
    if (strlen(path) >= PATH_MAX) return ENAMETOOLONG;
    strcpy(target, path);
    return 0;
}

int wm_replace_file(const char *path, const void *data, size_t len)
{
    char target[PATH_MAX];
    struct stat old;
    bool exists;
    int rc = find_target(path, target, &old, &exists);
    if (rc != 0) return rc;
    if (exists && !S_ISREG(old.st_mode)) return write_in_place(target, data, len);
    return replace(target, exists ? &old : NULL, data, len);
}

int wm_replace_file_check(const char *path)
{
    char target[PATH_MAX], temporary[PATH_MAX + 48];
    struct stat old;
    bool exists;
    int rc = find_target(path, target, &old, &exists);
    if (rc != 0) return rc;
    if (exists && !S_ISREG(old.st_mode)) return access(target, W_OK) == 0 ? 0 : errno;
    int fd = create_beside(target, temporary, sizeof temporary);
    if (fd < 0) return errno;
    close(fd);
    unlink(temporary);
    return 0;
}
