#!/usr/bin/python3
"""Checks a data set made by 'ingest cbis' from a tree whose layout rules are known.

  test_data_cbis_truth.py LAYOUT_TOOL DATA TREE OUT N SEED [--clean] [--corrupt]

The rules are those of the tool that made TREE: which file is the mask follows from the name's checksum, not from the
file. Pixels are read by pydicom and Pillow. Prints what is wrong; the exit code is 1 where anything is.
"""
import csv
import hashlib
import importlib.machinery
import importlib.util
import random
import sys
import zlib
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image

MARGIN = 0.1
problems = []


def want(condition, text):
    if not condition:
        problems.append(text)


def load_rules(path):
    loader = importlib.machinery.SourceFileLoader("layout", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("layout", loader))
    loader.exec_module(module)
    return module


def read_csv(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def pixels(path):
    return pydicom.dcmread(path).pixel_array


def tiff(path):
    return np.asarray(Image.open(path))


class Roi:
    """One abnormality as the layout rules place it."""

    def __init__(self, rules, root, row, clean, mismatched):
        self.row = row
        self.name, _, self.series = rules.uid_parts(row["ROI mask file path"])
        chance = random.Random(zlib.crc32(self.name.encode())).random()
        self.swapped = not clean and chance < 0.48
        self.misnamed = not clean and 0.48 <= chance < 0.51
        self.apart = not clean and chance > 0.97
        self.scaled = not clean and self.name in mismatched
        kind = "cropped images" if self.misnamed else "ROI mask images"
        if self.apart:
            self.mask = rules.folder(root, self.name, kind, "m") / "1-1.dcm"
            self.crop = rules.folder(root, self.name, "cropped images", "c") / "1-1.dcm"
        else:
            place = rules.folder(root, self.name, kind, "roi")
            order = (1, 2) if self.swapped else (2, 1)
            self.mask, self.crop = (place / f"1-{n}.dcm" for n in order)
        # The tables tell the order only where they put both files into one series.
        self.ordered = row["cropped image file path"].split("/")[2] == self.series


def cut(full, mask):
    ys, xs = np.nonzero(mask)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    m = int(MARGIN * max(x1 - x0, y1 - y0) + 0.5)
    return full[max(0, y0 - m):y1 + m, max(0, x0 - m):x1 + m], (x0, y0, x1, y1)


def check_mask(roi, full, out, finding):
    """Returns the mask as it must be, in the film's pixels."""
    source, made = pixels(roi.mask), tiff(out / finding["mask"])
    want(made.shape == full.shape and made.dtype == np.uint8, f"{roi.name}: mask of another size")
    if roi.scaled:
        want(source.shape != full.shape, f"{roi.name}: the tree has no other pitch")
        wanted = np.asarray(Image.fromarray(source).resize(full.shape[::-1], Image.NEAREST))
        both, either = np.sum((made > 0) & (wanted > 0)), np.sum((made > 0) | (wanted > 0))
        want(both > 0.95 * either, f"{roi.name}: scaled mask overlaps by {both} of {either} only")
    else:
        want(np.array_equal(made, source), f"{roi.name}: mask pixels differ")
    crop, box = cut(full, made)
    want(np.array_equal(crop, tiff(out / finding["crop"])), f"{roi.name}: crop pixels differ")
    want(box == tuple(int(finding[c]) for c in ("x0", "y0", "x1", "y1")), f"{roi.name}: box differs")
    for what in ("mask", "crop"):
        digest = hashlib.sha256((out / finding[what]).read_bytes()).hexdigest()
        want(digest == finding[what + "_sha256"], f"{roi.name}: {what} hash differs")
    return made


def check_story(roi, lines):
    """Every fault of the tree is in the audit."""
    mask = lines[str(roi.mask)]
    want(any(l["done"].endswith(f"roi/{roi.name}.tif") for l in mask), f"{roi.name}: mask's use is not told")
    told = " | ".join(l["kept"] + " " + l["why"] for l in mask + lines[str(roi.crop)])
    if roi.swapped and roi.ordered and not roi.apart:
        want("settled" in told and "table: crop" in told and "table: mask" in told, f"{roi.name}: swap: {told}")
    if roi.misnamed:
        want("description: crop" in told and "settled" in told, f"{roi.name}: description: {told}")
    if roi.apart:
        want("two folders" in told, f"{roi.name}: folders: {told}")
    if roi.scaled:
        want("repaired" in told and "scaled to" in mask[0]["done"], f"{roi.name}: pitch: {told}")


def check_film(film, rois, out, tables, mask_missing):
    row, name = tables["manifest"].get(film), film
    if not want_row(row, name):
        return
    full, made = pixels(rois[0].full), tiff(out / row["image"])
    want(np.array_equal(full, made) and made.dtype.itemsize == 2, f"{name}: image pixels differ")
    want(row["label"] == ("malignant" if any(r.row["pathology"] == "MALIGNANT" for r in rois) else "benign"),
         f"{name}: label")
    want((row["patient"], row["part"], row["view"]) ==
         (rois[0].row["patient_id"], "train", rois[0].row["image view"]), f"{name}: patient, part or view")
    union = np.zeros(full.shape, np.uint8)
    for roi in rois:
        finding = tables["findings"].get(roi.name)
        if mask_missing:
            want(finding and not finding["mask"], f"{name}: a mask out of nowhere")
            want(any(roi.name in l["found"] and l["kept"] == "lost" for l in tables["audit"][""]),
                 f"{roi.name}: missing mask is not told")
        elif finding and finding["mask"]:
            union |= check_mask(roi, full, out, finding)
            check_story(roi, tables["audit"])
        else:
            want(False, f"{roi.name}: no mask")
    if not mask_missing:
        want(np.array_equal(union, tiff(out / row["mask"])), f"{name}: united mask differs")


def want_row(row, name):
    want(row is not None, f"{name}: not in the manifest")
    return row is not None


def check_corrupt(film, rois, tables):
    want(film not in tables["manifest"], f"{film}: kept though it is cut off")
    lines = tables["audit"][str(rois[0].full)]
    want(any(l["kept"] == "lost" and "truncated" in l["why"] for l in lines), f"{film}: truncation is not told")


def read_tables(tree, out):
    audit = {"": []}
    for line in read_csv(out / "audit.csv"):
        audit.setdefault(str(tree / line["file"]) if line["file"] else "", []).append(line)
    return {"audit": audit,
            "manifest": {r["id"]: r for r in read_csv(out / "manifest.csv")},
            "findings": {r["id"] + "_" + r["abnormality"]: r for r in read_csv(out / "abnormalities.csv")}}


def main():
    tool, data, tree, out = sys.argv[1], *map(Path, sys.argv[2:5])
    count, seed, clean, corrupt = int(sys.argv[5]), int(sys.argv[6]), "--clean" in sys.argv, "--corrupt" in sys.argv
    rules = load_rules(tool)
    table = read_csv(data / "mass_case_description_train_set.csv")
    mismatched = (data / "mask_size_mismatch_train.csv").read_text()
    images = read_csv(data / "boxes.csv")
    random.Random(seed).shuffle(images)
    root, tables = tree / "CBIS-DDSM", read_tables(tree, out)

    for index, im in enumerate(images[:count]):
        rows = [r for r in table if (r["patient_id"], r["left or right breast"], r["image view"]) ==
                (im["patient_id"], im["side"], im["view"])]
        rois = [Roi(rules, root, r, clean, mismatched) for r in rows]
        film = rules.uid_parts(rows[0]["image file path"])[0]
        for roi in rois:
            roi.full = rules.folder(root, film, "full mammogram images", "full") / "1-1.dcm"
        if corrupt and index == 1:
            check_corrupt(film, rois, tables)
        else:
            check_film(film, rois, out, tables, corrupt and index == 2)

    files = {str(p) for p in root.rglob("*.dcm")}
    want(files <= set(tables["audit"]), f"not in the audit: {sorted(files - set(tables['audit']))}")
    want(len(tables["manifest"]) == count - corrupt, f"{len(tables['manifest'])} images of {count}")
    worrying = [l for ls in tables["audit"].values() for l in ls if l["kept"] in ("lost", "doubtful", "repaired")]
    want(not clean or corrupt or not worrying, f"clean, but: {worrying}")
    print("\n".join(problems[:20]))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
