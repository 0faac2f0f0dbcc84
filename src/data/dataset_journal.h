/* data/dataset_journal.h: which cases of an unfinished data set are whole, so that making it can go on;
 * inside data/dataset*.c only.
 *
 * FOLDER/journal.jsonl holds a line of JSON that says how the folder is made, then one a case, appended when
 * the case's files are written. A line cut short by a kill is forgotten. */
#ifndef CLEARMASS_DATA_DATASET_JOURNAL_H
#define CLEARMASS_DATA_DATASET_JOURNAL_H

#include "base/json.h"

#include <stddef.h>

#define DATASET_JOURNAL "journal.jsonl"

struct dataset_journal {
    char *folder;
    json_t
        *records; /* object: id to {"id", "key", "files": [[path, bytes], ...], ...}; those still unclaimed */
    int fd;       /* open for appending; -1 for none */
};

#define DATASET_JOURNAL_INIT                                                                                 \
    {                                                                                                        \
        NULL, NULL, -1                                                                                       \
    }

/* True when the folder has a journal whose first line equals head: its cases can be taken over. */
bool dataset_journal_matches(const char *folder, const json_t *head);
/* Begins a journal, or goes on with the one that is there when take_over is true. */
bool dataset_journal_open(struct dataset_journal *j, const char *folder, const json_t *head, bool take_over,
                          struct err *err);
/* The record of a case written with the same key, all of whose files are there with their sizes; a new
 * reference, no longer among the records. NULL when there is none. */
json_t *dataset_journal_claim(struct dataset_journal *j, const char *id, const char *key);
/* Appends a record. files: an array of paths relative to the folder, which are measured here. Borrows both.
 */
bool dataset_journal_append(struct dataset_journal *j, json_t *record, const json_t *files, struct err *err);
/* Removes the files of records nobody claimed, and the journal. */
void dataset_journal_finish(struct dataset_journal *j);
void dataset_journal_close(struct dataset_journal *j);

#endif
