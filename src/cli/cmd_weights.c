#include "cli/cli.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/weights_fetch.h"
#include "cli/weights_file.h"
#include "cli/weights_show.h"
#include "model/checkpoint.h"
#include "model/keras.h"
#include "model/onnx.h"
#include "model/published.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FROM = 256, KEY_MD5 };
enum { MOST_WORDS = 3 };

struct arguments {
    const char *word[MOST_WORDS]; /* the verb, then what it works on */
    int n_words;
    const struct model *network;
    bool partial;
    const char *from, *md5;
};

static json_t *describe(const struct keras_fit *f, const struct hdf5_weights *w, const char *path,
                        const char *sha256)
{
    json_t *meta = json_pack("{s:s, s:s, s:i}", "format", "clearmass-weights-1", "program",
                             "clearmass " CLEARMASS_VERSION, "epoch", 0);
    model_tell(meta, &f->told);
    json_object_set_new(meta, "source",
                        json_pack("{s:s, s:s, s:s, s:s}", "file", file_base(path), "sha256", sha256,
                                  "keras_version", w->keras_version, "backend", w->backend));
    return meta;
}

static void tell_import(const struct keras_fit *f, const char *out)
{
    printf("%s: ", out);
    weights_print_network(&f->told);
    printf(", %zu numbers\n", f->graph.n_values);
    if (f->missing_layers > 0)
        log_warn("%zu layers were not in the file and have initial values", f->missing_layers);
    if (f->folded)
        log_info("the batch norm after the last convolution became part of it");
    if (f->flipped)
        log_info("Theano's kernels were turned round");
}

static bool import_file(const struct arguments *a, const char *path, const char *to, struct err *err)
{
    const struct keras_options options = {.network = a->network, .partial = a->partial};
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    struct keras_fit f = KERAS_FIT_INIT;
    char sha256[FILE_SHA256_TEXT];
    json_t *meta = NULL;
    bool ok = false;

    if (!hdf5_read(&w, path, err) || !file_sha256(path, sha256, err))
        goto out;
    if (!keras_fit(&f, &w, &options, err)) {
        err_at(err, "%s", path);
        goto out;
    }
    meta = describe(&f, &w, path, sha256);
    ok = checkpoint_write(to, &f.graph, f.values, NULL, 0, meta, err);
    if (ok)
        tell_import(&f, to);
out:
    json_decref(meta);
    keras_release(&f);
    hdf5_release(&w);
    return ok;
}

static bool import(const struct arguments *a, struct err *err)
{
    return import_file(a, a->word[1], a->word[2], err);
}

static bool fetch(const struct arguments *a, struct err *err)
{
    const struct weights_fetch f = {a->word[1], a->from, a->md5};
    char *path = NULL;

    if (!weights_fetch(&path, &f, err))
        return false;
    printf("%s\n", path);
    const bool ok = a->n_words < 3 || import_file(a, path, a->word[2], err);
    free(path);
    return ok;
}

static bool write_safetensors(const char *to, const struct weights *w, struct err *err)
{
    return checkpoint_write(to, &w->graph, w->values, NULL, 0, w->meta, err);
}

static bool write_keras(const char *to, const struct weights *w, struct err *err)
{
    return keras_write(to, &w->told, &w->graph, w->values, err);
}

static bool write_onnx(const char *to, const struct weights *w, struct err *err)
{
    return onnx_write(to, &w->graph, w->values, w->meta, err);
}

static const struct {
    const char *ext;
    bool (*write)(const char *to, const struct weights *w, struct err *err);
} WRITERS[] = {{"safetensors", write_safetensors}, {"h5", write_keras}, {"onnx", write_onnx}};

static bool export(const struct arguments *a, struct err *err)
{
    const char *to = a->word[2];
    struct weights w = WEIGHTS_INIT;
    bool ok = false;

    if (!weights_read(&w, a->word[1], err))
        return false;
    for (size_t i = 0; i < sizeof WRITERS / sizeof *WRITERS; i++)
        if (file_has_ext(to, WRITERS[i].ext))
            ok = WRITERS[i].write(to, &w, err);
    if (ok) {
        printf("%s: ", to);
        weights_print_network(&w.told);
        printf(", %zu numbers\n", w.graph.n_values);
    }
    weights_release(&w);
    return ok;
}

static bool show(const struct arguments *a, struct err *err)
{
    return weights_show(a->word[1], err);
}

/* ---- The command ---- */

static const struct verb {
    const char *name, *words; /* words: what must follow it */
    int least, most;          /* words, with the verb itself */
    const char *out_types;    /* of the last word, NULL: any */
    bool (*work)(const struct arguments *a, struct err *err);
} VERBS[] = {
    {"show", "FILE", 2, 2, NULL, show},
    {"fetch", "NAME [OUT.safetensors]", 2, 3, "safetensors", fetch},
    {"import", "FILE.h5 OUT.safetensors", 3, 3, "safetensors", import},
    {"export", "RUN|FILE.safetensors OUT.h5|OUT.onnx|OUT.safetensors", 3, 3, "h5 onnx safetensors", export},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; name && i < sizeof VERBS / sizeof *VERBS; i++)
        if (!strcmp(VERBS[i].name, name))
            return &VERBS[i];
    return NULL;
}

/* "h5 safetensors" and "a.h5" */
static bool has_type(const char *path, const char *types)
{
    char *copy = mem_copy_string(types), *rest = copy, *type;
    bool found = false;

    while (!found && (type = strsep(&rest, " ")) != NULL)
        found = file_has_ext(path, type);
    free(copy);
    return found;
}

static void check_words(const struct arguments *a, struct argp_state *state)
{
    const struct verb *v = find_verb(a->word[0]);
    struct err err = ERR_INIT;

    if (!v)
        argp_error(state, "show, fetch, import or export?");
    else if (a->n_words < v->least || a->n_words > v->most)
        argp_error(state, "usage: weights %s %s", v->name, v->words);
    else if (v->out_types && a->n_words == 3 && !has_type(a->word[2], v->out_types))
        argp_error(state, "'%s' should end as in: weights %s %s", a->word[2], v->name, v->words);
    else if (v->work == fetch &&
             !weights_fetch_check(&(struct weights_fetch){a->word[1], a->from, a->md5}, &err))
        argp_error(state, "%s", err.text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'n':
        a->network = model_find(arg);
        if (!a->network)
            argp_error(state, "no network '%s'; 'clearmass model' lists them", arg);
        return 0;
    case 'p':
        a->partial = true;
        return 0;
    case KEY_FROM:
        a->from = arg;
        return 0;
    case KEY_MD5:
        a->md5 = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->n_words == MOST_WORDS)
            argp_error(state, "'%s' is one too many", arg);
        a->word[a->n_words++] = arg;
        return 0;
    case ARGP_KEY_END:
        check_words(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The text at the end of --help, with what can be fetched. */
static char *add_published(int key, const char *text, void *input)
{
    struct buf b = BUF_INIT;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text; /* argp's way of saying: unchanged */
    buf_adds(&b, "NAME is one of:\n");
    for (size_t i = 0; published_at(i); i++)
        buf_addf(&b, "  %-18s %s\n", published_at(i)->name, published_at(i)->what);
    buf_addf(&b, "\n%s", text);
    return b.data;
}

int cmd_weights(int argc, char **argv)
{
    static const struct argp_option OPTIONS[] = {
        {"network", 'n', "NAME", 0, "import: what the file must hold; else it is recognised", 0},
        {"partial", 'p', NULL, 0, "import: layers that a ResNet's file lacks get initial values", 0},
        {"from", KEY_FROM, "URL", 0,
         "fetch: from this http, https or file address instead of the published one", 0},
        {"md5", KEY_MD5, "SUM", 0,
         "fetch: with --from, a file of your own with this MD5 under a NAME of your own", 0},
        {0}};
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "show FILE\nfetch NAME [OUT.safetensors]\nimport FILE.h5 OUT.safetensors\n"
                    "export RUN|FILE.safetensors OUT.h5|OUT.onnx|OUT.safetensors",
        .doc = "Weights of networks: what a file holds and which network it fits; published weights from "
               "the web; Keras' HDF5 files in and out; ONNX files out."
               "\vWhat is fetched is checked by its MD5 and kept in ~/.cache/clearmass/weights (or below "
               "XDG_CACHE_HOME); a download that breaks off goes on with the same command. Proxies are "
               "taken from the environment (https_proxy). What is imported serves as --init of "
               "'train'.\n" CLI_DISCLAIMER,
        .help_filter = add_published};
    struct arguments a = {.n_words = 0};
    struct err err = ERR_INIT;

    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    return find_verb(a.word[0])->work(&a, &err) ? CLI_DONE : cli_fail(&err);
}
