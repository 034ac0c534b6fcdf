"""robosuite's Lift with a Panda, state observations: its own scene, physics and controllers.

  robosuite/bin/python robosuite_lift.py --threads 2 --workload grasp
  robosuite/bin/python robosuite_lift.py --controller osc
  robosuite/bin/python robosuite_lift.py --api engine

Random: joint targets within 0.1 rad of home (`--controller osc`: random pose deltas). Grasp: a script that
reads the cube's pose and reaches, closes and lifts through the default controller, OSC_POSE. One
environment per process. `engine` steps the physics alone, without controllers, observations and reward.
"""

import importlib.metadata
import sys
import time

import common

ARGS = common.arguments(
    __doc__.splitlines()[0],
    controller=("joint", "what random actions go through", "joint", "osc"),
    api=("env", "env.step, or the bare physics under it", "env", "engine"),
)
common.pin(ARGS)

CONTROL_HZ = 20
N_STEPS = 50
REACHED, LIFT_STEP = 16, 22  # control steps after which the gripper closes, the lift starts
LIFTED = 0.03  # rise of the cube that counts as lifted, m: the table's height is the scene's own
JOINT_RANGE = 0.3  # full scale of a joint action, rad


def build():
    import robosuite
    from robosuite.controllers import load_part_controller_config
    from robosuite.controllers.composite.composite_controller_factory import (
        refactor_composite_controller_config,
    )

    configs = None  # OSC_POSE
    if ARGS.workload == "random" and ARGS.controller == "joint":
        part = load_part_controller_config(default_controller="JOINT_POSITION")
        part["output_max"], part["output_min"] = JOINT_RANGE, -JOINT_RANGE
        configs = refactor_composite_controller_config(part, "Panda", ["right"])
    return robosuite.make(
        "Lift",
        robots="Panda",
        controller_configs=configs,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        control_freq=CONTROL_HZ,
        horizon=10 * N_STEPS,
    )


def make():
    start = time.perf_counter()
    import numpy as np

    env = build()
    seen = {"observation": env.reset()}
    env.step(np.zeros(env.action_dim))
    first = time.perf_counter() - start
    rng = np.random.default_rng(0)
    home = np.array(env.robots[0].init_qpos)

    def reset():
        seen["observation"] = env.reset()

    def random_action():
        if ARGS.controller == "osc":
            return rng.uniform(-1, 1, env.action_dim)
        target = home + rng.uniform(-0.1, 0.1, len(home))
        delta = (target - seen["observation"]["robot0_joint_pos"]) / JOINT_RANGE
        return np.append(np.clip(delta, -1, 1), -1.0)

    def grasp_action(step):
        action = np.zeros(env.action_dim)
        action[-1] = -1 if step < REACHED else 1
        if step < LIFT_STEP:
            away = seen["observation"]["cube_pos"] - seen["observation"]["robot0_eef_pos"]
            action[:3] = np.clip(away / 0.05, -1, 1)
        else:
            action[2] = 0.5
        return action

    def episode(after_step=None):
        if ARGS.api == "engine":
            for _ in range(N_STEPS * physics_steps):
                env.sim.step()
            return N_STEPS
        for step in range(N_STEPS):
            action = random_action() if ARGS.workload == "random" else grasp_action(step)
            seen["observation"], *_ = env.step(action)
            if after_step:
                after_step(step)
        return N_STEPS

    physics_steps = round(1 / (CONTROL_HZ * env.sim.model.opt.timestep))
    facts = {
        "import_to_first_step_s": first,
        "physics_steps_per_control_step": physics_steps,
        "mujoco_version": importlib.metadata.version("mujoco"),
    }
    if ARGS.workload == "grasp" and ARGS.api == "env":
        facts.update(verify(env, seen, reset, episode))
    return episode, reset, facts


def verify(env, seen, reset, episode):
    """One episode looked at closely: whether the cube is lifted, how far it slips in the hand."""
    import numpy as np

    contacts, offsets = [], []

    def in_hand():
        site = env.robots[0].eef_site_id["right"]
        rotation = env.sim.data.site_xmat[site].reshape(3, 3)
        return rotation.T @ (env.sim.data.body_xpos[env.cube_body_id] - env.sim.data.site_xpos[site])

    def look(step):
        contacts.append(env._check_grasp(gripper=env.robots[0].gripper, object_geoms=env.cube))
        if step in (LIFT_STEP - 1, N_STEPS - 1):
            offsets.append(in_hand())

    reset()
    before = env.sim.data.body_xpos[env.cube_body_id][2]
    episode(look)
    rise = env.sim.data.body_xpos[env.cube_body_id][2] - before
    return {
        "lifted": bool(rise > LIFTED),
        "slip_mm": float(1e3 * np.linalg.norm(offsets[1] - offsets[0])),
        "contact_share": float(np.mean(contacts)),
    }


def main():
    controller = "osc" if ARGS.workload == "grasp" else ARGS.controller
    how = "engine" if ARGS.api == "engine" else controller
    name = f"robosuite_lift/{ARGS.workload}/{how}/{ARGS.threads}_processes"
    version = importlib.metadata.version("robosuite")
    try:
        rates, n, facts = common.fleet(make, ARGS)
    except RuntimeError as error:
        common.refuse(name, ARGS, error, version=version)
    notes = "bare physics steps, arm at rest" if ARGS.api == "engine" else "Python env.step"
    common.emit(common.row(name, ARGS, rates, n) | facts | {"version": version, "notes": notes})


if __name__ == "__main__":
    sys.exit(main())
