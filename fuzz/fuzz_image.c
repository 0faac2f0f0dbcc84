/* Any bytes given to one image reader (FORMAT). What is read must be a whole image, and the size told without
 * decoding must be the one that comes out. */
#include "io/formats.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct image im = IMAGE_INIT;
    struct image_info info = {0};
    struct err err = ERR_INIT;

    const bool told = FORMAT.info(&info, bytes, n, NULL);
    if (FORMAT.decode(&im, bytes, n, &err)) {
        uint64_t sum = 0;
        assert(told && info.width == im.width && info.height == im.height && info.type == im.type);
        assert(info.channels == im.channels || im.channels == 1);
        for (size_t i = 0; i < image_bytes(&im); i++)
            sum += ((const uint8_t *)im.data)[i];
        assert(sum <= 255 * image_bytes(&im)); /* every byte was looked at */
    } else {
        assert(!im.data && err.kind != ERR_NONE && err.text[0] && !strchr(err.text, '\n'));
    }
    image_release(&im);
    return 0;
}
