/* Real files, where they are at hand: ultrasound PNGs with their masks and mammograms as JPEG. */
#include "test_io_help.h"

#include "base/csv.h"
#include "base/file.h"
#include "image/regions.h"
#include "io/image_file.h"

#define ULTRASOUND SHARED_DATA_DIR "/busi/"
#define MAMMOGRAMS SHARED_DATA_DIR "/cbis-ddsm-mass/"

static void ultrasound(void **state)
{
    (void)state;
    struct image im = IMAGE_INIT, mask = IMAGE_INIT;
    struct image_box box;

    if (!file_is_folder(ULTRASOUND))
        skip();
    assert_true(image_read(&im, ULTRASOUND "benign/benign (1).png", NULL));
    assert_true(image_read(&mask, ULTRASOUND "benign/benign (1)_mask.png", NULL));
    assert_int_equal(im.width, 512);
    assert_int_equal(im.height, 429);
    assert_int_equal(im.channels, 1);
    assert_int_equal(mask.width, 512);
    assert_int_equal(mask.height, 429);
    for (size_t i = 0; i < image_pixels(&mask); i++)
        assert_true(image_u8(&mask)[i] == 0 || image_u8(&mask)[i] == 255);
    assert_true(image_box_of(&box, &mask, 127));
    assert_true(box.x1 - box.x0 < 512 && box.y1 - box.y0 < 429);
    image_release(&im);
    image_release(&mask);
}

static void mammogram(void **state)
{
    (void)state;
    struct image im = IMAGE_INIT;
    struct image_info info;

    if (!file_is_folder(MAMMOGRAMS))
        skip();
    assert_true(image_read_info(&info, MAMMOGRAMS "images/00001_LEFT_CC.jpg", NULL));
    assert_string_equal(info.format, "JPEG");
    assert_int_equal(info.channels, 1);
    assert_true(image_read(&im, MAMMOGRAMS "images/00001_LEFT_CC.jpg", NULL));
    assert_int_equal(im.width, 800);
    assert_int_equal(im.height, 800);
    image_release(&im);
}

/* The radiologists' boxes of masses lie inside what we take for the breast, on nearly all of a sample. */
static void masses_lie_in_the_breast(void **state)
{
    (void)state;
    struct csv t = CSV_INIT;
    int inside = 0, all = 0;

    if (!file_is_folder(MAMMOGRAMS))
        skip();
    assert_true(csv_read(&t, MAMMOGRAMS "boxes.csv", NULL));
    const int name = csv_column(&t, "image"), boxes = csv_column(&t, "boxes_xywh_px");
    for (size_t row = 0; row < t.count; row += 30) {
        struct image im = IMAGE_INIT;
        struct image_box b;
        double x, y, w, h;
        char *path = file_join(MAMMOGRAMS "images", csv_get(&t, row, name));
        assert_true(image_read(&im, path, NULL));
        assert_true(image_breast_box(&b, &im, .02, NULL));
        assert_int_equal(sscanf(csv_get(&t, row, boxes), "%lf,%lf,%lf,%lf", &x, &y, &w, &h), 4);
        all++;
        inside += x >= b.x0 && y >= b.y0 && x + w <= b.x1 && y + h <= b.y1;
        image_release(&im);
        free(path);
    }
    assert_true(all > 40);
    assert_true(inside >= .97 * all);
    csv_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ultrasound),
        cmocka_unit_test(mammogram),
        cmocka_unit_test(masses_lie_in_the_breast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
