/* ResNet-50, -101 and -152 of He, Zhang, Ren and Sun (2015) as Keras has them: bottlenecks of 1x1, 3x3 and
 * 1x1 convolutions with biases, batch norm after each, the stride of a stage in the first 1x1 and in the
 * shortcut. Layers are named as in the authors' own files and in Keras' of 2015 to 2018; they are recorded in
 * the order in which those files list them. */
#include "model/model.h"

#include <stdio.h>

enum { STAGES = 4, WIDTH = 64, EXPANSION = 4, FIRST_STAGE = 2, PART = 16 };

struct building {
    struct nn_graph *g;
    float epsilon;
    char block[PART]; /* "3a" */
};

static nn_id conv(struct building *b, nn_id x, const char *branch, struct nn_conv how)
{
    char name[NN_NAME];

    snprintf(name, sizeof name, "res%s_branch%s", b->block, branch);
    return nn_conv2d(b->g, x, name, how);
}

static nn_id norm(struct building *b, nn_id x, const char *branch)
{
    char name[NN_NAME];

    snprintf(name, sizeof name, "bn%s_branch%s", b->block, branch);
    return nn_batchnorm(b->g, x, name, (struct nn_norm){.epsilon = b->epsilon});
}

/* shortcut: a convolution of its own takes the input to the output's shape. */
static nn_id bottleneck(struct building *b, nn_id x, int width, int stride, bool shortcut)
{
    const int wide = EXPANSION * width;
    nn_id beside = x;
    nn_id y = conv(b, x, "2a", (struct nn_conv){.filters = width, .kernel = 1, .stride = stride});

    y = nn_relu(b->g, norm(b, y, "2a"));
    y = conv(b, y, "2b", (struct nn_conv){.filters = width, .kernel = 3, .pad = 1});
    y = nn_relu(b->g, norm(b, y, "2b"));
    y = conv(b, y, "2c", (struct nn_conv){.filters = wide, .kernel = 1});
    if (shortcut)
        beside = conv(b, x, "1", (struct nn_conv){.filters = wide, .kernel = 1, .stride = stride});
    y = norm(b, y, "2c");
    if (shortcut)
        beside = norm(b, beside, "1");
    return nn_relu(b->g, nn_add(b->g, y, beside));
}

/* "3a", "3b", "3c", "3d" in ResNet-50; a longer network's long stages count: "3a", "3b1", "3b2". */
static void name_block(struct building *b, int stage, int block, bool counted)
{
    if (counted && block > 0)
        snprintf(b->block, sizeof b->block, "%db%d", stage, block);
    else
        snprintf(b->block, sizeof b->block, "%d%c", stage, 'a' + block);
}

static void build_as(const struct model *m, struct nn_graph *g, struct nn_shape input,
                     const struct model_options *o)
{
    struct building b = {.g = g, .epsilon = (float)(o->epsilon > 0 ? o->epsilon : m->epsilon)};
    const int classes = o->classes ? o->classes : m->classes;
    nn_id x = nn_input(g, input);

    x = nn_conv2d(g, x, "conv1", (struct nn_conv){.filters = WIDTH, .kernel = 7, .stride = 2, .pad = 3});
    x = nn_relu(g, nn_batchnorm(g, x, "bn_conv1", (struct nn_norm){.epsilon = b.epsilon}));
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 3, .stride = 2, .pad = o->narrow_pool ? 0 : 1});
    for (int stage = 0; stage < STAGES; stage++) {
        const bool counted = m != &model_resnet50 && m->blocks[stage] > 3;
        for (int block = 0; block < m->blocks[stage]; block++) {
            name_block(&b, FIRST_STAGE + stage, block, counted);
            x = bottleneck(&b, x, WIDTH << stage, stage > 0 && block == 0 ? 2 : 1, block == 0);
        }
    }
    x = nn_global_avgpool(g, x);
    if (classes == MODEL_NO_HEAD)
        return;
    char head[NN_NAME];
    snprintf(head, sizeof head, "fc%d", classes);
    nn_softmax(g, nn_dense(g, x, head, classes));
}

static void build_50(struct nn_graph *g, struct nn_shape input)
{
    model_build(&model_resnet50, g, input, NULL);
}

static void build_101(struct nn_graph *g, struct nn_shape input)
{
    model_build(&model_resnet101, g, input, NULL);
}

static void build_152(struct nn_graph *g, struct nn_shape input)
{
    model_build(&model_resnet152, g, input, NULL);
}

const struct model model_resnet50 = {
    .name = "resnet50",
    .title = "ResNet-50",
    .multiple_of = 1,
    .build = build_50,
    .build_as = build_as,
    .classes = 2,
    .epsilon = 1e-3,
    .blocks = {3, 4, 6, 3},
};

const struct model model_resnet101 = {
    .name = "resnet101",
    .title = "ResNet-101",
    .multiple_of = 1,
    .build = build_101,
    .build_as = build_as,
    .classes = 2,
    .epsilon = 1.001e-5,
    .blocks = {3, 4, 23, 3},
};

const struct model model_resnet152 = {
    .name = "resnet152",
    .title = "ResNet-152",
    .multiple_of = 1,
    .build = build_152,
    .build_as = build_as,
    .classes = 2,
    .epsilon = 1.001e-5,
    .blocks = {3, 8, 36, 3},
};
