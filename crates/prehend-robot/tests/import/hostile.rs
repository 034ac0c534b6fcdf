//! Files made to hurt: large, deep, endless, or leading elsewhere.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use prehend_robot::import::{ImportOptions, load};

/// Imports and expects a refusal that holds these words. Refusals take at most 0.1 s on a free machine;
/// the bound leaves room for a busy one.
fn refused(path: &std::path::Path, words: &[&str]) {
    let start = Instant::now();
    let Err(error) = load(path, &ImportOptions::default()) else {
        panic!("{path:?} must be refused");
    };
    let (took, shown) = (start.elapsed(), error.to_string());
    for word in words {
        assert!(shown.contains(word), "{word:?} is not in: {shown}");
    }
    assert!(took < Duration::from_secs(5), "{took:?}: {shown}");
}

fn text(name: &str, content: impl AsRef<[u8]>, words: &[&str]) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("temporary file");
    refused(&path, words);
}

#[test]
fn a_gigabyte_is_not_read() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("large.urdf");
    let file = File::create(&path).expect("temporary file");
    file.set_len(1 << 30).expect("a sparse file");
    refused(&path, &["1073741824 bytes", "more than the 16777216"]);

    let mesh = folder.path().join("large.stl");
    File::create(&mesh)
        .and_then(|file| file.set_len(1 << 30))
        .expect("a sparse file");
    let path = folder.path().join("small.urdf");
    let model = r#"<robot name="r"><link name="l"><collision><geometry><mesh filename="large.stl"/></geometry>
        </collision></link></robot>"#;
    fs::write(&path, model).expect("temporary file");
    refused(&path, &["small.urdf:1:", "large.stl", "1073741824 bytes"]);
}

#[test]
fn ten_thousand_levels_are_refused() {
    let deep = |root: &str, tag: &str| {
        format!(
            "<{root} name=\"r\">\n{}{}</{root}>",
            format!("<{tag}>").repeat(10_000),
            format!("</{tag}>").repeat(10_000)
        )
    };
    text(
        "deep.urdf",
        deep("robot", "a"),
        &["deep.urdf:2:", "nested deeper than 200"],
    );
    text(
        "deep.xml",
        deep("mujoco", "body"),
        &["deep.xml:2:", "nested deeper than 200"],
    );
    text(
        "open.xml",
        "<mujoco>".repeat(10_000),
        &["nested deeper than 200"],
    );
}

/// Each file is within the limit; spliced into each other they are a thousand levels deep.
#[test]
fn includes_nested_in_each_other_are_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |n: usize, include: &str| {
        let (open, close) = ("<body>".repeat(60), "</body>".repeat(60));
        let content = format!("<mujoco>\n<worldbody>{open}{include}{close}</worldbody></mujoco>");
        fs::write(folder.path().join(format!("part{n}.xml")), content).expect("temporary file");
    };
    for n in 0..16 {
        write(n, &format!("<include file=\"part{}.xml\"/>", n + 1));
    }
    write(16, "");
    let main = folder.path().join("part0.xml");
    refused(
        &main,
        &["part3.xml:2:", "nested deeper than 200 through includes"],
    );
    // Three of them are within the limit: whatever else is wrong with them, it is not their depth.
    write(2, "");
    if let Err(error) = load(&main, &ImportOptions::default()) {
        assert!(!error.to_string().contains("nested"), "{error}");
    }
}

#[test]
fn entities_are_never_expanded() {
    let mut bomb = "<!DOCTYPE r [<!ENTITY a0 \"aaaaaaaaaa\">".to_owned();
    for level in 1..30 {
        let reference = format!("&a{};", level - 1).repeat(10);
        bomb += &format!("<!ENTITY a{level} \"{reference}\">");
    }
    bomb += "]><robot name=\"&a29;\"/>";
    text("bomb.urdf", bomb, &["bomb.urdf:1:", "DTD"]);
}

#[test]
fn what_costs_a_parser_much_costs_little() {
    let many = "<b x=\"\"/>".repeat(300_000);
    text(
        "nodes.urdf",
        format!("<robot name=\"r\">{many}</robot>"),
        &["nodes"],
    );
    let attributes: String = (0..500_000).map(|i| format!(" a{i}=\"\"")).collect();
    text(
        "attributes.xml",
        format!("<mujoco{attributes}/>"),
        &["256 attributes"],
    );
    let links: String = (0..60_000)
        .map(|i| format!("<link name=\"l{i}\"/>\n"))
        .collect();
    text(
        "links.urdf",
        format!("<robot name=\"r\">{links}</robot>"),
        &["60000 links"],
    );
    let bodies = "<body/>\n".repeat(60_000);
    text(
        "bodies.xml",
        format!("<mujoco><worldbody>{bodies}</worldbody></mujoco>"),
        &["more than 1000 bodies"],
    );
    text(
        "spaces.urdf",
        " ".repeat(10 << 20),
        &["not a readable URDF or MJCF"],
    );
    text(
        "brackets.urdf",
        "<".repeat(1 << 20),
        &["not a readable URDF or MJCF"],
    );
    text(
        "comments.urdf",
        "<!-- ".repeat(1 << 20),
        &["not a readable URDF or MJCF"],
    );
}

#[test]
fn a_thousand_mesh_colliders_of_one_file_are_read_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mesh = crate::corpus("good/meshes/ell.obj");
    fs::copy(mesh, folder.path().join("ell.obj")).expect("a mesh");
    let collision = r#"<collision><geometry><mesh filename="ell.obj"/></geometry></collision>"#;
    let model = format!(
        r#"<robot name="r"><link name="a">{}</link><link name="b"/><joint name="j" type="revolute">
        <parent link="a"/><child link="b"/><axis xyz="0 0 1"/>
        <limit lower="-1" upper="1" velocity="1" effort="1"/></joint></robot>"#,
        collision.repeat(1000)
    );
    let path = folder.path().join("many.urdf");
    fs::write(&path, model).expect("temporary file");
    let start = Instant::now();
    let imported = load(&path, &ImportOptions::default()).expect("many colliders");
    assert!(imported.robot.links()[0].shapes.len() >= 2000);
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}

#[cfg(unix)]
#[test]
fn links_out_of_the_folder_and_devices_are_not_followed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let link = folder.path().join("link.stl");
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
    let path = folder.path().join("r.urdf");
    let model = r#"<robot name="r"><link name="l"><collision><geometry><mesh filename="link.stl"/></geometry>
        </collision></link></robot>"#;
    fs::write(&path, model).expect("temporary file");
    refused(&path, &["leads out of the robot's folder"]);

    refused(
        std::path::Path::new("/dev/zero"),
        &["/dev/zero", "not a regular file"],
    );
    refused(folder.path(), &["not a regular file"]);
}

#[test]
fn a_package_is_found_above_the_file_and_nothing_beside_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let package = folder.path().join("little_description");
    for sub in ["urdf", "meshes"] {
        fs::create_dir_all(package.join(sub)).expect("folders");
    }
    fs::write(package.join("package.xml"), "<package/>").expect("a file");
    for place in [package.join("meshes"), folder.path().to_owned()] {
        fs::copy(crate::corpus("good/meshes/box.stl"), place.join("box.stl")).expect("a mesh");
    }
    let path = package.join("urdf/r.urdf");
    let model = |name: &str| {
        format!(
            r#"<robot name="r"><link name="a"><collision><geometry><mesh filename="{name}"/></geometry></collision>
            </link><link name="b"/><joint name="j" type="revolute"><parent link="a"/><child link="b"/>
            <axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="1" effort="1"/></joint></robot>"#
        )
    };
    for name in [
        "package://little_description/meshes/box.stl",
        "../meshes/box.stl",
    ] {
        fs::write(&path, model(name)).expect("a model");
        let imported =
            load(&path, &ImportOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(imported.robot.links()[0].shapes.len(), 1);
    }
    for name in ["../../box.stl", "package://little_description/../box.stl"] {
        fs::write(&path, model(name)).expect("a model");
        refused(&path, &["leads out of the robot's folder"]);
    }
    // Unless the user says that it may.
    fs::write(&path, model("../../box.stl")).expect("a model");
    let options = ImportOptions {
        roots: vec![folder.path().to_owned()],
        ..ImportOptions::default()
    };
    assert!(load(&path, &options).is_ok());
}
