//! Turns the files that a launch file names into loaded robots, scenes and policies.

use std::sync::Arc;
use std::time::Duration;

use prehend_policy::pick_place::{Grounded, Picker, SceneBundle, SceneNetwork};
use prehend_policy::{Bundle, OnnxPolicy, Runtime};
use prehend_robot::{Jaw, Robot};
use prehend_sim::SceneConfig;
use prehend_types::Policy;
use prehend_types::config::{ConfigError, is_plain_name, locate};

use crate::control_node::ControlSettings;
use crate::launch::LaunchFile;
use crate::policy_node::{NamedPolicy, PolicySet};
use crate::refiner::Refine;
use crate::swap::PolicySource;
use crate::{NodeKind, RuntimeError};

impl LaunchFile {
    /// Reads robot, scene, bundle and certificates, to say what is wrong with them before anything is started.
    ///
    /// # Errors
    /// [`RuntimeError::Config`], [`RuntimeError::Robot`], [`RuntimeError::Scene`],
    /// [`RuntimeError::Bundle`], [`RuntimeError::Link`] about certificates.
    pub fn check_files(&self) -> Result<(), RuntimeError> {
        for node in NodeKind::ALL {
            if let Some(tls) = self.tls_config(node.role()) {
                tls.check()?;
            }
        }
        let robot = self.load_robot()?;
        self.load_scene()?;
        match &self.policy.cell {
            Some(_) => drop(self.load_scene_bundle()?),
            None => drop(self.load_bundle(&robot)?),
        }
        if let Some(grounding) = &self.policy.grounding {
            SceneBundle::load(&locate(&grounding.network)?)?;
        }
        self.load_refine_bundle(&robot)?;
        Ok(())
    }

    /// Reads the robot's folder; the cell's limits hold beside the robot's own. Each that is looser is logged, and so is
    /// each that looks like another unit, if the launch file insists on it.
    ///
    /// # Errors
    /// [`RuntimeError::Config`], [`RuntimeError::Robot`].
    pub fn load_robot(&self) -> Result<Arc<Robot>, RuntimeError> {
        let robot = Robot::load(&locate(&self.robot)?)?;
        let (robot, loosened) = robot.with_user_limits(&self.limits, "the launch file".as_ref())?;
        for limit in loosened {
            tracing::warn!("{limit}");
        }
        for suspicion in robot.suspicions() {
            if !self.limits.allow_suspicious {
                return Err(RuntimeError::Config(ConfigError::Value {
                    path: self.robot.clone(),
                    field: "limits".to_owned(),
                    message: format!(
                        "{suspicion} If so, correct it in robot.urdf or tighten it in the launch file; if not, set \
                         limits.allow_suspicious = true there"
                    ),
                }));
            }
            tracing::warn!("{suspicion} Taken because of limits.allow_suspicious");
        }
        Ok(Arc::new(robot))
    }

    /// Reads the scene file.
    ///
    /// # Errors
    /// [`RuntimeError::Config`], [`RuntimeError::Scene`].
    pub fn load_scene(&self) -> Result<Arc<SceneConfig>, RuntimeError> {
        let scene = SceneConfig::load(&locate(&self.scene)?);
        scene.map(Arc::new).map_err(|error| RuntimeError::Scene {
            reason: error.to_string(),
        })
    }

    /// Reads the bundle and checks that it is whole and for this robot.
    ///
    /// # Errors
    /// [`RuntimeError::Config`], [`RuntimeError::Bundle`].
    pub fn load_bundle(&self, robot: &Robot) -> Result<Bundle, RuntimeError> {
        let bundle = Bundle::load(&locate(&self.policy.model)?)?;
        bundle.check_robot(robot.name(), robot.content_hash())?;
        Ok(bundle)
    }

    /// Reads the bundle that improves on the policy's answers, and checks that it says as much at a time.
    fn load_refine_bundle(&self, robot: &Robot) -> Result<Option<Bundle>, RuntimeError> {
        let Some(refine) = &self.policy.refine else {
            return Ok(None);
        };
        let bundle = Bundle::load(&locate(&refine.model)?)?;
        bundle.check_robot(robot.name(), robot.content_hash())?;
        let quick = self.load_bundle(robot)?;
        let [own, quicks] = [&bundle, &quick].map(|bundle| {
            let action = &bundle.manifest().action;
            (action.dt_s, action.chunk, action.n_action_steps)
        });
        if own != quicks {
            return Err(RuntimeError::Config(ConfigError::Value {
                path: refine.model.clone(),
                field: "policy.refine.model".to_owned(),
                message: format!(
                    "action length (s), actions and executed actions are {own:?}, those of policy.model {quicks:?}: \
                     both have to answer for the same time"
                ),
            }));
        }
        Ok(Some(bundle))
    }

    /// Loads what improves on the policy's answers, as [`Self::load_policy`] does the policy; `None` if there is
    /// no such thing.
    ///
    /// # Errors
    /// As [`Self::load_policy`].
    pub fn load_refine(&self, robot: &Arc<Robot>) -> Result<Option<Refine>, RuntimeError> {
        let bundle = self.load_refine_bundle(robot)?;
        let Some((bundle, section)) = bundle.zip(self.policy.refine.as_ref()) else {
            return Ok(None);
        };
        let options = self.policy.runtime_options();
        let runtime = Runtime::open(&options).map_err(prehend_policy::BundleError::from)?;
        let policy = OnnxPolicy::from_bundle(&bundle, &runtime, options.warm_up_runs)?;
        let provider = policy.provider().to_owned();
        Ok(Some(Refine {
            policy: NamedPolicy {
                policy: Box::new(policy),
                provider,
            },
            within: Duration::from_millis(section.within_millis),
        }))
    }

    /// Everything that the policy node decides with.
    ///
    /// # Errors
    /// As [`Self::load_policy`].
    pub fn load_policies(&self, robot: &Arc<Robot>) -> Result<PolicySet, RuntimeError> {
        Ok(PolicySet {
            policy: self.load_policy(robot)?,
            refine: self.load_refine(robot)?,
            source: Some(self.policy_source(robot)),
        })
    }

    /// Reads the pick-and-place network with its gripper, and checks that both are whole.
    fn load_scene_bundle(&self) -> Result<(SceneBundle, Jaw), RuntimeError> {
        let bundle = SceneBundle::load(&locate(&self.policy.model)?)?;
        let gripper = &bundle.manifest.gripper;
        // A plain name: the bundle would not have loaded otherwise.
        let file = locate(format!("robots/grippers/{gripper}.toml"))?;
        let jaw = Jaw::load(&file)?;
        bundle.manifest.check_jaw(&jaw, &file)?;
        Ok((bundle, jaw))
    }

    /// As [`Self::load_bundle`]; then finds an engine for the bundle and warms it up. With a cell it is the
    /// pick-and-place network that decides.
    ///
    /// # Errors
    /// [`RuntimeError::Config`], [`RuntimeError::Bundle`].
    pub fn load_policy(&self, robot: &Arc<Robot>) -> Result<NamedPolicy, RuntimeError> {
        let options = self.policy.runtime_options();
        let open = || Runtime::open(&options).map_err(prehend_policy::BundleError::from);
        if let Some(cell) = &self.policy.cell {
            let (bundle, jaw) = self.load_scene_bundle()?;
            let network = SceneNetwork::from_bundle(&bundle, &open()?)?;
            let policy = Picker::new(network, jaw, Arc::clone(robot), cell.clone());
            return Ok(NamedPolicy {
                provider: policy.provider().to_owned(),
                policy: Box::new(policy),
            });
        }
        let bundle = self.load_bundle(robot)?;
        let runtime = open()?;
        let policy = OnnxPolicy::from_bundle(&bundle, &runtime, options.warm_up_runs)?;
        tracing::info!(
            "policy: {} on {}",
            policy.manifest().name,
            policy.provider()
        );
        let provider = policy.provider().to_owned();
        let mut policy: Box<dyn Policy> = Box::new(policy);
        if let Some(grounding) = &self.policy.grounding {
            let network = SceneBundle::load(&locate(&grounding.network)?)?;
            let network = SceneNetwork::from_bundle(&network, &runtime)?;
            policy = Box::new(Grounded::new(policy, network, grounding.cell.clone()));
        }
        Ok(NamedPolicy { policy, provider })
    }

    /// Loads other policies in place of this file's, from folders beside its own and nowhere else.
    #[must_use]
    pub fn policy_source(&self, robot: &Arc<Robot>) -> PolicySource {
        let (launch, robot) = (self.clone(), Arc::clone(robot));
        Arc::new(move |name| {
            let model = locate(&launch.policy.model)?;
            let Some(folder) = model.parent().filter(|_| is_plain_name(name)) else {
                return Err(RuntimeError::Config(ConfigError::Value {
                    path: model,
                    field: "policy.model".to_owned(),
                    message: format!("{name:?} is no name of a folder beside it"),
                }));
            };
            let mut launch = launch.clone();
            launch.policy.model = folder.join(name);
            launch.load_policy(&robot)
        })
    }

    /// Settings of the control node.
    #[must_use]
    pub fn control_settings(&self) -> ControlSettings {
        ControlSettings {
            controller: self.control.controller,
            realtime: self.control.realtime,
            valid_for: self.control.valid_for(),
        }
    }
}
