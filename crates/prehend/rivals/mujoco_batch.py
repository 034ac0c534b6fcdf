"""MuJoCo's batch API (3.17 and later) on the benchmark's scene.

  mujoco/bin/python mujoco_batch.py --threads 2 --workload grasp --setting equal
  mujoco/bin/python mujoco_batch.py --workload grasp --rays 1024

Random: joint targets uniform in home +- 0.1 rad, drawn anew each control step for each environment. Grasp:
grasp_path.json. Both start every episode from a reset state. Before timing, the grasp is replayed once by
plain mj_step under the same settings to measure `lifted`, `slip_mm` (from the lift's start to the end of
the episode), `hold_slip_mm` (over 5 s more) and `contact_share`; while timing, `lifted` is checked again
in every environment of every episode.
"""

import json
import time

START = time.perf_counter()

import common  # noqa: E402

SETTING_NAMES = ("default", "equal", "equal_2ms", "equal_coarse", "fast")
ARGS = common.arguments(
    __doc__.splitlines()[0],
    setting=("default", "physics settings, see mujoco_scene.py", *SETTING_NAMES),
    envs=(64, "environments in the batch"),
    rays=(0, "rays cast per control step and environment"),
)
common.pin(ARGS)

import mujoco  # noqa: E402
import numpy as np  # noqa: E402
from mujoco import batch  # noqa: E402

from mujoco_scene import SETTINGS, Scene, replay  # noqa: E402

LIFTED = 0.05  # height of the cube's centre that counts as lifted, m


def rays(n):
    """Origin and directions of a camera in front of the table that looks at the cube: a square grid."""
    side = int(np.ceil(np.sqrt(n)))
    tangent = np.tan(np.radians(27.0)) * np.linspace(-1, 1, side)
    right, down = (axis.ravel()[:n] for axis in np.meshgrid(tangent, tangent))
    eye, target = np.array([0.95, 0.50, 0.60]), np.array([0.48, 0.0, 0.02])
    forward = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(forward, [0, 0, 1])
    x /= np.linalg.norm(x)
    y = np.cross(forward, x)
    directions = forward + right[:, None] * x + down[:, None] * y
    return eye, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def main():
    scene, path = Scene(ARGS.scene), json.loads(ARGS.path.read_text())
    setting = SETTINGS[ARGS.setting]
    substeps = scene.apply(setting)
    n_steps = scene.file["episode_steps"]
    is_grasp = ARGS.workload == "grasp"
    verified = replay(scene, path, substeps, hold_steps=round(5.0 / scene.period)) if is_grasp else None

    sims = batch.Batch(scene.model, ARGS.envs, nthread=ARGS.threads)
    qpos, ctrl = sims.bind("qpos"), sims.bind("ctrl")
    first = time.perf_counter() - START
    if is_grasp:
        start = scene.start(path["q_start_rad"], path["finger_start_m"])
        fingers = np.repeat(np.array(path["finger_m"])[:, None], 2, axis=1)
        targets = np.hstack([path["q_rad"], fingers])[:, None, :]
    else:
        start = scene.start(scene.home, scene.open_finger)
        # Drawn beforehand: the generator is not what is measured.
        spread = scene.file["random_target_rad"]
        random = np.random.default_rng(0).uniform(-spread, spread, (n_steps, ARGS.envs, scene.n_joints))
        fingers = np.full((n_steps, ARGS.envs, 2), scene.open_finger)
        targets = np.concatenate([scene.home + random, fingers], axis=2)
    eye, directions = rays(ARGS.rays) if ARGS.rays else (None, None)
    outcome = {"lifted": True, "hits": 0}

    def reset():
        if is_grasp and sims.time[0] > 0:
            outcome["lifted"] &= bool((qpos[:, scene.cube_q + 2] > LIFTED).all())
        sims.reset(stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        qpos[:] = start

    def episode():
        for target in targets:
            ctrl[:] = target
            sims.step(nstep=substeps)
            if ARGS.rays:
                _, geoms = sims.ray(eye, directions)
                outcome["hits"] = int((geoms >= 0).sum())
        return n_steps * ARGS.envs

    rates, n, timings = common.measure(episode, reset, ARGS.seconds, ARGS.repeats)
    timings["reset_ms"] /= ARGS.envs
    reset()
    name = f"mujoco_batch/{ARGS.workload}/{ARGS.setting}" + (f"/{ARGS.rays}_rays" if ARGS.rays else "")
    more = {}
    if is_grasp:
        more = {
            "lifted": outcome["lifted"] and verified["end_m"][2] > LIFTED and verified["held_m"][2] > LIFTED,
            **{key: verified[key] for key in ("slip_mm", "hold_slip_mm", "contact_share", "held_m")},
        }
    if ARGS.rays:
        more["ray_hits_share"] = outcome["hits"] / (ARGS.rays * ARGS.envs)
    common.emit(
        common.row(
            f"{name}/{ARGS.threads}_threads",
            ARGS,
            rates,
            n,
            setting=ARGS.setting,
            envs=ARGS.envs,
            physics_steps_per_control_step=substeps,
            physics_settings=json.dumps(setting),
            version=mujoco.__version__,
            import_to_first_step_s=first,
            **timings,
            **more,
            notes="engine call; rays without noise or sampling" if ARGS.rays else "engine call",
        )
    )


if __name__ == "__main__":
    main()
