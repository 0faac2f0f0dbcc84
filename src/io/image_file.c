#include "io/formats.h"

#include "base/file.h"
#include "image/tone.h"
#include "io/dicom.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const size_t FILE_LIMIT = (size_t)4 << 30;
static const uint64_t PIXEL_LIMIT = 400000000;

static const struct image_format *const FORMATS[] = {&png_format, &jpeg_format, &tiff_format};
enum { FORMAT_COUNT = sizeof FORMATS / sizeof FORMATS[0] };

bool format_size_ok(uint32_t width, uint32_t height, struct err *err)
{
    if (width < 1 || height < 1)
        return err_set(err, ERR_LIMIT, "image of %u x %u pixels is empty", width, height);
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || (uint64_t)width * height > PIXEL_LIMIT)
        return err_set(err, ERR_LIMIT,
                       "image of %u x %u pixels is too large (sides to %d, %.0f million pixels)", width,
                       height, IMAGE_MAX_SIDE, (double)PIXEL_LIMIT / 1e6);
    return true;
}

bool format_grey_if_equal(struct image *im, struct err *err)
{
    const size_t n = image_pixels(im), sample = image_bytes(im) / n / (size_t)im->channels;
    const char *at = im->data;

    if (im->channels == 1)
        return true;
    for (size_t i = 0; i < n; i++, at += 3 * sample)
        if (memcmp(at, at + sample, sample) != 0 || memcmp(at, at + 2 * sample, sample) != 0)
            return true;
    return image_to_grey(im, im, err);
}

static const struct image_format *format_find(const char *bytes, size_t n)
{
    if (dicom_is_marked(bytes, n))
        return &dicom_format;
    for (int i = 0; i < FORMAT_COUNT; i++) {
        for (int k = 0; k < FORMAT_MAGICS; k++) {
            const size_t count = FORMATS[i]->magic[k].count;
            if (count > 0 && n >= count && memcmp(bytes, FORMATS[i]->magic[k].bytes, count) == 0)
                return FORMATS[i];
        }
    }
    return dicom_is_likely(bytes, n) ? &dicom_format : NULL;
}

static const struct image_format *format_of(const void *bytes, size_t n, struct err *err)
{
    const struct image_format *f = n > 0 ? format_find(bytes, n) : NULL;

    if (n == 0)
        err_set(err, ERR_FORMAT, "empty file");
    else if (!f)
        err_set(err, ERR_FORMAT, "not a PNG, JPEG, TIFF or DICOM file");
    return f;
}

bool image_decode(struct image *out, const void *bytes, size_t n, struct err *err)
{
    const struct image_format *f = format_of(bytes, n, err);

    return f && f->decode(out, bytes, n, err);
}

static bool is_known(const struct buf *b, const char *sha256, struct err *err)
{
    char found[FILE_SHA256_TEXT];

    if (!*sha256)
        return true;
    file_sha256_bytes(b->data, b->len, found);
    return !strcmp(found, sha256) ||
           err_set(err, ERR_INPUT, "changed: its SHA-256 is not the one noted for it");
}

bool image_read_known(struct image *out, const char *path, const char *sha256, struct err *err)
{
    struct buf b = BUF_INIT;

    if (!file_read(&b, path, FILE_LIMIT, err))
        return false;
    const bool ok = is_known(&b, sha256, err) && image_decode(out, b.data, b.len, err);
    if (!ok)
        err_at(err, "%s", path);
    buf_release(&b);
    return ok;
}

bool image_read(struct image *out, const char *path, struct err *err)
{
    return image_read_known(out, path, "", err);
}

bool image_read_info(struct image_info *out, const char *path, struct err *err)
{
    struct buf b = BUF_INIT;
    struct image_info info = {0};

    if (!file_read(&b, path, FILE_LIMIT, err))
        return false;
    const struct image_format *f = format_of(b.data, b.len, err);
    const bool ok = f && f->info(&info, b.data, b.len, err);
    if (ok) {
        info.format = f->name;
        *out = info;
    } else {
        err_at(err, "%s", path);
    }
    buf_release(&b);
    return ok;
}

bool image_is_readable(const char *path)
{
    char bytes[FORMAT_HEAD_BYTES];
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe gives nothing rather than wait */

    if (fd < 0)
        return false;
    const ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    return n > 0 && format_find(bytes, (size_t)n) != NULL;
}
