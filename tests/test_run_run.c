/* The run folder: read back, and one line for each way it can be wrong. */
#include "run/run.h"

#include "base/mem.h"
#include "model/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char base[] = "/tmp/clearmass-run-XXXXXX";

static int make_base(void **state)
{
    (void)state;
    return mkdtemp(base) ? 0 : -1;
}

static int drop_base(void **state)
{
    (void)state;
    char *command = mem_printf("rm -rf '%s'", base);
    int code = system(command);
    free(command);
    return code;
}

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char GOOD[] =
    "{\"format\": \"clearmass-run-1\", \"task\": \"black-box\", \"model\": \"unet\","
    "\"input\": {\"size\": 32, \"channels\": 3, \"fit\": \"pad\", \"breast_crop\": true},"
    "\"data\": {\"path\": \"/d\", \"manifest_sha256\": \"" SHA "\", \"split_sha256\": \"" SHA "\"}}";

static void put(const char *name, const char *text)
{
    struct err err = ERR_INIT;
    char *path = file_join(base, name);
    assert_true(file_write(path, text, strlen(text), &err));
    free(path);
}

static void test_reads_a_run(void **state)
{
    (void)state;
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    put("run.json", GOOD);
    assert_true(run_read(&r, base, &err));
    assert_int_equal(r.task, RUN_BLACK_BOX);
    assert_ptr_equal(r.model, &model_unet_224);
    assert_int_equal(r.prep.size, 32);
    assert_int_equal(r.prep.fit, PREP_PAD);
    assert_true(r.prep.breast_crop);
    assert_int_equal(r.channels, 3);
    assert_string_equal(r.data_path, "/d");
    assert_string_equal(r.manifest_sha256, SHA);
    char *path = run_path(&r, "log.csv"), *expected = mem_printf("%s/log.csv", base);
    assert_string_equal(path, expected);
    free(path);
    free(expected);
    json_object_set_new(r.json, "note", json_string("kept"));
    assert_true(run_write(&r, &err));
    run_release(&r);
    assert_true(run_read(&r, base, &err));
    assert_string_equal(json_string_value(json_object_get(r.json, "note")), "kept");
    run_release(&r);
}

static const char CLASSIFIER[] =
    "{\"format\": \"clearmass-run-1\", \"task\": \"classify\", \"model\": \"resnet50\","
    "\"options\": {\"classes\": 2, \"epsilon\": 1.001e-5, \"narrow_pool\": true},"
    "\"input\": {\"size\": 32, \"channels\": 3, \"fit\": \"pad\", \"preprocessing\": \"caffe\"},"
    "\"data\": {\"path\": \"/d\", \"manifest_sha256\": \"" SHA "\", \"split_sha256\": \"" SHA "\"}}";

/* Its weights load into the network with the run's own options. */
static void test_reads_a_classifier(void **state)
{
    (void)state;
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    struct nn_graph g = NN_GRAPH_INIT, loaded = NN_GRAPH_INIT;
    float *values = NULL;
    int epoch = 0;

    put("run.json", CLASSIFIER);
    assert_true(run_read(&r, base, &err));
    assert_int_equal(r.task, RUN_CLASSIFY);
    assert_true(run_is_classifier(&r));
    assert_int_equal(r.prep.values, PREP_CAFFE);
    assert_int_equal(r.options.classes, 2);
    assert_true(r.options.epsilon == 1.001e-5 && r.options.narrow_pool);
    model_build(r.model, &g, (struct nn_shape){3, 32, 32}, &r.options);
    char *path = run_path(&r, "best.safetensors");
    float *made = mem_new(g.n_values, sizeof *made);
    made[g.n_values - 1] = .5f;
    json_t *meta = json_pack("{s:i}", "epoch", 3);
    assert_true(checkpoint_write(path, &g, made, NULL, 0, meta, &err));
    assert_true(run_load_best(&r, &loaded, &values, &epoch, NULL, &err));
    assert_int_equal(epoch, 3);
    assert_int_equal(loaded.n_values, 23587712 + 4098);
    assert_true(values[loaded.n_values - 1] == .5f);
    assert_int_equal(loaded.node[loaded.n_nodes - 1].op, NN_SOFTMAX);
    remove(path);
    json_decref(meta);
    free(path);
    free(made);
    free(values);
    nn_graph_release(&g);
    nn_graph_release(&loaded);
    run_release(&r);
}

/* One word of the good file changed. */
static void refuse_in(const char *good, const char *from, const char *to, const char *message)
{
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    const char *at = strstr(good, from);
    assert_non_null(at);
    char *text = mem_printf("%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    put("run.json", text);
    assert_false(run_read(&r, base, &err));
    if (!strstr(err.text, message) || !strstr(err.text, base))
        fail_msg("'%s' instead of '%s'", err.text, message);
    assert_null(r.json);
    free(text);
}

static void refuse(const char *from, const char *to, const char *message)
{
    refuse_in(GOOD, from, to, message);
}

static void test_refuses_what_is_no_run(void **state)
{
    (void)state;
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    refuse("clearmass-run-1", "clearmass-run-2", "format 'clearmass-run-2' is not known to this version");
    refuse("clearmass-run-1", "other", "not the description of a run");
    refuse("black-box", "paint", "unknown task 'paint'");
    refuse("unet", "vgg", "unknown network 'vgg'");
    refuse("32", "33", "size 33");
    refuse("32", "1e3", "bad size");
    refuse("\"channels\": 3", "\"channels\": 0", "number of channels");
    refuse("pad", "squeeze", "unknown fit 'squeeze'");
    refuse("unet", "resnet50", "task black-box by the network resnet50");
    refuse_in(CLASSIFIER, "resnet50", "unet", "task classify by the network unet");
    refuse_in(CLASSIFIER, "\"classes\": 2", "\"classes\": 3", "2 classes are wanted");
    refuse_in(CLASSIFIER, "1.001e-5", "7", "bad options for ResNet-50");
    refuse_in(CLASSIFIER, "caffe", "tea", "unknown preprocessing 'tea'");
    refuse(SHA, "abc", "no manifest_sha256");
    refuse("{\"format\"", "{format", "line 1");
    assert_false(run_read(&r, "/tmp/clearmass-no-such-run", &err));
    assert_string_equal(err.text, "/tmp/clearmass-no-such-run: no such run");
    assert_false(run_read(&r, TESTS_DIR, &err));
    assert_non_null(strstr(err.text, "not a run: there is no run.json in it"));
}

static const char MANIFEST[] = "id,patient,side,view,density,assessment,subtlety,part,label,width,height,"
                               "image,image_sha256,mask,mask_sha256,"
                               "crop,crop_sha256\n"
                               "a,p,,,,,,,benign,8,8,full/a.tif," SHA ",,,,\n"
                               "b,q,,,,,,,malignant,8,8,full/b.tif," SHA ",,,,\n";

static void test_split_belongs_to_its_manifest(void **state)
{
    (void)state;
    struct manifest m = MANIFEST_INIT;
    struct split s = SPLIT_INIT;
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    char *split = file_join(base, "split.csv");

    put("manifest.csv", MANIFEST);
    put("split.csv", "id,patient,part\na,p,train\nb,q,validation\n");
    put("run.json", GOOD);
    assert_true(run_read(&r, base, &err));
    assert_true(manifest_read(&m, base, &err));
    assert_false(run_split(&s, &r, &m, &err));
    assert_non_null(strstr(err.text, "is not the data set that"));
    memcpy(r.manifest_sha256, m.sha256, sizeof m.sha256);
    assert_false(run_split(&s, &r, &m, &err));
    assert_non_null(strstr(err.text, "split.csv: changed since the run was made"));
    assert_true(file_sha256(split, r.split_sha256, &err));
    assert_true(run_split(&s, &r, &m, &err));
    assert_int_equal(s.part[0], PART_TRAIN);
    assert_int_equal(s.part[1], PART_VALIDATION);
    split_release(&s);
    manifest_release(&m);
    run_release(&r);
    free(split);
}

static void test_loads_the_best_weights(void **state)
{
    (void)state;
    struct run r = RUN_INIT;
    struct nn_graph g = NN_GRAPH_INIT, back = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    char *best = file_join(base, "best.safetensors"), sha[FILE_SHA256_TEXT], expected[FILE_SHA256_TEXT];
    float *values, *loaded = NULL;
    int epoch = 0;

    put("run.json", GOOD);
    assert_true(run_read(&r, base, &err));
    assert_false(run_load_best(&r, &back, &loaded, &epoch, sha, &err));
    assert_non_null(strstr(err.text, "no epoch is finished yet"));

    model_unet_224.build(&g, (struct nn_shape){3, 32, 32});
    values = mem_new(g.n_values, sizeof *values);
    nn_graph_init_values(&g, values, 4);
    json_t *meta = json_pack("{s:i}", "epoch", 12);
    assert_true(checkpoint_write(best, &g, values, NULL, 0, meta, &err));
    assert_true(file_sha256(best, expected, &err));
    assert_true(run_load_best(&r, &back, &loaded, &epoch, sha, &err));
    assert_int_equal(epoch, 12);
    assert_string_equal(sha, expected);
    assert_int_equal(back.n_values, 31466753);
    assert_memory_equal(values, loaded, g.n_values * sizeof *values);
    json_decref(meta);
    nn_graph_release(&g);
    nn_graph_release(&back);
    run_release(&r);
    free(values);
    free(loaded);
    free(best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_run),
        cmocka_unit_test(test_reads_a_classifier),
        cmocka_unit_test(test_refuses_what_is_no_run),
        cmocka_unit_test(test_split_belongs_to_its_manifest),
        cmocka_unit_test(test_loads_the_best_weights),
    };
    return cmocka_run_group_tests(tests, make_base, drop_base);
}
