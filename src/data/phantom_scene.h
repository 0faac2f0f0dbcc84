/* data/phantom_scene.h: one view while it is drawn; for the phantom's own files only.
 *
 * Everything is drawn as a left breast: chest wall at x = 0, nipple towards larger x, y down. Places are in
 * image heights, so that a picture of any size shows the same things. Light runs from 0 (black) to about 1
 * and is linear; the film's curve comes last. */
#ifndef CLEARMASS_DATA_PHANTOM_SCENE_H
#define CLEARMASS_DATA_PHANTOM_SCENE_H

#include "base/rng.h"
#include "data/phantom.h"
#include "data/phantom_field.h"

/* Parts of a view that draw random numbers, each from a sequence of its own. */
enum phantom_part {
    SCENE_SHAPE,
    SCENE_TISSUE,
    SCENE_TEXTURE,
    SCENE_STRANDS,
    SCENE_MASS,
    SCENE_FILM,
    SCENE_GRAIN,
    SCENE_PARTS
};

enum { OUTLINE_POINTS = 160 };

struct phantom_shape {
    float x[OUTLINE_POINTS], y[OUTLINE_POINTS]; /* closed; its chest side lies outside the picture */
    double nipple_x, nipple_y;
    double depth;                  /* of this view */
    bool pectoral;                 /* a muscle in the upper corner at the chest wall: */
    double pectoral_x, pectoral_y; /* where its edge meets the top and the chest wall */
    double pectoral_bow;           /* how far the edge bows out */
};

/* Slowly varying quantities, on a coarse grid that is interpolated. */
enum phantom_layer {
    LAYER_DEPTH,    /* distance to the skin, positive inside */
    LAYER_GLAND,    /* how much glandular tissue belongs here, about 0 to 1.4 */
    LAYER_ALONG,    /* warped distance from the nipple, */
    LAYER_ACROSS,   /* and across that direction: coordinates in which ducts run straight */
    LAYER_PECTORAL, /* distance to the muscle's edge, positive inside the muscle */
    LAYERS
};

struct phantom_grid {
    int width, height;
    double step;          /* between nodes, image heights; node (0, 0) lies at (0, 0) */
    float *layer[LAYERS]; /* [height, width] */
};

struct phantom_scene {
    const struct phantom_options *options;
    const struct phantom_case *about;
    enum phantom_projection view;
    int width, height; /* pixels */
    struct phantom_shape shape;
    struct phantom_grid grid;
    float *light;  /* [height, width] */
    float *strand; /* [height, width]: thin bright lines, added where there is breast */
    uint8_t *core; /* [height, width]: bit k is set in the core of mass k */
};

struct rng phantom_rng(const struct phantom_scene *s, enum phantom_part part);

/* phantom_shape.c */
void phantom_shape_make(struct phantom_scene *s);
/* Allocates and fills the grid. */
bool phantom_grid_make(struct phantom_scene *s, struct err *err);
void phantom_grid_release(struct phantom_grid *g);
float phantom_grid_at(const struct phantom_grid *g, enum phantom_layer layer, double x, double y);
/* A layer along one pixel row: out[width]. */
void phantom_grid_row(const struct phantom_scene *s, enum phantom_layer layer, int row, float *out);

/* phantom_tissue.c: light of the breast without its mass, strands and vessels included. */
bool phantom_tissue_draw(struct phantom_scene *s, struct err *err);

/* phantom_stroke.c: a straight piece of a line that may taper, the brightest value winning. */
struct phantom_stroke {
    float ax, ay, bx, by;   /* ends, image heights */
    float a_width, b_width; /* where light has fallen to 1/e, image heights from the axis */
    float a_light, b_light;
};
void phantom_stroke_draw(float *plane, const struct phantom_scene *s, const struct phantom_stroke *stroke);

/* phantom_mass.c: adds the masses to the light and fills core; nothing for a normal case. */
void phantom_mass_draw(struct phantom_scene *s);

/* phantom_film.c: from light to the film: curve, grain, label, borders, 16 bits, the side as it hangs. */
bool phantom_film_expose(struct phantom_picture *out, struct phantom_scene *s, struct err *err);

#endif
