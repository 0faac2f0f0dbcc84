/* The faults of an archive of phantoms: which film has which, and the truth about them. */
#include "data/phantom_archive_parts.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/cbis_audit.h"

#include <assert.h>
#include <stdlib.h>

/* Of the pairs of mask and crop in one series, as counted in the archive. */
static const double SWAPPED_SHARE = 0.48;

/* What an audit is expected to call the file; which file it is. */
static const struct kind {
    const char *name;
    enum cbis_kept kept;
    enum cbis_role role;
    bool missing; /* there is no file to name */
    const char *what;
} KINDS[FAULT_COUNT] = {
    [FAULT_SWAPPED] = {"swapped", CBIS_SETTLED, CBIS_MASK, false,
                       "mask and crop swapped in their series, against the table"},
    [FAULT_MISNAMED] = {"misnamed-series", CBIS_SETTLED, CBIS_MASK, false,
                        "a series called 'cropped images' holds the mask"},
    [FAULT_TWO_FOLDERS] = {"two-folders", CBIS_SETTLED, CBIS_MASK, false,
                           "mask and crop lie in two series of two folders"},
    [FAULT_PIXEL_PITCH] = {"pixel-pitch", CBIS_REPAIRED, CBIS_MASK, false,
                           "the mask has .87 of the image's size: another scanner's pitch"},
    [FAULT_OTHER_ASPECT] = {"other-aspect", CBIS_LOST, CBIS_MASK, false,
                            "the mask's sides do not have the image's ratio"},
    [FAULT_MISSING_MASK] = {"missing-mask", CBIS_LOST, CBIS_MASK, true, "the mask's file is missing"},
    [FAULT_MISSING_IMAGE] = {"missing-image", CBIS_LOST, CBIS_FULL, true, "the image's file is missing"},
    [FAULT_TRUNCATED_IMAGE] = {"truncated-image", CBIS_LOST, CBIS_FULL, false,
                               "the image's file ends after two thirds"},
    [FAULT_MONOCHROME1] = {"monochrome1", CBIS_REPAIRED, CBIS_FULL, false,
                           "the image has black and white exchanged, and says so"},
    [FAULT_SECOND_COPY] = {"second-copy", CBIS_SETTLED, CBIS_FULL, false,
                           "the image lies in a second folder once more"},
};

int phantom_archive_fault_kinds(void)
{
    return FAULT_COUNT - 1;
}

/* A film for every kind of fault; of what is left about half of the pairs are swapped. */
void archive_faults_plan(struct archive *a)
{
    struct rng r = rng_at(a->options->seed, RNG_PHANTOM, UINT64_MAX, 1);
    size_t *order = mem_new(a->films, sizeof *order);

    assert(a->films >= FAULT_COUNT - 1);
    rng_permutation(&r, order, a->films);
    for (int fault = 1; fault < FAULT_COUNT; fault++)
        a->film[order[fault - 1]].fault = (enum archive_fault)fault;
    for (size_t i = 0; i < a->films; i++) {
        struct archive_film *f = &a->film[i];
        for (int k = 0; k < f->about.masses; k++) {
            bool chance = rng_uniform(&r) < SWAPPED_SHARE;
            f->swapped[k] = f->fault == FAULT_SWAPPED || (f->fault == FAULT_NONE && chance);
        }
    }
    free(order);
}

static void put_fault(struct buf *b, const struct archive *a, const struct archive_film *f, int k,
                      enum archive_fault fault)
{
    const struct kind *kind = &KINDS[fault];
    struct archive_place p =
        fault == FAULT_SECOND_COPY ? archive_second_place(a, f) : archive_place_of(a, f, k, kind->role);

    csv_put(b, kind->name);
    csv_put(b, f->name);
    csv_put(b, kind->missing ? "" : p.path);
    csv_put(b, cbis_kept_name(kind->kept));
    csv_put(b, kind->what);
    csv_put_end(b);
    free(p.path);
}

/* Faults a reader of tables has to bear in silence. */
static void put_table(struct buf *b, enum data_part part, const char *name, const char *what)
{
    csv_put(b, name);
    csv_put(b, "");
    csv_put(b, archive_table_name(part));
    csv_put(b, "");
    csv_put(b, what);
    csv_put_end(b);
}

static void put_tables(struct buf *b, const struct archive *a)
{
    bool has[PART_TEST + 1] = {false};

    for (size_t i = 0; i < a->films; i++)
        has[a->film[i].about.part == PART_TEST ? PART_TEST : PART_TRAIN] = true;
    if (has[PART_TRAIN]) {
        put_table(b, PART_TRAIN, "crlf", "lines end with carriage return and newline");
        put_table(b, PART_TRAIN, "quoted-newline", "paths of masks end with a newline inside the quotes");
    }
    if (has[PART_TEST]) {
        put_table(b, PART_TEST, "crlf", "lines end with carriage return and newline");
        put_table(b, PART_TEST, "backslashes", "paths have backslashes");
    }
}

bool archive_faults_write(const struct archive *a, struct err *err)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "fault,id,file,audit,what\n");
    put_tables(&b, a);
    for (size_t i = 0; i < a->films; i++) {
        const struct archive_film *f = &a->film[i];
        if (f->fault != FAULT_NONE && f->fault != FAULT_SWAPPED)
            put_fault(&b, a, f, 0, f->fault);
        for (int k = 0; k < f->about.masses; k++)
            if (f->swapped[k])
                put_fault(&b, a, f, k, FAULT_SWAPPED);
    }
    char *path = file_join(a->folder, "faults.csv");
    bool ok = file_write(path, b.data, b.len, err);
    free(path);
    buf_release(&b);
    return ok;
}
