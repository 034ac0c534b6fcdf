//! What a launch file may say, and what is said about one that is wrong.

use std::path::{Path, PathBuf};

use prehend_control::rt::MissPolicy;
use prehend_runtime::{LaunchFile, NodeKind};
use prehend_types::config::locate;

fn demo_text() -> String {
    std::fs::read_to_string(locate("launch/demo.toml").expect("exists")).expect("readable")
}

/// Every launch file of the project.
fn shipped() -> Vec<PathBuf> {
    let folder = locate("launch").expect("exists");
    let entries = std::fs::read_dir(folder).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let files: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    assert!(files.len() >= 4, "{files:?}");
    files
}

/// The error of the demo's file with one line replaced, and the number of that line.
fn error_with(line: &str, replacement: &str) -> (String, usize) {
    let text = demo_text();
    let at = text
        .lines()
        .position(|l| l.starts_with(line))
        .expect("the line is there");
    let lines: Vec<&str> = text.lines().collect();
    let mut changed = lines.clone();
    changed[at] = replacement;
    let error = LaunchFile::parse(&changed.join("\n"), Path::new("launch/changed.toml"))
        .expect_err("must be refused");
    (error.to_string(), at + 1)
}

fn check(line: &str, replacement: &str, wanted: &[&str]) {
    let (shown, at) = error_with(line, replacement);
    assert!(
        shown.starts_with(&format!("launch/changed.toml:{at}: ")),
        "line {at}: {shown}"
    );
    for wanted in wanted {
        assert!(shown.contains(wanted), "{wanted:?} is not in: {shown}");
    }
}

#[test]
fn every_launch_file_here_is_valid() {
    for path in shipped() {
        let file = LaunchFile::load(&path).expect("valid");
        assert!(file.wires(NodeKind::Driver).listen.is_some());
        let control = file.link_config(NodeKind::Control);
        assert_eq!(control.connect.len(), 2, "control hears driver and policy");
    }
}

#[test]
fn misspelt_keys_are_named_with_the_nearest() {
    check(
        "valid_for_millis",
        "valid_for_milis = 50",
        &["valid_for_milis", "valid_for_millis"],
    );
    check("camera_rate_hz", "camera_rate = 10", &["camera_rate"]);
}

#[test]
fn deadlines_have_a_policy_and_a_range() {
    check(
        "rate_hz",
        "deadlines.state = { after_millis = 0, policy = \"hold\" }",
        &["control.controller.deadlines.state.after_millis", "0.01"],
    );
    check(
        "rate_hz",
        "deadlines.state = { after_millis = 20, policy = \"halt\" }",
        &["halt", "hold"],
    );
    let file = demo_text().replace(
        "rate_hz = 500",
        "deadlines.state = { after_millis = 20, policy = \"hold\" } #",
    );
    let file = LaunchFile::parse(&file, Path::new("launch/changed.toml")).expect("valid");
    let deadlines = file.control.controller.deadlines;
    assert_eq!(deadlines.state.policy, MissPolicy::Hold);
    assert_eq!(deadlines.wake.policy, MissPolicy::Warn, "as by default");
}

#[test]
fn values_out_of_range_are_named() {
    check(
        "rate_hz",
        "rate_hz = 5000",
        &["control.controller.rate_hz", "4000"],
    );
    check(
        "rate_hz = 500",
        "rate_hz = nan",
        &["control.controller.rate_hz"],
    );
    check(
        "camera_rate_hz",
        "camera_rate_hz = 0",
        &["driver.sim.camera_rate_hz"],
    );
    check(
        "valid_for_millis",
        "valid_for_millis = 3",
        &["control.valid_for_millis"],
    );
    check(
        "valid_for_millis",
        "valid_for_millis = 900",
        &["max_valid_for_millis"],
    );
    check(
        "fifo_priority",
        "fifo_priority = 100",
        &["control.realtime.fifo_priority"],
    );
    check("episodes", "episodes = 0", &["operator.episodes"]);
    check(
        "max_valid_for_millis",
        "command_rate_hz = 1000",
        &["control.controller.rate_hz"],
    );
    check(
        "rate_hz",
        "state_rate_hz = 100",
        &["control.controller.state_rate_hz", "200"],
    );
    check("provider", "provider = \"gpu\"", &["gpu"]);
}

#[test]
fn a_cell_may_tighten_limits_and_loosens_them_only_on_request() {
    let loaded = |limits: &str| {
        let text = format!("{}\n{limits}", demo_text());
        let file = LaunchFile::parse(&text, Path::new("launch/changed.toml")).expect("valid");
        file.load_robot()
    };
    let joint = "[[limits.joint]]\nname = \"fr3_joint1\"\nmax_speed_rad_per_s";
    let robot = loaded(&format!("{joint} = 0.5")).expect("tighter");
    assert_eq!(robot.limits().dq_max[0], 0.5);
    let error = loaded(&format!("{joint} = 9.0")).expect_err("looser");
    assert!(error.to_string().contains("allow_looser"), "{error}");
    let asked = format!("[limits]\nallow_looser = true\n{joint} = 9.0");
    assert_eq!(loaded(&asked).expect("asked for").limits().dq_max[0], 9.0);
}

#[test]
fn an_arm_whose_limits_look_like_degrees_is_run_only_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = locate("robots/fr3").expect("robots/fr3");
    for name in ["robot.toml", "robot.urdf", "actuators.toml"] {
        let text = std::fs::read_to_string(own.join(name)).expect(name);
        // Joint 1's stop, 2.7437 rad.
        let text = text.replace("upper=\"2.7437\"", "upper=\"157.2\"");
        std::fs::write(folder.path().join(name), text).expect(name);
    }
    let robot = format!("robot = {:?}", folder.path());
    let loaded = |limits: &str| {
        let text = demo_text().replace("robot = \"robots/fr3\"", &robot);
        let text = format!("{text}\n{limits}");
        let file = LaunchFile::parse(&text, Path::new("launch/changed.toml")).expect("valid");
        file.load_robot()
    };
    let error = loaded("").expect_err("degrees").to_string();
    for wanted in ["fr3_joint1", "157.2", "degrees", "limits.allow_suspicious"] {
        assert!(error.contains(wanted), "{wanted:?} is not in: {error}");
    }
    let asked = loaded("[limits]\nallow_suspicious = true").expect("asked for");
    assert_eq!(asked.limits().q_max[0], 157.2);
    let joint = "[[limits.joint]]\nname = \"fr3_joint1\"\nmax_rad";
    let tightened = loaded(&format!("{joint} = 2.7")).expect("tightened");
    assert_eq!(tightened.limits().q_max[0], 2.7);
}

#[test]
fn who_supplies_roles_is_checked() {
    let text = std::fs::read_to_string(locate("launch/unmarked.toml").expect("exists"));
    let text = text.expect("readable");
    let refused = |text: &str| {
        let error = LaunchFile::parse(text, Path::new("launch/changed.toml"));
        error.expect_err("must be refused").to_string()
    };
    let area = "{ min_m = [0.25, -0.45], max_m = [0.80, 0.45] }";
    let flat = text.replacen(area, "{ min_m = [0.25, 0.45], max_m = [0.80, 0.45] }", 1);
    assert!(refused(&flat).contains("policy.grounding.cell"));
    let cell = format!("cell = {{ pick = {area}, place = {area}, cameras_m = [[1.0, 0.0, 1.0]] }}");
    let both = text.replace("lead_millis = 25", &format!("lead_millis = 25\n{cell}"));
    assert!(refused(&both).contains("take one of the two out"));
}

#[test]
fn what_improves_on_answers_has_a_time_and_answers_for_as_long() {
    check(
        "within_millis",
        "within_millis = 0",
        &["policy.refine.within_millis", "from 1 to 1000"],
    );
    let unmarked = std::fs::read_to_string(locate("launch/unmarked.toml").expect("exists"));
    let refine = "[policy.refine]\nmodel = \"models/fr3_pick_place_teacher\"\n\n[policy.wires]";
    let both = unmarked
        .expect("readable")
        .replace("[policy.wires]", refine);
    let error = LaunchFile::parse(&both, Path::new("launch/both.toml")).expect_err("two roles");
    assert!(error.to_string().contains("policy.grounding"), "{error}");

    let text = demo_text();
    let demo = LaunchFile::parse(&text, Path::new("launch/demo.toml")).expect("valid");
    demo.check_files().expect("both answer for as long");
    let network = text.replace(
        "model = \"models/fr3_pick_place_teacher\"",
        "model = \"models/pick-place\"",
    );
    let wrong = LaunchFile::parse(&network, Path::new("launch/wrong.toml")).expect("is a folder");
    assert!(wrong.check_files().is_err(), "no flow policy");
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_provider_that_is_not_built_is_refused() {
    check(
        "provider",
        "provider = \"cuda\"",
        &["policy.provider", "--features cuda"],
    );
}

#[test]
fn the_data_flow_must_be_what_the_nodes_do() {
    check(
        "sends = [\"command\", \"statistics\"]",
        "sends = [\"comand\"]",
        &["control.wires.sends", "comand"],
    );
    check(
        "sends = [\"command\", \"statistics\"]",
        "sends = []",
        &["`command` is missing"],
    );
    check(
        "receives = [\"status\", \"chunk\"]",
        "receives = [\"status\", \"status\", \"chunk\"]",
        &["twice"],
    );
    check(
        "connect = [\"driver\", \"policy\"]",
        "connect = [\"driver\"]",
        &["`policy` sends `chunk` to `control`", "\"policy\""],
    );
    check(
        "connect = [\"driver\", \"policy\", \"control\"]",
        "connect = [\"driver\", \"policy\"]",
        &["`control` sends `statistics` to `operator`", "\"control\""],
    );
    check(
        "connect = [\"driver\"]",
        "connect = [\"motors\"]",
        &["motors"],
    );
    check(
        "connect = [\"driver\"]",
        "connect = [\"policy\"]",
        &["itself"],
    );
    check(
        "connect = [\"driver\"]",
        "connect = [\"operator\"]",
        &["listens on nothing"],
    );
}

#[test]
fn the_recorder_follows_the_control_rate_unless_told_otherwise() {
    let text = demo_text().replace("rate_hz = 500 #", "rate_hz = 1000 #");
    let file = LaunchFile::parse(&text, Path::new("x.toml")).expect("valid");
    assert_eq!(file.control.controller.rate_hz, 1000.0);
    assert_eq!(file.driver.sim.command_rate_hz, 1000.0);
}

#[test]
fn two_nodes_on_one_endpoint_are_named() {
    let text = demo_text().replace("tcp/127.0.0.1:0", "tcp/127.0.0.1:7450");
    let error = LaunchFile::parse(&text, Path::new("x.toml")).expect_err("twice");
    let shown = error.to_string();
    for word in [
        "driver.wires.listen_commands",
        "`driver.wires.listen` already",
        "7450",
    ] {
        assert!(shown.contains(word), "{word:?} is not in: {shown}");
    }
}

#[test]
fn endpoints_beyond_this_machine_are_refused() {
    let text = demo_text().replacen("tcp/127.0.0.1:0", "tcp/0.0.0.0:7450", 1);
    let error = LaunchFile::parse(&text, Path::new("x.toml")).expect_err("remote");
    let shown = error.to_string();
    for word in ["driver.wires.listen", "unencrypted", "prehend certs new"] {
        assert!(shown.contains(word), "{word:?} is not in: {shown}");
    }
}

/// A launch file may open nothing by itself: whoever wants more has to write it.
#[test]
fn shipped_files_listen_on_this_machine_or_encrypted_and_never_everywhere() {
    for path in shipped() {
        let file = LaunchFile::load(&path).expect("valid");
        for node in NodeKind::ALL {
            let config = file.link_config(node);
            let listened = [
                &config.listen,
                &config.listen_commands,
                &config.listen_statistics,
            ];
            for endpoint in listened.into_iter().flatten() {
                let (protocol, address) = endpoint.split_once('/').expect("an endpoint");
                assert_eq!(
                    protocol == "tls",
                    config.tls.is_some(),
                    "{path:?}: {endpoint}"
                );
                let (host, _) = address.rsplit_once(':').expect("a port");
                assert_eq!(host, "127.0.0.1", "{path:?}: {endpoint}");
            }
        }
        let commands = &file.driver.wires.listen_commands;
        assert_eq!(
            file.link_config(NodeKind::Control).connect_commands,
            [commands.clone().expect("a session of their own")]
        );
    }
}

#[test]
fn certificates_want_encrypted_endpoints_and_these_want_certificates() {
    let tls = "[link]\ntls = { folder = \"certs\" }";
    let text = demo_text().replacen("[link]", tls, 1);
    let error = LaunchFile::parse(&text, Path::new("x.toml")).expect_err("mixed");
    let shown = error.to_string();
    assert!(
        shown.contains("driver.wires.listen") && shown.contains("`tls/…`"),
        "{shown}"
    );
    let encrypted = text.replace("tcp/", "tls/");
    let mut file = LaunchFile::parse(&encrypted, Path::new("x.toml")).expect("valid");
    file.choose_ports().expect("free ports");
    let listens = file.driver.wires.listen.clone().expect("listens");
    assert!(listens.starts_with("tls/127.0.0.1:") && !listens.ends_with(":0"));
    let control = file.link_config(NodeKind::Control).tls.expect("encrypted");
    assert!(control.certificate.ends_with("certs/controller.pem"));

    let error = LaunchFile::parse(&demo_text().replace("tcp/", "tls/"), Path::new("x.toml"));
    let shown = error.expect_err("no certificates").to_string();
    assert!(shown.contains("without certificates"), "{shown}");
    let anywhere = encrypted.replacen("127.0.0.1", "0.0.0.0", 1);
    let error = LaunchFile::parse(&anywhere, Path::new("x.toml")).expect_err("everywhere");
    assert!(error.to_string().contains("every network"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = LaunchFile::load(Path::new("launch/none.toml")).expect_err("missing");
    assert!(error.to_string().contains("launch/none.toml"), "{error}");
}

#[test]
fn an_unknown_node_is_named() {
    let error = "motor".parse::<NodeKind>().expect_err("unknown");
    assert!(error.to_string().contains("motor") && error.to_string().contains("control"));
}
