/* nn/exec.h: running a graph.
 *
 * A backend compiles a whole graph for one batch size and one mode: it picks layouts and algorithms, fuses
 * what it can and plans all memory. Running then allocates nothing. Two backends: "ref" (plain loops anyone
 * can check by eye, double sums) and "onednn". */
#ifndef CLEARMASS_NN_EXEC_H
#define CLEARMASS_NN_EXEC_H

#include "base/err.h"
#include "nn/choice.h"
#include "nn/graph.h"

enum nn_mode {
    NN_INFER, /* forward only: moving statistics, no dropout; batch norm may be folded into convolutions */
    NN_TRAIN  /* forward keeps what backward needs; batch statistics except where a norm is frozen */
};

struct nn_exec;

/* A convolution of [upsampled, skip] may be done as a transposed convolution of what was upsampled plus a
 * convolution of the skip: the same function and gradients with fewer operations, in another order. */
enum nn_folding {
    NN_FOLD_AUTO, /* where it pays; never with `direct` */
    NN_FOLD_ALWAYS,
    NN_FOLD_NEVER
};

struct nn_compile {
    int batch; /* items a run, >= 1 */
    enum nn_mode mode;
    bool direct; /* no Winograd and no other reordering of sums: for exact tests */
    bool bf16;   /* activations and the factors of products in bf16 (8 bits of mantissa), everything that is
                    added up and the network's numbers in float: faster where the processor has instructions
                    for it (nn_has_bf16), else refused. "ref" takes no notice */
    bool brief;  /* for a few runs only: nothing whose kernels take longer to make than it saves (Winograd's
                    and  folded ones in NN_INFER) */
    enum nn_folding folding;
    struct nn_choices *choices; /* of implementations; may grow (nn/choice.h). NULL: a rule by shape chooses.
                                   A function of the shapes and of these alone */
    /* Another one of the same backend that outlives this one and lends it the memory of its activations where
     * that is large enough, or NULL. What either has left there, its output too, is lost when the other runs.
     */
    const struct nn_exec *share;
    bool input_gradient; /* backward can also give the gradient with respect to the input */
};

struct nn_step {
    float momentum; /* of batch norm: moving = momentum * moving + (1 - momentum) * batch. Keras' default is
                       .99; 0 leaves this batch's own statistics behind. The batch variance enters as n / (n -
                       1) times the biased one (n = batch * h * w), the normalisation itself uses the biased
                       one. */
    bool dropout;
    uint64_t seed; /* of this step's dropout */
};

/* A part of a run. */
struct nn_timing {
    nn_id node;
    const char *what; /* "conv", "conv dx", "conv dw", "norm", ... */
    const char *how;  /* the library's name of what ran, or "" */
    bool forward;     /* in forward, else in backward */
    double seconds;   /* of the calling thread */
};

struct nn_backend {
    const char *name;
    /* NULL on failure (memory, a shape the backend cannot do). The graph must outlive the result. */
    void *(*compile)(const struct nn_graph *g, const struct nn_compile *how, struct err *err);
    void (*free)(void *self);
    /* Takes all numbers from the flat array values[g->n_values] (copies or re-lays them). */
    void (*set)(void *self, const float *values);
    /* Writes the moving statistics back into values; the other numbers, and the statistics of norms without
     * a trainable gamma, are left alone. */
    void (*get)(void *self, float *values);
    /* input [batch, c, h, w] -> the last node's output [batch, c, h, w], plain row-major; borrowed until the
     * next forward. step is ignored (may be NULL) in NN_INFER. */
    const float *(*forward)(void *self, const float *input, const struct nn_step *step);
    /* After forward in NN_TRAIN: from d loss / d output [batch, c, h, w] to d loss / d values.
     * grads[g->n_values] is overwritten; slots that are not trainable get 0. grad_input [batch, c, h, w] may
     * be NULL; it needs nn_compile.input_gradient. */
    void (*backward)(void *self, const float *grad_output, float *grads, float *grad_input);
    /* Bytes planned for activations, gradients and scratch. */
    size_t (*memory)(const void *self);
    /* Copies at most room timings and returns how many there are. From the first call on they are taken: the
     * least of all runs since. NULL where a backend takes none. */
    int (*timings)(void *self, struct nn_timing *out, int room);
};

extern const struct nn_backend nn_backend_ref;
extern const struct nn_backend nn_backend_onednn;

struct nn_exec {
    const struct nn_backend *backend;
    void *self;
};

#define NN_EXEC_INIT                                                                                         \
    {                                                                                                        \
        NULL, NULL                                                                                           \
    }

bool nn_exec_init(struct nn_exec *x, const struct nn_backend *b, const struct nn_graph *g,
                  const struct nn_compile *how, struct err *err);
void nn_exec_release(struct nn_exec *x);

/* Does this processor multiply bf16 numbers (AVX-512 BF16, AMX)? */
bool nn_has_bf16(void);

/* Threads for all backends (OpenMP); 0 means every core this process may use. Call before the first compile.
 */
void nn_threads(int count);

#endif
