/* Grad-CAM: the closed form against the definition, with gradients from the plain backend and from central
 * differences; the way back to an image's own pixels; agreement with a region, by hand. */
#include "data_help.h"

#include "base/rng.h"
#include "eval/cam.h"
#include "eval/overlay.h"
#include "nn/exec.h"

#include <math.h>

enum { FEATURES = 5, SIDE = 7, PLACES = SIDE * SIDE, CLASSES = 3, SIZE = 32 };

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g instead of %.17g", a, b);
}

/* What follows the last activation, run by the plain backend. */
struct tail {
    struct nn_graph g;
    struct nn_exec exec;
    float *values, activation[FEATURES * PLACES];
    struct cam_head head;
};

static void tail_make(struct tail *t)
{
    struct rng r = rng_at(1, RNG_TEST, 0, 0);
    struct err err = ERR_INIT;

    *t = (struct tail){.g = NN_GRAPH_INIT, .exec = NN_EXEC_INIT};
    const nn_id x = nn_input(&t->g, (struct nn_shape){FEATURES, SIDE, SIDE});
    nn_dense(&t->g, nn_global_avgpool(&t->g, x), "fc", CLASSES);
    t->values = mem_new(t->g.n_values, sizeof *t->values);
    for (size_t i = 0; i < t->g.n_values; i++)
        t->values[i] = (float)rng_normal(&r);
    for (int i = 0; i < FEATURES * PLACES; i++) /* as a ReLU leaves it */
        t->activation[i] = fmaxf(0, (float)rng_normal(&r));
    t->head =
        (struct cam_head){t->values, t->values + nn_graph_slot(&t->g, "fc/bias")->offset, CLASSES, FEATURES};
    must(nn_exec_init(&t->exec, &nn_backend_ref, &t->g,
                      &(struct nn_compile){.batch = 1, .mode = NN_TRAIN, .input_gradient = true}, &err),
         err);
    t->exec.backend->set(t->exec.self, t->values);
}

static void tail_release(struct tail *t)
{
    nn_exec_release(&t->exec);
    nn_graph_release(&t->g);
    free(t->values);
}

static const float *logits_of(struct tail *t)
{
    return t->exec.backend->forward(t->exec.self, t->activation, &(struct nn_step){.dropout = false});
}

/* The definition: channels weighed by the mean gradient, the positive part of their sum. */
static void map_by_definition(double *map, const struct tail *t, const double *gradient)
{
    for (int i = 0; i < PLACES; i++) {
        double sum = 0;
        for (int k = 0; k < FEATURES; k++) {
            double alpha = 0;
            for (int j = 0; j < PLACES; j++)
                alpha += gradient[k * PLACES + j] / PLACES;
            sum += alpha * t->activation[k * PLACES + i];
        }
        map[i] = fmax(0, sum);
    }
}

/* Returns the map's sum: where it is 0 nothing was compared. */
static double compare_maps(const struct tail *t, int class, const double *gradient, double tolerance)
{
    double wanted[PLACES], sum = 0;
    float map[PLACES];

    map_by_definition(wanted, t, gradient);
    cam_map(map, &t->head, class, t->activation, PLACES);
    for (int i = 0; i < PLACES; i++) {
        near(map[i], wanted[i], tolerance);
        sum += map[i];
    }
    return sum;
}

static void test_map_against_backward(void **state)
{
    (void)state;
    struct tail t;
    double gradient[FEATURES * PLACES];
    float d_input[FEATURES * PLACES];
    double sum = 0;

    tail_make(&t);
    float *d_values = mem_new(t.g.n_values, sizeof *d_values);
    for (int class = 0; class < CLASSES; class ++) {
        float score[CLASSES]; /* the class's logit less the mean of the others' */
        for (int c = 0; c < CLASSES; c++)
            score[c] = c == class ? 1 : -1.f / (CLASSES - 1);
        logits_of(&t);
        t.exec.backend->backward(t.exec.self, score, d_values, d_input);
        for (int i = 0; i < FEATURES * PLACES; i++)
            gradient[i] = d_input[i];
        sum += compare_maps(&t, class, gradient, 1e-7);
    }
    assert_true(sum > .1);
    free(d_values);
    tail_release(&t);
}

static double score_of(struct tail *t)
{
    const float *logit = logits_of(t);
    return logit[1] - ((double)logit[0] + (double)logit[2]) / 2;
}

static void test_map_against_central_differences(void **state)
{
    (void)state;
    const float step = .5f; /* the score is linear in the activation */
    struct tail t;
    double gradient[FEATURES * PLACES];

    tail_make(&t);
    for (int i = 0; i < FEATURES * PLACES; i++) {
        const float kept = t.activation[i];
        t.activation[i] = kept + step;
        const double up = score_of(&t);
        t.activation[i] = kept - step;
        const double down = score_of(&t);
        t.activation[i] = kept;
        gradient[i] = (up - down) / (2 * (double)step);
    }
    assert_true(compare_maps(&t, 1, gradient, 1e-6) > .1);
    tail_release(&t);
}

/* Two heads of one softmax have one map: one whose logits for malignant are below 0 everywhere, too. */
static void test_map_is_of_the_answer(void **state)
{
    (void)state;
    const float activation[4] = {1, 0, 2, 5} /* [2 features, 2 places] */, bias[2] = {0, 0};
    const float plain[4] = {0, 0, 3, -1}, lowered[4] = {-40, -20, -37, -21};
    float map[2], same[2];

    cam_map(map, &(struct cam_head){plain, bias, 2, 2}, 1, activation, 2);
    cam_map(same, &(struct cam_head){lowered, bias, 2, 2}, 1, activation, 2);
    near(map[0], .5, 1e-7); /* (3 * 1 - 1 * 2) / 2 */
    near(map[1], 0, 0);     /* 3 * 0 - 1 * 5 is below 0 */
    near(same[0], .5, 1e-7);
    near(same[1], 0, 0);
}

static void test_logits_and_shares(void **state)
{
    (void)state;
    struct tail t;
    double logit[CLASSES], share[CLASSES];

    tail_make(&t);
    cam_logits(logit, &t.head, t.activation, PLACES);
    const float *wanted = logits_of(&t);
    for (int c = 0; c < CLASSES; c++)
        near(logit[c], wanted[c], 1e-6);
    cam_softmax(share, (const double[]){0, log(3), 1000}, 2);
    near(share[1], .75, 1e-15);
    cam_softmax(share, (const double[]){0, -1000, 1000}, 3);
    near(share[0] + share[1], 0, 0);
    near(share[2], 1, 0);
    tail_release(&t);
}

static float value(const struct image *im, int x, int y)
{
    return image_f32(im)[y * im->width + x];
}

/* Cells of 8 pixels of the square; the square shows 20..84 x 10..42 of an image of 100 x 60. */
static void test_undo(void **state)
{
    (void)state;
    const struct prep_plan plan = {100, 60, SIZE, {20, 10, 84, 42}, {0, 0, SIZE, SIZE}};
    const float map[16] = {0, 0, 0, 0, 0, 8, 0, 0};
    const struct cam cam = {map, 4, 4, &plan};
    struct image out = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(cam_undo(&out, &cam, &err), err);
    assert_true(out.width == 100 && out.height == 60 && out.type == IMAGE_F32);
    /* the centre of cell (1, 1) is (12, 12) of the square, (44, 22) of the image, between pixels */
    assert_true(value(&out, 44, 22) > 7 && value(&out, 44, 22) <= 8);
    near(value(&out, 43, 21), value(&out, 44, 22), 1e-5);
    near(value(&out, 52, 22), value(&out, 44, 22) / 2, .3); /* half way to the next cell */
    near(value(&out, 62, 22), 0, 0);
    near(value(&out, 5, 22), 0, 0); /* not shown */
    near(value(&out, 90, 50), 0, 0);
    image_release(&out);
}

static struct cam_agreement agreement(const struct cam *cam, struct image_box region)
{
    struct image whole = IMAGE_INIT, truth = flat(cam->plan->width, cam->plan->height, IMAGE_U8, 0);
    struct err err = ERR_INIT;

    paint(&truth, region, 255);
    must(cam_undo(&whole, cam, &err), err);
    const struct cam_agreement a = cam_agree(cam, &whole, &truth);
    image_release(&whole);
    image_release(&truth);
    return a;
}

static void test_agreement(void **state)
{
    (void)state;
    const struct prep_plan plan = {64, 64, SIZE, {0, 0, 64, 64}, {0, 0, SIZE, SIZE}};
    const float even[4] = {1, 1, 1, 1}, corner[4] = {0, 0, 3, 1}, none[4] = {0};
    struct cam cam = {even, 2, 2, &plan};
    const struct image_box left = {0, 0, 16, 64};

    struct cam_agreement a = agreement(&cam, left);
    assert_true(a.somewhere);
    near(a.energy, .25, 1e-6);
    near(a.region_share, .25, 0);
    cam.map = corner; /* the centre of its cell is at (16, 48) */
    assert_true(agreement(&cam, (struct image_box){16, 48, 17, 49}).hit);
    assert_false(agreement(&cam, left).hit);
    assert_false(agreement(&cam, (struct image_box){17, 0, 64, 64}).hit);
    a = agreement(&cam, left);
    assert_true(a.energy > .25 && a.energy < .75);
    assert_false(agreement(&cam, (struct image_box){0, 0, 0, 0}).somewhere);
    cam.map = none;
    assert_false(agreement(&cam, left).somewhere);
}

/* What a padded square holds in its black border is no place of the image. */
static void test_agreement_in_a_padded_square(void **state)
{
    (void)state;
    const struct prep_plan plan = {64, 32, SIZE, {0, 0, 64, 32}, {0, 8, SIZE, 24}};
    const float border[16] = {5, 0, 0, 0, 1}, inside[16] = {0, 0, 0, 0, 5};
    struct cam cam = {border, 4, 4, &plan};
    const struct image_box all = {0, 0, 64, 32};

    assert_false(agreement(&cam, all).hit);
    near(agreement(&cam, all).energy, 1, 1e-9);
    cam.map = inside; /* cell (0, 1): its centre is at (4, 12) of the square, (8, 8) of the image */
    assert_true(agreement(&cam, (struct image_box){8, 8, 9, 9}).hit);
}

/* A map that shows nothing is told, so that nobody looks for it in the picture. */
static void test_what_is_said_of_a_map(void **state)
{
    (void)state;
    const float some[4] = {0, 0, .1f, 0}, none[4] = {0};
    const struct explain_region region = {.malignant = .25};
    struct overlay_crop c = {
        .region = &region, .cam = {some, 2, 2, NULL}, .band = {.4, .6}, .thresholds = "chosen"};

    char *text = overlay_crop_text(&c);
    assert_string_equal(text, "The classifier calls this crop malignant with probability 0.25; benign below "
                              "0.4, malignant above 0.6 (chosen). Right: where that comes from (Grad-CAM).");
    free(text);
    c.cam.map = none;
    text = overlay_crop_text(&c);
    assert_non_null(strstr(text, "(chosen). No Grad-CAM: nothing in the crop speaks for malignant."));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_against_backward),
        cmocka_unit_test(test_map_against_central_differences),
        cmocka_unit_test(test_map_is_of_the_answer),
        cmocka_unit_test(test_logits_and_shares),
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_agreement_in_a_padded_square),
        cmocka_unit_test(test_what_is_said_of_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
