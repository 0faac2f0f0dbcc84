/* DICOM files by hand, from the standard's part 5 and 10: for tests and fuzz seeds. Elements come in rising
 * order of their tags, as the caller adds them. */
#ifndef CLEARMASS_TEST_DICOM_MAKE_H
#define CLEARMASS_TEST_DICOM_MAKE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAKE_IMPLICIT "1.2.840.10008.1.2"
#define MAKE_EXPLICIT "1.2.840.10008.1.2.1"
#define MAKE_BIG      "1.2.840.10008.1.2.2"
#define MAKE_RLE      "1.2.840.10008.1.2.5"
#define MAKE_J2K      "1.2.840.10008.1.2.4.90"

struct make {
    struct buf b;
    bool is_implicit, is_big;
};

static inline void make_u16(struct make *m, unsigned v)
{
    const unsigned char le[2] = {(unsigned char)v, (unsigned char)(v >> 8)}, be[2] = {le[1], le[0]};

    buf_add(&m->b, m->is_big ? be : le, 2);
}

static inline void make_u32(struct make *m, uint32_t v)
{
    make_u16(m, m->is_big ? v >> 16 : v & 0xffff);
    make_u16(m, m->is_big ? v & 0xffff : v >> 16);
}

/* Tag, kind and length only; the value is the caller's. */
static inline void make_head(struct make *m, unsigned group, unsigned element, const char *vr,
                             uint32_t length)
{
    const bool is_long = strstr("OB OW SQ UN UT", vr) != NULL;

    make_u16(m, group);
    make_u16(m, element);
    if (m->is_implicit) {
        make_u32(m, length);
        return;
    }
    buf_add(&m->b, vr, 2);
    make_u16(m, is_long ? 0 : length);
    if (is_long)
        make_u32(m, length);
}

static inline void make_bytes(struct make *m, unsigned group, unsigned element, const char *vr,
                              const void *bytes, size_t n)
{
    make_head(m, group, element, vr, (uint32_t)(n + n % 2));
    buf_add(&m->b, bytes, n);
    if (n % 2)
        buf_add(&m->b, strcmp(vr, "UI") == 0 || strcmp(vr, "OB") == 0 ? "" : " ", 1);
}

static inline void make_text(struct make *m, unsigned group, unsigned element, const char *vr,
                             const char *text)
{
    make_bytes(m, group, element, vr, text, strlen(text));
}

static inline void make_short(struct make *m, unsigned group, unsigned element, unsigned v)
{
    make_head(m, group, element, "US", 2);
    make_u16(m, v);
}

/* The 128 bytes, "DICM" and group 2; syntax NULL: no transfer syntax is told. The data set follows in its
 * way. */
static inline struct make make_begin(const char *syntax)
{
    struct make m = {BUF_INIT, false, false}, group = {BUF_INIT, false, false};
    const char zeros[128] = {0};

    buf_add(&m.b, zeros, sizeof zeros);
    buf_adds(&m.b, "DICM");
    make_bytes(&group, 2, 1, "OB", "\0\1", 2);
    make_text(&group, 2, 2, "UI", "1.2.840.10008.5.1.4.1.1.7");
    make_text(&group, 2, 3, "UI", "1.2.3");
    if (syntax)
        make_text(&group, 2, 0x10, "UI", syntax);
    make_head(&m, 2, 0, "UL", 4);
    make_u32(&m, (uint32_t)group.b.len);
    buf_add(&m.b, group.b.data, group.b.len);
    buf_release(&group.b);
    m.is_implicit = syntax && strcmp(syntax, MAKE_IMPLICIT) == 0;
    m.is_big = syntax && strcmp(syntax, MAKE_BIG) == 0;
    return m;
}

struct make_layout {
    unsigned width, height, allocated, stored, high, is_signed;
    const char *photometric;
    unsigned samples, frames;                                   /* 0: 1, and not written */
    const char *center, *window, *function, *slope, *intercept; /* NULL: not written */
};

/* What stands before the pixel data. */
static inline void make_header(struct make *m, const struct make_layout *l)
{
    make_text(m, 0x0008, 0x0060, "CS", "MG");
    make_text(m, 0x0008, 0x103e, "LO", "ROI mask images");
    make_text(m, 0x0010, 0x0020, "LO", "Mass-Test_P_00001_LEFT_CC_1");
    make_text(m, 0x0013, 0x0010, "LO", "CTP"); /* private, as the archive has it */
    make_bytes(m, 0x0013, 0x1010, "UN", "CBIS-DDSM ", 10);
    make_text(m, 0x0020, 0x000d, "UI", "1.2.3.4");
    make_text(m, 0x0020, 0x000e, "UI", "1.2.3.4.5");
    make_text(m, 0x0020, 0x0013, "IS", "2");
    make_text(m, 0x0020, 0x0020, "CS", "CC");
    make_text(m, 0x0020, 0x0060, "CS", "L");
    make_short(m, 0x0028, 0x0002, l->samples ? l->samples : 1);
    make_text(m, 0x0028, 0x0004, "CS", l->photometric ? l->photometric : "MONOCHROME2");
    if (l->frames)
        make_text(m, 0x0028, 0x0008, "IS", l->frames == 2 ? "2" : "3");
    make_short(m, 0x0028, 0x0010, l->height);
    make_short(m, 0x0028, 0x0011, l->width);
    make_short(m, 0x0028, 0x0100, l->allocated);
    make_short(m, 0x0028, 0x0101, l->stored);
    make_short(m, 0x0028, 0x0102, l->high);
    make_short(m, 0x0028, 0x0103, l->is_signed);
    if (l->window) {
        make_text(m, 0x0028, 0x1050, "DS", l->center);
        make_text(m, 0x0028, 0x1051, "DS", l->window);
    }
    if (l->slope) {
        make_text(m, 0x0028, 0x1052, "DS", l->intercept);
        make_text(m, 0x0028, 0x1053, "DS", l->slope);
    }
    if (l->function)
        make_text(m, 0x0028, 0x1056, "CS", l->function);
}

/* Pixel data of n samples; bytes where 8 bits are allocated. */
static inline void make_pixels(struct make *m, const struct make_layout *l, const uint16_t *sample, size_t n)
{
    const bool bytes = l->allocated == 8;

    make_head(m, 0x7fe0, 0x0010, bytes ? "OB" : "OW", (uint32_t)(bytes ? n + n % 2 : 2 * n));
    for (size_t i = 0; i < n; i++) {
        if (bytes)
            buf_add(&m->b, &(unsigned char){(unsigned char)sample[i]}, 1);
        else
            make_u16(m, sample[i]);
    }
    if (bytes && n % 2)
        buf_add(&m->b, "", 1);
}

#endif
