#!/usr/bin/python3
"""Times 'clearmass ingest cbis' beside bench_ingest_peer.py over one download, taking turns in one run.

  bench_ingest.py CLEARMASS DOWNLOAD CSV SCRATCH [TURNS]

The script runs as one process and as one a core. Prints every turn, then medians, ratios and the peak memory of each (all of
a program's processes together, shared pages divided among them, looked at 20 times a second). DOWNLOAD is read once before,
so that all find it in memory as far as it fits. SCRATCH is emptied before every turn and after.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

PEER = Path(__file__).with_name("bench_ingest_peer.py")


def family(root):
    """A process and all that descend from it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def memory_mb(root):
    total = 0
    for pid in family(root):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


def measure(command, scratch):
    """Wall seconds, seconds of all cores together, peak MB, bytes of what was made."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    os.sync()
    begin, peak, before = time.monotonic(), 0, resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(scratch / "log", "wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        while child.poll() is None:
            peak = max(peak, memory_mb(child.pid))
            try:
                child.wait(.05)
            except subprocess.TimeoutExpired:
                pass
    seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode:
        sys.exit((scratch / "log").read_text())
    made = sum(p.stat().st_size for p in (scratch / "out").rglob("*.tif"))
    work = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, work, peak, made


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    program, download, table, scratch = sys.argv[1:4] + [Path(sys.argv[4])]
    turns = int(sys.argv[5]) if len(sys.argv) > 5 else 3
    cores, out = len(os.sched_getaffinity(0)), str(scratch / "out")
    commands = {"clearmass": [program, "ingest", "cbis", download, out, "--csv", table]}
    for jobs in sorted({1, cores}):
        commands[f"script, {jobs} process{'es' * (jobs > 1)}"] = [
            sys.executable, str(PEER), download, table, out, str(jobs)]
    subprocess.run(["find", download, "-type", "f", "-exec", "cat", "{}", "+"], stdout=subprocess.DEVNULL, check=True)
    results = {name: [] for name in commands}
    for turn in range(turns):
        for name, command in commands.items():
            results[name].append(measure(command, scratch))
            seconds, work, peak, made = results[name][-1]
            print(f"turn {turn + 1}: {name}: {seconds:.2f} s ({work:.1f} s of work), {peak:.0f} MB, {made / 1e6:.0f} MB made, "
                  f"load {os.getloadavg()[0]:.1f}", flush=True)
    shutil.rmtree(scratch)
    ours = [statistics.median(r[k] for r in results["clearmass"]) for k in (0, 1)]
    for name, rows in results.items():
        seconds, work = (statistics.median(r[k] for r in rows) for k in (0, 1))
        print(f"median: {name}: {seconds:.2f} s, {seconds / ours[0]:.2f} times ours; {work:.1f} s of work, "
              f"{work / ours[1]:.2f} times ours; peak {max(r[2] for r in rows):.0f} MB")


if __name__ == "__main__":
    main()
