#include "data/ingest_cbis_parts.h"

#include "base/mem.h"
#include "base/stop.h"
#include "base/parallel.h"
#include "io/dicom.h"
#include "io/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 256, MOST_DEPTH = 64 };

struct place {
    dev_t device;
    ino_t inode;
};

struct scan {
    struct cbis_files *files;
    struct cbis_audit *audit;
    struct place *seen; /* folders entered, and the one that is left out */
    size_t seen_count;
};

static bool note_seen(struct scan *s, const struct stat *st)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (s->seen[i].device == st->st_dev && s->seen[i].inode == st->st_ino)
            return false;
    s->seen = mem_grow(s->seen, s->seen_count + 1, sizeof *s->seen);
    s->seen[s->seen_count++] = (struct place){st->st_dev, st->st_ino};
    return true;
}

static void leave_out(struct cbis_audit *a, enum cbis_kept kept, const char *file, const char *found,
                      const char *why)
{
    struct cbis_line *l = cbis_audit_add(a, kept, "", file);

    cbis_line_found(l, "%s", found);
    cbis_line_done(l, "left out");
    cbis_line_why(l, "%s", why);
}

static void add_file(struct scan *s, const char *relative, const struct stat *st)
{
    struct cbis_files *f = s->files;

    f->item = mem_grow(f->item, f->count + 1, sizeof *f->item);
    f->item[f->count++] =
        (struct cbis_file){.path = mem_copy_string(relative),
                           .bytes = st->st_size,
                           .modified_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec};
}

static bool walk(struct scan *s, const char *relative, int depth, struct err *err);

static void enter(struct scan *s, const char *relative, const struct stat *st, int depth)
{
    struct err why = ERR_INIT;

    if (depth >= MOST_DEPTH)
        leave_out(s->audit, CBIS_SKIPPED, relative, "a folder", "too many folders above it");
    else if (!note_seen(s, st))
        leave_out(s->audit, CBIS_SKIPPED, relative, "a folder", "it is read already under another name");
    else if (!walk(s, relative, depth + 1, &why))
        leave_out(s->audit, CBIS_LOST, relative, "a folder", why.text);
}

/* Links are followed; what is neither file nor folder is never opened. */
static void visit(struct scan *s, const char *relative, int depth)
{
    struct stat st;
    char *path = file_join(s->files->root, relative);

    if (stat(path, &st))
        leave_out(s->audit, errno == EACCES ? CBIS_LOST : CBIS_SKIPPED, relative, "cannot be looked at",
                  strerror(errno));
    else if (S_ISDIR(st.st_mode))
        enter(s, relative, &st, depth);
    else if (S_ISREG(st.st_mode))
        add_file(s, relative, &st);
    else
        leave_out(s->audit, CBIS_SKIPPED, relative, "no regular file", "a pipe, a socket or a device");
    free(path);
}

static bool walk(struct scan *s, const char *relative, int depth, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;
    char *folder = file_join(s->files->root, relative);
    bool ok = file_list_read(&names, folder, err);

    for (size_t i = 0; i < names.count && ok; i++) {
        char *below =
            *relative ? mem_printf("%s/%s", relative, names.name[i]) : mem_copy_string(names.name[i]);
        visit(s, below, depth);
        free(below);
    }
    file_list_release(&names);
    free(folder);
    return ok;
}

/* ---- headers ---- */

enum looks { LOOKS_DICOM, LOOKS_JPEG, LOOKS_ZIP, LOOKS_OTHER, UNREADABLE };

static enum looks look(const char *path, struct err *err)
{
    char head[HEAD_BYTES];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);

    if (n < 0)
        err_errno(err);
    if (fd >= 0)
        close(fd);
    return n < 0                                       ? UNREADABLE
           : n > 3 && !memcmp(head, "\xff\xd8\xff", 3) ? LOOKS_JPEG
           : n > 4 && !memcmp(head, "PK\3\4", 4)       ? LOOKS_ZIP
           : dicom_is_likely(head, (size_t)n)          ? LOOKS_DICOM
                                                       : LOOKS_OTHER;
}

static void take_header(struct cbis_file *f, const struct dicom_info *i)
{
    f->patient_id = mem_copy_string(i->patient_id);
    f->description = mem_copy_string(i->series_description);
    f->study = mem_copy_string(i->study_uid);
    f->series = mem_copy_string(i->series_uid);
    f->instance = mem_copy_string(i->instance_uid);
    f->photometric = mem_copy_string(i->photometric);
    f->laterality = mem_copy_string(i->laterality);
    f->orientation = mem_copy_string(*i->view_position ? i->view_position : i->patient_orientation);
    f->number = i->instance_number;
    f->width = i->columns;
    f->height = i->rows;
    f->bits = i->bits_allocated;
    f->frames = i->frames;
}

/* The deepest folder that is a unique identifier; new. */
static char *series_of_path(const char *path)
{
    char *copy = mem_copy_string(path), *slash, *found = NULL;

    while (!found && (slash = strrchr(copy, '/'))) {
        *slash = '\0';
        if (cbis_is_uid(file_base(copy)))
            found = mem_copy_string(file_base(copy));
    }
    free(copy);
    return found ? found : mem_copy_string("");
}

static void take_jpeg(struct cbis_file *f, const struct image_info *i)
{
    char **const unknown[] = {&f->patient_id,  &f->description, &f->study,      &f->instance,
                              &f->photometric, &f->laterality,  &f->orientation};

    for (size_t k = 0; k < sizeof unknown / sizeof *unknown; k++)
        *unknown[k] = mem_copy_string("");
    f->series = series_of_path(f->path);
    f->jpeg = true;
    f->width = i->width;
    f->height = i->height;
    f->bits = 8;
    f->frames = 1;
}

#define NO_PICTURE "neither DICOM nor JPEG"
#define ZIPPED     "a ZIP file: unpack it first"

static void read_picture(struct cbis_file *f, const char *path, enum looks looks)
{
    struct dicom_info dicom;
    struct image_info jpeg;
    struct err why = ERR_INIT;

    if (looks == LOOKS_DICOM && dicom_read_info(&dicom, path, &why))
        take_header(f, &dicom);
    else if (looks == LOOKS_JPEG && image_read_info(&jpeg, path, &why))
        take_jpeg(f, &jpeg);
    else
        f->fault = mem_copy_string(err_without(&why, path));
}

static bool read_header(void *files, size_t i, struct err *err)
{
    const struct cbis_files *all = files;
    struct cbis_file *f = &all->item[i];
    struct err why = ERR_INIT;
    char *path = file_join(all->root, f->path);
    const enum looks looks = look(path, &why);

    (void)err;
    if (looks == LOOKS_DICOM || looks == LOOKS_JPEG)
        read_picture(f, path, looks);
    else
        f->fault = mem_copy_string(looks == UNREADABLE ? why.text : looks == LOOKS_ZIP ? ZIPPED : NO_PICTURE);
    free(path);
    return true;
}

static void file_release(struct cbis_file *f)
{
    char *const text[] = {f->path,     f->patient_id,  f->description, f->study,       f->series,
                          f->instance, f->photometric, f->laterality,  f->orientation, f->fault};

    for (size_t k = 0; k < sizeof text / sizeof *text; k++)
        free(text[k]);
}

/* Files with a fault go to the audit and are forgotten. */
static void drop_faults(struct cbis_files *files, struct cbis_audit *audit)
{
    size_t kept = 0;

    for (size_t i = 0; i < files->count; i++) {
        struct cbis_file *f = &files->item[i];
        if (!f->fault) {
            files->item[kept++] = *f;
            continue;
        }
        if (strcmp(f->fault, NO_PICTURE))
            leave_out(audit, CBIS_LOST, f->path, "a file that cannot be read", f->fault);
        else if (file_has_ext(f->path, "dcm"))
            leave_out(audit, CBIS_LOST, f->path, "named .dcm", f->bytes ? "no DICOM file" : "an empty file");
        else
            leave_out(audit, CBIS_SKIPPED, f->path, "another file", NO_PICTURE);
        file_release(f);
    }
    files->count = kept;
}

bool cbis_files_scan(struct cbis_files *files, const char *folder, const char *out, struct cbis_audit *audit,
                     struct err *err)
{
    struct scan s = {.files = files, .audit = audit};
    struct stat st;
    bool ok;

    files->root = mem_copy_string(folder);
    if (out && !stat(out, &st))
        note_seen(&s, &st);
    if (stat(folder, &st)) {
        ok = err_errno(err);
        err_at(err, "%s", folder);
    } else if (!note_seen(&s, &st)) {
        ok = err_set(err, ERR_INPUT, "%s: the download and the data set must be two folders", folder);
    } else {
        ok = walk(&s, "", 0, err) && parallel_for(files->count, read_header, files, "headers", err);
    }
    if (ok)
        drop_faults(files, audit);
    free(s.seen);
    return ok;
}

void cbis_files_release(struct cbis_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        file_release(&files->item[i]);
    free(files->item);
    free(files->root);
    *files = (struct cbis_files)CBIS_FILES_INIT;
}
