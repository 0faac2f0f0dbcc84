#!/usr/bin/env python3
"""Clearmass and its peers, in turns, on this machine: medians over rounds, ratios, memory.

bench/compare.py [--program build/release/clearmass] [--rounds 3] [--steps 2] [--only TEXT] [--all] [--scaling] [--own] [--cpu-time]
                 [--node DIR] [--out FILE.md]

Every entry is a process of its own; a round runs all of them one after the other, so that whatever else the machine does
meets all alike. Peers that are missing are left out: PyTorch (Debian's python3-torch), ONNX Runtime (DIR is where
'npm install --ignore-scripts onnxruntime-node' was run). About seven minutes on two idle cores."""
import argparse
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "16000000000", "MALLOC_TOP_PAD_": "268435456"}

# what is compared: name (the precision its end), network, mode, batch, the peers that matter most, further ones
ROWS = [
    ("U-Net training, f32", "unet", "train", 16, ["torch", "torch tuned"], []),
    ("U-Net training, bf16", "unet", "train", 16, ["torch", "torch tuned"], []),
    ("U-Net inference, f32", "unet", "infer", 16, ["onnx"], ["torch", "torch tuned"]),
    ("U-Net inference, f32", "unet", "infer", 1, ["onnx"], []),
    ("ResNet50 fine-tuning, f32", "resnet50", "train", 16, ["torch tuned"], ["torch"]),
    ("ResNet50 fine-tuning, bf16", "resnet50", "train", 16, ["torch tuned"], ["torch"]),
    ("ResNet50 inference, f32", "resnet50", "infer", 16, ["onnx"], ["torch", "torch tuned"]),
]
SCALING = [(mode, batch, size, threads) for mode in ("train", "infer") for batch, size, threads in
           [(1, 224, 2), (4, 224, 2), (16, 224, 2), (16, 224, 1), (4, 320, 2), (4, 416, 2), (4, 512, 2)]]


def run(command, env=None):
    """Output and the most memory in MB, or None."""
    began = dict(os.environ, **(env or {}))
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=began)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return (out.read(), usage.ru_maxrss * 1024e-6) if child.returncode == 0 else None


class Bench:
    def __init__(self, options):
        self.o = options
        self.threads = 1 if options.cpu_time else os.cpu_count() if not os.environ.get("OMP_NUM_THREADS") else int(os.environ["OMP_NUM_THREADS"])
        self.folder = tempfile.mkdtemp(prefix="clearmass-bench-")
        self.missing = set()

    def onnx_file(self, network, batch):
        path = f"{self.folder}/{network}-{batch}.onnx"
        if not os.path.exists(path) and not run([PYTHON, HERE / "peer_torch.py", network, "export", path, str(batch)]):
            return None
        return path

    def once(self, who, row):
        """Milliseconds an image and MB, or None where that peer is missing."""
        name, network, mode, batch = row[:4]
        bf16 = ["--bf16"] if name.endswith("bf16") else []
        threads = {"OMP_NUM_THREADS": str(self.threads)}
        cpu = ["--cpu-time"] if self.o.cpu_time else []
        steps = max(1, self.o.steps * (1 if batch > 1 else 8))
        if who == "clearmass":
            got = run([self.o.program, "bench", network, "--csv", f"--{mode}-only", f"--batch={batch}",
                       f"--steps={steps}", f"--threads={self.threads}", *cpu, *bf16])
            return (float(got[0].split(",")[4]), got[1]) if got else None
        if who == "onnx":
            path = self.onnx_file(network, batch) if self.o.node else None
            got = path and run(["node", HERE / "peer_onnx.js", path, str(batch), str(steps), str(self.threads), *cpu],
                               {"NODE_PATH": f"{self.o.node}/node_modules"})
        else:
            got = run([PYTHON, HERE / "peer_torch.py", network, mode, str(batch), str(steps), *cpu, *bf16],
                      dict(threads, **(TUNED if who == "torch tuned" else {})))
        return (float(got[0].split()[0]), got[1]) if got else None

    def peers(self, row):
        return row[4] + (row[5] if self.o.all else [])

    def scaling(self):
        """How time follows batch, size and threads."""
        got = {s: [] for s in SCALING}
        for k in range(self.o.rounds):
            for mode, batch, size, threads in SCALING:
                one = run([self.o.program, "bench", "unet", "--csv", f"--{mode}-only", f"--batch={batch}", f"--size={size}",
                           f"--steps={self.o.steps}", f"--threads={threads}"])
                got[mode, batch, size, threads].append((float(one[0].split(",")[4]), one[1]))
        yield "| U-Net | batch | size | threads | ms an image: median (least to most) | peak MB |"
        yield "|---|---|---|---|---|---|"
        for (mode, batch, size, threads), v in got.items():
            ms = [x[0] for x in v]
            yield (f"| {'training' if mode == 'train' else 'inference'} | {batch} | {size} | {threads} | "
                   f"{statistics.median(ms):.1f} ({min(ms):.1f} to {max(ms):.1f}) | {max(x[1] for x in v):.0f} |")

    def step(self, *more):
        got = run([self.o.program, "bench", "unet", "--csv", "--train-only", "--batch=16", f"--steps={self.o.steps + 2}",
                   f"--threads={self.threads}", *more])
        return float(got[0].split(",")[4])

    def loader(self):
        """Training steps on augmented images against those on one batch that stays in memory, in turns."""
        yield "| U-Net training, batch 16 | ms an image, augmented | one batch held | ratio |"
        yield "|---|---|---|---|"
        for name, more in (("f32", []), ("bf16", ["--bf16"])):
            both = [(self.step(*more), self.step("--held", *more)) for _ in range(self.o.rounds)]
            yield (f"| {name} | {statistics.median(b[0] for b in both):.1f} | {statistics.median(b[1] for b in both):.1f} | "
                   f"{statistics.median(b[0] / b[1] for b in both):.3f} |")

    def explain(self):
        """From the start of the program to the answer on one image of 1280 x 2048, files warm, of a run made for that."""
        data, trained, took = f"{self.folder}/data", f"{self.folder}/run", []
        image = f"{self.folder}/image.tif"
        made = [["phantom", data, "--cases", "6", "--height", "2048"],
                ["train", "segment", data, trained, "--init", "none", "--epochs", "1", "--batch", "4"]]
        if not all(run([self.o.program, *command]) for command in made):
            return
        shutil.copy(sorted(pathlib.Path(data, "full").rglob("*.tif"))[0], image)
        for k in range(2 * self.o.rounds + 1):
            began = time.perf_counter()
            run([self.o.program, "explain", image, "--run", trained, "-o", f"{self.folder}/explained{k}"])
            took.append(time.perf_counter() - began)
        took = took[1:]
        yield f"`clearmass explain` of one image, start to end: {statistics.median(took):.2f} s ({min(took):.2f} to {max(took):.2f})"

    def all_rounds(self):
        rows = [r for r in ROWS if self.o.only in f"{r[0]}, batch {r[3]};"]
        seen = {}
        for r in rows:
            self.once("clearmass", r)  # kernels are chosen once a machine, not in a timed run
        for k in range(self.o.rounds):
            for row in rows:
                for who in ["clearmass"] + self.peers(row):
                    got = None if who in self.missing else self.once(who, row)
                    if got is None:
                        self.missing.add(who)
                        continue
                    seen.setdefault((row[0], row[3], who), []).append(got)
                    print(f"round {k + 1}: {row[0]}, batch {row[3]}, {who}: {got[0]:.1f} ms, {got[1]:.0f} MB", file=sys.stderr)
        return rows, seen


def table(bench, rows, seen):
    yield "| | batch | who | ms an image: median (least to most) | clearmass is faster by | peak MB | clearmass takes |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        name, batch = row[0], row[3]
        ours = [v[0] for v in seen.get((name, batch, "clearmass"), [])]
        for who in ["clearmass"] + bench.peers(row):
            got = seen.get((name, batch, who))
            if not got or not ours:
                continue
            ms = [v[0] for v in got]
            ratio = statistics.median(b / a for a, b in zip(ours, ms))  # of the same round
            memory, own = (max(v[1] for v in seen[name, batch, w]) for w in (who, "clearmass"))
            beside = ("", "") if who == "clearmass" else (f"{ratio:.2f} x", f"{own / memory:.2f} of it")
            yield (f"| {name} | {batch} | {who} | {statistics.median(ms):.1f} ({min(ms):.1f} to {max(ms):.1f}) | "
                   f"{beside[0]} | {memory:.0f} | {beside[1]} |")


def machine(bench):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return (f"{time.strftime('%Y-%m-%d %H:%M')}, {cpu}, {bench.threads} threads{', processor time' if bench.o.cpu_time else ''}, load before and after "
            f"{bench.load:.1f} and {os.getloadavg()[0]:.1f}; {bench.o.rounds} rounds of {bench.o.steps} steps"
            + (f"; not here: {', '.join(sorted(bench.missing))}" if bench.missing else ""))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default=str(HERE.parent / "build/release/clearmass"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=2)
    p.add_argument("--only", default="", help="rows whose name holds this text: 'training', 'batch 1;'")
    p.add_argument("--node", help="where onnxruntime-node is installed")
    p.add_argument("--cpu-time", action="store_true", help="processor time with one thread: on a machine that others use")
    p.add_argument("--all", action="store_true", help="every peer everywhere")
    p.add_argument("--scaling", action="store_true", help="the U-Net alone, against batch, size and threads")
    p.add_argument("--own", action="store_true", help="what needs no peer: the loader's cost, and the start of explain")
    p.add_argument("--out", help="write the table there too")
    bench = Bench(p.parse_args())
    bench.load = os.getloadavg()[0]
    if bench.o.scaling:
        lines = list(bench.scaling())
    elif bench.o.own:
        lines = [*bench.loader(), "", *bench.explain()]
    else:
        lines = list(table(bench, *bench.all_rounds()))
    shutil.rmtree(bench.folder)
    text = "\n".join([machine(bench), ""] + lines)
    print(text)
    if bench.o.out:
        pathlib.Path(bench.o.out).write_text(text + "\n")


main()
