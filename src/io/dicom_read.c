/* io/dicom_read.c: DICOM files by way of child processes, and as one of the formats of image_read. */
#include "io/dicom_parts.h"

#include "base/file.h"
#include "base/sandbox.h"
#include "io/formats.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_GIB = 2, SECONDS = 60 };

/* The request's body is the path with its NUL, or the file's bytes. */
struct question {
    bool is_path, with_pixels;
    struct dicom_options options;
};

/* The answer's body is the pixels, or they lie in the file as they are: place.bytes is not 0 then. */
struct reply {
    struct dicom_place place;
    struct dicom_info info;
    int width, height;
    enum image_type type;
};

/* ---- In the child ---- */

/* Maps a file; file->n is 0 and nothing is mapped where it is empty. */
static bool file_map(struct dicom_bytes *file, const char *path, struct err *err)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe is told rather than waited for */
    struct stat st;
    void *map = NULL;

    if (fd < 0 || fstat(fd, &st) != 0) {
        err_errno(err);
        goto failed;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_IO, "not a regular file");
        goto failed;
    }
    if (st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        err_set(err, ERR_LIMIT, "file of %lld bytes is too large for the DICOM reader",
                (long long)st.st_size);
        goto failed;
    }
    close(fd);
    *file = (struct dicom_bytes){map, (size_t)st.st_size};
    return true;
failed:
    if (fd >= 0)
        close(fd);
    return false;
}

static bool find(struct reply *r, const struct dicom_bytes *file, const struct question *q)
{
    struct dicom_place place;
    struct dicom_info info;

    if (!q->is_path || !q->with_pixels || !dicom_find(&info, &place, file, q->options.frame) ||
        !dicom_tone_keeps(&info, q->options.tone))
        return false;
    *r =
        (struct reply){place, info, info.columns, info.rows, info.bits_allocated == 8 ? IMAGE_U8 : IMAGE_U16};
    return true;
}

static bool parse(struct reply *r, struct image *words, const struct dicom_bytes *file,
                  const struct question *q, struct err *err)
{
    if (!dicom_parse(&r->info, q->with_pixels ? words : NULL, file, q->options.frame, err))
        return false;
    if (q->with_pixels)
        dicom_tone_apply(words, &r->info, q->options.tone);
    r->width = words->width;
    r->height = words->height;
    r->type = words->type;
    return true;
}

static bool work(struct sandbox_message *answer, const struct sandbox_message *request, struct err *err)
{
    const struct question *q = request->head;
    struct dicom_bytes file = {request->body, request->body_bytes};
    struct image words = IMAGE_INIT;

    if (q->is_path && !file_map(&file, request->body, err))
        return false;
    const bool ok = find(answer->head, &file, q) || parse(answer->head, &words, &file, q, err);
    if (ok && words.data) {
        answer->body_bytes = image_bytes(&words);
        answer->body = words.data;
    } else {
        image_release(&words);
    }
    if (q->is_path && file.n > 0)
        munmap((void *)file.data, file.n);
    return ok;
}

/* ---- In the parent ---- */

static struct sandbox *readers; /* made at the first use */
static pthread_mutex_t readers_lock = PTHREAD_MUTEX_INITIALIZER;

static struct sandbox *readers_get(void)
{
    static const struct sandbox_spec SPEC = {.what = "DICOM reader",
                                             .work = work,
                                             .prepare = dicom_library_start,
                                             .memory_bytes = (size_t)MEMORY_GIB << 30,
                                             .most_body_bytes = (size_t)MEMORY_GIB << 30,
                                             .seconds = SECONDS};

    pthread_mutex_lock(&readers_lock);
    if (!readers)
        readers = sandbox_new(&SPEC);
    struct sandbox *s = readers;
    pthread_mutex_unlock(&readers_lock);
    return s;
}

bool dicom_start(int workers, struct err *err)
{
    return sandbox_start(readers_get(), workers, err);
}

void dicom_stop(void)
{
    pthread_mutex_lock(&readers_lock);
    sandbox_free(readers);
    readers = NULL;
    pthread_mutex_unlock(&readers_lock);
}

/* The child's answer may be anything: the pixels must be as many as it says, the texts must end. */
static bool reply_check(struct reply *r, const struct question *q, size_t body_bytes, struct err *err)
{
    struct dicom_info *i = &r->info;
    char *const texts[] = {i->transfer_syntax,     i->modality,      i->patient_id,   i->series_description,
                           i->study_uid,           i->series_uid,    i->instance_uid, i->laterality,
                           i->patient_orientation, i->view_position, i->photometric,  i->voi_function};
    const bool type_ok = r->type == IMAGE_U8 || r->type == IMAGE_U16;
    const size_t sample = r->type == IMAGE_U8 ? 1 : 2;
    const bool size_ok =
        r->width > 0 && r->height > 0 && r->width <= IMAGE_MAX_SIDE && r->height <= IMAGE_MAX_SIDE;

    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        texts[k][DICOM_TEXT - 1] = '\0';
    if (q->with_pixels && (!type_ok || !size_ok ||
                           (size_t)r->width * (size_t)r->height * sample != body_bytes + r->place.bytes ||
                           (r->place.bytes && (body_bytes || !q->is_path))))
        return err_set(err, ERR_FORMAT, "the DICOM reader answered nonsense");
    return true;
}

/* Copies the words the child has found. *bytes is new. */
static bool fetch(void **bytes, const struct dicom_place *place, const char *path, char *sha256,
                  struct err *err)
{
    void *words = malloc(place->bytes);

    if (!words)
        return err_set(err, ERR_LIMIT, "not enough memory for %zu bytes", place->bytes);
    if (!file_read_part(&(struct file_part){words, place->begin, place->bytes}, path, sha256, err)) {
        free(words);
        return false;
    }
    *bytes = words;
    return true;
}

static bool ask(struct image *out, struct dicom_info *info, const struct question *q,
                const struct dicom_bytes *body, struct err *err)
{
    struct question question = *q;
    struct reply r;
    struct sandbox_message request = {&question, sizeof question, (void *)body->data, body->n};
    struct sandbox_message answer = {&r, sizeof r, NULL, 0};

    if (!sandbox_call(readers_get(), &answer, &request, err))
        return false;
    if (!reply_check(&r, q, answer.body_bytes, err) ||
        (r.place.bytes && !fetch(&answer.body, &r.place, body->data, q->options.sha256, err)) ||
        (!r.place.bytes && q->options.sha256 && !file_sha256(body->data, q->options.sha256, err))) {
        free(answer.body);
        return false;
    }
    if (info)
        *info = r.info;
    if (out) {
        struct image im = {r.width, r.height, 1, r.type, answer.body};
        image_move(out, &im);
    } else {
        free(answer.body);
    }
    return true;
}

bool dicom_read(struct image *out, struct dicom_info *info, const char *path,
                const struct dicom_options *options, struct err *err)
{
    const struct question q = {true, true, options ? *options : (struct dicom_options){0}};

    return ask(out, info, &q, &(struct dicom_bytes){path, strlen(path) + 1}, err) || err_at(err, "%s", path);
}

bool dicom_read_info(struct dicom_info *info, const char *path, struct err *err)
{
    const struct question q = {.is_path = true};

    return ask(NULL, info, &q, &(struct dicom_bytes){path, strlen(path) + 1}, err) || err_at(err, "%s", path);
}

/* ---- One of the formats ---- */

static bool decode(struct image *out, const void *bytes, size_t n, struct err *err)
{
    const struct question q = {.with_pixels = true};

    return ask(out, NULL, &q, &(struct dicom_bytes){bytes, n}, err);
}

static bool decode_info(struct image_info *out, const void *bytes, size_t n, struct err *err)
{
    const struct question q = {.with_pixels = false};
    struct dicom_info info;

    if (!ask(NULL, &info, &q, &(struct dicom_bytes){bytes, n}, err))
        return false;
    out->width = info.columns;
    out->height = info.rows;
    out->channels = 1;
    out->type = info.bits_stored <= 8 ? IMAGE_U8 : IMAGE_U16;
    return true;
}

const struct image_format dicom_format = {.name = "DICOM", .decode = decode, .info = decode_info};

/* ---- What a DICOM file looks like ---- */

static unsigned u16_at(const unsigned char *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

/* Two letters of the kind of value. long: six bytes more before the value. */
static bool is_vr(const unsigned char *p, bool *is_long)
{
    static const char SHORT[] = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US ";
    static const char LONG[] = "OB OD OF OL OW SQ UC UN UR UT ";

    for (int k = 0; k < 2; k++)
        for (const char *at = k ? LONG : SHORT; *at; at += 3)
            if (memcmp(at, p, 2) == 0) {
                *is_long = k;
                return true;
            }
    return false;
}

/* The length of the element that begins at p[12], head and value, or 0 where it is none a file begins with.
 */
static size_t element_bytes(const unsigned char *p)
{
    bool is_long = false;
    const bool is_explicit = is_vr(p + 4, &is_long);
    const unsigned char *at = is_long ? p + 8 : p + 4;
    const size_t length = is_explicit && !is_long ? u16_at(p + 6) : u16_at(at) | (size_t)u16_at(at + 2) << 16;

    return length % 2 || length > 1024 ? 0 : (is_long ? 12 : 8) + length;
}

/* Without the 128 bytes in front: three elements in rising order, or as many as there are bytes for, from
 * group 2 or 8. */
static bool begins_bare(const unsigned char *p, size_t n)
{
    size_t at = 0;
    unsigned last = 0;

    if (n < 12 || (u16_at(p) != 2 && u16_at(p) != 8))
        return false;
    for (int i = 0; i < 3 && at + 12 <= n; i++) {
        const unsigned tag = u16_at(p + at) << 16 | u16_at(p + at + 2);
        const size_t bytes = element_bytes(p + at);
        if (bytes == 0 || (i > 0 && tag <= last))
            return false;
        last = tag;
        at += bytes;
    }
    return true;
}

bool dicom_is_marked(const void *bytes, size_t n)
{
    return n >= 132 && memcmp((const char *)bytes + 128, "DICM", 4) == 0;
}

bool dicom_is_likely(const void *bytes, size_t n)
{
    return dicom_is_marked(bytes, n) || begins_bare(bytes, n < FORMAT_HEAD_BYTES ? n : FORMAT_HEAD_BYTES);
}
