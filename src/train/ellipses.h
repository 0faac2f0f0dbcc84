/* train/ellipses.h: the synthetic images ZF_UNET_224 was pre-trained on
 * (ZFTurbo/ZF_UNET_224_Pretrained_Model, train_infinite_generator.py, 2018): a light ellipse on a dark ground
 * under colour noise. */
#ifndef CLEARMASS_TRAIN_ELLIPSES_H
#define CLEARMASS_TRAIN_ELLIPSES_H

#include "base/rng.h"

struct ellipse_image {
    float *input; /* [channels, size, size], x / 256 - .5 for x in 0..255 */
    float *truth; /* [1, size, size], 0 or 1 */
};

/* Dark colours 0..100 and light colours dark + 1..255, each channel its own; centre 0..224, half axes 10..56
 * on a square of 224 (in proportion for other sizes); then each pixel, with a probability drawn from [0, .1),
 * takes fresh colours. All whole numbers, ends included. */
void ellipse_draw(struct ellipse_image *out, int size, int channels, struct rng *rng);

#endif
