#include "model/model.h"

#include <string.h>

static const struct model *const MODELS[] = {&model_unet_224};

const struct model *model_find(const char *name)
{
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++)
        if (!strcmp(MODELS[i]->name, name))
            return MODELS[i];
    return NULL;
}
