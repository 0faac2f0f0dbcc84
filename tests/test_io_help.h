/* What the tests of io share: pictures without symmetry, silence on standard error, memory used. */
#ifndef CLEARMASS_TEST_IO_HELP_H
#define CLEARMASS_TEST_IO_HELP_H

#include "base/buf.h"
#include "io/image_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static inline struct image help_pattern(int width, int height, int channels, enum image_type type)
{
    struct image im = IMAGE_INIT;
    uint32_t v = 4711;

    assert_true(image_new(&im, width, height, channels, type, NULL));
    for (size_t i = 0; i < image_bytes(&im); i++) {
        v = v * 1664525 + 1013904223;
        ((unsigned char *)im.data)[i] = (unsigned char)(v >> 24);
    }
    return im;
}

static inline void help_same(const struct image *a, const struct image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    assert_int_equal(a->type, b->type);
    assert_memory_equal(a->data, b->data, image_bytes(a));
}

/* The picture is grey U8 with these samples. */
static inline void help_grey_is(const struct image *im, int width, int height, const uint8_t *want)
{
    assert_int_equal(im->width, width);
    assert_int_equal(im->height, height);
    assert_int_equal(im->channels, 1);
    assert_int_equal(im->type, IMAGE_U8);
    assert_memory_equal(im->data, want, (size_t)width * (size_t)height);
}

/* Decodes a copy that ends where its memory ends, so that reading on is noticed; standard error must stay
 * empty. */
static inline bool help_decode(struct image *out, const void *bytes, size_t n, struct err *err)
{
    const int kept = dup(2), file = memfd_create("stderr", 0);
    char *copy = malloc(n ? n : 1);
    struct stat st;

    assert_true(kept >= 0 && file >= 0);
    memcpy(copy, bytes, n);
    fflush(stderr);
    dup2(file, 2);
    const bool ok = image_decode(out, copy, n, err);
    fflush(stderr);
    dup2(kept, 2);
    assert_int_equal(fstat(file, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(kept);
    close(file);
    free(copy);
    return ok;
}

/* Largest resident memory so far, in MB. */
static inline long help_resident_mb(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss / 1024;
}

/* A fresh folder under /tmp. */
static inline void help_folder(char path[64])
{
    snprintf(path, 64, "/tmp/clearmass-io-XXXXXX");
    assert_non_null(mkdtemp(path));
}

#endif
