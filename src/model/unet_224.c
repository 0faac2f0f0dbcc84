/* ZF_UNET_224: the U-Net of Ronneberger, Fischer and Brox (2015) as the ZF_UNET_224 project has it since
 * March 2018: "same" convolutions with batch norm, nearest-neighbour upsampling, five levels, spatial dropout
 * on the last block. Layers are named by the side they have at an input of 224 x 224. */
#include "model/model.h"

#include <stdio.h>

enum { LEVELS = 6, FILTERS = 32 };

static const int SIDE[LEVELS] = {224, 112, 56, 28, 14, 7};

static nn_id conv_norm_relu(struct nn_graph *g, nn_id x, const char *name, int filters)
{
    char norm[NN_NAME];
    snprintf(norm, sizeof norm, "%s_bn", name);
    x = nn_conv2d(g, x, name, (struct nn_conv){.filters = filters, .kernel = 3, .pad = 1});
    x = nn_batchnorm(g, x, norm, (struct nn_norm){.epsilon = 1e-3f});
    return nn_relu(g, x);
}

/* Layers PREFIXconv_SIDE_1, PREFIXconv_SIDE_1_bn, PREFIXconv_SIDE_2, PREFIXconv_SIDE_2_bn. */
static nn_id double_conv(struct nn_graph *g, nn_id x, const char *prefix, int level)
{
    for (int i = 1; i <= 2; i++) {
        char name[NN_NAME - 8];
        snprintf(name, sizeof name, "%sconv_%d_%d", prefix, SIDE[level], i);
        x = conv_norm_relu(g, x, name, FILTERS << level);
    }
    return x;
}

static void build(struct nn_graph *g, struct nn_shape input)
{
    nn_id skip[LEVELS];
    nn_id x = nn_input(g, input);

    for (int k = 0; k < LEVELS; k++) {
        if (k > 0)
            x = nn_maxpool(g, x, (struct nn_pool){.kernel = 2});
        x = skip[k] = double_conv(g, x, "", k);
    }
    for (int k = LEVELS - 2; k >= 0; k--) {
        x = nn_concat(g, nn_upsample(g, x, 2), skip[k]);
        x = double_conv(g, x, "up_", k);
    }
    x = nn_spatial_dropout(g, x, 0.2f);
    x = nn_conv2d(g, x, "mask", (struct nn_conv){.filters = 1, .kernel = 1});
    nn_sigmoid(g, x);
}

const struct model model_unet_224 = {
    .name = "unet",
    .title = "ZF_UNET_224",
    .multiple_of = 32,
    .build = build,
};
