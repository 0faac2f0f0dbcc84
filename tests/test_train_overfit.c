/* Learning: the real U-Net takes six images by heart. */
#include "test_train_data.h"

#include "data/prep.h"
#include "nn/exec.h"
#include "train/loss.h"
#include "train/metrics.h"
#include "train/optim.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { IMAGES = 6, SIZE = 64, STEPS = 120 };

static void learn_by_heart(bool bf16)
{
    const struct nn_backend *nn = &nn_backend_onednn;
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    size_t pixels = SIZE * SIZE;
    float *input = mem_new(IMAGES * 3 * pixels, sizeof *input),
          *truth = mem_new(IMAGES * pixels, sizeof *truth);
    float *grad = mem_new(IMAGES * pixels, sizeof *grad);

    model_unet_224.build(&g, (struct nn_shape){3, SIZE, SIZE});
    float *values = mem_new(g.n_values, sizeof *values), *grads = mem_new(g.n_values, sizeof *grads);
    struct optim o = {.kind = OPTIM_ADAM, .learning_rate = .001, .graph = &g};
    nn_graph_init_values(&g, values, 1);
    optim_init(&o);
    assert_true(nn_exec_init(&x, nn, &g,
                             &(struct nn_compile){.batch = IMAGES, .mode = NN_TRAIN, .bf16 = bf16}, &err));
    struct image image = IMAGE_INIT, mask = IMAGE_INIT;
    for (size_t i = 0; i < IMAGES; i++) {
        assert_true(image_new(&image, SIZE, SIZE, 1, IMAGE_U16, &err) &&
                    image_new(&mask, SIZE, SIZE, 1, IMAGE_U8, &err));
        draw_disc(&image, &mask, i % 2 ? LABEL_MALIGNANT : LABEL_BENIGN, i);
        prep_network_input(input + i * 3 * pixels, 3, image_u16(&image), &(struct prep){.size = SIZE});
        for (size_t k = 0; k < pixels; k++)
            truth[i * pixels + k] = image_u8(&mask)[k] ? 1 : 0;
        image_release(&image);
        image_release(&mask);
    }
    double dice = 0;
    for (int step = 0; step < STEPS && dice < .97; step++) {
        struct nn_step how = {.momentum = .99f, .dropout = false, .seed = (uint64_t)step};
        nn->set(x.self, values);
        const float *output = nn->forward(x.self, input, &how);
        dice = 0;
        for (size_t i = 0; i < IMAGES; i++)
            dice += metrics_overlap(truth + i * pixels, output + i * pixels, pixels).dice / IMAGES;
        loss_find("dice")->measure(truth, output, IMAGES * pixels, grad);
        nn->backward(x.self, grad, grads, NULL);
        nn->get(x.self, values);
        optim_step(&o, values, grads);
    }
    printf("Dice %.3f after %d steps\n", dice, (int)o.iterations);
    assert_true(dice > .95);
    optim_release(&o);
    nn_exec_release(&x);
    nn_graph_release(&g);
    free(input);
    free(truth);
    free(grad);
    free(values);
    free(grads);
}

static void test_six_images_by_heart(void **state)
{
    (void)state;
    learn_by_heart(false);
}

static void test_six_images_by_heart_in_bf16(void **state)
{
    (void)state;
    if (!nn_has_bf16())
        skip();
    learn_by_heart(true);
}

int main(void)
{
    nn_threads(1); /* on a busy machine threads that wait for each other take minutes */
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_six_images_by_heart),
                                       cmocka_unit_test(test_six_images_by_heart_in_bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
