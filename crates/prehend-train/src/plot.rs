//! Curves as one self-contained HTML page.

use std::fmt::Write as _;

use crate::metrics::LogLine;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 56.0;

/// A value over the steps; steps at which it was not measured are left out.
pub(crate) struct Curve<L> {
    pub name: &'static str,
    pub colour: &'static str,
    pub value: fn(&L) -> Option<f64>,
}

/// Some curves in one picture.
pub(crate) struct Chart<L> {
    pub title: &'static str,
    pub curves: Vec<Curve<L>>,
    /// Logarithmic as far as values reach; else from 0 to 1.
    pub is_logarithmic: bool,
}

/// The page of a run's log.
pub(crate) fn page<L: LogLine>(lines: &[L]) -> String {
    let charts = L::charts();
    let body: String = charts.iter().map(|chart| draw(chart, lines)).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>prehend training</title>\
         <style>body{{font:14px system-ui;margin:24px;color:#1f2937}}\
         text{{font:11px system-ui;fill:#374151}}</style><h1>Training</h1>{body}</html>\n"
    )
}

fn draw<L: LogLine>(chart: &Chart<L>, lines: &[L]) -> String {
    let Chart {
        title,
        curves,
        is_logarithmic,
    } = chart;
    let scaled = |value: f64| {
        if *is_logarithmic {
            libm::log10(value.max(1e-9))
        } else {
            value
        }
    };
    let points: Vec<Vec<(f64, f64)>> = curves
        .iter()
        .map(|curve| {
            let point = |l: &L| Some((l.step() as f64, scaled((curve.value)(l)?)));
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
    let (mut low, mut high) = if *is_logarithmic {
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
        let shown = if *is_logarithmic {
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
