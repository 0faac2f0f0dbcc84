#include "model/model.h"

#include <assert.h>
#include <string.h>

enum {
    USUAL_SIZE = 224,
    SMALLEST_SIZE = 32,
    MOST_CHANNELS = 1024,
    LARGEST_SIZE = 65536,
    MOST_CLASSES = 1 << 20
};

static const struct model *const MODELS[] = {&model_unet_224, &model_resnet50, &model_resnet101,
                                             &model_resnet152};

const struct model *model_at(size_t i)
{
    return i < sizeof MODELS / sizeof *MODELS ? MODELS[i] : NULL;
}

const struct model *model_find(const char *name)
{
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++)
        if (!strcmp(MODELS[i]->name, name))
            return MODELS[i];
    return NULL;
}

void model_build(const struct model *m, struct nn_graph *g, struct nn_shape input,
                 const struct model_options *o)
{
    static const struct model_options NONE;
    const struct model_options *told = o ? o : &NONE;

    if (m->build_as) {
        m->build_as(m, g, input, told);
        return;
    }
    assert(told->classes == 0 && told->epsilon == 0 && !told->narrow_pool);
    m->build(g, input);
}

void model_tell(json_t *meta, const struct model_told *t)
{
    const struct model_options *o = &t->options;
    const struct model *m = t->model;

    json_object_set_new(meta, "model", json_string(m->name));
    json_object_set_new(meta, "input", json_pack("{s:i, s:i}", "size", t->input.h, "channels", t->input.c));
    if (m->build_as)
        json_object_set_new(meta, "options",
                            json_pack("{s:i, s:f, s:b}", "classes",
                                      o->classes == MODEL_NO_HEAD ? 0
                                      : o->classes                ? o->classes
                                                                  : m->classes,
                                      "epsilon", o->epsilon > 0 ? o->epsilon : m->epsilon, "narrow_pool",
                                      o->narrow_pool));
}

/* The object under key, be it one or its text; a new reference, or NULL. */
static json_t *object_of(const json_t *meta, const char *key)
{
    json_t *value = json_object_get(meta, key);

    if (json_is_string(value))
        value = json_loads(json_string_value(value), JSON_REJECT_DUPLICATES, NULL);
    else
        json_incref(value);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static bool read_input(struct nn_shape *out, const json_t *meta, const struct model *m, struct err *err)
{
    json_t *input = object_of(meta, "input");
    json_int_t channels = json_integer_value(json_object_get(input, "channels"));
    json_int_t size = json_integer_value(json_object_get(input, "size"));

    json_decref(input);
    if (size == 0)
        size = USUAL_SIZE;
    if (channels < 1 || channels > MOST_CHANNELS || size < SMALLEST_SIZE || size > LARGEST_SIZE ||
        size % m->multiple_of)
        return err_set(err, ERR_FORMAT, "metadata: bad input for %s", m->title);
    *out = (struct nn_shape){(int)channels, (int)size, (int)size};
    return true;
}

static bool read_options(struct model_options *out, const json_t *meta, const struct model *m,
                         struct err *err)
{
    json_t *options = m->build_as ? object_of(meta, "options") : NULL;

    *out = (struct model_options){0};
    if (!options)
        return true;
    json_int_t classes = json_integer_value(json_object_get(options, "classes"));
    out->epsilon = json_number_value(json_object_get(options, "epsilon"));
    out->narrow_pool = json_is_true(json_object_get(options, "narrow_pool"));
    json_decref(options);
    if (classes < 0 || classes > MOST_CLASSES || !(out->epsilon > 0 && out->epsilon < 1))
        return err_set(err, ERR_FORMAT, "metadata: bad options for %s", m->title);
    out->classes = classes ? (int)classes : MODEL_NO_HEAD;
    return true;
}

bool model_read_told(struct model_told *out, const json_t *meta, struct err *err)
{
    const char *name = json_string_value(json_object_get(meta, "model"));
    struct model_told t = {.model = name ? model_find(name) : NULL};

    if (!name)
        return err_set(err, ERR_INPUT, "its metadata names no network");
    if (!t.model)
        return err_set(err, ERR_INPUT, "unknown network '%.40s'", name);
    if (!read_input(&t.input, meta, t.model, err) || !read_options(&t.options, meta, t.model, err))
        return false;
    *out = t;
    return true;
}
