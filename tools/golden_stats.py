#!/usr/bin/python3
"""Numbers for tests/test_eval_stats.c from SciPy and scikit-learn.

    tools/golden_stats.py > tests/golden/stats_py.json       (Debian: python3-scipy python3-sklearn)

Scores are drawn with few digits, so that many tie. What no library has (expected calibration error, FROC,
risk-coverage) is written here a second time, in another way than in C.
"""
import json
import sys

import numpy as np
import scipy
import sklearn
from scipy import ndimage, optimize, special
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve

rng = np.random.default_rng(20190115)


def beta():
    out = []
    for _ in range(80):
        a, b = (round(float(v), 3) for v in 10 ** rng.uniform(-1, rng.choice([2, 5]), 2))
        x = round(float(np.clip(rng.normal(a / (a + b), 2 * np.sqrt(a * b / (a + b + 1)) / (a + b)), 1e-3, .999)), 6)
        out.append([a, b, x, float(special.betainc(a, b, x))])
    return out


def cases(n, digits, share=.4):
    truth = rng.random(n) < share
    truth[:2] = [True, False]
    return truth, np.round(rng.normal(size=n) + 1.2 * truth, digits)


def platt(truth, x):
    """scikit-learn's fit, then the root of the gradient: its own stop is loose."""
    n1, n0 = truth.sum(), (~truth).sum()
    t = np.where(truth, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    a, b = _sigmoid_calibration(x.astype(float), truth.astype(int))

    def gradient(v):
        e = special.expit(v[0] * x + v[1]) - t
        return [np.sum(e * x), np.sum(e)]
    root = optimize.root(gradient, [-a, -b], tol=1e-14)
    assert np.allclose(root.x, [-a, -b], atol=2e-2), (root.x, a, b)
    return [float(v) for v in root.x]


def ece(truth, p):
    total = 0.
    for k in range(10):
        inside = (p >= k / 10) & ((p < (k + 1) / 10) if k < 9 else (p <= 1))
        if inside.any():
            total += inside.mean() * abs(p[inside].mean() - truth[inside].mean())
    return float(total)


def calibration():
    out = []
    for n, digits in [(4, 0), (12, 0), (30, 1), (60, 1), (60, 3)]:
        truth, x = cases(n, digits)
        slope, offset = platt(truth, x)
        p = np.clip(np.round(special.expit(x + rng.normal(size=n)), 3) + 3e-4, 0, 1)
        iso = IsotonicRegression(out_of_bounds="clip").fit(x, truth.astype(float))
        at = np.round(rng.uniform(x.min() - 1, x.max() + 1, 12), 2)
        out.append({"truth": truth.astype(int).tolist(), "x": x.tolist(), "slope": slope, "offset": offset, "at": at.tolist(),
                    "isotonic": iso.predict(at).tolist(), "p": p.tolist(), "ece": ece(truth, p),
                    "brier": float(brier_score_loss(truth, p))})
    return out


def precision():
    out = []
    for n, digits, share in [(5, 0, .4), (20, 0, .2), (40, 1, .5), (80, 1, .1)]:
        truth, x = cases(n, digits, share)
        p, r, t = precision_recall_curve(truth, x)
        out.append({"truth": truth.astype(int).tolist(), "score": x.tolist(), "average_precision": float(average_precision_score(truth, x)),
                    "precision": p[:-1][::-1].tolist(), "recall": r[:-1][::-1].tolist(), "threshold": t[::-1].tolist()})
    return out


SIDE = 12


def blobs(k):
    """Values 0..15 in sixteenths, which floats hold exactly; pieces of several sizes."""
    noise = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.3)
    return np.clip(np.round(8 + k * noise / noise.std()), 0, 15).astype(int)


def froc_set(images):
    maps, truths, found, wrong, lesions = [], [], [], [], 0
    for i in range(images):
        m = blobs(4)
        t = (np.clip(m + np.round(rng.normal(size=m.shape) * 2), 0, 15) > 10).astype(int) if i % 3 else np.zeros_like(m)
        marks, n_marks = ndimage.label(m > 8, np.ones((3, 3)))
        truth, n_truth = ndimage.label(t, np.ones((3, 3)))
        lesions += n_truth
        best = {}
        for a in range(1, n_marks + 1):
            here, hit = marks == a, False
            confidence = float(m[here].sum()) / 16
            for b in range(1, n_truth + 1):
                there = truth == b
                if (here & there).sum() / (here | there).sum() >= .2:
                    hit = True
                    best[b] = max(best.get(b, -1), confidence)
            if not hit:
                wrong.append(confidence)
        found += best.values()
        maps.append("".join("%x" % v for v in m.ravel()))
        truths.append("".join(map(str, t.ravel())))
    curve = [[0., 0.]]
    for c in sorted(set(found + wrong), reverse=True):
        curve.append([sum(w >= c for w in wrong) / images, sum(f >= c for f in found) / lesions])
    at = [[rate, max(s for f, s in curve if f <= rate)] for rate in (.25, .5, 1., 2., 4.)]
    return {"side": SIDE, "maps": maps, "truths": truths, "lesions": lesions, "curve": curve, "at": at}


def coverage():
    out = []
    for n, digits in [(1, 1), (9, 0), (40, 1), (40, 3)]:
        confidence, wrong = np.round(rng.random(n), digits), rng.random(n) < .3
        points = [[float((confidence >= c).mean()), float(wrong[confidence >= c].mean())] for c in sorted(set(confidence.tolist()), reverse=True)]
        shares = np.diff([0.] + [c for c, _ in points])
        out.append({"confidence": confidence.tolist(), "wrong": wrong.astype(int).tolist(), "points": points,
                    "area": float(np.sum(shares * [r for _, r in points]))})
    return out


def main():
    out = {"made_by": f"SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}", "beta": beta(), "calibration": calibration(),
           "precision": precision(), "froc": [froc_set(3), froc_set(8)], "coverage": coverage()}
    json.dump(out, sys.stdout, indent=None, separators=(", ", ": "))
    print()


main()
