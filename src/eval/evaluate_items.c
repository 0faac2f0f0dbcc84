#include "eval/evaluate_items.h"

#include "base/csv.h"
#include "base/mem.h"
#include "eval/result.h"
#include "eval/strangers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const PART[EVAL_PART_COUNT] = {[EVAL_DEFAULT] = "",
                                                  [EVAL_VALIDATION] = "validation",
                                                  [EVAL_TRAIN] = "train",
                                                  [EVAL_TEST] = "test",
                                                  [EVAL_ALL] = "all"};

bool eval_part_parse(const char *text, enum eval_part *out)
{
    for (int i = EVAL_VALIDATION; i < EVAL_PART_COUNT; i++) {
        if (!strcmp(text, PART[i])) {
            *out = (enum eval_part)i;
            return true;
        }
    }
    return false;
}

void eval_items_release(struct eval_items *it)
{
    manifest_release(&it->data);
    split_release(&it->split);
    crops_release(&it->crops);
    cases_release(&it->cases);
    json_decref(it->leaks);
}

static bool open_data(struct eval_items *it, const struct evaluation *e, const struct run *run,
                      struct err *err)
{
    const char *folder = e->data ? e->data : run->data_path;

    if (!*folder)
        return err_set(err, ERR_INPUT, "%s: a %s run has no data set of its own; name one", run->folder,
                       run_task_name(run->task));
    it->judges_crops = run_is_classifier(run);
    if (!manifest_read(&it->data, folder, err) ||
        (it->judges_crops && !crops_find(&it->crops, &it->data, err)))
        return false;
    it->external = strcmp(it->data.sha256, run->manifest_sha256) != 0;
    it->part = e->part != EVAL_DEFAULT ? e->part : it->external ? EVAL_ALL : EVAL_VALIDATION;
    if (it->external && it->part == EVAL_VALIDATION)
        return err_set(err, ERR_INPUT,
                       "%s is not the data set that %s was trained on: it has no validation part", folder,
                       run->folder);
    if (it->external)
        return run->task == RUN_PRETRAIN || strangers_check(&it->leaks, &it->data, run, e->allow_leak, err);
    return run_split(&it->split, run, &it->data, err);
}

/* The part of item i: the run's own split, or, on another data set, its official part. */
static enum data_part part_of(const struct eval_items *it, size_t i)
{
    if (!it->external)
        return it->split.part[i];
    return it->data.item[i].part == PART_TEST ? PART_TEST : PART_TRAIN;
}

/* Item i of the data set, and in *image the row of its image. */
static struct eval_case item_at(const struct eval_items *it, size_t i, size_t *image)
{
    if (!it->judges_crops) {
        *image = i;
        return (struct eval_case){
            .id = it->data.item[i].id, .item = &it->data.item[i], .label = it->data.item[i].label};
    }
    *image = it->crops.crop[i].image;
    return (struct eval_case){.id = it->crops.crop[i].id,
                              .item = crop_image(&it->crops, i),
                              .label = it->crops.crop[i].label,
                              .crop = i,
                              .crop_path = it->crops.crop[i].path};
}

static bool choose_cases(struct eval_items *it, struct err *err)
{
    const size_t count = it->judges_crops ? it->crops.count : it->data.count;
    size_t image;

    it->cases.of = mem_try(count + 1, sizeof *it->cases.of, err);
    if (!it->cases.of)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct eval_case k = item_at(it, i, &image);
        k.part = data_part_name(part_of(it, image));
        if (it->part != EVAL_ALL && strcmp(k.part, PART[it->part]) != 0)
            continue;
        it->has_test |= it->external || part_of(it, image) == PART_TEST;
        k.part = it->external ? "external" : k.part;
        it->cases.of[it->cases.count++] = k;
    }
    if (it->cases.count == 0)
        return err_set(err, ERR_INPUT, "%s: no %s in the %s part", it->data.folder,
                       it->judges_crops ? "crop" : "image", PART[it->part]);
    return true;
}

bool eval_items_open(struct eval_items *it, const struct evaluation *e, const struct run *run,
                     struct err *err)
{
    return open_data(it, e, run, err) && choose_cases(it, err);
}

bool eval_items_count_test(const struct eval_items *it, const struct predictor *p, bool only_count,
                           size_t *count, struct err *err)
{
    static const char HEADER[] = "time,program,part,manifest_sha256,images,weights_sha256\n";
    char *path = run_path(&p->run, "test_evaluations.csv");
    struct csv old = CSV_INIT;
    struct buf b = BUF_INIT;
    char now[32];
    const time_t seconds = time(NULL);
    struct tm utc;
    bool ok = true;

    *count = 0;
    buf_adds(&b, HEADER);
    if (file_exists(path)) {
        ok = csv_read(&old, path, err);
        const int manifest = csv_column(&old, "manifest_sha256");
        for (size_t i = 0; i < old.count; i++) {
            *count += !strcmp(csv_get(&old, i, manifest), it->data.sha256);
            for (size_t k = 0; k < old.row[i].count; k++)
                csv_put(&b, old.row[i].field[k]);
            csv_put_end(&b);
        }
    }
    gmtime_r(&seconds, &utc);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (it->has_test && !only_count) {
        ++*count;
        csv_put(&b, now);
        csv_put(&b, EVAL_PROGRAM);
        csv_put(&b, it->external ? "external" : PART[it->part]);
        csv_put(&b, it->data.sha256);
        csv_putf(&b, "%zu", it->cases.count);
        csv_put(&b, p->weights_sha256);
        csv_put_end(&b);
        ok = ok && file_write(path, b.data, b.len, err);
    }
    csv_release(&old);
    buf_release(&b);
    free(path);
    return ok;
}

bool eval_items_any_read(const struct eval_items *it, struct err *err)
{
    for (size_t i = 0; i < it->cases.count; i++)
        if (it->cases.of[i].read)
            return true;
    return err_set(err, ERR_INPUT, "not one image could be read; the first: %s", it->cases.of[0].error);
}

json_t *eval_items_json(const struct eval_items *it, size_t tests)
{
    json_t *data = json_pack(
        "{s:o, s:s, s:s, s:b}", "path", json_text(it->data.folder), "manifest_sha256", it->data.sha256,
        "part", it->external && it->part == EVAL_ALL ? "external" : PART[it->part], "external", it->external);

    result_count(data, &it->cases);
    json_object_set_new(data, "unit", json_string(it->judges_crops ? "crop" : "image"));
    json_object_set_new(data, "test_evaluations", json_integer((json_int_t)tests));
    json_object_set_new(data, "leaks", it->leaks ? json_incref(it->leaks) : json_null());
    return data;
}
