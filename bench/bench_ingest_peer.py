#!/usr/bin/python3
"""The conversion of 'clearmass ingest cbis' as a script of pydicom, numpy and Pillow does it.

  bench_ingest_peer.py DOWNLOAD CSV OUT [JOBS]

Whole images as 16-bit TIFF, masks and their union as 8-bit TIFF, crops cut with a margin, all deflated as Pillow does it;
a manifest with SHA-256 of what was read and written. No audit, no repair but masks scaled to their image, no going on.
"""
import csv
import hashlib
import sys
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def save(folder, name, px):
    path = folder / f"{name}.tif"
    Image.fromarray(px).save(path, compression="tiff_adobe_deflate")
    return f"{folder.name}/{name}.tif", sha256(path)


def cut(full, mask):
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    m = int(.1 * max(xs[-1] + 1 - xs[0], ys[-1] + 1 - ys[0]) + .5)
    return full[max(0, ys[0] - m):ys[-1] + 1 + m, max(0, xs[0] - m):xs[-1] + 1 + m]


def headers(download):
    by_name = {}
    for path in sorted(Path(download).rglob("*.dcm")):
        by_name.setdefault(str(pydicom.dcmread(path, stop_before_pixels=True).PatientID), []).append(path)
    return by_name


def convert(job):
    film, full_path, rois, out = job
    sources = [sha256(full_path)]
    full = pydicom.dcmread(full_path).pixel_array
    row, union = [film, *save(out / "full", film, full)], np.zeros(full.shape, np.uint8)
    for name, paths in rois:
        for path in paths:
            ds = pydicom.dcmread(path)
            if ds.BitsAllocated != 8:
                continue
            px = ds.pixel_array
            sources.append(sha256(path))
            if px.shape != full.shape:
                px = np.asarray(Image.fromarray(px).resize(full.shape[::-1], Image.NEAREST))
            px = np.where(px > 127, 255, 0).astype(np.uint8)
            union |= px
            row += [*save(out / "roi", name, px), *save(out / "crop", name, cut(full, px))]
    if union.any():
        row += [*save(out / "roi", film, union), *save(out / "crop", film, cut(full, union))]
    return row + sources


def main():
    download, table, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    jobs = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    for sub in ("full", "roi", "crop"):
        (out / sub).mkdir(parents=True, exist_ok=True)
    by_name, films = headers(download), {}
    with open(table, newline="") as f:
        for r in csv.DictReader(f):
            roi = r["ROI mask file path"].split("/")[0]
            films.setdefault(r["image file path"].split("/")[0], []).append((roi, by_name.get(roi, [])))
    work = [(film, by_name[film][0], rois, out) for film, rois in films.items() if film in by_name]
    with Pool(jobs) as pool, open(out / "manifest.csv", "w", newline="") as f:
        csv.writer(f).writerows(pool.imap(convert, work))


if __name__ == "__main__":
    main()
