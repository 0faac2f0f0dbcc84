#include "data/ingest_case.h"

#include "base/mem.h"
#include "io/image_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* A folder being read. */
struct place {
    const char *relative; /* path below the root, "" for the root itself */
    int label;            /* of the nearest folder named by one, or -1 */
};

/* Every folder is read once, whatever links lead to it: links in a circle come to an end. */
struct scan {
    struct ingest_cases *cases;
    struct seen {
        dev_t device;
        ino_t inode;
    } * seen;
    size_t n_seen;
    bool labelled; /* a folder named by a label was met */
};

/* By its name, those that are not read included, so that rejected.csv tells of them; a DICOM file, which
 * often has none, by its first bytes. */
static bool is_picture(const char *folder, const char *name)
{
    static const char *const EXT[] = {"png", "jpg", "jpeg", "tif", "tiff", "dcm",
                                      "bmp", "gif", "webp", "jp2", "pgm",  "ppm"};
    bool is = false;

    /* Dot files are the systems' own: "._benign (1).png" is no image. */
    for (size_t i = 0; i < sizeof EXT / sizeof *EXT && *name != '.' && !is; i++)
        is = file_has_ext(name, EXT[i]);
    if (!is && *name != '.') {
        char *path = file_join(folder, name);
        is = image_is_readable(path);
        free(path);
    }
    return is;
}

/* Letters of NAME in a stem NAME_mask or NAME_mask_1, or 0 when it is no mask's. */
static size_t masked_name(const char *stem)
{
    static const char MARK[] = "_mask";
    size_t n = strlen(stem), digits = 0;

    while (digits < n && isdigit((unsigned char)stem[n - 1 - digits]))
        digits++;
    if (digits && digits < n && stem[n - 1 - digits] == '_')
        n -= digits + 1;
    if (n <= strlen(MARK) || strncasecmp(stem + n - strlen(MARK), MARK, strlen(MARK)))
        return 0;
    return n - strlen(MARK);
}

static void add_image(struct ingest_cases *c, const struct place *p, const char *name)
{
    char *path = file_join(p->relative, name);
    struct ingest_case *new = ingest_cases_add(c, path);

    if (p->label < 0)
        ingest_case_fault(new, "no label: not below a folder named benign, malignant or normal");
    else
        new->label = (enum data_label)p->label;
    free(path);
}

/* Gives a mask to the images of its name in the same folder: the cases from first on. */
static void add_mask(struct ingest_cases *c, const struct place *p, const char *name, size_t first)
{
    char *path = file_join(p->relative, name), *mask_stem = file_stem(name);
    size_t n = masked_name(mask_stem), owners = 0;

    for (size_t i = first; i < c->count; i++) {
        char *stem = file_stem(c->item[i].image);
        if (strlen(stem) == n && !strncmp(stem, mask_stem, n)) {
            ingest_case_add_mask(&c->item[i], path);
            owners++;
        }
        free(stem);
    }
    if (!owners)
        ingest_case_fault(ingest_cases_add(c, path), "a mask without its image");
    free(mask_stem);
    free(path);
}

static bool name_is_mask(const char *name)
{
    char *stem = file_stem(name);
    bool is = masked_name(stem) > 0;

    free(stem);
    return is;
}

static bool note_seen(struct scan *s, const char *folder)
{
    struct stat st;

    if (stat(folder, &st))
        return true; /* reading it will tell why */
    for (size_t i = 0; i < s->n_seen; i++)
        if (s->seen[i].device == st.st_dev && s->seen[i].inode == st.st_ino)
            return false;
    s->seen = mem_grow(s->seen, s->n_seen + 1, sizeof *s->seen);
    s->seen[s->n_seen++] = (struct seen){st.st_dev, st.st_ino};
    return true;
}

/* The names of one folder's pictures. */
static void read_pictures(struct ingest_cases *c, const struct place *p, const struct file_list *names)
{
    size_t first = c->count;

    for (size_t i = 0; i < names->count; i++)
        if (!name_is_mask(names->name[i]))
            add_image(c, p, names->name[i]);
    for (size_t i = 0; i < names->count; i++)
        if (name_is_mask(names->name[i]))
            add_mask(c, p, names->name[i], first);
}

static bool read_folder(struct scan *s, const struct place *p, struct err *err);

static void read_below(struct scan *s, const struct place *p, const char *name)
{
    char *relative = file_join(p->relative, name), *folder = file_join(s->cases->root, relative);
    struct place below = {relative, p->label};
    struct err err = ERR_INIT;
    enum data_label label;

    if (data_label_parse(name, &label)) {
        below.label = (int)label;
        s->labelled = true;
    }
    if (!note_seen(s, folder))
        ingest_case_fault(ingest_cases_add(s->cases, relative), "a link to a folder that is read already");
    else if (!read_folder(s, &below, &err))
        ingest_case_fault(ingest_cases_add(s->cases, relative), "%s", ingest_reason(&err, folder));
    free(folder);
    free(relative);
}

static bool read_folder(struct scan *s, const struct place *p, struct err *err)
{
    struct file_list names = FILE_LIST_INIT, files = FILE_LIST_INIT;
    char *folder = file_join(s->cases->root, p->relative);
    bool ok = file_list_read(&names, folder, err);

    if (ok) {
        files.name = mem_new(names.count, sizeof *files.name); /* borrowed names */
        for (size_t i = 0; i < names.count; i++) {
            char *path = file_join(folder, names.name[i]);
            if (file_is_folder(path)) {
                if (*names.name[i] != '.')
                    read_below(s, p, names.name[i]);
            } else if (is_picture(folder, names.name[i])) {
                files.name[files.count++] = names.name[i];
            }
            free(path);
        }
        read_pictures(s->cases, p, &files);
    }
    free(files.name);
    file_list_release(&names);
    free(folder);
    return ok;
}

bool ingest_scan(struct ingest_cases *c, const char *folder, struct err *err)
{
    struct scan s = {.cases = c};
    const struct place root = {"", -1};

    c->root = mem_copy_string(folder);
    c->patients_unknown = true;
    note_seen(&s, folder);
    bool ok = read_folder(&s, &root, err);
    if (ok && !s.labelled)
        ok = err_set(err, ERR_INPUT,
                     "%s: no folder named benign, malignant or normal in it, and no table (CSV) with the "
                     "columns image, "
                     "mask, label, patient",
                     folder);
    free(s.seen);
    return ok;
}
