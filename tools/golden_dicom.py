#!/usr/bin/python3
"""Writes tests/golden/dicom.csv: what other readers see in DICOM files.

    tools/golden_dicom.py FOLDER > tests/golden/dicom.csv

Needs python3-pydicom, python3-numpy, dcmtk (dcmdjpeg, dcmdjpls, dcmj2pnm, dcml2pnm) and libopenjp2-tools (opj_decompress).
One row for the first and the last frame of every file below FOLDER:

    path, frame       relative to FOLDER; from 0
    reader            pydicom for what is not compressed or RLE, else the tool that decompressed it
    width .. intercept  the header by pydicom, sequences included; spacing is "row column" or empty
    sum, sha256       of the stored values (masked to the stored bits, sign extended), as 8-bit bytes where 8 bits are
                      allocated and as little-endian 16-bit words where 16 are
    display           16 values of the picture DCMTK's dcmj2pnm or dcml2pnm makes with the first window, or with the
                      smallest and largest value where there is none: those at pixels (2 i + 1) n / 32; empty where it makes none

A file that cannot be read has a row with frame -1 and the reader that refused it.
"""
import csv
import hashlib
import os
import subprocess
import sys
import tempfile

import numpy as np
import pydicom
from pydicom.encaps import generate_pixel_data_frame

NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
          "1.2.840.10008.1.2.5"}
TOOL = {"1.2.840.10008.1.2.4.50": "dcmdjpeg", "1.2.840.10008.1.2.4.51": "dcmdjpeg",
        "1.2.840.10008.1.2.4.57": "dcmdjpeg", "1.2.840.10008.1.2.4.70": "dcmdjpeg",
        "1.2.840.10008.1.2.4.80": "dcmdjpls", "1.2.840.10008.1.2.4.81": "dcmdjpls",
        "1.2.840.10008.1.2.4.90": "opj_decompress", "1.2.840.10008.1.2.4.91": "opj_decompress"}
FIELDS = ["path", "frame", "reader", "syntax", "width", "height", "frames", "allocated", "stored", "high", "signed",
          "photometric", "spacing", "center", "window", "slope", "intercept", "sum", "sha256", "display"]


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def frames_of(array, count):
    return array if count > 1 else array[np.newaxis]


def raw_frames(path, ds, syntax, folder):
    """[frames, height, width] of the words in the file."""
    count = int(ds.get("NumberOfFrames", 1) or 1)
    if syntax in NATIVE:
        return frames_of(ds.pixel_array, count)
    if TOOL[syntax] != "opj_decompress":
        plain = os.path.join(folder, "plain.dcm")
        run(TOOL[syntax], path, plain)
        return frames_of(pydicom.dcmread(plain).pixel_array, count)
    frames = []
    for data in generate_pixel_data_frame(ds.PixelData, count):
        stream, plain = os.path.join(folder, "frame.j2k"), os.path.join(folder, "frame.rawl")
        with open(stream, "wb") as f:
            f.write(data)
        run("opj_decompress", "-i", stream, "-o", plain)
        words = np.fromfile(plain, "<u2" if ds.BitsStored > 8 else "u1")
        frames.append(words.reshape(ds.Rows, ds.Columns))
    return np.stack(frames)


def stored_values(words, ds):
    v = words.astype(np.int64) & ((1 << ds.BitsAllocated) - 1)
    v = v >> (ds.HighBit + 1 - ds.BitsStored) & ((1 << ds.BitsStored) - 1)
    if ds.PixelRepresentation:
        v = np.where(v >> (ds.BitsStored - 1), v - (1 << ds.BitsStored), v)
    return (v & ((1 << ds.BitsAllocated) - 1)).astype("u1" if ds.BitsAllocated == 8 else "<u2")


def number(ds, keyword, missing):
    """The first value, in the data set or in its sequences."""
    for element in [e for e in ds if e.keyword == keyword] + [e for e in ds.iterall() if e.keyword == keyword]:
        value = element.value
        value = value[0] if isinstance(value, pydicom.multival.MultiValue) else value
        if value not in (None, ""):
            return float(value)
    return missing


def spacing(ds):
    found = [e.value for e in ds.iterall() if e.keyword == "PixelSpacing" and e.value]
    return " ".join(str(float(x)) for x in found[0]) if found else ""


def display(path, ds, syntax, frame, folder):
    if TOOL.get(syntax) == "opj_decompress":
        return ""
    out = os.path.join(folder, "shown.pgm")
    window = ["+Wi", "1"] if number(ds, "WindowWidth", 0) > 0 else ["+Wm"]
    tool = "dcml2pnm" if TOOL.get(syntax) == "dcmdjpls" else "dcmj2pnm"
    try:
        run(tool, "+F", str(frame + 1), *window, "--write-raw-pnm", path, out)
    except subprocess.CalledProcessError:
        return ""
    with open(out, "rb") as f:
        data = f.read()
    n = ds.Rows * ds.Columns
    pixels = data[-n:]
    return " ".join(str(pixels[(2 * i + 1) * n // 32]) for i in range(16))


def rows_of(root, name, folder):
    path = os.path.join(root, name)
    ds = pydicom.dcmread(path)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    reader = "pydicom" if syntax in NATIVE else TOOL[syntax]
    try:
        words = raw_frames(path, ds, syntax, folder)
    except Exception:
        return [{"path": name, "frame": -1, "reader": reader}]
    rows = []
    for frame in sorted({0, len(words) - 1}):
        values = stored_values(words[frame], ds)
        rows.append({
            "path": name, "frame": frame, "reader": reader, "syntax": syntax, "width": ds.Columns, "height": ds.Rows,
            "frames": len(words), "allocated": ds.BitsAllocated, "stored": ds.BitsStored, "high": ds.HighBit,
            "signed": ds.PixelRepresentation, "photometric": ds.PhotometricInterpretation,
            "spacing": spacing(ds), "center": number(ds, "WindowCenter", 0.0), "window": number(ds, "WindowWidth", 0.0),
            "slope": number(ds, "RescaleSlope", 1.0), "intercept": number(ds, "RescaleIntercept", 0.0),
            "sum": int(values.astype(np.int64).sum()), "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
            "display": display(path, ds, syntax, frame, folder)})
    return rows


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = sys.argv[1]
    names = sorted(os.path.relpath(os.path.join(at, f), root) for at, _, files in os.walk(root) for f in files)
    out = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    out.writeheader()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            out.writerows(rows_of(root, name, folder))


main()
