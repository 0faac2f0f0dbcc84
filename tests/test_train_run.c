/* Training as a whole, small: what a run folder holds, that it goes on bit for bit after any death, and what
 * it refuses. */
#include "test_train_data.h"

#include "base/csv.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "run/run.h"
#include "train/train.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/clearmass-train-XXXXXX";
static char *data, *other_data;
static double whole_s; /* how long the run takes that nothing interrupts */

static char *in_base(const char *name)
{
    return file_join(base, name);
}

static struct train_job job_of(const char *folder, int epochs)
{
    struct train_job job = {.task = RUN_SEGMENT,
                            .allow_leak = true, /* the images are much alike */
                            .folder = folder,
                            .data = data,
                            .model = &TINY,
                            .backend = &nn_backend_onednn,
                            .channels = 3,
                            .prep = {32, PREP_STRETCH, false, PREP_CENTRED},
                            .options = train_options_default(RUN_SEGMENT)};
    job.options.epochs = epochs;
    job.options.batch = 3;
    job.options.learning_rate = 0.01;
    job.options.validation = 0.3;
    return job;
}

/* ---- the child: trains in a process of its own, to be killed ---- */

struct death {
    int epoch, signal;
};

static bool die_at(void *self, const struct train_epoch *e, struct err *err)
{
    const struct death *d = self;
    (void)err;
    if (e->epoch == d->epoch)
        raise(d->signal);
    return true;
}

/* argv: child DATA RUN EPOCHS DEATH_EPOCH SIGNAL FILE_LIMIT */
static int child(char **argv)
{
    struct death death = {atoi(argv[5]), atoi(argv[6])};
    struct err err = ERR_INIT;
    data = argv[2];
    struct train_job job = job_of(argv[3], atoi(argv[4]));
    job.watcher = (struct train_watcher){&death, die_at};
    long limit = atol(argv[7]);
    if (limit) {
        struct rlimit l = {(rlim_t)limit, (rlim_t)limit};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &l);
    }
    stop_install();
    if (train(&job, &err))
        return 0;
    fprintf(stderr, "child: %s\n", err.text);
    return err.kind == ERR_CANCELLED ? 3 : 1;
}

struct life {
    int epochs, death_epoch, signal;
    long file_limit;
    double kill_after_s; /* SIGKILL from outside; 0: none */
};

/* Runs the child; its exit code, or minus the signal it died of. What it says goes to base/said. */
static int live(const char *folder, const struct life *l)
{
    char words[4][24], *said = in_base("said");
    snprintf(words[0], sizeof words[0], "%d", l->epochs);
    snprintf(words[1], sizeof words[1], "%d", l->death_epoch);
    snprintf(words[2], sizeof words[2], "%d", l->signal);
    snprintf(words[3], sizeof words[3], "%ld", l->file_limit);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDERR_FILENO);
        execl("/proc/self/exe", "child", "child", data, folder, words[0], words[1], words[2], words[3],
              (char *)NULL);
        _exit(127);
    }
    if (l->kill_after_s > 0) {
        time_t s = (time_t)l->kill_after_s;
        struct timespec t = {s, (long)((l->kill_after_s - (double)s) * 1e9)};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    free(said);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool child_said(const char *words)
{
    struct buf said = BUF_INIT;
    struct err err = ERR_INIT;
    char *path = in_base("said");
    bool found = file_read(&said, path, 0, &err) && said.data && strstr(said.data, words);
    if (!found)
        fprintf(stderr, "child said: %s\n", said.data);
    buf_release(&said);
    free(path);
    return found;
}

/* ---- helpers ---- */

static void sha_of(const char *folder, const char *name, char sha[FILE_SHA256_TEXT])
{
    struct err err = ERR_INIT;
    char *path = file_join(folder, name);
    if (!file_sha256(path, sha, &err))
        fail_msg("%s", err.text);
    free(path);
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    char x[FILE_SHA256_TEXT], y[FILE_SHA256_TEXT];
    sha_of(a, name, x);
    sha_of(b, name, y);
    if (strcmp(x, y) != 0)
        fail_msg("%s differs between %s and %s", name, a, b);
}

/* The weights of a run, and what the tables say of it but for the seconds. */
static void assert_same_run(const char *a, const char *b)
{
    assert_same_file(a, b, "best.safetensors");
    assert_same_file(a, b, "last.safetensors");
    assert_same_file(a, b, "cases.csv");
    assert_same_file(a, b, "split.csv");
}

static void train_ok(const struct train_job *job)
{
    struct err err = ERR_INIT;
    if (!train(job, &err))
        fail_msg("%s", err.text);
}

static void train_refused(const struct train_job *job, const char *message)
{
    struct err err = ERR_INIT;
    assert_false(train(job, &err));
    if (!strstr(err.text, message) || strchr(err.text, '\n'))
        fail_msg("'%s' instead of '%s'", err.text, message);
}

static struct csv table(const char *folder, const char *name)
{
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    char *path = file_join(folder, name);
    if (!csv_read(&t, path, &err))
        fail_msg("%s", err.text);
    free(path);
    return t;
}

static json_t *state_of(const char *folder)
{
    struct err err = ERR_INIT;
    char *path = file_join(folder, "run.json");
    json_t *run = json_file_read(path, &err), *state = json_object_get(run, "state");
    json_incref(state);
    json_decref(run);
    free(path);
    return state;
}

static int state_int(const char *folder, const char *key)
{
    json_t *state = state_of(folder);
    int value = (int)json_integer_value(json_object_get(state, key));
    json_decref(state);
    return value;
}

static int make_base(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    if (!mkdtemp(base))
        return -1;
    data = in_base("data");
    other_data = in_base("other");
    /* a run that nothing interrupts, to compare with */
    if (!make_discs(data, (const int[]){6, 6, 2}, 0, &err) ||
        !make_discs(other_data, (const int[]){4, 4, 0}, 50, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    char *whole = in_base("whole");
    double began = clock_seconds();
    int code = live(whole, &(struct life){.epochs = 4});
    whole_s = clock_seconds() - began;
    free(whole);
    return code;
}

static int drop_base(void **state)
{
    (void)state;
    free(data);
    free(other_data);
    return remove_tree(base) ? 0 : -1;
}

/* ---- tests ---- */

static void test_folder_holds_what_it_should(void **state)
{
    (void)state;
    char *whole = in_base("whole");
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    char sha[FILE_SHA256_TEXT];

    assert_true(run_read(&r, whole, &err));
    assert_int_equal(r.task, RUN_SEGMENT);
    assert_int_equal(r.prep.size, 32);
    json_t *run = r.json, *run_state = json_object_get(run, "state");
    assert_int_equal(json_array_size(json_object_get(run, "cases")), 4);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(run, "train"), "batch")), 3);
    assert_true(json_is_null(json_object_get(run, "init")));
    assert_int_equal(json_integer_value(json_object_get(run_state, "epochs_done")), 4);
    assert_true(json_is_true(json_object_get(run_state, "finished")));
    assert_string_equal(json_string_value(json_object_get(run_state, "best_metric")), "val_dice");
    sha_of(whole, "best.safetensors", sha);
    assert_string_equal(json_string_value(json_object_get(run_state, "best_sha256")), sha);

    struct csv log = table(whole, "log.csv"), cases = table(whole, "cases.csv"),
               split = table(whole, "split.csv");
    assert_int_equal(log.count, 4);
    assert_int_equal(log.header.count, 10);
    assert_string_equal(log.header.field[9], "seconds");
    assert_string_equal(csv_get(&log, 3, 0), "3");
    assert_int_equal(cases.count, 16);
    assert_int_equal(split.count, 14);
    /* the best epoch is the one of the largest val_dice */
    int best = 0;
    for (int e = 1; e < 4; e++)
        best = atof(csv_get(&log, (size_t)e, 6)) > atof(csv_get(&log, (size_t)best, 6)) ? e : best;
    assert_int_equal(json_integer_value(json_object_get(run_state, "best_epoch")), best + 1);
    csv_release(&log);
    csv_release(&cases);
    csv_release(&split);
    run_release(&r);
    free(whole);
}

static void test_cases_are_two_benign_and_two_malignant(void **state)
{
    (void)state;
    char *whole = in_base("whole");
    struct csv cases = table(whole, "cases.csv");
    static const char *const LABELS[] = {"benign", "benign", "malignant", "malignant"};
    for (size_t i = 0; i < cases.count; i++) {
        assert_string_equal(csv_get(&cases, i, 3), LABELS[i % 4]);
        assert_string_equal(csv_get(&cases, i, 2), csv_get(&cases, i % 4, 2)); /* the same ones every time */
        assert_true(*csv_get(&cases, i, 4) != '\0');
    }
    csv_release(&cases);
    free(whole);
}

static void test_best_and_last_hold_their_weights(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *best = file_join(whole, "best.safetensors"),
         *last = file_join(whole, "last.safetensors");
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    struct safetensors s = SAFETENSORS_INIT;
    json_t *meta = NULL;

    build_tiny(&g, (struct nn_shape){3, 32, 32});
    float *values = mem_new(g.n_values, sizeof *values), *moments = mem_new(g.n_values, sizeof *moments);
    assert_true(checkpoint_read(best, &g, values, NULL, 0, &meta, &err));
    assert_string_equal(json_string_value(json_object_get(meta, "format")), "clearmass-weights-1");
    assert_string_equal(json_string_value(json_object_get(meta, "model")), "unet");
    assert_int_equal(atoi(json_string_value(json_object_get(meta, "epoch"))), state_int(whole, "best_epoch"));
    json_decref(meta);
    struct checkpoint_extra extra[] = {{"optimizer/m", moments}, {"optimizer/v", moments}};
    assert_true(checkpoint_read(last, &g, values, extra, 2, NULL, &err));
    assert_true(safetensors_open(&s, best, &err));
    assert_null(safetensors_find(&s, "optimizer/m/first/kernel"));
    safetensors_close(&s);
    free(values);
    free(moments);
    nn_graph_release(&g);
    free(whole);
    free(best);
    free(last);
}

static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *again = in_base("again"), *seed = in_base("seed");
    char a[FILE_SHA256_TEXT], b[FILE_SHA256_TEXT];
    assert_int_equal(live(again, &(struct life){.epochs = 4}), 0);
    assert_same_run(whole, again);
    struct train_job job = job_of(seed, 4);
    job.options.seed = 2;
    train_ok(&job);
    sha_of(whole, "last.safetensors", a);
    sha_of(seed, "last.safetensors", b);
    assert_string_not_equal(a, b);
    free(whole);
    free(again);
    free(seed);
}

/* Dead after best.safetensors and before last.safetensors: the worst place. */
static void test_killed_inside_a_commit(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("commit");
    for (int e = 1; e <= 3; e++)
        assert_int_equal(live(run, &(struct life){.epochs = 4, .death_epoch = e, .signal = SIGKILL}),
                         -SIGKILL);
    assert_int_equal(live(run, &(struct life){.epochs = 4}), 0);
    assert_same_run(whole, run);
    struct csv log = table(run, "log.csv");
    assert_int_equal(log.count, 4);
    csv_release(&log);
    free(whole);
    free(run);
}

static void test_killed_at_random_moments(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("random");
    struct rng r = rng_at((uint64_t)time(NULL), RNG_TEST, 0, 0);
    int deaths = 0, code, lives = 0;
    do {
        double after = lives++ < 16 ? rng_between(&r, 0.02, 0.8) * whole_s : 0;
        code = live(run, &(struct life){.epochs = 4, .kill_after_s = after});
        deaths += code == -SIGKILL;
        if (code == 0 && deaths == 0) /* a quick one got away */
            assert_true(remove_tree(run));
    } while (code == -SIGKILL || (deaths == 0 && lives < 40));
    assert_int_equal(code, 0);
    assert_true(deaths > 0);
    assert_same_run(whole, run);
    struct file_list names = FILE_LIST_INIT;
    struct err err = ERR_INIT;
    assert_true(file_list_read(&names, run, &err));
    for (size_t i = 0; i < names.count; i++)
        assert_true(names.name[i][0] != '.'); /* nothing half written is left */
    file_list_release(&names);
    free(whole);
    free(run);
}

static void test_ctrl_c_keeps_whole_epochs(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("ctrl-c");
    assert_int_equal(live(run, &(struct life){.epochs = 4, .death_epoch = 2, .signal = SIGINT}), 3);
    assert_true(child_said("stopped after epoch 2 of 4; the same command goes on"));
    json_t *s = state_of(run);
    assert_string_equal(json_string_value(json_object_get(s, "stopped")), "interrupted");
    assert_int_equal(json_integer_value(json_object_get(s, "epochs_done")), 2);
    json_decref(s);
    assert_int_equal(live(run, &(struct life){.epochs = 4}), 0);
    assert_same_run(whole, run);
    free(whole);
    free(run);
}

static void test_finished_and_prolonged(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("prolonged");
    struct err err = ERR_INIT;
    struct stat before, after;
    assert_int_equal(live(run, &(struct life){.epochs = 3}), 0);
    char *last = file_join(run, "last.safetensors");
    stat(last, &before);
    assert_int_equal(live(run, &(struct life){.epochs = 3}), 0);
    assert_true(child_said("is finished: 3 epochs"));
    stat(last, &after);
    assert_int_equal(before.st_ino, after.st_ino);
    struct train_job job = job_of(run, 4);
    if (!train(&job, &err))
        fail_msg("%s", err.text);
    assert_same_run(whole, run);
    assert_int_equal(state_int(run, "epochs_done"), 4);
    free(last);
    free(whole);
    free(run);
}

/* A limit on file sizes stands for the full disk: last.safetensors, with its moments, no longer fits. */
static void test_full_disk(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("full"), *last = file_join(run, "last.safetensors");
    char before[FILE_SHA256_TEXT], after[FILE_SHA256_TEXT];
    struct stat st;
    assert_int_equal(live(run, &(struct life){.epochs = 2}), 0);
    stat(last, &st);
    sha_of(run, "last.safetensors", before);
    assert_int_equal(live(run, &(struct life){.epochs = 4, .file_limit = (long)st.st_size - 1000}), 1);
    assert_true(child_said("last.safetensors: File too large"));
    sha_of(run, "last.safetensors", after);
    assert_string_equal(before, after);
    assert_int_equal(live(run, &(struct life){.epochs = 4}), 0);
    assert_same_run(whole, run);
    free(last);
    free(whole);
    free(run);
}

static void test_checkpoint_cut_short(void **state)
{
    (void)state;
    char *run = in_base("cut"), *last = file_join(run, "last.safetensors");
    struct train_job job = job_of(run, 1);
    train_ok(&job);
    assert_int_equal(truncate(last, 20000), 0);
    job.options.epochs = 2;
    train_refused(&job, "last.safetensors: cut short");
    free(last);
    free(run);
}

static void test_refuses_a_run_begun_otherwise(void **state)
{
    (void)state;
    char *run = in_base("begun"), *whole = in_base("whole");
    struct train_job begun = job_of(run, 1);
    train_ok(&begun);
    struct train_job job = begun;
    job.options.batch = 4;
    train_refused(&job, "the run was begun with --batch 3, not 4");
    job = begun;
    job.options.loss = 2;
    train_refused(&job, "the run was begun with --loss dice, not bce-dice");
    job = begun;
    job.options.flip_vertical = false;
    train_refused(&job, "the run was begun with --flip-vertical yes, not no");
    job = begun;
    job.prep.size = 64;
    train_refused(&job, "the run was begun with --size 32, not 64");
    job = begun;
    job.init = whole;
    train_refused(&job, "the run was begun with --init none");
    job = begun;
    job.data = other_data;
    train_refused(&job, "begun on another data set");
    job = begun;
    job.task = RUN_BLACK_BOX;
    train_refused(&job, "this is a run of task segment");
    free(run);
    free(whole);
}

static void test_refuses_folders_that_are_no_run(void **state)
{
    (void)state;
    struct train_job job = job_of(data, 1);
    char *missing = in_base("missing"), *locked = in_base("locked"), *fresh = in_base("fresh");
    struct err err = ERR_INIT;
    train_refused(&job, "the folder is not empty and holds no run");
    job.folder = fresh;
    job.init = missing;
    train_refused(&job, "no such file or run");
    assert_false(file_exists(fresh));
    job.init = data;
    train_refused(&job, "there is no best.safetensors in it");
    job.init = NULL;
    assert_true(file_make_folders(locked, &err));
    int fd = open(locked, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    job.folder = locked;
    train_refused(&job, "another process is training here");
    close(fd);
    free(missing);
    free(locked);
    free(fresh);
}

static void test_loss_that_is_no_number(void **state)
{
    (void)state;
    char *run = in_base("nan"), *weights = in_base("nan.safetensors");
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    build_tiny(&g, (struct nn_shape){3, 32, 32});
    float *values = mem_new(g.n_values, sizeof *values);
    nn_graph_init_values(&g, values, 1);
    values[g.slot[g.n_slots - 1].offset] = __builtin_nanf(""); /* the last bias */
    assert_true(checkpoint_write(weights, &g, values, NULL, 0, NULL, &err));
    struct train_job job = job_of(run, 2);
    job.init = weights;
    train_refused(&job, "the loss of epoch 1 is not a number");
    /* nothing was learnt, so nothing is lost by beginning again otherwise */
    job.init = NULL;
    job.options.epochs = 1;
    job.options.batch = 4;
    train_ok(&job);
    free(values);
    nn_graph_release(&g);
    free(run);
    free(weights);
}

static void test_weights_that_do_not_fit(void **state)
{
    (void)state;
    char *run = in_base("unfit"), *weights = in_base("unfit.safetensors"), *json = file_join(run, "run.json");
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    nn_conv2d(&g, nn_input(&g, (struct nn_shape){3, 32, 32}), "first",
              (struct nn_conv){.filters = 9, .kernel = 3, .pad = 1});
    float *values = mem_new(g.n_values, sizeof *values);
    assert_true(checkpoint_write(weights, &g, values, NULL, 0, NULL, &err));
    struct train_job job = job_of(run, 1);
    job.init = weights;
    train_refused(&job, "weights of another network");
    assert_false(file_exists(json));
    job.init = NULL;
    train_ok(&job);
    free(values);
    nn_graph_release(&g);
    free(run);
    free(weights);
    free(json);
}

static void test_black_box_keeps_the_split(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("black-box"), *other = in_base("black-box-other");
    struct train_job job = job_of(run, 2);
    job.task = RUN_BLACK_BOX;
    job.init = whole;
    job.options.seed = 9; /* would split otherwise */
    train_ok(&job);
    assert_same_file(whole, run, "split.csv");
    json_t *s = state_of(run);
    assert_string_equal(json_string_value(json_object_get(s, "best_metric")), "val_auc");
    json_decref(s);
    struct csv cases = table(run, "cases.csv");
    for (size_t i = 0; i < cases.count; i++) /* the truth of benign images is black: no Dice */
        assert_int_equal(*csv_get(&cases, i, 4) == '\0', !strcmp(csv_get(&cases, i, 3), "benign"));
    csv_release(&cases);

    struct train_job elsewhere = job;
    elsewhere.folder = other;
    elsewhere.data = other_data;
    train_refused(&elsewhere, "--new-split makes a split of its own");
    elsewhere.new_split = true;
    elsewhere.options.epochs = 1;
    train_ok(&elsewhere);
    free(whole);
    free(run);
    free(other);
}

static void test_early_stop_and_plateau(void **state)
{
    (void)state;
    char *run = in_base("early");
    struct train_job job = job_of(run, 50);
    job.options.learning_rate = 1e-12; /* nothing is ever learnt */
    job.options.norm = TRAIN_NORM_KERAS;
    job.options.best = TRAIN_BEST_LOSS;
    job.options.early_stop = 4;
    job.options.schedule = TRAIN_SCHEDULE_PLATEAU;
    job.options.plateau_patience = 2;
    job.options.plateau_epsilon = 10;
    train_ok(&job);
    json_t *s = state_of(run);
    int done = (int)json_integer_value(json_object_get(s, "epochs_done"));
    assert_true(done < 50);
    assert_int_equal(done - json_integer_value(json_object_get(s, "best_epoch")), 4);
    assert_string_equal(json_string_value(json_object_get(s, "stopped")), "early");
    assert_true(json_is_true(json_object_get(s, "finished")));
    json_decref(s);
    struct csv log = table(run, "log.csv"); /* lr: waits 2 epochs after the first, then halves every 2 */
    assert_true(atof(csv_get(&log, 2, 3)) == 1e-12);
    assert_true(atof(csv_get(&log, 4, 3)) == 1e-12 || atof(csv_get(&log, 4, 3)) == .5e-12);
    csv_release(&log);
    free(run);
}

static void test_pretrain_and_begin_from_it(void **state)
{
    (void)state;
    char *pre = in_base("pre"), *run = in_base("from-pre");
    struct train_job job = job_of(pre, 2);
    job.task = RUN_PRETRAIN;
    job.data = NULL;
    job.options = train_options_default(RUN_PRETRAIN);
    job.options.epochs = 2;
    job.options.steps = 5;
    job.options.batch = 4;
    train_ok(&job);
    struct csv log = table(pre, "log.csv"), cases = table(pre, "cases.csv");
    assert_int_equal(log.count, 2);
    assert_string_equal(csv_get(&log, 0, 8), ""); /* no labels, no AUC */
    assert_int_equal(strncmp(csv_get(&cases, 0, 2), "ellipse-", 8), 0);
    csv_release(&log);
    csv_release(&cases);
    struct train_job next = job_of(run, 1);
    next.init = pre;
    train_ok(&next);
    free(pre);
    free(run);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_holds_what_it_should),
        cmocka_unit_test(test_cases_are_two_benign_and_two_malignant),
        cmocka_unit_test(test_best_and_last_hold_their_weights),
        cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_killed_inside_a_commit),
        cmocka_unit_test(test_killed_at_random_moments),
        cmocka_unit_test(test_ctrl_c_keeps_whole_epochs),
        cmocka_unit_test(test_finished_and_prolonged),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_checkpoint_cut_short),
        cmocka_unit_test(test_refuses_a_run_begun_otherwise),
        cmocka_unit_test(test_refuses_folders_that_are_no_run),
        cmocka_unit_test(test_loss_that_is_no_number),
        cmocka_unit_test(test_weights_that_do_not_fit),
        cmocka_unit_test(test_black_box_keeps_the_split),
        cmocka_unit_test(test_early_stop_and_plateau),
        cmocka_unit_test(test_pretrain_and_begin_from_it),
    };
    nn_threads(1); /* the network is too small to share */
    if (argc > 1 && !strcmp(argv[1], "child"))
        return child(argv);
    return cmocka_run_group_tests(tests, make_base, drop_base);
}
