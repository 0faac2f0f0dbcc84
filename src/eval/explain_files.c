#include "eval/explain_files.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/image_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const EXTENSION[] = {"png", "jpg", "jpeg", "tif", "tiff"};
enum { N_EXTENSIONS = sizeof EXTENSION / sizeof *EXTENSION };

static bool looks_like_image(const char *path)
{
    for (int i = 0; i < N_EXTENSIONS; i++)
        if (file_has_ext(path, EXTENSION[i]))
            return true;
    return image_is_readable(path);
}

static void add(struct explain_files *f, const char *path)
{
    f->file = mem_grow(f->file, f->count + 1, sizeof *f->file);
    f->file[f->count++] = (struct explain_file){mem_copy_string(path), NULL};
}

static bool same_folder(const struct stat *a, const char *path)
{
    struct stat b;

    return path && !stat(path, &b) && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

static bool walk(struct explain_files *f, const char *folder, const char *skip, struct err *err);

/* One name below a folder. Only regular files are opened, so nothing can block. A folder that cannot be
 * listed is taken as a file: reading it will say what is wrong. */
static void walk_name(struct explain_files *f, const char *path, const char *skip)
{
    struct stat link, target;

    if (lstat(path, &link) || stat(path, &target))
        return; /* gone meanwhile, or a link to nothing */
    if (S_ISDIR(link.st_mode) ? !same_folder(&link, skip) && !walk(f, path, skip, NULL)
                              : S_ISREG(target.st_mode) && looks_like_image(path))
        add(f, path);
}

static bool walk(struct explain_files *f, const char *folder, const char *skip, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;
    bool ok = file_list_read(&names, folder, err);

    for (size_t i = 0; i < names.count; i++) {
        if (names.name[i][0] == '.')
            continue;
        char *path = file_join(folder, names.name[i]);
        walk_name(f, path, skip);
        free(path);
    }
    file_list_release(&names);
    return ok;
}

/* The stem in UTF-8, as the set of used names wants it: names may hold any bytes. */
static char *clean_stem(const char *path)
{
    char *stem = file_stem(path);
    json_t *text = json_string(stem);

    for (char *c = stem; !text && *c; c++)
        if (*c & 0x80)
            *c = '_';
    json_decref(text);
    return stem;
}

/* STEM-2, STEM-3 ..., passing over stems that other files have. */
static char *numbered(json_t *used, const char *stem)
{
    json_int_t n = json_integer_value(json_object_get(used, stem));
    char *name = NULL;

    do {
        free(name);
        name = mem_printf("%s-%lld", stem, (long long)++n);
    } while (json_object_get(used, name));
    json_object_set_new(used, stem, json_integer(n));
    json_object_set_new(used, name, json_integer(1));
    return name;
}

/* The first file of a stem keeps it. */
static void name_outputs(struct explain_files *f)
{
    json_t *used = json_object(); /* stem: the last number given */

    for (size_t i = 0; i < f->count; i++) {
        char *stem = clean_stem(f->file[i].path);
        if (json_object_get(used, stem)) {
            free(stem);
        } else {
            json_object_set_new(used, stem, json_integer(1));
            f->file[i].stem = stem;
        }
    }
    for (size_t i = 0; i < f->count; i++) {
        if (!f->file[i].stem) {
            char *stem = clean_stem(f->file[i].path);
            f->file[i].stem = numbered(used, stem);
            free(stem);
        }
    }
    json_decref(used);
}

bool explain_files_find(struct explain_files *out, char *const *path, size_t n, const char *skip,
                        struct err *err)
{
    struct explain_files f = EXPLAIN_FILES_INIT;
    bool ok = true;

    for (size_t i = 0; i < n && ok; i++) {
        if (file_is_folder(path[i]))
            ok = walk(&f, path[i], skip, err);
        else
            add(&f, path[i]);
    }
    if (ok && f.count == 0)
        ok = err_set(err, ERR_INPUT, "%s: no image in it", n > 0 ? path[0] : "");
    if (ok) {
        name_outputs(&f);
        explain_files_release(out);
        *out = f;
    } else {
        explain_files_release(&f);
    }
    return ok;
}

void explain_files_release(struct explain_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->file[i].path);
        free(f->file[i].stem);
    }
    free(f->file);
    *f = (struct explain_files)EXPLAIN_FILES_INIT;
}
