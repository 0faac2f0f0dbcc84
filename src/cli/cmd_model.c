#include "cli/cli.h"

#include "base/buf.h"
#include "model/model.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

/* The table is the one Keras' model.summary() prints, so that both can be laid side by side. */
enum { LAYER_WIDTH = 40, SHAPE_WIDTH = 23, COUNT_WIDTH = 12, TABLE_WIDTH = 110 };
enum { MOST_CHANNELS = 1024, LARGEST_SIZE = 16384, MOST_CLASSES = 1000000 };

struct arguments {
    const struct model *model;
    int channels, size;
    struct model_options options;
};

static const char *const KERAS_TYPE[NN_OP_COUNT] = {
    [NN_INPUT] = "InputLayer",
    [NN_CONV2D] = "Conv2D",
    [NN_BATCHNORM] = "BatchNormalization",
    [NN_RELU] = "Activation",
    [NN_SIGMOID] = "Activation",
    [NN_SOFTMAX] = "Activation",
    [NN_MAXPOOL] = "MaxPooling2D",
    [NN_UPSAMPLE] = "UpSampling2D",
    [NN_CONCAT] = "Concatenate",
    [NN_ADD] = "Add",
    [NN_GLOBAL_AVGPOOL] = "GlobalAveragePooling2D",
    [NN_DENSE] = "Dense",
    [NN_SPATIAL_DROPOUT] = "SpatialDropout2D",
};

/* 31466753 -> "31,466,753" */
static void count_text(char *text, size_t size, size_t n)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%zu", n);
    size_t at = 0;
    for (int i = 0; i < length && at + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
}

/* Pooled or dense, with nothing but single-input layers since: [c] and not [c, 1, 1]. */
static bool is_vector(const struct nn_graph *g, nn_id id)
{
    const struct nn_node *node = &g->node[id];
    while (node->n_in == 1 && node->op != NN_CONV2D && node->op != NN_GLOBAL_AVGPOOL && node->op != NN_DENSE)
        node = &g->node[node->in[0]];
    return node->op == NN_GLOBAL_AVGPOOL || node->op == NN_DENSE;
}

static size_t node_count(const struct nn_graph *g, nn_id id)
{
    const struct nn_node *node = &g->node[id];
    size_t n = 0;
    for (int i = 0; i < node->n_slots; i++)
        n += g->slot[node->slot + i].count;
    return n;
}

static void print_rule(char c)
{
    for (int i = 0; i < TABLE_WIDTH; i++)
        putchar(c);
    putchar('\n');
}

static void print_row(const char *layer, const char *shape, const char *count, const char *from)
{
    printf("%-*s  %-*s %*s   %s\n", LAYER_WIDTH, layer, SHAPE_WIDTH, shape, COUNT_WIDTH, count, from);
}

static void print_node(const struct nn_graph *g, nn_id id)
{
    const struct nn_node *node = &g->node[id];
    char layer[NN_NAME + 32], shape[64], count[32], from[2 * NN_NAME + 4] = "";
    snprintf(layer, sizeof layer, "%s (%s)", node->name, KERAS_TYPE[node->op]);
    if (is_vector(g, id))
        snprintf(shape, sizeof shape, "(None, %d)", node->shape.c);
    else
        snprintf(shape, sizeof shape, "(None, %d, %d, %d)", node->shape.h, node->shape.w, node->shape.c);
    count_text(count, sizeof count, node_count(g, id));
    if (node->n_in == 1)
        snprintf(from, sizeof from, "%s", g->node[node->in[0]].name);
    else if (node->n_in == 2)
        snprintf(from, sizeof from, "%s, %s", g->node[node->in[0]].name, g->node[node->in[1]].name);
    print_row(layer, shape, count, from);
}

static void print_total(const char *what, size_t n)
{
    char count[32];
    count_text(count, sizeof count, n);
    printf("%s: %s\n", what, count);
}

static void print_summary(const struct model *model, const struct nn_graph *g)
{
    size_t all = nn_graph_count(g), trainable = nn_graph_count_trainable(g);
    printf("Model: %s\n", model->title);
    print_rule('_');
    print_row("Layer (type)", "Output Shape", "Param #", "Connected to");
    print_rule('=');
    for (nn_id id = 0; id < g->n_nodes; id++)
        print_node(g, id);
    print_rule('=');
    print_total("Total params", all);
    print_total("Trainable params", trainable);
    print_total("Non-trainable params", all - trainable);
    print_rule('_');
}

/* A whole number from 1 to most; argp_error ends the program. */
static int whole(const char *text, const char *option, int most, struct argp_state *state)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (end == text || *end || v < 1 || v > most)
        argp_error(state, "--%s: '%s' is not a whole number from 1 to %d", option, text, most);
    return (int)v;
}

/* "unet, resnet50": the networks there are; buf_release it. */
static struct buf network_names(void)
{
    struct buf names = BUF_INIT;
    for (size_t i = 0; model_at(i); i++)
        buf_addf(&names, "%s%s", i ? ", " : "", model_at(i)->name);
    return names;
}

static void choose_model(struct arguments *a, const char *name, struct argp_state *state)
{
    if (a->model)
        argp_error(state, "one network at a time: '%s' is one too many", name);
    a->model = model_find(name);
    if (!a->model)
        argp_error(state, "no network '%s'; there are: %s", name, network_names().data);
}

static void check_arguments(const struct arguments *a, struct argp_state *state)
{
    if (!a->model)
        argp_error(state, "which network? There are: %s", network_names().data);
    if (a->size % a->model->multiple_of)
        argp_error(state, "--size: %d is not a multiple of %d, as %s needs it", a->size,
                   a->model->multiple_of, a->model->name);
    if (a->options.classes && !a->model->classes)
        argp_error(state, "--classes and --no-top are for classifiers; %s is none", a->model->name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'c':
        a->channels = whole(arg, "channels", MOST_CHANNELS, state);
        return 0;
    case 's':
        a->size = whole(arg, "size", LARGEST_SIZE, state);
        return 0;
    case 'n':
        a->options.classes = whole(arg, "classes", MOST_CLASSES, state);
        return 0;
    case 't':
        a->options.classes = MODEL_NO_HEAD;
        return 0;
    case ARGP_KEY_ARG:
        choose_model(a, arg, state);
        return 0;
    case ARGP_KEY_END:
        check_arguments(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option OPTIONS[] = {
    {"channels", 'c', "N", 0, "of the input: 3 unless told otherwise", 0},
    {"size", 's', "PIXELS", 0, "width and height of the input: 224 unless told otherwise", 0},
    {"classes", 'n', "N", 0, "of a classifier's head: 2 unless told otherwise", 0},
    {"no-top", 't', NULL, 0, "a classifier without its head", 0},
    {0}};

static const struct argp ARGP = {OPTIONS,
                                 parse,
                                 "NETWORK",
                                 "Lists the layers of a network: output shapes, numbers of parameters, "
                                 "connections. NETWORK is unet (ZF_UNET_224), resnet50, resnet101 or "
                                 "resnet152.\v" CLI_DISCLAIMER,
                                 NULL,
                                 NULL,
                                 NULL};

int cmd_model(int argc, char **argv)
{
    struct arguments a = {.channels = 3, .size = 224};
    struct nn_graph g = NN_GRAPH_INIT;

    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    model_build(a.model, &g, (struct nn_shape){a.channels, a.size, a.size}, &a.options);
    print_summary(a.model, &g);
    nn_graph_release(&g);
    return CLI_DONE;
}
