//! Turns the simulator into numbers, beside the same numbers of other simulators.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use prehend_cloud::Quotas;
use prehend_sim::{
    ArmMode, Autoreset, Batch, BatchCell, BatchConfig, FamilySet, NoiseConfig, PhysicsSettings,
    SceneConfig, World,
};
use prehend_types::Action;
use prehend_types::config::locate;

use super::bench::Body;
use crate::exit::{Failure, Verdict};
use crate::meter::{REPEATS, Row, rate};
use crate::rivals::{self, Rival};
use crate::session::{Session, cores};
use crate::workcell::{Place, Workcell};
use crate::workload::{EPISODE, Hold, Rig, Workload};

const EXAMPLES: &str = "Examples:
  prehend bench sim
  prehend bench sim --rivals rivals --json    (makes Python environments in rivals/, needs the network)
  prehend bench sim --rivals rivals --seconds 5 --rounds 5

Control steps of 50 ms per second. With --rivals, MuJoCo's batch API, robosuite and ManiSkill run the
same workloads in turn with ours, forwards and backwards. Run it on an idle machine.";

/// Worlds of a batch.
const N_SLOTS: usize = 16;
/// Points of the largest cloud.
const N_POINTS: usize = 1_024;
/// Worlds whose memory is measured.
const N_WORLDS: usize = 512;

/// Arguments of `prehend bench sim`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchSim {
    /// Folder of the rivals' Python environments; made if it is not there.
    #[arg(long, value_name = "FOLDER")]
    rivals: Option<PathBuf>,
    /// Length of one measurement, s.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How often everything that is compared is measured, in turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    #[command(flatten)]
    place: Place,
}

/// Which physics is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    /// What ships.
    Default,
    /// The longest step, one control step, and the fewest solver iterations under which the cube slips
    /// less than 0.1 mm in a hold of 5 s, and ends within 1 mm of where steps of 0.25 ms leave it.
    Equal,
    /// The same with the shipped step of 5 ms.
    EqualAt5Ms,
    /// What ships, with an arm that is where it is told to be.
    Exact,
    /// As `Equal`, with that arm.
    ExactEqual,
    /// What ships, with an arm of joint servos and equations of motion.
    Dynamic,
    /// That arm with the longest step, one control step, and the least work that meet the same bounds.
    DynamicEqual,
}

const SETTINGS: [Setting; 7] = [
    Setting::Default,
    Setting::Equal,
    Setting::EqualAt5Ms,
    Setting::Exact,
    Setting::ExactEqual,
    Setting::Dynamic,
    Setting::DynamicEqual,
];

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Equal => "equal",
            Self::EqualAt5Ms => "equal_5ms",
            Self::Exact => "exact",
            Self::ExactEqual => "exact_equal",
            Self::Dynamic => "dynamic",
            Self::DynamicEqual => "dynamic_equal",
        }
    }

    fn is_equal(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::EqualAt5Ms | Self::ExactEqual | Self::DynamicEqual
        )
    }

    fn physics(self) -> PhysicsSettings {
        let shipped = PhysicsSettings::default();
        match self {
            Self::Default => shipped,
            Self::Equal => PhysicsSettings {
                ticks_per_step: 10,
                iterations: 4,
                sweeps: 1,
                ..shipped
            },
            Self::EqualAt5Ms => PhysicsSettings {
                iterations: 2,
                sweeps: 1,
                ..shipped
            },
            Self::Exact => PhysicsSettings {
                arm: ArmMode::Exact,
                ..shipped
            },
            Self::ExactEqual => PhysicsSettings {
                arm: ArmMode::Exact,
                ..Self::Equal.physics()
            },
            Self::Dynamic => PhysicsSettings {
                arm: ArmMode::Dynamic,
                ..shipped
            },
            Self::DynamicEqual => PhysicsSettings {
                arm: ArmMode::Dynamic,
                ticks_per_step: 10,
                iterations: 2,
                sweeps: 1,
                hand_iterations: 0,
                hand_sweeps: 9,
                ..shipped
            },
        }
    }
}

/// Steps of 0.25 ms, and an arm that is where it is told to be.
fn reference() -> PhysicsSettings {
    PhysicsSettings {
        steps_per_tick: 20,
        arm: ArmMode::Exact,
        ..PhysicsSettings::default()
    }
}

/// One of our own rows that are compared.
struct Own {
    setting: Setting,
    workload: Workload,
    threads: usize,
    values: Vec<f64>,
    n: u64,
}

impl BenchSim {
    /// Measures everything.
    ///
    /// # Errors
    /// An input was refused, or a measurement failed.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        if !(0.05..=3_600.0).contains(&self.seconds) {
            return Err(Failure::usage("--seconds must be from 0.05 to 3600"));
        }
        let repeat = Duration::from_secs_f64(self.seconds / REPEATS as f64);
        let scripts = locate("crates/prehend/rivals")?;
        let cell = self.place.open()?;
        let rigs = SETTINGS.map(|setting| {
            Rig::open(&cell, &scripts, &setting.physics()).map(|rig| (setting, rig))
        });
        let rigs = rigs.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut rows = self.compared(session, &rigs, &scripts)?;
        let mut unequal = Vec::new();
        if !session.interrupt.is_set() {
            let reference = Rig::open(&cell, &scripts, &reference())?.hold();
            for (setting, rig) in &rigs {
                let hold = rig.hold();
                if setting.is_equal() && !hold.is_accurate(&reference) {
                    unequal.push(setting.name());
                }
                rows.extend(grasp(*setting, &hold, &reference));
            }
            rows.extend(resets(&cell)?);
            rows.push(memory(&cell)?);
        }
        let stereo = SceneConfig::load(&locate("scenes/stereo.toml")?)?.noise;
        for look in [None, Some(&cell.scene.noise), Some(&stereo)] {
            for threads in [1, cores()] {
                if !session.interrupt.is_set() {
                    rows.push(batch(&cell, threads, look, repeat)?);
                }
            }
        }
        if !session.interrupt.is_set() {
            rows.push(mixed(&cell, repeat)?);
        }
        let body = Body { rows };
        session.report(None, &body, &body)?;
        let shortfall = (!unequal.is_empty()).then(|| {
            let names = unequal.join(", ");
            format!("the cube is not held as equal accuracy wants it: {names}; no ratio of theirs counts")
        });
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }

    /// Our workloads and the rivals', in turn, forwards and backwards.
    fn compared(
        &self,
        session: &Session,
        rigs: &[(Setting, Rig)],
        scripts: &std::path::Path,
    ) -> Result<Vec<Row>, Failure> {
        let mut counts = vec![1, cores()];
        counts.dedup();
        let mut own: Vec<Own> = Vec::new();
        let mut others: Vec<(Rival, Vec<f64>, u64)> = Vec::new();
        for threads in counts {
            for (setting, _) in rigs {
                own.extend([Workload::Random, Workload::Grasp].map(|workload| Own {
                    setting: *setting,
                    workload,
                    threads,
                    values: Vec::new(),
                    n: 0,
                }));
            }
            if self.rivals.is_some() {
                others.extend(rivals::all(threads).into_iter().map(|r| (r, Vec::new(), 0)));
            }
        }
        if let Some(folder) = &self.rivals {
            rivals::set_up(scripts, folder)?;
        }
        for round in 0..self.rounds {
            let n_own = own.len();
            let mut order: Vec<usize> = (0..n_own + others.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                if session.interrupt.is_set() {
                    break;
                }
                if let Some(own) = own.get_mut(index) {
                    let rig = rigs.iter().find(|(setting, _)| *setting == own.setting);
                    if let Some((_, rig)) = rig {
                        own.measure(rig, self.seconds)?;
                    }
                } else if let (Some((rival, values, n)), Some(folder)) =
                    (others.get_mut(index - n_own), &self.rivals)
                    && let Some((value, counted)) = rival.measure(scripts, folder, self.seconds)?
                {
                    values.push(value);
                    *n += counted;
                }
            }
        }
        let rival_row = |(rival, values, n): &(Rival, Vec<f64>, u64)| {
            Row::new(rival.name.clone(), "1/s", *n, values.clone())
        };
        let mut rows: Vec<Row> = own.iter().map(Own::row).collect();
        rows.extend(scaling(&own));
        rows.extend(others.iter().map(rival_row));
        for own in &own {
            let same = others.iter().filter(|(rival, ..)| {
                rival.workload == own.workload
                    && rival.threads == own.threads
                    && rival.is_equal == own.setting.is_equal()
            });
            rows.extend(same.map(|other| own.row().against(&rival_row(other))));
        }
        Ok(rows)
    }
}

impl Own {
    fn name(&self) -> String {
        let (setting, workload) = (self.setting.name(), self.workload.name());
        format!("prehend/{setting}/{workload}/{}_threads", self.threads)
    }

    fn row(&self) -> Row {
        Row::new(self.name(), "1/s", self.n, self.values.clone())
    }

    fn measure(&mut self, rig: &Rig, seconds: f64) -> Result<(), Failure> {
        let repeat = Duration::from_secs_f64(seconds / REPEATS as f64);
        let workload = self.workload;
        let row = rate(
            self.name(),
            self.threads,
            repeat,
            |thread| Ok(thread as u64 * 1_000_000),
            |seed| {
                *seed += 1;
                Ok((EPISODE as u64, rig.episode(workload, *seed)))
            },
        )?;
        self.values.extend(row.value);
        self.n += row.n;
        Ok(())
    }
}

/// What all cores do together, over what one does alone.
fn scaling(own: &[Own]) -> Vec<Row> {
    let one = own.iter().filter(|own| own.threads == 1);
    one.filter_map(|one| {
        let all = own.iter().find(|all| {
            all.threads > 1 && all.workload == one.workload && all.setting == one.setting
        })?;
        let ratios = all
            .values
            .iter()
            .zip(&one.values)
            .map(|(all, one)| all / one);
        let (setting, workload) = (one.setting.name(), one.workload.name());
        let name = format!("prehend/{setting}/{workload}/all_cores_over_one");
        Some(Row::new(name, "x", all.n, ratios.collect()))
    })
    .collect()
}

/// How the workload's grasp holds, and how far from the reference the cube ends.
fn grasp(setting: Setting, hold: &Hold, reference: &Hold) -> Vec<Row> {
    let row = |what: &str, unit, value| {
        let name = format!("prehend/{}/grasp/{what}", setting.name());
        Row::new(name, unit, 1, vec![value])
    };
    vec![
        row("lifted", "", f64::from(u8::from(hold.lifted))),
        row("slip", "mm", hold.slip_mm),
        row("hold_slip", "mm", hold.hold_slip_mm),
        row("distance_from_reference", "mm", hold.mm_from(reference)),
    ]
}

/// Starting an episode of the scene that was started before, by a batch on one core, unseen and seen; and one that
/// was not.
fn resets(cell: &Workcell) -> Result<Vec<Row>, Failure> {
    let starts: Vec<(usize, u64)> = (0..N_SLOTS).zip(800_000..).collect();
    let cells = vec![batch_cell(cell, &cell.scene); N_SLOTS];
    let open = |observe| Batch::new(&cells, batch_config(cell, 1, observe));
    let (mut unseen, mut seen) = (open(false)?, open(true)?);
    let each_us = |batch: &mut Batch| -> Result<f64, Failure> {
        let start = Instant::now();
        for _ in 0..100 {
            std::hint::black_box(batch.reset(&starts)?);
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / (100 * N_SLOTS) as f64)
    };
    let (mut known, mut looked_at, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for repeat in 0..REPEATS as u64 {
        known.push(each_us(&mut unseen)?);
        looked_at.push(each_us(&mut seen)?);
        let start = Instant::now();
        for seed in 0..20 {
            std::hint::black_box(cell.world(800_000 + 20 * repeat + seed, FamilySet::All)?);
        }
        new.push(start.elapsed().as_secs_f64() * 1e6 / 20.0);
    }
    let row = |what: &str, n, values| Row::new(format!("batch/reset/{what}"), "us", n, values);
    let n_known = (REPEATS * 100 * N_SLOTS) as u64;
    Ok(vec![
        row("known_start", n_known, known),
        row("known_start_seen", n_known, looked_at),
        row("new_start", 20 * REPEATS as u64, new),
    ])
}

/// Resident memory of one world of the scene, between two steps of a batch: the mean over different starts.
fn memory(cell: &Workcell) -> Result<Row, Failure> {
    let starts = (800_000..).take(N_WORLDS);
    let starts = starts.map(|seed| cell.start(seed, FamilySet::All));
    let starts: Vec<World> = starts
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let copies = || -> Vec<World> { starts.iter().cloned().map(stepped).collect() };
    // The first go where something was freed before.
    let first = copies();
    let before = resident_kb();
    let worlds = copies();
    let after = resident_kb();
    let n = worlds.len();
    drop(std::hint::black_box((first, worlds)));
    let each = before
        .zip(after)
        .map(|(before, after)| (after - before) / n as f64);
    Ok(Row::new(
        "prehend/memory_per_world",
        "kB",
        n as u64,
        each.into_iter().collect(),
    ))
}

/// A step fills the engine's work space, which a batch takes back.
fn stepped(mut world: World) -> World {
    world.step();
    world.rest();
    world
}

/// Resident memory of this process, kB; `None` where the system does not tell.
fn resident_kb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A batch under random motions of the tool, through the controllers; if cameras look, with clouds at every step.
fn batch(
    cell: &Workcell,
    threads: usize,
    look: Option<&NoiseConfig>,
    repeat: Duration,
) -> Result<Row, Failure> {
    let mut scene = (*cell.scene).clone();
    let mut what = "states".to_owned();
    if let Some(noise) = look {
        let stereo = if noise.stereo_shadow { "_stereo" } else { "" };
        what = format!("clouds_of_{N_POINTS}{stereo}");
        scene.noise = noise.clone();
        scene.cameras.truncate(1);
        for camera in &mut scene.cameras {
            (camera.width_px, camera.height_px) = (128, 128);
        }
        scene.cloud.quotas = Quotas {
            target: N_POINTS * 3 / 8,
            receptacle: N_POINTS / 4,
            other: N_POINTS * 3 / 8,
        };
        if let Some(clutter) = &mut scene.clutter {
            clutter.min_target_points = 5;
        }
    }
    let cells = vec![batch_cell(cell, &Arc::new(scene)); N_SLOTS];
    let values = batch_rates(cell, &cells, threads, look.is_some(), repeat)?;
    let name = format!("batch/{what}/{threads}_threads");
    Ok(Row::new(name, "1/s", (N_SLOTS * EPISODE) as u64, values))
}

/// Different scenes in one batch, against batches of each scene alone: 1 is no loss.
fn mixed(cell: &Workcell, repeat: Duration) -> Result<Row, Failure> {
    let lift = Arc::new(SceneConfig::load(&locate("scenes/lift.toml")?)?);
    let scenes = [Arc::clone(&cell.scene), lift];
    let equal = scenes
        .each_ref()
        .map(|scene| vec![batch_cell(cell, scene); N_SLOTS]);
    let both: Vec<BatchCell> = (0..N_SLOTS)
        .map(|slot| batch_cell(cell, &scenes[slot % scenes.len()]))
        .collect();
    let mut ratios = Vec::new();
    for _ in 0..REPEATS {
        let rate = |cells: &[BatchCell]| -> Result<f64, Failure> {
            let values = batch_rates(cell, cells, cores(), false, repeat / 4)?;
            Ok(values.iter().sum::<f64>() / values.len() as f64)
        };
        let (first, second, together) = (rate(&equal[0])?, rate(&equal[1])?, rate(&both)?);
        // Half of the steps at each rate.
        let expected = 2.0 / (1.0 / first + 1.0 / second);
        ratios.push(together / expected);
    }
    Ok(Row::new(
        "batch/mixed_over_equal",
        "x",
        REPEATS as u64,
        ratios,
    ))
}

fn batch_cell(cell: &Workcell, scene: &Arc<SceneConfig>) -> BatchCell {
    BatchCell {
        robot: Arc::clone(&cell.robot),
        scene: Arc::clone(scene),
        families: FamilySet::Train,
    }
}

fn batch_config(cell: &Workcell, threads: usize, observe: bool) -> BatchConfig {
    BatchConfig {
        threads,
        observe,
        autoreset: Autoreset::SameStep,
        first_id: 800_000,
        settings: PhysicsSettings {
            arm: cell.arm,
            ..PhysicsSettings::default()
        },
        ..BatchConfig::default()
    }
}

fn batch_rates(
    cell: &Workcell,
    cells: &[BatchCell],
    threads: usize,
    observe: bool,
    repeat: Duration,
) -> Result<Vec<f64>, Failure> {
    let mut batch = Batch::new(cells, batch_config(cell, threads, observe))?;
    let mut values = Vec::with_capacity(REPEATS);
    let mut step = 0_u32;
    for _ in 0..REPEATS {
        let start = Instant::now();
        let mut n = 0;
        while start.elapsed() < repeat {
            let actions: Vec<Action> = (0..cells.len()).map(|slot| wander(slot, step)).collect();
            n += batch.step(&actions)?.len();
            step += 1;
        }
        values.push(n as f64 / start.elapsed().as_secs_f64());
    }
    Ok(values)
}

/// A tool that wanders over the table and opens and shuts.
fn wander(slot: usize, step: u32) -> Action {
    let phase = slot as f64 + 0.21 * f64::from(step);
    let mut action = Action::hold(if (slot as u32 + step) % 32 < 16 {
        1.0
    } else {
        0.0
    });
    action.translation.x = 0.010 * libm::sin(phase);
    action.translation.y = 0.010 * libm::cos(0.7 * phase);
    action.translation.z = 0.006 * libm::sin(0.31 * phase);
    action.rotation.z = 0.03 * libm::sin(0.5 * phase);
    action
}
