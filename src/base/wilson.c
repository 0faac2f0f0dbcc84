#include "base/wilson.h"

#include <math.h>

#define Z_95 1.959963984540054 /* the normal distribution's .975 quantile */

struct wilson wilson_bounds(double hits, double n)
{
    if (!(n > 0))
        return (struct wilson){NAN, NAN};
    const double p = hits / n, zz = Z_95 * Z_95;
    const double centre = (p + zz / (2 * n)) / (1 + zz / n);
    const double half = Z_95 / (1 + zz / n) * sqrt(p * (1 - p) / n + zz / (4 * n * n));

    /* the bounds of all or nothing are 0 and 1 in exact arithmetic */
    return (struct wilson){hits <= 0 ? 0 : centre - half, hits >= n ? 1 : centre + half};
}
