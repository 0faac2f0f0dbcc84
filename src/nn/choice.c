#include "nn/choice.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "nn/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FORMAT "clearmass-kernels-1"

void nn_choices_release(struct nn_choices *c)
{
    free(c->item);
    *c = (struct nn_choices)NN_CHOICES_INIT;
}

static struct nn_choice *find(const struct nn_choices *c, const char *what)
{
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(c->item[i].what, what))
            return &c->item[i];
    return NULL;
}

const char *nn_choices_get(struct nn_choices *c, const char *what)
{
    struct nn_choice *found = find(c, what);

    if (!found)
        return NULL;
    found->used = true;
    return found->how;
}

void nn_choices_set(struct nn_choices *c, const char *what, const char *how)
{
    struct nn_choice *to = find(c, what);

    if (!to) {
        c->item = mem_grow(c->item, c->count + 1, sizeof *c->item);
        to = &c->item[c->count++];
        snprintf(to->what, sizeof to->what, "%s", what);
    }
    snprintf(to->how, sizeof to->how, "%s", how);
    to->used = true;
}

/* ---- files ---- */

static json_t *choices_json(const struct nn_choices *c, bool used)
{
    json_t *json = json_object();

    for (size_t i = 0; i < c->count; i++)
        if (c->item[i].used || !used)
            json_object_set_new(json, c->item[i].what, json_string(c->item[i].how));
    return json;
}

static void add_json(struct nn_choices *c, json_t *json)
{
    const char *what;
    json_t *how;

    json_object_foreach(json, what, how)
    {
        if (!json_is_string(how))
            continue;
        nn_choices_set(c, what, json_string_value(how));
        find(c, what)->used = false;
    }
}

/* The file's machines, a borrowed reference, or NULL with an error. */
static json_t *machines_of(json_t *file, struct err *err)
{
    const char *format = json_string_value(json_object_get(file, "format"));
    json_t *machines = json_object_get(file, "machines");

    if (format && !strcmp(format, FORMAT) && json_is_object(machines))
        return machines;
    err_set(err, ERR_FORMAT, "no %s", FORMAT);
    return NULL;
}

bool nn_choices_read(struct nn_choices *c, const char *path, struct err *err)
{
    json_t *file = json_file_read(path, err);
    json_t *machines = file ? machines_of(file, err) : NULL, *choices;
    const char *machine;

    if (file && !machines)
        err_at(err, "%s", path);
    if (machines) {
        nn_choices_release(c);
        json_object_foreach(machines, machine, choices) add_json(c, choices);
    }
    json_decref(file);
    return machines != NULL;
}

/* file, a new one where NULL, with these as this machine's choices; steals both. */
static json_t *with_choices(json_t *file, json_t *choices)
{
    char machine[NN_MACHINE_TEXT];

    nn_machine(machine);
    if (!file)
        file = json_pack("{s:s, s:{}}", "format", FORMAT, "machines");
    json_object_set_new(json_object_get(file, "machines"), machine, choices);
    return file;
}

bool nn_choices_write(const struct nn_choices *c, const char *path, struct err *err)
{
    json_t *used = choices_json(c, true);

    if (!json_object_size(used)) {
        json_decref(used);
        return true;
    }
    json_t *file = with_choices(NULL, used);
    bool ok = json_file_write(path, file, err);
    json_decref(file);
    return ok;
}

/* ---- this machine's memory ---- */

/* $XDG_CACHE_HOME/clearmass, else $HOME/.cache/clearmass; NULL where there is neither. */
static char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && *cache == '/')
        return file_join(cache, "clearmass");
    return home && *home == '/' ? file_join(home, ".cache/clearmass") : NULL;
}

/* What the file holds, or NULL: nothing yet, or nothing that can be read. */
static json_t *cache_read(const char *path)
{
    struct err ignored = ERR_INIT;
    json_t *file = file_exists(path) ? json_file_read(path, &ignored) : NULL;

    if (file && !machines_of(file, &ignored)) {
        json_decref(file);
        file = NULL;
    }
    return file;
}

void nn_choice_cache_open(struct nn_choice_cache *k, struct nn_choices *c)
{
    struct err ignored = ERR_INIT;
    char machine[NN_MACHINE_TEXT], *folder = cache_folder();

    *k = (struct nn_choice_cache){.lock = -1};
    if (folder && file_make_folders(folder, &ignored)) {
        char *lock = file_join(folder, "kernels.lock");
        k->path = file_join(folder, "kernels.json");
        k->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        free(lock);
    }
    free(folder);
    if (k->lock >= 0 && flock(k->lock, LOCK_EX | LOCK_NB) != 0) {
        log_info("waiting for another process that finds out which kernels are the fastest");
        if (flock(k->lock, LOCK_EX) != 0)
            return;
    }
    if (k->lock < 0)
        return;
    json_t *file = cache_read(k->path);
    nn_machine(machine);
    add_json(c, json_object_get(json_object_get(file, "machines"), machine));
    json_decref(file);
    k->known = c->count;
    c->measure = true;
}

void nn_choice_cache_close(struct nn_choice_cache *k, struct nn_choices *c)
{
    struct err err = ERR_INIT;

    if (c->measure && c->count > k->known) {
        json_t *file = with_choices(cache_read(k->path), choices_json(c, false));
        if (!json_file_write(k->path, file, &err))
            log_warn("%s", err.text);
        json_decref(file);
    }
    c->measure = false;
    if (k->lock >= 0)
        close(k->lock);
    free(k->path);
    *k = (struct nn_choice_cache){.lock = -1};
}
