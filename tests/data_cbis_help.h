/* tests/data_cbis_help.h: a download of CBIS-DDSM made by hand: DICOM files, tables, and the audit read back.
 */
#ifndef TESTS_DATA_CBIS_HELP_H
#define TESTS_DATA_CBIS_HELP_H

#include "data_help.h"

#include "base/csv.h"
#include "base/json.h"
#include "data/ingest_cbis.h"
#include "io/image_file.h"

/* Without waiting for the disk. */
static inline void write_quickly(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A DICOM file: what is NULL or 0 is left out; the pixels are those of im. */
struct made_dicom {
    const char *patient, *description, *study, *series, *instance, *photometric, *orientation, *laterality;
    int number;
};

static inline void put_element(struct buf *b, unsigned group, unsigned element, const char *vr,
                               const void *value, size_t n)
{
    const bool is_long = !strcmp(vr, "OW") || !strcmp(vr, "OB");
    const size_t padded = n + n % 2;
    const uint16_t tag[2] = {(uint16_t)group, (uint16_t)element}, none = 0, length = (uint16_t)padded;
    const uint32_t long_length = (uint32_t)padded;

    buf_add(b, tag, 4);
    buf_add(b, vr, 2);
    if (is_long) {
        buf_add(b, &none, 2);
        buf_add(b, &long_length, 4);
    } else {
        buf_add(b, &length, 2);
    }
    buf_add(b, value, n);
    if (n % 2)
        buf_add(b, !strcmp(vr, "UI") || is_long ? "" : " ", 1);
}

static inline void put_text(struct buf *b, unsigned group, unsigned element, const char *vr, const char *text)
{
    if (text)
        put_element(b, group, element, vr, text, strlen(text));
}

static inline void put_number(struct buf *b, unsigned element, int value)
{
    const uint16_t v = (uint16_t)value;

    put_element(b, 0x28, element, "US", &v, 2);
}

/* Explicit little endian (PS3.5 7.1.2, PS3.10 7.1). */
static inline void make_dicom(const char *path, const struct made_dicom *d, const struct image *im)
{
    struct buf b = BUF_INIT, meta = BUF_INIT;
    const int bits = im->type == IMAGE_U8 ? 8 : 16;
    char preamble[128] = {0}, number[16];

    put_element(&meta, 2, 1, "OB", "\0\1", 2);
    put_text(&meta, 2, 2, "UI", "1.2.840.10008.5.1.4.1.1.7");
    put_text(&meta, 2, 3, "UI", d->instance ? d->instance : "1.2.3");
    put_text(&meta, 2, 0x10, "UI", "1.2.840.10008.1.2.1");
    const uint32_t meta_bytes = (uint32_t)meta.len;
    buf_add(&b, preamble, sizeof preamble);
    buf_adds(&b, "DICM");
    put_element(&b, 2, 0, "UL", &meta_bytes, 4);
    buf_add(&b, meta.data, meta.len);
    put_text(&b, 8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.7");
    put_text(&b, 8, 0x18, "UI", d->instance ? d->instance : "1.2.3");
    put_text(&b, 8, 0x60, "CS", "MG");
    put_text(&b, 8, 0x103e, "LO", d->description);
    put_text(&b, 0x10, 0x20, "LO", d->patient);
    put_text(&b, 0x20, 0xd, "UI", d->study);
    put_text(&b, 0x20, 0xe, "UI", d->series);
    snprintf(number, sizeof number, "%d", d->number);
    put_text(&b, 0x20, 0x13, "IS", d->number ? number : NULL);
    put_text(&b, 0x20, 0x20, "CS", d->orientation);
    put_text(&b, 0x20, 0x60, "CS", d->laterality);
    put_number(&b, 2, 1);
    put_text(&b, 0x28, 4, "CS", d->photometric ? d->photometric : "MONOCHROME2");
    put_number(&b, 0x10, im->height);
    put_number(&b, 0x11, im->width);
    put_number(&b, 0x100, bits);
    put_number(&b, 0x101, bits);
    put_number(&b, 0x102, bits - 1);
    put_number(&b, 0x103, 0);
    put_element(&b, 0x7fe0, 0x10, bits == 8 ? "OB" : "OW", im->data, image_bytes(im));
    write_quickly(path, b.data, b.len);
    buf_release(&b);
    buf_release(&meta);
}

/* A film of its own grey values: a ramp that begins at first. */
static inline struct image film(int width, int height, int first)
{
    struct image im = flat(width, height, IMAGE_U16, 0);

    for (size_t i = 0; i < image_pixels(&im); i++)
        image_u16(&im)[i] = (uint16_t)((size_t)first + i * 7);
    return im;
}

static inline struct image masked(int width, int height, struct image_box box)
{
    struct image im = flat(width, height, IMAGE_U8, 0);

    paint(&im, box, 255);
    return im;
}

/* A row of a table; the identifiers are "1.FILM.1" (study) and "1.FILM.2" (series) of the whole image,
 * "1.FILM.K0.1" and "1.FILM.K0.2" of abnormality K, crop 000000 and mask 000001 in one series. */
struct made_row {
    const char *set; /* "Mass-Training" */
    const char *patient, *side, *view;
    int film, abnormality;
    const char *pathology;
};

#define TABLE_HEAD                                                                                           \
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,"  \
    "mass margins,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file "      \
    "path\n"

static inline void put_row(struct buf *b, const struct made_row *r)
{
    char *name = mem_printf("%s_%s_%s_%s", r->set, r->patient, r->side, r->view);
    char *roi = mem_printf("%s_%d/1.%d.%d0.1/1.%d.%d0.2", name, r->abnormality, r->film, r->abnormality,
                           r->film, r->abnormality);

    buf_addf(
        b,
        "%s,2,%s,%s,%d,%s,OVAL,N/A,%d,%s,%d,%s/1.%d.1/1.%d.2/000000.dcm,%s/000000.dcm,\"%s/000001.dcm\n\"\n",
        r->patient, r->side, r->view, r->abnormality, r->set[0] == 'C' ? "calcification" : "mass",
        r->abnormality, r->pathology, r->abnormality + 1, name, r->film, r->film, roi, roi);
    free(name);
    free(roi);
}

static inline void make_table(const char *path, const struct made_row *rows, size_t n)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, TABLE_HEAD);
    for (size_t i = 0; i < n; i++)
        put_row(&b, &rows[i]);
    write_quickly(path, b.data, b.len);
    buf_release(&b);
}

/* Fails unless a line of the audit for that file and of that kind has the part in "found | done | why". */
static inline void want_audit(const char *out, const char *file, const char *kept, const char *part)
{
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    struct buf seen = BUF_INIT;
    bool found = false;
    char *path = mem_printf("%s/audit.csv", out);

    must(csv_read(&t, path, &err), err);
    for (size_t i = 0; i < t.count; i++) {
        if (strcmp(csv_get(&t, i, csv_column(&t, "file")), file))
            continue;
        char *text =
            mem_printf("%s | %s | %s", csv_get(&t, i, csv_column(&t, "found")),
                       csv_get(&t, i, csv_column(&t, "done")), csv_get(&t, i, csv_column(&t, "why")));
        buf_addf(&seen, "\n%s: %s", csv_get(&t, i, csv_column(&t, "kept")), text);
        found |= !strcmp(csv_get(&t, i, csv_column(&t, "kept")), kept) && strstr(text, part);
        free(text);
    }
    csv_release(&t);
    free(path);
    if (!found)
        fail_msg("no line '%s' of '%s' has '%s', only%s", kept, file, part, seen.data ? seen.data : " none");
    buf_release(&seen);
}

#endif
