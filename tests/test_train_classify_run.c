/* A classifier's run: going on after any death, weights from elsewhere, what it refuses. */
#include "test_train_classify.h"

#include "base/stop.h"
#include "model/checkpoint.h"
#include "model/keras.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* ---- going on ---- */

/* argv: child DATA RUN EPOCHS CACHED */
static int child(char **argv)
{
    struct err err = ERR_INIT;
    data = argv[2];
    struct train_job job = (atoi(argv[5]) ? job_of : tuning_job)(argv[3], atoi(argv[4]));
    stop_install();
    return train(&job, &err) ? 0 : err.kind == ERR_CANCELLED ? 3 : 1;
}

static void kill_after(const char *folder, int epochs, bool cached, double seconds)
{
    char words[2][12];
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    snprintf(words[0], sizeof words[0], "%d", epochs);
    snprintf(words[1], sizeof words[1], "%d", cached);
    pid_t pid = fork();
    if (pid == 0) {
        freopen("/dev/null", "w", stderr);
        execl("/proc/self/exe", "child", "child", data, folder, words[0], words[1], (char *)NULL);
        _exit(127);
    }
    nanosleep(&t, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void goes_on_bit_for_bit(void **state)
{
    (void)state;
    enum { EPOCHS = 5 };
    for (int cached = 0; cached < 2; cached++) {
        char *whole = in_base(cached ? "whole-cached" : "whole"),
             *parts = in_base(cached ? "parts-cached" : "parts");
        struct train_job job = (cached ? job_of : tuning_job)(whole, EPOCHS);
        double began = (double)clock() / CLOCKS_PER_SEC;
        train_ok(&job);
        double took = (double)clock() / CLOCKS_PER_SEC - began;
        for (int i = 1; i <= 4; i++)
            kill_after(parts, EPOCHS, cached, .02 + took * i / 5);
        job.folder = parts;
        for (int epochs = 3; epochs <= EPOCHS; epochs++) { /* and in pieces */
            job.options.epochs = epochs;
            train_ok(&job);
        }
        assert_same_run(whole, parts);
        free(whole);
        free(parts);
    }
}

static void a_run_of_another_network(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("from-run");
    struct train_job job = job_of(run, 1);

    /* the miniature's weights go by ResNet-50's name but are none */
    job.init = whole;
    train_refused(&job, "weights of ResNet-50, not of small");
    job.model = &model_resnet50;
    train_refused(&job, "best.safetensors: weights of another network: 'conv1/kernel' is [64, 3, 7, 7] here, "
                        "[8, 3, 3, 3] there");
    free(whole);
    free(run);
}

/* ---- weights from elsewhere; ResNet-50 itself ---- */

static void write_keras(const char *path, const struct model *m, int classes, double epsilon)
{
    const struct model_told told = {m, {3, 224, 224}, {.classes = classes, .epsilon = epsilon}};
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;

    model_build(m, &g, told.input, &told.options);
    float *values = mem_new(g.n_values, sizeof *values);
    nn_graph_init_values(&g, values, 7);
    assert_true(keras_write(path, &told, &g, values, &err));
    free(values);
    nn_graph_release(&g);
}

static void begins_with_keras_weights(void **state)
{
    (void)state;
    char *file = in_base("imagenet.h5"), *run = in_base("imagenet"), *again = in_base("again");
    struct train_job job = job_of(run, 1);
    struct nn_graph g = NN_GRAPH_INIT;
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    float *best = NULL;

    write_keras(file, &model_resnet50, 1000, 1.001e-5);
    job.model = &model_resnet50;
    job.init = file;
    job.options.learning_rate = 1e-9;
    train_ok(&job);
    assert_true(run_read(&r, run, &err) && run_load_best(&r, &g, &best, NULL, NULL, &err));
    assert_true(r.options.epsilon == 1.001e-5); /* by the names of the layers */
    assert_int_equal(g.n_values, 23587712 + 4098);
    float *expected = mem_new(g.n_values, sizeof *expected);
    nn_graph_init_values(&g, expected, 7); /* the numbers of the backbone are those of the file */
    assert_memory_equal(best, expected, 23587712 * sizeof *best);
    /* a run goes on from it with its head */
    job.folder = again;
    job.init = run;
    train_ok(&job);
    size_t n;
    float *head = tensor(again, "best.safetensors", "fc2/kernel", &n);
    for (size_t i = 0; i < n; i++)
        assert_close(head[i], best[23587712 + i], 1e-4);
    assert_true(same_bytes(run, again, "split.csv"));
    assert_true(same_bytes(run, again, "features.safetensors"));
    free(head);
    free(expected);
    free(best);
    nn_graph_release(&g);
    run_release(&r);
    free(file);
    free(run);
    free(again);
}

static void wrong_weights(void **state)
{
    (void)state;
    char *run = in_base("wrong"), *json = file_join(run, "run.json"), *unet = in_base("unet.safetensors");
    char *text = in_base("text.h5"), *plain = in_base("plain.safetensors");
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    struct train_job job = job_of(run, 1);

    job.model = &model_resnet50;
    nn_dense(&g, nn_input(&g, (struct nn_shape){3, 1, 1}), "fc2", 2);
    float values[8] = {0};
    json_t *meta = json_pack("{s:s, s:{s:i}}", "model", "unet", "input", "channels", 3);
    assert_true(checkpoint_write(unet, &g, values, NULL, 0, meta, &err));
    json_decref(meta);
    job.init = unet;
    train_refused(&job, "unet.safetensors: weights of ZF_UNET_224, not of ResNet-50");
    assert_true(file_write(text, "no HDF5", 7, &err));
    job.init = text;
    train_refused(&job, "text.h5");
    assert_true(checkpoint_write(plain, &g, values, NULL, 0, NULL, &err));
    job.init = plain;
    train_refused(&job, "plain.safetensors: it has no metadata that names a network");
    job.init = "/nowhere.h5";
    train_refused(&job, "--init /nowhere.h5: no such file or run");
    assert_false(file_exists(json));
    nn_graph_release(&g);
    free(run);
    free(json);
    free(unet);
    free(text);
    free(plain);
}

static void refusals(void **state)
{
    (void)state;
    char *run = in_base("refused"), *whole = in_base("whole");
    struct train_job job = tuning_job(run, 1);
    job.options.best = TRAIN_BEST_DICE;
    train_refused(&job, "--best dice is not for classify");
    job = tuning_job(whole, 9);
    job.options.unfreeze = 2;
    train_refused(&job, "the run was begun with --unfreeze 5, not 4");
    job = tuning_job(whole, 9);
    job.narrow_pool = true;
    train_refused(&job, "the run was begun without --narrow-pool");
    job = tuning_job(whole, 9);
    job.task = RUN_SEGMENT;
    train_refused(&job, "this is a run of task classify");
    free(run);
    free(whole);
}

/* The table of abnormalities belongs to what a run was begun on. */
static void another_table_is_another_data_set(void **state)
{
    (void)state;
    static const char HEADER[] = "id,abnormality,label,crop,crop_sha256,mask,mask_sha256\n";
    char *run = in_base("table"), *path = file_join(data, "abnormalities.csv");
    struct manifest m = MANIFEST_INIT;
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    assert_true(manifest_read(&m, data, &err));
    buf_adds(&b, HEADER);
    for (size_t i = 0; i < m.count; i++)
        if (*m.item[i].crop)
            buf_addf(&b, "%s,1,%s,%s,0,,\n", m.item[i].id, data_label_name(m.item[i].label), m.item[i].crop);
    assert_true(file_write(path, b.data, b.len, &err));
    struct train_job job = job_of(run, 1);
    train_ok(&job);
    buf_addf(&b, "%s,2,benign,%s,0,,\n", m.item[0].id, m.item[0].crop);
    assert_true(file_write(path, b.data, b.len, &err));
    job.options.epochs = 2;
    train_refused(&job, "changed since the run was begun");
    assert_int_equal(remove(path), 0);
    train_refused(&job, "changed since the run was begun");
    manifest_release(&m);
    buf_release(&b);
    free(run);
    free(path);
}

/* Crops of one class cannot be told apart. */
static void one_class_is_not_enough(void **state)
{
    (void)state;
    char *folder = in_base("benign-only"), *run = in_base("one-class"),
         *path = file_join(folder, "manifest.csv");
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    assert_true(make_discs(folder, (const int[LABEL_COUNT]){8, 0, 2}, 500, &err));
    struct train_job job = tuning_job(run, 1);
    job.data = folder;
    train_refused(&job, "no crop in the training part");
    assert_true(manifest_read(&m, folder, &err));
    for (size_t i = 0; i < m.count; i++) {
        free(m.item[i].crop);
        m.item[i].crop = mem_copy_string(m.item[i].image);
    }
    assert_true(manifest_write(&m, folder, &err));
    train_refused(&job, "no malignant crop in the training part");
    manifest_release(&m);
    free(folder);
    free(run);
    free(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_bit_for_bit),
        cmocka_unit_test(a_run_of_another_network),
        cmocka_unit_test(begins_with_keras_weights),
        cmocka_unit_test(wrong_weights),
        cmocka_unit_test(refusals),
        cmocka_unit_test(one_class_is_not_enough),
        cmocka_unit_test(another_table_is_another_data_set),
    };

    if (argc == 6 && !strcmp(argv[1], "child"))
        return child(argv);
    return cmocka_run_group_tests_name("train: a classifier's run", tests, make_data, drop_data);
}
