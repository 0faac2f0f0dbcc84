#include "data/phantom_archive_parts.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "image/regions.h"
#include "image/warp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMPLICIT_LITTLE "1.2.840.10008.1.2"
#define COMMENT         "Synthetic mammogram drawn by clearmass phantom; no patient, not for diagnosis"
#define UNFINISHED      "unfinished.txt"

static const char README[] =
    "Synthetic mammograms, drawn by 'clearmass phantom --archive' in the layout of the CBIS-DDSM download.\n"
    "Nothing in this folder comes from a patient or from the archive.\n"
    "Research software, not a medical device.\n";

/* Of two DDSM scanners' pixels: 43.5 and 50 micrometres. */
static const double OTHER_PITCH = 0.87, OTHER_HEIGHT = 0.8;

/* ---- places ---- */

/* Of the archive, a name in it and what of it; other options make other identifiers. */
static void make_uid(char uid[DICOM_UID_TEXT], const struct archive *a, const char *name, const char *what)
{
    char *text = mem_printf("clearmass phantom %llu %d %s %s", (unsigned long long)a->options->seed,
                            a->options->height, name, what);

    dicom_uid(uid, text);
    free(text);
}

static const char *last_five(const char *uid)
{
    return uid + strlen(uid) - 5;
}

static char *path_text(const char *name, const char *date, const struct archive_place *p)
{
    return mem_printf("%s/%s-DDSM-NA-%s/1.000000-%s-%s/1-%d.dcm", name, date, last_five(p->study),
                      p->description, last_five(p->series), p->number);
}

static struct archive_place place_of_full(const struct archive *a, const struct archive_film *f,
                                          const char *date)
{
    struct archive_place p = {.description = "full mammogram images", .number = 1};

    make_uid(p.study, a, f->name, "study");
    make_uid(p.series, a, f->name, "series");
    p.path = path_text(f->name, date, &p);
    return p;
}

struct archive_place archive_second_place(const struct archive *a, const struct archive_film *f)
{
    return place_of_full(a, f, "08-30-2017");
}

struct archive_place archive_place_of(const struct archive *a, const struct archive_film *f, int k,
                                      enum cbis_role role)
{
    const bool first = k == 0, apart = first && f->fault == FAULT_TWO_FOLDERS;
    const bool crop_name = (apart && role == CBIS_CROP) || (first && f->fault == FAULT_MISNAMED);
    struct archive_place p = {.description = crop_name ? "cropped images" : "ROI mask images"};

    if (role == CBIS_FULL)
        return place_of_full(a, f, "07-20-2016");
    char *name = mem_printf("%s_%d", f->name, k + 1);
    p.number = apart ? 1 : (role == CBIS_MASK) != f->swapped[k] ? 2 : 1;
    make_uid(p.study, a, name, apart && role == CBIS_MASK ? "second study" : "study");
    make_uid(p.series, a, name, apart && role == CBIS_MASK ? "second series" : "series");
    p.path = path_text(name, apart && role == CBIS_MASK ? "08-30-2017" : "07-20-2016", &p);
    free(name);
    return p;
}

/* ---- files ---- */

/* Writes one file; name is the patient's number in the header, as in the archive. */
static bool write_file(const struct archive *a, const struct archive_film *f, const char *name,
                       const struct archive_place *p, const struct image *im, struct err *err)
{
    struct dicom_info info = {
        .transfer_syntax = IMPLICIT_LITTLE, .modality = "MG", .instance_number = p->number};
    char *path = mem_printf("%s/" ARCHIVE_ROOT "/%s", a->folder, p->path);
    char *folder = mem_copy_string(path), number[8];

    folder[file_base(folder) - folder - 1] = '\0';
    snprintf(number, sizeof number, "%d", p->number);
    snprintf(info.patient_id, DICOM_TEXT, "%s", name);
    snprintf(info.series_description, DICOM_TEXT, "%s", p->description);
    strcpy(info.study_uid, p->study);
    strcpy(info.series_uid, p->series);
    make_uid(info.instance_uid, a, p->series, number);
    strcpy(info.laterality, f->about.right ? "R" : "L");
    strcpy(info.patient_orientation, phantom_projection_name(f->view));
    if (f->fault == FAULT_MONOCHROME1 && !strcmp(name, f->name))
        strcpy(info.photometric, "MONOCHROME1");
    bool ok = file_make_folders(folder, err) && dicom_write(path, im, &info, COMMENT, err);
    free(path);
    free(folder);
    return ok;
}

static bool truncate_file(const struct archive *a, const struct archive_place *p, struct err *err)
{
    char *path = mem_printf("%s/" ARCHIVE_ROOT "/%s", a->folder, p->path);
    struct stat st;
    bool ok = (!stat(path, &st) && !truncate(path, st.st_size * 2 / 3)) || err_errno(err);

    if (!ok)
        err_at(err, "%s", path);
    free(path);
    return ok;
}

static void exchange_black_and_white(struct image *grey)
{
    uint16_t *v = image_u16(grey);
    const size_t n = image_pixels(grey);

    for (size_t i = 0; i < n; i++)
        v[i] = (uint16_t)(UINT16_MAX - v[i]);
}

/* Changes the picture where the film is MONOCHROME1; nothing of it is needed after. */
static bool write_full(const struct archive *a, const struct archive_film *f, struct image *grey,
                       struct err *err)
{
    struct archive_place p = archive_place_of(a, f, 0, CBIS_FULL), second = archive_second_place(a, f);
    bool ok = true;

    if (f->fault == FAULT_MONOCHROME1)
        exchange_black_and_white(grey);
    if (f->fault != FAULT_MISSING_IMAGE)
        ok = write_file(a, f, f->name, &p, grey, err);
    if (ok && f->fault == FAULT_SECOND_COPY)
        ok = write_file(a, f, f->name, &second, grey, err);
    if (ok && f->fault == FAULT_TRUNCATED_IMAGE)
        ok = truncate_file(a, &p, err);
    free(p.path);
    free(second.path);
    return ok;
}

/* The core of mass k as a mask, and the box around it. A mass drawn as another's neighbour always has pixels:
 * the smallest has some dozen even at the smallest height. */
static bool mask_of(struct image *mask, struct image_box *box, const struct phantom_picture *p, int k,
                    struct err *err)
{
    const size_t n = image_pixels(&p->core);

    if (!image_copy(mask, &p->core, err))
        return false;
    for (size_t i = 0; i < n; i++)
        image_u8(mask)[i] = image_u8(mask)[i] >> k & 1 ? 255 : 0;
    return image_box_of(box, mask, 0) || err_set(err, ERR_INPUT, "a mass without pixels");
}

/* Stretched to all 16 bits on its own, as the archive's crops are. */
static bool crop_of(struct image *crop, const struct image *grey, struct image_box box, struct err *err)
{
    unsigned low = UINT16_MAX, high = 0;

    if (!image_crop(crop, grey, box, err))
        return false;
    const size_t n = image_pixels(crop);
    uint16_t *v = image_u16(crop);
    for (size_t i = 0; i < n; i++) {
        low = v[i] < low ? v[i] : low;
        high = v[i] > high ? v[i] : high;
    }
    for (size_t i = 0; i < n && high > low; i++)
        v[i] = (uint16_t)((v[i] - low) * (double)UINT16_MAX / (high - low) + 0.5);
    return true;
}

static bool resize_mask(struct image *mask, const struct archive_film *f, struct err *err)
{
    const double tall = f->fault == FAULT_OTHER_ASPECT ? OTHER_HEIGHT : OTHER_PITCH;

    if (f->fault != FAULT_PIXEL_PITCH && f->fault != FAULT_OTHER_ASPECT)
        return true;
    return image_resize_nearest(mask, mask, (int)(mask->width * OTHER_PITCH + 0.5),
                                (int)(mask->height * tall + 0.5), err);
}

static bool write_mass(const struct archive *a, const struct archive_film *f, int k,
                       const struct phantom_picture *picture, struct err *err)
{
    struct archive_place at[CBIS_ROLES] = {
        {.path = NULL}, archive_place_of(a, f, k, CBIS_CROP), archive_place_of(a, f, k, CBIS_MASK)};
    struct image mask = IMAGE_INIT, crop = IMAGE_INIT;
    struct image_box box;
    char *name = mem_printf("%s_%d", f->name, k + 1);
    bool missing = k == 0 && f->fault == FAULT_MISSING_MASK;
    bool ok = mask_of(&mask, &box, picture, k, err) && crop_of(&crop, &picture->grey, box, err) &&
              (k > 0 || resize_mask(&mask, f, err)) && write_file(a, f, name, &at[CBIS_CROP], &crop, err) &&
              (missing || write_file(a, f, name, &at[CBIS_MASK], &mask, err));

    image_release(&mask);
    image_release(&crop);
    for (int role = 0; role < CBIS_ROLES; role++)
        free(at[role].path);
    free(name);
    return ok;
}

static bool write_film(void *archive, size_t i, struct err *err)
{
    const struct archive *a = archive;
    const struct archive_film *f = &a->film[i];
    struct phantom_picture p = PHANTOM_PICTURE_INIT;
    bool ok = phantom_render(&p, a->options, &f->about, f->view, err);

    for (int k = 0; k < f->about.masses && ok; k++)
        ok = write_mass(a, f, k, &p, err);
    ok = ok && write_full(a, f, &p.grey, err);
    phantom_picture_release(&p);
    return ok;
}

/* ---- the whole ---- */

static void make_films(struct archive *a)
{
    a->film = mem_new(a->options->cases * PHANTOM_PROJECTIONS, sizeof *a->film);
    for (size_t i = 0; i < a->options->cases; i++) {
        for (int view = 0; view < PHANTOM_PROJECTIONS; view++) {
            struct archive_film *f = &a->film[a->films];
            if (!a->options->view[view])
                continue;
            f->view = (enum phantom_projection)view;
            phantom_case_make(&f->about, a->options, i);
            snprintf(f->name, sizeof f->name, "Mass-%s_P_%05zu_%s_%s",
                     f->about.part == PART_TEST ? "Test" : "Training", i + 1,
                     f->about.right ? "RIGHT" : "LEFT", phantom_projection_name(f->view));
            a->films++;
        }
    }
}

static bool check(const struct archive *a, struct err *err)
{
    const size_t least = a->faults ? (size_t)phantom_archive_fault_kinds() : 1;

    if (a->options->normal_share > 0)
        return err_set(err, ERR_INPUT, "the archive has no normal films, a share of 0 is wanted");
    if (a->films < least)
        return err_set(err, ERR_INPUT, "%zu images are too few for every fault, at least %zu are wanted",
                       a->films, least);
    return true;
}

/* Everything the files depend on. */
static char *options_text(const struct archive *a)
{
    const struct phantom_options *o = a->options;

    return mem_printf(
        "clearmass %s phantom: cases %zu, seed %llu, height %d, shares %.17g %.17g %.17g, views "
        "%d%d, faults %d\n",
        CLEARMASS_VERSION, o->cases, (unsigned long long)o->seed, o->height, o->malignant_share,
        o->several_share, o->test_share, o->view[PHANTOM_CC], o->view[PHANTOM_MLO], a->faults);
}

/* The mark of an interrupted call must say what this one would. */
static bool same_mark(const char *mark, const char *text, const char *folder, struct err *err)
{
    struct buf b = BUF_INIT;
    bool ok = file_read(&b, mark, 4096, err);

    if (ok && strcmp(b.data ? b.data : "", text))
        ok = err_set(err, ERR_INPUT, "%s: an unfinished archive of other options is in there", folder);
    buf_release(&b);
    return ok;
}

static bool begin(const struct archive *a, const char *mark, struct err *err)
{
    struct file_list inside = FILE_LIST_INIT;
    char *text = options_text(a);
    bool ok = file_make_folders(a->folder, err) && file_list_read(&inside, a->folder, err);

    if (ok && file_exists(mark))
        ok = same_mark(mark, text, a->folder, err);
    else if (ok && inside.count)
        ok = err_set(err, ERR_INPUT, "%s: is not empty; name a new folder", a->folder);
    ok = ok && file_write(mark, text, strlen(text), err);
    file_list_release(&inside);
    free(text);
    return ok;
}

static bool finish(const struct archive *a, const char *mark, struct err *err)
{
    char *readme = file_join(a->folder, "README.txt");
    bool ok = archive_tables_write(a, err) && (!a->faults || archive_faults_write(a, err)) &&
              file_write(readme, README, sizeof README - 1, err);

    if (ok && unlink(mark)) {
        ok = err_errno(err);
        err_at(err, "%s", mark);
    }
    free(readme);
    return ok;
}

static struct phantom_counts count(const struct archive *a)
{
    struct phantom_counts c = {.images = a->films};

    for (size_t i = 0; i < a->films; i++)
        c.by_label[a->film[i].about.label]++;
    return c;
}

bool phantom_archive_write(struct phantom_counts *counts, const char *folder, const struct phantom_options *o,
                           bool faults, struct err *err)
{
    struct archive a = {.folder = folder, .options = o, .faults = faults};
    char *mark = file_join(folder, UNFINISHED);
    bool ok = phantom_check(o, err);

    if (ok) {
        make_films(&a);
        ok = check(&a, err);
    }
    if (ok && faults)
        archive_faults_plan(&a);
    ok = ok && begin(&a, mark, err) && parallel_for(a.films, write_film, &a, "phantoms", err) &&
         finish(&a, mark, err);
    if (ok)
        *counts = count(&a);
    free(a.film);
    free(mark);
    return ok;
}
