"""ManiSkill's PickCube-v1 with a Panda on the CPU, state observations: its own scene and physics.

  maniskill/bin/python maniskill_pickcube.py --threads 2 --workload grasp
  maniskill/bin/python maniskill_pickcube.py --api engine

Random: joint targets within 0.1 rad of home (pd_joint_pos). Grasp: a script that reads the cube's pose and
reaches, closes and lifts (pd_ee_delta_pos, whose inverse kinematics are part of the step). One environment
per process: all that its CPU backend allows. `engine` steps the physics alone. Needs a Vulkan driver even
without cameras; the one that setup.sh put into the virtual environment is found by itself.
"""

import importlib.metadata
import os
import pathlib
import sys
import time

import common

ARGS = common.arguments(
    __doc__.splitlines()[0],
    api=("env", "env.step, or the bare physics under it", "env", "engine"),
)

N_STEPS = 50
REACHED, LIFT_STEP = 16, 21  # control steps after which the gripper closes, the lift starts
LIFTED = 0.05  # height of the cube's centre that counts as lifted, m
REACH = 0.1  # full scale of an end-effector action, m


def find_vulkan():
    """Starts this script anew with the virtual environment's own Vulkan driver on its search path."""
    root = pathlib.Path(sys.prefix) / "vulkan"
    driver = root / "usr/share/vulkan/icd.d/lvp_icd.json"
    if not driver.exists() or "VK_DRIVER_FILES" in os.environ:
        return
    os.environ["VK_DRIVER_FILES"] = os.environ["VK_ICD_FILENAMES"] = str(driver)
    libraries = [str(folder) for folder in (root / "usr/lib").glob("*-linux-gnu")]
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(
        libraries + [path for path in [os.environ.get("LD_LIBRARY_PATH")] if path]
    )
    os.execv(sys.executable, [sys.executable, *sys.argv])


def make():
    start = time.perf_counter()
    import warnings

    warnings.filterwarnings("ignore")
    import gymnasium
    import mani_skill.envs  # noqa: F401 registers the tasks
    import numpy as np
    import torch
    from mani_skill.utils.wrappers.gymnasium import CPUGymWrapper

    torch.set_num_threads(1)
    is_grasp = ARGS.workload == "grasp"
    env = CPUGymWrapper(
        gymnasium.make(
            "PickCube-v1",
            obs_mode="state",
            control_mode="pd_ee_delta_pos" if is_grasp else "pd_joint_pos",
            sim_backend="physx_cpu",
            render_backend="none",
        )
    )
    inner = env.unwrapped
    env.reset(seed=0)
    env.step(env.action_space.sample())
    first = time.perf_counter() - start
    rng = np.random.default_rng(0)
    home = np.array(inner.agent.keyframes["rest"].qpos[:7])
    tcp = lambda: inner.agent.tcp.pose.p[0].numpy()
    cube = lambda: inner.cube.pose.p[0].numpy()
    physics_steps = round(inner.sim_freq / inner.control_freq)

    def reset():
        env.reset(seed=0)

    def random_action():
        return np.append(home + rng.uniform(-0.1, 0.1, 7), 1.0).astype(np.float32)

    def grasp_action(step):
        action = np.zeros(4, dtype=np.float32)
        action[3] = 1 if step < REACHED else -1
        if step < LIFT_STEP:
            action[:3] = np.clip((cube() - tcp()) / REACH, -1, 1)
        else:
            action[2] = 0.1
        return action

    def episode(after_step=None):
        if ARGS.api == "engine":
            for _ in range(N_STEPS * physics_steps):
                inner.scene.step()
            return N_STEPS
        for step in range(N_STEPS):
            env.step(random_action() if not is_grasp else grasp_action(step))
            if after_step:
                after_step(step)
        return N_STEPS

    facts = {"import_to_first_step_s": first, "physics_steps_per_control_step": physics_steps}
    if is_grasp and ARGS.api == "env":
        facts.update(verify(inner, reset, episode, cube))
    return episode, reset, facts


def verify(inner, reset, episode, cube):
    """One episode looked at closely: whether the cube is lifted, how far it slips in the hand."""
    import numpy as np

    contacts, offsets = [], []

    def look(step):
        contacts.append(bool(inner.agent.is_grasping(inner.cube)))
        if step in (LIFT_STEP - 1, N_STEPS - 1):
            offsets.append((inner.agent.tcp.pose.inv() * inner.cube.pose).p[0].numpy().copy())

    reset()
    episode(look)
    return {
        "lifted": bool(cube()[2] > LIFTED),
        "slip_mm": float(1e3 * np.linalg.norm(offsets[1] - offsets[0])),
        "contact_share": float(np.mean(contacts)),
    }


def main():
    find_vulkan()
    common.pin(ARGS)
    how = "engine" if ARGS.api == "engine" else "ee" if ARGS.workload == "grasp" else "joint"
    name = f"maniskill_pickcube/{ARGS.workload}/{how}/{ARGS.threads}_processes"
    version = importlib.metadata.version("mani_skill")
    try:
        rates, n, facts = common.fleet(make, ARGS)
    except RuntimeError as error:
        common.refuse(name, ARGS, error, version=version)
    notes = "bare physics steps, arm at rest" if ARGS.api == "engine" else "Python env.step"
    common.emit(common.row(name, ARGS, rates, n) | facts | {"version": version, "notes": notes})


if __name__ == "__main__":
    sys.exit(main())
