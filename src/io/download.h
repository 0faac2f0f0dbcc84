/* io/download.h: a file from the web, whole or not at all.
 *
 * What has come lies in PATH.part until all of it is there and its MD5 is right. A download that breaks off
 * leaves PATH.part, and the next call goes on from there where the server can; a server that cannot, or a
 * part that turns out to be of another file, makes it begin anew. Proxies are taken from the environment as
 * libcurl does (https_proxy, no_proxy). Redirections are followed. */
#ifndef CLEARMASS_IO_DOWNLOAD_H
#define CLEARMASS_IO_DOWNLOAD_H

#include "base/err.h"

struct download {
    const char *what; /* for the progress line, "resnet50" */
    const char *url;  /* http, https or file */
    const char *path; /* where it goes; what is there is replaced */
    const char *md5;  /* that it must have, 32 lower-case hexadecimal digits */
};

/* Shows progress (base/progress.h) and asks stop_requested(). Errors are one line, without path: no
 * connection, an answer of 400 and more, a connection that breaks or stands still for a minute, another MD5
 * (nothing is kept then), more than 2 GB, another process at the same file. */
bool download_file(const struct download *d, struct err *err);

#endif
