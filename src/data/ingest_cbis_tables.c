/* The tables of a CBIS-DDSM data set besides its manifest. */
#include "data/ingest_cbis_parts.h"

#include <stdlib.h>

static void put_file(struct buf *b, const struct dataset_file *f)
{
    csv_put(b, f->path ? f->path : "");
    csv_put(b, f->path ? f->sha256 : "");
}

static void put_finding(struct buf *b, const struct cbis_finding *f)
{
    const struct cbis_row *r = f->row;
    const int box[] = {f->box.x0, f->box.y0, f->box.x1, f->box.y1};

    csv_put(b, r->name.film);
    csv_putf(b, "%d", r->name.abnormality);
    const char *const text[] = {r->name.patient,
                                data_part_name(r->name.part),
                                data_label_name(r->label),
                                cbis_kind_name(r->name.kind),
                                r->pathology,
                                r->shape,
                                r->margins,
                                r->assessment,
                                r->subtlety};
    for (size_t k = 0; k < sizeof text / sizeof *text; k++)
        csv_put(b, text[k]);
    for (size_t k = 0; k < sizeof box / sizeof *box; k++) {
        if (f->mask.path)
            csv_putf(b, "%d", box[k]);
        else
            csv_put(b, "");
    }
    put_file(b, &f->mask);
    put_file(b, &f->crop);
    put_file(b, &f->archive);
    csv_put_end(b);
}

/* The archive's crop where it was asked for, else the one cut from the image. */
static void put_crop(struct buf *b, const struct cbis_finding *f)
{
    const char *path = f->archive.path ? f->archive.path : f->crop.path;

    if (!path)
        return;
    csv_put(b, path);
    csv_put(b, data_label_name(f->row->label));
    csv_put(b, data_part_name(f->row->name.part));
    csv_put_end(b);
}

static bool write_table(struct buf *b, const char *folder, const char *name, struct err *err)
{
    char *path = file_join(folder, name);
    bool ok = file_write(path, b->data, b->len, err);

    free(path);
    buf_release(b);
    return ok;
}

bool cbis_findings_write(const struct cbis_result *result, size_t n, const char *folder, struct err *err)
{
    struct buf all = BUF_INIT, crops = BUF_INIT;

    buf_adds(&all, "id,abnormality,patient,part,label,kind,pathology,shape,margins,assessment,subtlety,x0,y0,"
                   "x1,y1,mask,mask_sha256,"
                   "crop,crop_sha256,archive_crop,archive_crop_sha256\n");
    buf_adds(&crops, "crop,class,part\n");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < result[i].findings && result[i].whole; k++) {
            put_finding(&all, &result[i].finding[k]);
            put_crop(&crops, &result[i].finding[k]);
        }
    }
    bool ok =
        write_table(&all, folder, "abnormalities.csv", err) && write_table(&crops, folder, "crops.csv", err);
    buf_release(&crops);
    return ok;
}
