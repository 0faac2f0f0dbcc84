/* base/sandbox.h: a stranger's bytes handled by a child process, so that a crash, a bomb or an endless loop
 * costs one file and not the program.
 *
 * A sandbox keeps worker processes made by fork. Every call goes to one worker, which serves the next call
 * after it; one that crashed, ran out of time or reported a failure is ended and replaced. A worker has
 * limits on address space and processor time, can write no file (its files are limited to no bytes), holds
 * none of the parent's open files, and sees /dev/null as its standard streams. It ends when the parent does.
 * This is a guard against bad files, not against hostile code: a worker may still read what its user may
 * read. */
#ifndef CLEARMASS_BASE_SANDBOX_H
#define CLEARMASS_BASE_SANDBOX_H

#include "base/err.h"

#include <stddef.h>

/* What goes in and what comes back: a head of fixed size (a plain struct without pointers) and any number of
 * bytes. */
struct sandbox_message {
    void *head; /* [head_bytes] */
    size_t head_bytes;
    void *body; /* [body_bytes]; NULL while empty */
    size_t body_bytes;
};

/* Runs in a worker. Fills answer->head (zeroed, as large as the caller's) and may set body to bytes from
 * malloc, which the sandbox releases. A failure's kind and text reach the caller. It may allocate, read files
 * and use libraries the parent's other threads do not use meanwhile; it must start no threads and use no
 * OpenMP. What the libraries keep in memory stays for the worker's next call. */
typedef bool sandbox_work(struct sandbox_message *answer, const struct sandbox_message *request,
                          struct err *err);

struct sandbox_spec {
    const char *what; /* "DICOM reader": messages begin with "the DICOM reader" */
    sandbox_work *work;
    void (*prepare)(void); /* called once in every new worker, under its limits; may be NULL */
    size_t memory_bytes; /* address space a worker may take on top of what the parent had when it was made */
    size_t most_body_bytes; /* an answer with a longer body is a failure */
    double seconds; /* for one call, on the wall clock; processor time is held to the next second above */
};

struct sandbox;

/* spec is copied, its strings are borrowed. Starts no process. Never fails. */
struct sandbox *sandbox_new(const struct sandbox_spec *spec);
/* Ends idle workers; no call may be going on. NULL is allowed. */
void sandbox_free(struct sandbox *s);

/* Makes workers before they are needed: early, while the program is small (a worker shares the parent's
 * memory as it was; what the parent changes later exists twice) and has no threads. At least count are idle
 * afterwards. */
bool sandbox_start(struct sandbox *s, int count, struct err *err);

/* Sends the request to an idle worker, or to a new one, and waits. From any thread; calls of several threads
 * go to several workers. answer: head and head_bytes are the caller's, filled on success; body is new
 * (release it with free()) or NULL. On failure answer is untouched. Failures: what work reported; ERR_FORMAT
 * when the worker crashed or ended; ERR_LIMIT when time ran out or the body is too long; ERR_IO when no
 * worker can be made. */
bool sandbox_call(struct sandbox *s, struct sandbox_message *answer, const struct sandbox_message *request,
                  struct err *err);

#endif
