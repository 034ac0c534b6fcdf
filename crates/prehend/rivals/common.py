"""What all rival scripts share: arguments, chosen cores, timing, rows of JSON.

`cpu_share` is the smallest share of processor time that a repeat got while stepping, summed over threads:
below 0.9 times the number of threads something else ran, and only `steps_per_cpu_s`, control steps per second
of processor time, is worth comparing. A row is one line on stdout: {name, value, unit, low, high, n, ...}. `value` is the median over the repeats
of control steps per second, counted over all environments; null, with the reason in `notes`, if it could
not be measured. Resets are timed apart and are not part of `value`.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import resource
import statistics
import sys
import time
from queue import Empty

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
    rates, n, resets, reset_time, shares, cpu_all = [], 0, 0, 0.0, [], 0.0
    for _ in range(repeats):
        steps, stepping, cpu = 0, 0.0, 0.0
        while stepping < seconds:
            start = time.perf_counter()
            reset()
            middle, cpu_before = time.perf_counter(), cpu_time()
            steps += episode()
            stepping += time.perf_counter() - middle
            cpu += cpu_time() - cpu_before
            reset_time += middle - start
            resets += 1
        shares.append(cpu / stepping)
        rates.append(steps / stepping)
        n += steps
        cpu_all += cpu
    return rates, n, {
        "reset_ms": 1e3 * reset_time / resets,
        "cpu_share": min(shares),
        "steps_per_cpu_s": n / cpu_all,
    }


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
    reason = f"does not run here: {error}".splitlines()[0]
    emit(row(name, args, [], 0, **{"notes": reason, **more}))
    sys.exit(0)


def fleet(make, args):
    """Measures a system without threads of its own: `args.threads` processes, one environment each.

    `make()` builds an environment inside its process and returns (episode, reset, facts). Rates of the
    processes add up. Returns rates, the number of control steps, and the facts and timings of the first.
    """
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(args.threads), context.Queue()
    workers = [
        context.Process(target=_worker, args=(make, args, barrier, queue)) for _ in range(args.threads)
    ]
    for worker in workers:
        worker.start()
    results = []
    while len(results) < len(workers):
        try:
            results.append(queue.get(timeout=1))
        except Empty:
            # A crash in native code leaves no message.
            died = [worker.exitcode for worker in workers if worker.exitcode not in (None, 0)]
            if died:
                barrier.abort()
                raise RuntimeError(f"a process died with exit code {died[0]}") from None
    for worker in workers:
        worker.join()
    errors = [result for result in results if isinstance(result, str)]
    if errors:
        # The others fail because the first did.
        raise RuntimeError(next((e for e in errors if "BrokenBarrier" not in e), errors[0]))
    rates = [sum(repeat) for repeat in zip(*(result["rates"] for result in results), strict=True)]
    facts = dict(results[0]["facts"])
    # Processor seconds of all processes together, as for threads of one.
    facts["steps_per_cpu_s"] = statistics.mean(result["facts"]["steps_per_cpu_s"] for result in results)
    for key in ("cpu_share", "peak_memory_mb"):
        facts[key] = sum(result["facts"][key] for result in results)
    return rates, sum(result["n"] for result in results), facts


def _worker(make, args, barrier, queue):
    try:
        episode, reset, facts = make()
        barrier.wait(timeout=600)
        rates, n, timings = measure(episode, reset, args.seconds, args.repeats)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        queue.put({"rates": rates, "n": n, "facts": {**facts, **timings, "peak_memory_mb": memory}})
    except Exception as error:  # noqa: BLE001 whatever it is, the parent reports it
        barrier.abort()
        queue.put(f"{type(error).__name__}: {error}")
