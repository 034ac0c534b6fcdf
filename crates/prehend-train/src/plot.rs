//! Curves as one self-contained HTML page.

use std::fmt::Write as _;

use crate::metrics::MetricLine;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 56.0;

struct Curve {
    name: &'static str,
    colour: &'static str,
    value: fn(&MetricLine) -> Option<f64>,
}

/// The page.
pub(crate) fn page(lines: &[MetricLine]) -> String {
    let losses = [
        Curve {
            name: "training loss",
            colour: "#6b7c93",
            value: |l| l.loss,
        },
        Curve {
            name: "validation loss",
            colour: "#c2410c",
            value: |l| l.validation_loss,
        },
    ];
    let errors = [
        Curve {
            name: "translation, mm per action",
            colour: "#1d4ed8",
            value: |l| l.validation_translation_m.map(|v| 1e3 * v),
        },
        Curve {
            name: "rotation, mrad per action",
            colour: "#047857",
            value: |l| l.validation_rotation_rad.map(|v| 1e3 * v),
        },
    ];
    let success = [Curve {
        name: "success rate",
        colour: "#7e22ce",
        value: |l| l.success_rate,
    }];
    let mut body = String::new();
    body.push_str(&chart("Loss (logarithmic)", &losses, lines, true));
    body.push_str(&chart(
        "Error of sampled actions on validation episodes",
        &errors,
        lines,
        true,
    ));
    body.push_str(&chart(
        "Success of validation rollouts",
        &success,
        lines,
        false,
    ));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>prehend training</title>\
         <style>body{{font:14px system-ui;margin:24px;color:#1f2937}}\
         text{{font:11px system-ui;fill:#374151}}</style><h1>Training</h1>{body}</html>\n"
    )
}

fn chart(title: &str, curves: &[Curve], lines: &[MetricLine], logarithmic: bool) -> String {
    let scaled = |value: f64| {
        if logarithmic {
            libm::log10(value.max(1e-9))
        } else {
            value
        }
    };
    let points: Vec<Vec<(f64, f64)>> = curves
        .iter()
        .map(|curve| {
            let point = |l: &MetricLine| Some((l.step as f64, scaled((curve.value)(l)?)));
            lines
                .iter()
                .filter_map(point)
                .filter(|(_, y)| y.is_finite())
                .collect()
        })
        .collect();
    let all = || points.iter().flatten();
    if all().next().is_none() {
        return String::new();
    }
    let last = all().map(|p| p.0).fold(1.0, f64::max);
    let (mut low, mut high) = if logarithmic {
        (
            all().map(|p| p.1).fold(f64::MAX, f64::min),
            all().map(|p| p.1).fold(f64::MIN, f64::max),
        )
    } else {
        (0.0, 1.0)
    };
    if high - low < 1e-6 {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let x = |step: f64| MARGIN + (WIDTH - 2.0 * MARGIN) * step / last;
    let y = |value: f64| HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * (value - low) / (high - low);
    let mut svg =
        format!("<h2>{title}</h2><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\">");
    for tick in 0..=4 {
        let value = low + (high - low) * f64::from(tick) / 4.0;
        let shown = if logarithmic {
            libm::pow(10.0, value)
        } else {
            value
        };
        let _ = write!(
            svg,
            "<line x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#e5e7eb\"/>\
             <text x=\"4\" y=\"{:.1}\">{shown:.3}</text>",
            WIDTH - MARGIN,
            y(value),
            y(value),
            y(value) + 4.0,
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{MARGIN}\" y=\"{:.1}\">step 0</text><text x=\"{:.1}\" y=\"{:.1}\">{last:.0}</text>",
        HEIGHT - MARGIN + 18.0,
        WIDTH - MARGIN - 20.0,
        HEIGHT - MARGIN + 18.0,
    );
    for (index, (curve, points)) in curves.iter().zip(&points).enumerate() {
        let path: String = points
            .iter()
            .map(|(px, py)| format!("{:.1},{:.1} ", x(*px), y(*py)))
            .collect();
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" points=\"{path}\"/>\
             <text x=\"{:.1}\" y=\"20\" style=\"fill:{}\">{}</text>",
            curve.colour,
            MARGIN + 220.0 * index as f64,
            curve.colour,
            curve.name,
        );
    }
    svg.push_str("</svg>");
    svg
}
