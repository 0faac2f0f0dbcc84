/* base/wilson.h: how sure a share is. */
#ifndef CLEARMASS_BASE_WILSON_H
#define CLEARMASS_BASE_WILSON_H

/* Wilson's score interval of the 95 % level (1927, DOI 10.1080/01621459.1927.10502953), z = 1.959964, of hits
 * among n; both NAN when n is not above 0. */
struct wilson {
    double low, high;
};
struct wilson wilson_bounds(double hits, double n);

#endif
