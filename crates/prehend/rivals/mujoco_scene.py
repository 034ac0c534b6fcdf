"""The benchmark's scene as a MuJoCo model: our own robot.urdf, a table, one free cube.

Shapes, masses, joint damping and effort limits come from the robot's URDF, rotor inertia, home and
gripper from its robot.toml, the rest from scene.json. Differences to the URDF, all in MuJoCo's favour
and all because our own simulator does the same: links do not collide with each other, joints have no
dry friction, gravity acts on the cube alone (a real arm is gravity-compensated).
"""

import json
import pathlib
import tomllib

import mujoco
import numpy as np

DEFAULT_SCENE = pathlib.Path(__file__).with_name("scene.json")

# Which bodies may touch which (bits of contype): the cube everything, the fingers also the table. The
# vendor's capsule around link 1 reaches below the table top, so arm and table must not meet.
ROBOT, CUBE, TABLE = 1, 2, 4

# Physics settings. The `equal` ones passed mujoco_accuracy.py: over a hold of 5 s the cube slips less than
# 0.1 mm and ends within 1 mm of a 0.25 ms reference. Measured with MuJoCo 4.0.0 (slip; distance):
SETTINGS = {
    # MuJoCo's own default; the cube creeps down 5.4 mm.
    "default": {"integrator": "euler", "timestep": 0.002, "cone": "pyramidal", "impratio": 1, "noslip": 0},
    # The cheapest that passed at 1 to 5 ms (0.039 mm; 0.33 mm), and at 2 ms (0.038 mm; 0.16 mm).
    "equal": {"integrator": "euler", "timestep": 0.005, "cone": "elliptic", "impratio": 100, "noslip": 0},
    "equal_2ms": {"integrator": "euler", "timestep": 0.002, "cone": "elliptic", "impratio": 100, "noslip": 0},
    # The cheapest that passed at any step, 16.7 ms (0.044 mm; 0.36 mm): the edge of what the criterion sees.
    "equal_coarse": {"integrator": "implicitfast", "timestep": 0.05 / 3, "cone": "pyramidal", "impratio": 1, "noslip": 10},
    # Playground's step. Fast, but the cube creeps 5.4 mm: never to be compared with one that holds.
    "fast": {"integrator": "euler", "timestep": 0.005, "cone": "pyramidal", "impratio": 1, "noslip": 0},
}


class Scene:
    """Scene file and robot file, and the MuJoCo model made of them."""

    def __init__(self, path=DEFAULT_SCENE):
        path = pathlib.Path(path).resolve()
        self.file = json.loads(path.read_text())
        folder = (path.parent / self.file["robot"]).resolve()
        self.robot = tomllib.loads((folder / "robot.toml").read_text())
        self.urdf = folder / "robot.urdf"
        self.home = np.array([joint["home_rad"] for joint in self.robot["joint"]])
        self.n_joints = len(self.home)
        self.open_finger = 0.5 * self.robot["gripper"]["max_width_m"]
        self.model = self._spec().compile()
        names = mujoco.mjtObj.mjOBJ_GEOM
        self.cube_geom = mujoco.mj_name2id(self.model, names, "cube")
        self.pad_bodies = [
            self.model.joint(self.robot["gripper"][side]["joint"]).bodyid[0]
            for side in ("left", "right")
        ]
        self.tcp = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_SITE, "tcp")
        self.cube_q = int(self.model.joint("cube").qposadr[0])

    def _spec(self):
        spec = mujoco.MjSpec.from_file(str(self.urdf))
        spec.option.gravity = [0, 0, -self.file["gravity_m_per_s2"]]
        self._robot(spec)
        self._rest(spec)
        return spec

    def _robot(self, spec):
        file, robot = self.file, self.robot
        for geom in spec.geoms:
            is_finger = "finger" in geom.parent.name
            geom.contype, geom.conaffinity = ROBOT, CUBE | (TABLE if is_finger else 0)
        for body in spec.bodies:
            body.gravcomp = 1 if body.name != "world" else 0
        for joint in spec.joints:
            joint.frictionloss = 0
        body = next(b for b in spec.bodies if b.name == robot["tcp_link"])
        body.add_site(name="tcp")
        servo = file["servo"]
        gains = zip(
            robot["joint"], servo["stiffness_nm_per_rad"], servo["damping_nms_per_rad"], strict=True
        )
        for joint, stiffness, damping in gains:
            self._servo(spec, joint["name"], stiffness, damping, None, joint["armature_kg_m2"])
        for side in ("left", "right"):
            self._servo(
                spec,
                robot["gripper"][side]["joint"],
                file["finger_servo"]["stiffness_n_per_m"],
                file["finger_servo"]["damping_ns_per_m"],
                robot["gripper"]["force_n"],
                file["finger_servo"]["armature_kg"],
            )

    @staticmethod
    def _servo(spec, joint_name, stiffness, damping, force, armature):
        joint = next(j for j in spec.joints if j.name == joint_name)
        joint.armature = armature
        # URDF's `effort` arrives as the joint's actuator force range.
        force = float(joint.actfrcrange[1]) if force is None else force
        actuator = spec.add_actuator(
            name=joint_name,
            target=joint_name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcerange=[-force, force],
            forcelimited=True,
        )
        actuator.set_to_position(kp=stiffness, kv=damping)

    def _rest(self, spec):
        table, cube = self.file["table"], self.file["cube"]
        spec.worldbody.add_geom(
            name="table",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=table["center_m"],
            size=[0.5 * side for side in table["size_m"]],
            friction=[table["friction"], 0.005, 0.0001],
            contype=TABLE,
            conaffinity=0,
        )
        body = spec.worldbody.add_body(name="cube", pos=cube["position_m"])
        body.add_freejoint(name="cube")
        # Priority: the cube's coefficient decides, as in our own contacts with the pads.
        body.add_geom(
            name="cube",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[0.5 * cube["size_m"]] * 3,
            mass=cube["mass_kg"],
            friction=[cube["friction"], 0.005, 0.0001],
            priority=1,
            contype=CUBE,
            conaffinity=ROBOT | TABLE,
        )

    @property
    def period(self):
        """Length of a control step, s."""
        return self.file["control_period_s"]

    def apply(self, setting):
        """Puts physics settings into the model; returns physics steps per control step."""
        option = self.model.opt
        option.timestep = setting["timestep"]
        option.cone = getattr(mujoco.mjtCone, f"mjCONE_{setting['cone'].upper()}")
        option.integrator = getattr(mujoco.mjtIntegrator, f"mjINT_{setting['integrator'].upper()}")
        option.impratio = setting["impratio"]
        option.noslip_iterations = setting["noslip"]
        return round(self.period / setting["timestep"])

    def start(self, q, finger):
        """Positions of everything with the arm at `q` and each finger `finger` m from shut."""
        data = mujoco.MjData(self.model)
        data.qpos[: self.n_joints] = q
        data.qpos[self.n_joints : self.n_joints + 2] = finger
        return data.qpos.copy()

    def cube_in_tcp(self, data):
        """Position of the cube in the tool's frame, m."""
        rotation = data.site_xmat[self.tcp].reshape(3, 3)
        return rotation.T @ (data.geom_xpos[self.cube_geom] - data.site_xpos[self.tcp])

    def is_pinched(self, data):
        """Whether both fingers touch the cube."""
        touching = set()
        for pair in data.contact.geom:
            if self.cube_geom in pair:
                touching |= {int(self.model.geom_bodyid[geom]) for geom in pair}
        return all(body in touching for body in self.pad_bodies)


def replay(scene, path, steps_per_control, hold_steps=0):
    """Runs the grasp path once, then holds its last target.

    Returns slip in the hand (mm) from the start of the lift to the end of the path and over the hold, the
    cube's positions at the end of the path and of the hold (m), the share of control steps with both
    fingers in contact, and the largest distance of an arm joint from its target at the path's end (rad).
    """
    model = scene.model
    data = mujoco.MjData(model)
    data.qpos[:] = scene.start(path["q_start_rad"], path["finger_start_m"])
    mujoco.mj_forward(model, data)
    in_contact, at_lift = 0, None
    for step, (q, finger) in enumerate(zip(path["q_rad"], path["finger_m"], strict=True)):
        if step == path["lift_step"]:
            at_lift = scene.cube_in_tcp(data)
        data.ctrl[: scene.n_joints] = q
        data.ctrl[scene.n_joints :] = finger
        mujoco.mj_step(model, data, nstep=steps_per_control)
        mujoco.mj_forward(model, data)
        in_contact += scene.is_pinched(data)
    at_end, end = scene.cube_in_tcp(data), data.geom_xpos[scene.cube_geom].copy()
    error = np.abs(data.qpos[: scene.n_joints] - data.ctrl[: scene.n_joints]).max()
    for _ in range(hold_steps):
        mujoco.mj_step(model, data, nstep=steps_per_control)
    mujoco.mj_forward(model, data)
    held = scene.cube_in_tcp(data)
    return {
        "slip_mm": float(np.linalg.norm(at_end - at_lift) * 1e3),
        "hold_slip_mm": float(np.linalg.norm(held - at_end) * 1e3),
        "end_m": end.tolist(),
        "held_m": data.geom_xpos[scene.cube_geom].tolist(),
        "held_z_m": float(data.geom_xpos[scene.cube_geom][2]),
        "contact_share": in_contact / len(path["q_rad"]),
        "tracking_rad": float(error),
    }
