"""Measures every rival that setup.sh installed below DIR; prints one row of JSON for each, then a table.

  python3 measure_all.py DIR --rounds 5 --seconds 10 --threads 1,2

Rows are measured in turn, forwards and backwards (ABBA...), once per round, so that a busy machine hits
all of them alike. Median, lowest and highest over the rounds.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
SETTINGS = ("default", "fast", "equal_2ms", "equal", "equal_coarse")
WORKLOADS = ("random", "grasp")


def commands(threads):
    """Virtual environment, script and arguments of each row."""
    rows = []
    for n in threads:
        for setting in SETTINGS:
            rows += [("mujoco", "mujoco_batch.py", n, "--setting", setting, "--workload", w) for w in WORKLOADS]
        for setting in ("default", "equal"):
            rows.append(("mujoco", "mujoco_batch.py", n, "--setting", setting, "--workload", "grasp", "--rays", "1024"))
        for venv, script in (("robosuite", "robosuite_lift.py"), ("maniskill", "maniskill_pickcube.py")):
            rows += [(venv, script, n, "--workload", workload) for workload in WORKLOADS]
            rows.append((venv, script, n, "--api", "engine"))
        rows.append(("robosuite", "robosuite_lift.py", n, "--controller", "osc"))
    return rows


def run(folder, command, seconds):
    venv, script, threads, *more = command
    python = folder / venv / "bin" / "python"
    arguments = ["--threads", str(threads), "--seconds", str(seconds), "--repeats", "1", *more]
    done = subprocess.run([python, HERE / script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"name": f"{script} {' '.join(arguments)}", "value": None, "unit": "1/s", "notes": last}
    return json.loads(done.stdout.strip().splitlines()[-1])


def merge(rows):
    """One row of all rounds."""
    merged = dict(rows[-1])
    values = [row["value"] for row in rows if row["value"] is not None]
    if values:
        merged |= {"value": statistics.median(values), "low": min(values), "high": max(values)}
        merged |= {"n": sum(row["n"] for row in rows), "repeats": len(values)}
        for key in ("steps_per_cpu_s", "reset_ms"):
            merged[key] = statistics.median(row[key] for row in rows if row["value"] is not None)
        merged["cpu_share"] = min(row["cpu_share"] for row in rows if row["value"] is not None)
        merged["load_average"] = max(row["load_average"] for row in rows)
        if "lifted" in merged:
            merged["lifted"] = all(row["lifted"] for row in rows)
    return merged


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", default="", help="part of a script's name")
    args = parser.parse_args()
    rows = [row for row in commands([int(n) for n in args.threads.split(",")]) if args.only in row[1]]
    measured = [[] for _ in rows]
    for turn in range(args.rounds):
        order = range(len(rows)) if turn % 2 == 0 else reversed(range(len(rows)))
        for index in order:
            measured[index].append(run(args.folder.resolve(), rows[index], args.seconds))
            print(f"{turn + 1}/{args.rounds} {measured[index][-1]['name']}", file=sys.stderr)
    merged = [merge(row) for row in measured]
    for row in merged:
        print(json.dumps(row))
    print("\n| row | steps/s: median [low, high] | per cpu s | cpu share | lifted | slip mm | contact |")
    print("|---|---|---|---|---|---|---|")
    for row in merged:
        if row["value"] is None:
            print(f"| {row['name']} | - {row['notes']} | | | | | |")
            continue
        number = lambda key, digits: "" if row.get(key) is None else f"{row[key]:.{digits}f}"
        print(
            f"| {row['name']} | {row['value']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}]"
            f" | {row['steps_per_cpu_s']:,.0f} | {row['cpu_share']:.2f}"
            f" | {row.get('lifted', '')} | {number('slip_mm', 2)} | {number('contact_share', 2)} |"
        )


if __name__ == "__main__":
    main()
