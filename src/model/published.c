#include "model/published.h"

#include <string.h>

/* Addresses and sums: keras-applications 1.0.4 (resnet50.py) and 1.0.8 (resnet_common.py), and
 * zf_unet_224_model.py of ZF_UNET_224_Pretrained_Model since May 2018. The -2018 files have the later names
 * of layers and the epsilon 1.001e-5. */
#define KERAS_2015 "https://github.com/fchollet/deep-learning-models/releases/download/v0.2/"
#define KERAS_2018 "https://github.com/keras-team/keras-applications/releases/download/resnet/"
#define ZF         "https://github.com/ZFTurbo/ZF_UNET_224_Pretrained_Model/releases/download/v1.0/"

#define TOP    "_weights_tf_dim_ordering_tf_kernels.h5"
#define NO_TOP "_weights_tf_dim_ordering_tf_kernels_notop.h5"

static const struct published FILES[] = {
    {"resnet50", KERAS_2015 "resnet50" NO_TOP, "a268eb855778b3df3c7506639542a6af",
     "ResNet-50, ImageNet, no head; as in Keras 2.2.4"},
    {"resnet50-top", KERAS_2015 "resnet50" TOP, "a7b3fe01876f51b976af0dea6bc144eb",
     "the same with its 1000 classes"},
    {"resnet50-2018", KERAS_2018 "resnet50" NO_TOP, "4d473c1dd8becc155b73f8504c6f6626",
     "ResNet-50, ImageNet, no head; the later training"},
    {"resnet50-2018-top", KERAS_2018 "resnet50" TOP, "2cb95161c43110f7111970584f804107",
     "the same with its 1000 classes"},
    {"resnet101", KERAS_2018 "resnet101" NO_TOP, "88cf7a10940856eca736dc7b7e228a21",
     "ResNet-101, ImageNet, no head"},
    {"resnet101-top", KERAS_2018 "resnet101" TOP, "f1aeb4b969a6efcfb50fad2f0c20cfc5",
     "the same with its 1000 classes"},
    {"resnet152", KERAS_2018 "resnet152" NO_TOP, "ee4c566cf9a93f14d82f913c2dc6dd0c",
     "ResNet-152, ImageNet, no head"},
    {"resnet152-top", KERAS_2018 "resnet152" TOP, "100835be76be38e30d865e96f2aaae62",
     "the same with its 1000 classes"},
    {"zf-unet", ZF "zf_unet_224.h5", "203146f209baf34ac0d793e1691f1ab7",
     "ZF_UNET_224 after its synthetic ellipses"},
};

const struct published *published_at(size_t i)
{
    return i < sizeof FILES / sizeof *FILES ? &FILES[i] : NULL;
}

const struct published *published_find(const char *name)
{
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
        if (!strcmp(FILES[i].name, name))
            return &FILES[i];
    return NULL;
}
