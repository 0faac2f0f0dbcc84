#include "eval/explain_files.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/image_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const EXTENSION[] = {"png", "jpg", "jpeg", "tif", "tiff", "dcm"};
enum { N_EXTENSIONS = sizeof EXTENSION / sizeof *EXTENSION };

static bool has_extension(const char *path)
{
    for (int i = 0; i < N_EXTENSIONS; i++)
        if (file_has_ext(path, EXTENSION[i]))
            return true;
    return false;
}

static bool looks_like_image(const char *path)
{
    return has_extension(path) || image_is_readable(path);
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

/* In UTF-8, as the set of used names wants it: names may hold any bytes. Takes text, gives it back. */
static char *clean(char *text)
{
    json_t *json = json_string(text);

    for (char *c = text; !json && *c; c++)
        if (*c & 0x80)
            *c = '_';
    json_decref(json);
    return text;
}

/* What follows the last dot of another name may tell it apart: DICOM files are often called after their
 * unique identifiers. */
static char *stem_of(const char *path)
{
    return clean(has_extension(path) ? file_stem(path) : mem_copy_string(file_base(path)));
}

/* Bytes of the folders that two paths have in common, the '/' included. */
static size_t common_folders(const char *a, const char *b)
{
    size_t n = 0;

    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '/')
            n = i + 1;
    return n;
}

/* What the files of one stem share. */
struct namesake {
    size_t first, count, folders; /* the first of the files; the bytes of their common folders */
};

/* Groups the files by stem: of[i] is the group of file i. Both are new, free() them. */
static struct namesake *find_namesakes(const struct explain_files *f, size_t **of)
{
    struct namesake *group = mem_new(f->count, sizeof *group);
    json_t *known = json_object();
    size_t groups = 0;

    *of = mem_new(f->count, sizeof **of);
    for (size_t i = 0; i < f->count; i++) {
        const char *path = f->file[i].path;
        char *stem = stem_of(path);
        const json_t *at = json_object_get(known, stem);
        const size_t k = at ? (size_t)json_integer_value(at) : groups++;
        struct namesake *g = &group[k];
        if (!at) {
            json_object_set_new(known, stem, json_integer((json_int_t)k));
            *g = (struct namesake){.first = i, .folders = strlen(path)};
        }
        const size_t shared = common_folders(f->file[g->first].path, path);
        g->folders = g->count++ && shared < g->folders ? shared : g->folders;
        (*of)[i] = k;
        free(stem);
    }
    json_decref(known);
    return group;
}

/* Files of one stem are told apart by the first folder in which they differ, if there is one. */
static char *name_of(const char *path, const struct namesake *g)
{
    const char *folder = path + (g->count > 1 ? g->folders : 0), *slash = strchr(folder, '/');
    char *stem = stem_of(path), *name;

    if (g->count < 2 || !slash || slash == folder)
        return stem;
    name = clean(mem_printf("%.*s-%s", (int)(slash - folder), folder, stem));
    free(stem);
    return name;
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

/* The first file of a name keeps it. */
static void name_outputs(struct explain_files *f)
{
    json_t *used = json_object(); /* name: the last number given */
    size_t *of;
    struct namesake *group = find_namesakes(f, &of);

    for (size_t i = 0; i < f->count; i++) {
        char *name = name_of(f->file[i].path, &group[of[i]]);
        if (json_object_get(used, name)) {
            free(name);
        } else {
            json_object_set_new(used, name, json_integer(1));
            f->file[i].stem = name;
        }
    }
    for (size_t i = 0; i < f->count; i++) {
        if (!f->file[i].stem) {
            char *name = name_of(f->file[i].path, &group[of[i]]);
            f->file[i].stem = numbered(used, name);
            free(name);
        }
    }
    json_decref(used);
    free(group);
    free(of);
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
