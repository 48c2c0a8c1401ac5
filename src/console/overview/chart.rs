//! Two charts over time, as numbers that the template writes into SVG: calls by how they ended, and durations.
//!
//! The page's policy forbids style attributes, so that colours are classes and everything else is an attribute of the shape.

use jiff::tz::TimeZone;

use crate::operations::overview::{Overview, Slot, Window};

pub(super) const WIDTH: f64 = 720.0;
pub(super) const HEIGHT: f64 = 190.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = HEIGHT - 22.0;
/// So many times stand below a chart.
const LABELS: usize = 6;

/// Calls as stacked bars.
pub(super) struct Bars {
    pub(super) slots: Vec<Bar>,
    pub(super) levels: Vec<Level>,
    pub(super) labels: Vec<Label>,
}

/// The calls of a slot.
pub(super) struct Bar {
    pub(super) pieces: Vec<Piece>,
    pub(super) words: String,
}

pub(super) struct Piece {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
}

/// A line across, and the value that it stands for.
pub(super) struct Level {
    pub(super) y: String,
    pub(super) words: String,
}

/// A time below.
pub(super) struct Label {
    pub(super) x: String,
    pub(super) words: String,
}

/// A percentile over time.
pub(super) struct Path {
    pub(super) class: &'static str,
    /// As `<path d>` has it.
    pub(super) line: String,
    /// The places of values that no line leads to.
    pub(super) points: Vec<(String, String)>,
}

/// Durations as lines, on a logarithmic scale.
pub(super) struct Lines {
    /// One for each percentile.
    pub(super) paths: Vec<Path>,
    pub(super) levels: Vec<Level>,
    pub(super) labels: Vec<Label>,
}

impl Bars {
    pub(super) fn of(overview: &Overview) -> Self {
        let most = overview.slots.iter().map(|slot| slot.calls.calls).max().unwrap_or_default().max(1);
        let top = rounded_up(most);
        let height = |count: u64| (BOTTOM - TOP) * ratio(count, top);
        let width = step(overview);
        let slots = overview.slots.iter().enumerate().filter(|(_, slot)| slot.calls.calls > 0).map(|(number, slot)| {
            let all = slot.calls;
            let fine = all.calls.saturating_sub(all.failed + all.in_doubt + all.ignored);
            let mut bottom = BOTTOM;
            let kinds = [(fine, "fill-1"), (all.ignored, "fill-4"), (all.in_doubt, "fill-3"), (all.failed, "fill-2")];
            let pieces = kinds.into_iter().filter(|(count, _)| *count > 0).map(|(count, class)| {
                // What needs a person is seen, however little it is.
                let least = if class == "fill-1" || class == "fill-4" { 0.5 } else { 2.0 };
                let height = height(count).max(least);
                bottom -= height;
                let x = LEFT + width * place(number) + 0.5;
                Piece {
                    class,
                    x: number_of(x),
                    y: number_of(bottom),
                    width: number_of(width - 1.0),
                    height: number_of(height),
                }
            });
            Bar { pieces: pieces.collect(), words: words(slot, overview.window) }
        });
        let levels = [top, top / 2].into_iter().filter(|level| *level > 0);
        Self {
            slots: slots.collect(),
            levels: levels
                .map(|level| Level { y: number_of(BOTTOM - height(level)), words: crate::web::show::count(&level) })
                .collect(),
            labels: labels(overview),
        }
    }
}

impl Lines {
    pub(super) fn of(overview: &Overview) -> Self {
        let took = || overview.slots.iter().filter_map(|slot| slot.calls.took).flatten();
        let least = took().fold(f64::INFINITY, f64::min);
        let most = took().fold(1.0, f64::max);
        let low = if least.is_finite() { least.log10().floor() } else { 0.0 };
        let high = most.log10().ceil().max(low + 1.0);
        let y = |ms: f64| BOTTOM - (BOTTOM - TOP) * ((ms.log10() - low) / (high - low));
        let width = step(overview);
        let x = |number: usize| LEFT + width * (place(number) + 0.5);
        let paths = [(2, "line-2"), (1, "line-3"), (0, "line-5")].map(|(which, class)| {
            let at =
                |number: usize| overview.slots.get(number).and_then(|slot| slot.calls.took).map(|took| took[which]);
            let (mut path, mut points) = (String::new(), Vec::new());
            for (number, ms) in (0..overview.slots.len()).filter_map(|number| Some((number, at(number)?))) {
                let has = |other: Option<usize>| other.and_then(at).is_some();
                let (x, y) = (number_of(x(number)), number_of(y(ms)));
                let is_begun = has(number.checked_sub(1));
                if !is_begun && !has(number.checked_add(1)) {
                    points.push((x, y));
                } else {
                    path.push_str(&format!("{}{x} {y}", if is_begun { "L" } else { "M" }));
                }
            }
            Path { class, line: path, points }
        });
        let mut levels = Vec::new();
        let mut power = low;
        while power <= high {
            let ms = 10_f64.powf(power);
            let words = if ms < 1000.0 { format!("{ms} ms") } else { format!("{} s", ms / 1000.0) };
            levels.push(Level { y: number_of(y(ms)), words });
            power += 1.0;
        }
        Self { paths: paths.into(), levels, labels: labels(overview) }
    }
}

fn words(slot: &Slot, window: Window) -> String {
    let calls = slot.calls;
    let mut words = format!("{}: {}", time(slot, window), crate::web::show::counted(&calls.calls, "call", "calls"));
    for (count, what) in [(calls.failed, "failed"), (calls.in_doubt, "in doubt"), (calls.ignored, "ignored")] {
        if count > 0 {
            words.push_str(&format!(", {} {what}", crate::web::show::count(&count)));
        }
    }
    words
}

/// When a slot begins, in the time zone of this machine.
pub(super) fn time(slot: &Slot, window: Window) -> String {
    let begin = slot.begin.to_zoned(TimeZone::system());
    let form = if window == Window::Week { "%a %d %b %H:%M" } else { "%H:%M" };
    begin.strftime(form).to_string()
}

fn labels(overview: &Overview) -> Vec<Label> {
    let every = overview.slots.len().div_ceil(LABELS).max(1);
    let slots = overview.slots.iter().enumerate().step_by(every);
    let label = |(number, slot): (usize, &Slot)| {
        let begin = slot.begin.to_zoned(TimeZone::system());
        let form = if overview.window == Window::Week { "%a %H:%M" } else { "%H:%M" };
        Label { x: number_of(LEFT + step(overview) * place(number)), words: begin.strftime(form).to_string() }
    };
    slots.map(label).collect()
}

/// The width of a slot.
fn step(overview: &Overview) -> f64 {
    (WIDTH - LEFT) / place(overview.slots.len().max(1))
}

fn place(number: usize) -> f64 {
    number as f64
}

fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of as f64
}

/// The next of 2, 4, 6, 8, 10, 20, 40 …, whose half is a whole number.
fn rounded_up(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        let found = [2, 4, 6, 8, 10].into_iter().map(|digit| digit * power).find(|level| *level >= most);
        match (found, power.checked_mul(10)) {
            (Some(level), _) => return level,
            (None, Some(next)) if next < u64::MAX / 10 => power = next,
            (None, _) => return most,
        }
    }
}

fn number_of(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_end_of_a_scale_is_a_round_number_that_can_be_halved() {
        assert_eq!([2, 2, 4, 10, 20, 80, 200, 1000], [1, 2, 3, 9, 11, 61, 101, 999].map(rounded_up));
        assert_eq!(rounded_up(u64::MAX), u64::MAX);
    }
}
