#include "report/accuracy.h"

#include "base/wilson.h"
#include "report/html.h"
#include "report/source.h"

#include <math.h>
#include <stdio.h>

static double count(const json_t *run, const char *part, const char *of)
{
    char key[64];

    snprintf(key, sizeof key, "data.%s%s", part, of);
    return source_number(run, key);
}

double accuracy_majority(const json_t *run, const char *part)
{
    const double n = count(run, part, ""), malignant = count(run, part, "_malignant");

    return n > 0 && isfinite(malignant) ? fmax(malignant, n - malignant) / n : NAN;
}

void accuracy_write(struct buf *b, const json_t *run, const char *part, double accuracy)
{
    const double n = count(run, part, "");
    const struct wilson w = wilson_bounds(accuracy * n, n);

    html_number(b, accuracy, 3);
    buf_adds(b, " (");
    html_interval(b, w.low, w.high);
    buf_adds(b, "; majority class ");
    html_number(b, accuracy_majority(run, part), 3);
    buf_adds(b, ")");
}
