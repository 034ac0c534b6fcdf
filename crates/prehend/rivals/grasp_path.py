"""Writes grasp_path.json: joint targets of the grasp workload, one per control step of 50 ms.

Down onto the cube, close, lift 15 cm, a small circle. The tool points down all the time. Inverse
kinematics by damped least squares on the model of mujoco_scene.py; fails if a joint would be faster
or accelerate harder than the robot may.

  mujoco/bin/python grasp_path.py
"""

import json
import pathlib
import xml.etree.ElementTree as xml

import mujoco
import numpy as np

from mujoco_scene import Scene

ABOVE = 0.10  # height of the tool at the start, m; the arm starts there, not at home
LIFT = 0.15  # m
CIRCLE = 0.01  # radius, m
DOWN, CLOSE, RISE = 10, 12, 14  # control steps; the circle takes the rest
MARGIN = 0.9  # of speed and acceleration limits


def minimum_jerk(share):
    """Smooth course from 0 to 1 (Flash and Hogan 1985)."""
    return share**3 * (10 - 15 * share + 6 * share**2)


def positions(cube, n_steps):
    """Start of the tool and its position at the end of each control step, m."""
    cube = np.array(cube)
    start = np.array([cube[0], cube[1], ABOVE])
    top = cube + [0, 0, LIFT]
    path = []
    for step in range(n_steps):
        done = step + 1
        if done <= DOWN:
            path.append(start + (cube - start) * minimum_jerk(done / DOWN))
        elif done <= DOWN + CLOSE:
            path.append(cube)
        elif done <= DOWN + CLOSE + RISE:
            path.append(cube + (top - cube) * minimum_jerk((done - DOWN - CLOSE) / RISE))
        else:
            share = (done - DOWN - CLOSE - RISE) / (n_steps - DOWN - CLOSE - RISE)
            angle = 2 * np.pi * minimum_jerk(share)
            path.append(top + CIRCLE * np.array([np.cos(angle) - 1, np.sin(angle), 0]))
    return start, path


def inverse(scene, data, target, rotation):
    """Moves the arm in `data` until its tool is at `target` with `rotation`."""
    n, model = scene.n_joints, scene.model
    jacobian = np.zeros((6, model.nv))
    for _ in range(200):
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        now = data.site_xmat[scene.tcp].reshape(3, 3)
        turn = np.zeros(3)
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, (rotation @ now.T).ravel())
        mujoco.mju_quat2Vel(turn, quat, 1.0)
        error = np.concatenate([target - data.site_xpos[scene.tcp], turn])
        if np.abs(error).max() < 1e-10:
            return data.qpos[:n].copy()
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], scene.tcp)
        j = jacobian[:, :n]
        data.qpos[:n] += j.T @ np.linalg.solve(j @ j.T + 1e-8 * np.eye(6), error)
    raise SystemExit(f"no joint positions for the tool at {target}")


def check(scene, q_start, path):
    """Largest speed and acceleration over their limits."""
    q = np.array([q_start, q_start, *path])
    speed = np.diff(q, axis=0) / scene.period
    acceleration = np.diff(speed, axis=0) / scene.period
    joints = scene.robot["joint"]
    lower, upper = scene.model.jnt_range[: scene.n_joints].T
    most = np.array([joint["max_acceleration_rad_per_s2"] for joint in joints])
    limits = np.array([velocity_limit(scene, joint["name"]) for joint in joints])
    shares = {
        "speed": float((np.abs(speed) / limits).max()),
        "acceleration": float((np.abs(acceleration) / most).max()),
    }
    if max(shares.values()) > MARGIN or (q < lower).any() or (q > upper).any():
        raise SystemExit(f"the path leaves the robot's limits: {shares}")
    return shares


def velocity_limit(scene, joint_name):
    """MuJoCo drops the URDF's velocity limits, so they are read here."""
    for joint in xml.parse(scene.urdf).getroot().iter("joint"):
        if joint.get("name") == joint_name:
            return float(joint.find("limit").get("velocity"))
    raise SystemExit(f"no joint {joint_name} in {scene.urdf}")


def main():
    scene = Scene()
    data = mujoco.MjData(scene.model)
    data.qpos[: scene.n_joints] = scene.home
    mujoco.mj_forward(scene.model, data)
    rotation = data.site_xmat[scene.tcp].reshape(3, 3).copy()
    n_steps = scene.file["episode_steps"]
    start, tool = positions(scene.file["cube"]["position_m"], n_steps)
    q_start = inverse(scene, data, start, rotation)
    q = [inverse(scene, data, target, rotation) for target in tool]
    shares = check(scene, q_start, q)
    opening = [1.0 if step < DOWN else 0.0 for step in range(n_steps)]
    finger, fingers = scene.open_finger, []
    slew = 0.5 * scene.robot["gripper"]["speed_m_per_s"] * scene.period
    for goal in opening:
        finger += np.clip(goal * scene.open_finger - finger, -slew, slew)
        fingers.append(finger)

    def rounded(values, digits):
        return [round(float(value), digits) + 0.0 for value in values]  # + 0.0: no negative zeros

    body = {
        "about": "made by grasp_path.py; targets hold for one control step of 50 ms",
        "home_rad": rounded(scene.home, 12),
        "q_start_rad": rounded(q_start, 9),
        "finger_start_m": scene.open_finger,
        "lift_step": DOWN + CLOSE,
        "q_rad": [rounded(row, 9) for row in q],
        "opening": opening,
        "finger_m": rounded(fingers, 9),
        "tcp_m": [rounded(row, 6) for row in tool],
    }
    text = json.dumps(body)
    # One control step a line.
    text = text.replace("], [", "],\n  [").replace(", \"", ",\n\"").replace("[[", "[\n  [")
    pathlib.Path(__file__).with_name("grasp_path.json").write_text(text + "\n")
    print(json.dumps(shares))


if __name__ == "__main__":
    main()
