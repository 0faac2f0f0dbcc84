/* phantom.h: the data set folder, the texture of its pictures, and what is refused. */
#include "data/phantom.h"

#include "base/file.h"
#include "io/image_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
    char folder[64], out[2][80];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->folder, "/tmp/test-phantom-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    for (int k = 0; k < 2; k++)
        snprintf(p->out[k], sizeof p->out[k], "%s/%d", p->folder, k);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    char command[96];

    snprintf(command, sizeof command, "rm -rf '%s'", p->folder);
    int rc = system(command);
    free(p);
    return rc;
}

static struct phantom_options tiny(uint64_t seed)
{
    struct phantom_options o = phantom_defaults();
    o.cases = 4;
    o.seed = seed;
    o.height = 256;
    o.normal_share = 0.25;
    return o;
}

static void write_set(struct manifest *m, const char *folder, const struct phantom_options *o)
{
    struct phantom_counts counts = {0};
    struct err e = ERR_INIT;

    if (!phantom_write(&counts, folder, o, &e) || !manifest_read(m, folder, &e))
        fail_msg("%s", e.text);
    assert_int_equal(counts.images, m->count);
}

static void a_set_has_every_patient_in_both_views(void **state)
{
    struct place *p = *state;
    struct manifest m = MANIFEST_INIT;
    struct phantom_options o = tiny(5);
    size_t normal = 0;

    write_set(&m, p->out[0], &o);
    assert_int_equal(m.count, 8);
    for (size_t i = 0; i < m.count; i += 2) {
        const struct data_item *a = &m.item[i], *b = a + 1;
        assert_string_equal(a->patient, b->patient);
        assert_string_equal(a->view, "CC");
        assert_string_equal(b->view, "MLO");
        assert_string_equal(a->side, b->side);
        assert_string_equal(a->density, b->density);
        assert_int_equal(a->label, b->label);
        assert_int_equal(a->width, 160);
        assert_int_equal(a->height, 256);
        assert_true(i == 0 || strcmp(a->patient, m.item[i - 1].patient) != 0);
        assert_true((a->label == LABEL_NORMAL) == (a->mask[0] == '\0'));
        assert_true((a->label == LABEL_NORMAL) == (a->subtlety[0] == '\0'));
        normal += a->label == LABEL_NORMAL;
    }
    assert_int_equal(normal, 1);
    manifest_release(&m);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    struct place *p = *state;
    struct manifest m[2] = {MANIFEST_INIT, MANIFEST_INIT}, other = MANIFEST_INIT;
    struct phantom_options o = tiny(6), two = tiny(6), else_ = tiny(7);
    char third[96];

    two.cases = 2;
    write_set(&m[0], p->out[0], &o);
    write_set(&m[1], p->out[1], &two);
    snprintf(third, sizeof third, "%s/third", p->folder);
    write_set(&other, third, &else_);
    assert_int_equal(m[1].count, 4);
    for (size_t i = 0; i < m[1].count; i++) {
        assert_string_equal(m[0].item[i].id, m[1].item[i].id);
        assert_string_equal(m[0].item[i].image_sha256, m[1].item[i].image_sha256);
        assert_string_equal(m[0].item[i].mask_sha256, m[1].item[i].mask_sha256);
        assert_string_not_equal(m[0].item[i].image_sha256, other.item[i].image_sha256);
    }
    for (int k = 0; k < 2; k++)
        manifest_release(&m[k]);
    manifest_release(&other);
}

static void one_view_can_be_had_alone(void **state)
{
    struct place *p = *state;
    struct manifest m = MANIFEST_INIT;
    struct phantom_options o = tiny(5);

    o.view[PHANTOM_CC] = false;
    write_set(&m, p->out[0], &o);
    assert_int_equal(m.count, 4);
    for (size_t i = 0; i < m.count; i++)
        assert_string_equal(m.item[i].view, "MLO");
    manifest_release(&m);
}

static void refused(const char *folder, struct phantom_options o, const char *message)
{
    struct phantom_counts counts = {0};
    struct err e = ERR_INIT;

    assert_false(phantom_write(&counts, folder, &o, &e));
    if (!strstr(e.text, message))
        fail_msg("'%s' does not say '%s'", e.text, message);
    assert_null(strchr(e.text, '\n'));
}

static void nonsense_is_refused_in_one_line(void **state)
{
    struct place *p = *state;
    struct phantom_options o = tiny(1);

    o.cases = 0;
    refused(p->out[0], o, "0 cases: 1 to 100000 can be made");
    o = tiny(1);
    o.height = 100;
    refused(p->out[0], o, "height 100: 256 to 4096 pixels can be made");
    o = tiny(1);
    o.malignant_share = NAN;
    refused(p->out[0], o, "a share must lie between 0 and 1");
    o = tiny(1);
    o.view[PHANTOM_CC] = o.view[PHANTOM_MLO] = false;
    refused(p->out[0], o, "no view is asked for");
    assert_false(file_exists(p->out[0]));
}

static void a_bad_folder_is_refused_in_one_line(void **state)
{
    struct place *p = *state;
    struct err e = ERR_INIT;
    char inside[160];

    assert_true(file_write(p->out[0], "x", 1, &e));
    refused(p->out[0], tiny(1), p->out[0]);
    snprintf(inside, sizeof inside, "%s/below", p->out[0]);
    refused(inside, tiny(1), p->out[0]);
    assert_true(file_make_folders(p->out[1], &e));
    snprintf(inside, sizeof inside, "%s/mine.txt", p->out[1]);
    assert_true(file_write(inside, "x", 1, &e));
    refused(p->out[1], tiny(1), p->out[1]);
    assert_true(file_exists(inside));
}

/* Power of a Hann-windowed square of n pixels at (kx, ky) waves. */
static double power_at(const uint16_t *grey, int stride, int n, int kx, int ky)
{
    double re = 0, im = 0;

    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            double window = (1 - cos(2 * M_PI * (x + 0.5) / n)) * (1 - cos(2 * M_PI * (y + 0.5) / n));
            double a = 2 * M_PI * (kx * x + ky * y) / n;
            re += window * grey[y * stride + x] * cos(a);
            im += window * grey[y * stride + x] * sin(a);
        }
    return re * re + im * im;
}

/* Inside the breast, at scales well above the grain, power falls roughly as in real ones: between k^-2 and
 * k^-4. */
static void texture_has_a_power_law(void **state)
{
    (void)state;
    enum { SQUARE = 128, WHERE_Y = 200, WHERE_X = 24 };
    struct phantom_options o = tiny(3);
    double low = 0, high = 0;

    o.height = 512;
    o.normal_share = 1;
    for (size_t i = 0; i < 6; i++) {
        struct phantom_case c;
        struct phantom_picture p = PHANTOM_PICTURE_INIT;
        struct err e = ERR_INIT;
        phantom_case_make(&c, &o, i);
        c.right = false;
        assert_true(phantom_render(&p, &o, &c, PHANTOM_CC, &e));
        const uint16_t *grey = image_u16(&p.grey) + WHERE_Y * p.grey.width + WHERE_X;
        low += power_at(grey, p.grey.width, SQUARE, 4, 0) + power_at(grey, p.grey.width, SQUARE, 0, 4);
        high += power_at(grey, p.grey.width, SQUARE, 16, 0) + power_at(grey, p.grey.width, SQUARE, 0, 16);
        phantom_picture_release(&p);
    }
    double slope = log(high / low) / log(4);
    if (!(slope > -4 && slope < -2))
        fail_msg("slope %.2f", slope);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(a_set_has_every_patient_in_both_views),
        IN_PLACE(the_same_seed_gives_the_same_bytes),
        IN_PLACE(one_view_can_be_had_alone),
        IN_PLACE(nonsense_is_refused_in_one_line),
        IN_PLACE(a_bad_folder_is_refused_in_one_line),
        cmocka_unit_test(texture_has_a_power_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
