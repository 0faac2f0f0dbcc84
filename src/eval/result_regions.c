#include "eval/result.h"

#include "base/csv.h"
#include "base/file.h"

#include <math.h>

/* One part of a score, whatever it is of. */
struct part {
    const char *name;
    double score, without;
};

static void put_part(struct buf *b, const struct eval_case *k, const struct part *p, const struct band *band)
{
    csv_put(b, k->id);
    csv_put(b, p->name);
    csv_putf(b, "%.17g", p->score);
    csv_putf(b, "%.17g", k->score > 0 ? p->score / k->score : 0);
    csv_putf(b, "%.17g", p->without);
    csv_put(b, band ? answer_name(band_answer(*band, k->score)) : "");
    csv_put(b, band ? answer_name(band_answer(*band, p->without)) : "");
}

static void put_place(struct buf *b, const struct explain_region *r)
{
    csv_putf(b, "%d", r->box.x0);
    csv_putf(b, "%d", r->box.y0);
    csv_putf(b, "%d", r->box.x1);
    csv_putf(b, "%d", r->box.y1);
    csv_putf(b, "%.17g", r->area_pixels);
    csv_putf(b, "%.9g", (double)r->peak);
    csv_put_end(b);
}

static void put_case(struct buf *b, const struct eval_case *k, const struct band *band)
{
    double shown = 0;
    char name[16];

    for (int i = 0; i < k->regions; i++) {
        const struct explain_region *r = &k->region[i];
        shown += r->score;
        snprintf(name, sizeof name, "%d", i + 1);
        put_part(b, k, &(struct part){name, r->score, r->score_without}, band);
        put_place(b, r);
    }
    put_part(b, k, &(struct part){"rest", k->rest_score, shown}, band);
    for (int i = 0; i < 6; i++) /* the rest has no place */
        csv_put(b, "");
    csv_put_end(b);
}

bool result_write_regions(const char *path, const struct result_input *in, struct err *err)
{
    const struct band *band = in->decisions > 0 ? &in->decision[in->decisions - 1].band : NULL;
    struct buf b = BUF_INIT;

    buf_adds(&b, "id,region,score,share,score_without,answer,answer_without,x0,y0,x1,y1,area_pixels,peak\n");
    for (size_t i = 0; i < in->cases->count; i++)
        if (in->cases->of[i].read)
            put_case(&b, &in->cases->of[i], band);
    const bool ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    return ok;
}
