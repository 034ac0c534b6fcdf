"""What all rival scripts share: arguments, chosen cores, timing, rows of JSON.

A row is one line on stdout: {name, value, unit, low, high, n, ...}. `value` is the median over the repeats
of control steps per second, counted over all environments; null, with the reason in `notes`, if it could
not be measured. Resets are timed apart and are not part of `value`.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import sys
import time

HERE = pathlib.Path(__file__).parent
WARM_UP = 200  # control steps


def arguments(description, **defaults):
    """Parses the arguments that all rivals share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=1, help="threads, or processes where a system has none")
    parser.add_argument("--cores", help="numbers of the cores to run on, as 0,1; default: the first THREADS")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one repeat, resets excluded")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workload", choices=["random", "grasp"], default="random")
    parser.add_argument("--scene", type=pathlib.Path, default=HERE / "scene.json")
    parser.add_argument("--path", type=pathlib.Path, default=HERE / "grasp_path.json")
    for name, (default, help_text, *choices) in defaults.items():
        kind = type(default)
        parser.add_argument(f"--{name}", default=default, type=kind, help=help_text, choices=choices or None)
    args = parser.parse_args()
    if args.threads < 1 or args.repeats < 1 or not 0 < args.seconds <= 3600:
        parser.error("--threads and --repeats must be at least 1, --seconds in (0, 3600]")
    return args


def pin(args):
    """Confines this process and its children to the chosen cores; call before numeric libraries load."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    allowed = sorted(os.sched_getaffinity(0))
    cores = [int(core) for core in args.cores.split(",")] if args.cores else allowed[: args.threads]
    os.sched_setaffinity(0, cores)


def measure(episode, reset, seconds, repeats):
    """Runs whole episodes; returns rates (1/s), the number of control steps, and other timings.

    `reset()` puts all environments back, `episode()` runs one and returns its control steps. Warms up with
    at least WARM_UP control steps first. A repeat ends after `seconds` of stepping.
    """
    warm = 0
    while warm < WARM_UP:
        reset()
        warm += episode()
    rates, n, resets, reset_time, shares = [], 0, 0, 0.0, []
    for _ in range(repeats):
        steps, stepping = 0, 0.0
        cpu, wall = cpu_time(), time.perf_counter()
        while stepping < seconds:
            start = time.perf_counter()
            reset()
            middle = time.perf_counter()
            steps += episode()
            stepping += time.perf_counter() - middle
            reset_time += middle - start
            resets += 1
        shares.append((cpu_time() - cpu) / (time.perf_counter() - wall))
        rates.append(steps / stepping)
        n += steps
    return rates, n, {"reset_ms": 1e3 * reset_time / resets, "cpu_share": min(shares)}


def cpu_time():
    """Processor time of this process, s."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def row(name, args, rates, n, **more):
    """One row, ready to print; `rates` may be empty."""
    return {
        "name": name,
        "value": statistics.median(rates) if rates else None,
        "unit": "1/s",
        "low": min(rates, default=None),
        "high": max(rates, default=None),
        "n": n,
        "repeats": len(rates),
        "workload": args.workload,
        "threads": args.threads,
        "load_average": list(os.getloadavg()),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **more,
    }


def emit(body):
    """Prints a row; numbers rounded to six significant digits."""
    print(json.dumps({key: shorten(value) for key, value in body.items()}), flush=True)


def shorten(value):
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [shorten(item) for item in value]
    return value


def refuse(name, args, error, **more):
    """Prints the row of a system that does not run here, with the reason."""
    reason = f"does not run here: {type(error).__name__}: {error}".splitlines()[0]
    emit(row(name, args, [], 0, **{"notes": reason, **more}))
    sys.exit(0)
