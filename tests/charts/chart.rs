//! Charts as SVG: lines over a number, and bars of peers side by side.
//!
//! Colours are classes of a style sheet within the file, so that a chart follows the reader's choice of light and dark.

use plotters::{
    chart::ChartContext,
    coord::{
        Shift,
        ranged1d::{Ranged, ValueFormatter},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::table::number;

const SIZE: (u32, u32) = (760, 400);
const FONT: &str = "sans-serif";
/// Colours that stand for classes.
const PANEL: RGBColor = RGBColor(1, 0, 0);
const INK: RGBColor = RGBColor(2, 0, 0);
const GRID: RGBColor = RGBColor(3, 0, 0);
const SERIES: usize = 6;
const STYLE: &str = "<style>\
    .panel{fill:#fff}.ink{fill:#1f2328}.inkline{stroke:#1f2328}.grid{stroke:#d8dee4}\
    .f0{fill:#0969da}.f1{fill:#bc4c00}.f2{fill:#1a7f37}.f3{fill:#8250df}.f4{fill:#bf3989}.f5{fill:#6e7781}\
    .l0{stroke:#0969da}.l1{stroke:#bc4c00}.l2{stroke:#1a7f37}.l3{stroke:#8250df}.l4{stroke:#bf3989}.l5{stroke:#6e7781}\
    @media(prefers-color-scheme:dark){.panel{fill:#161b22}.ink{fill:#e6edf3}.inkline{stroke:#e6edf3}.grid{stroke:#30363d}\
    .f0{fill:#58a6ff}.f1{fill:#f0883e}.f2{fill:#3fb950}.f3{fill:#bc8cff}.f4{fill:#f778ba}.f5{fill:#8b949e}\
    .l0{stroke:#58a6ff}.l1{stroke:#f0883e}.l2{stroke:#3fb950}.l3{stroke:#bc8cff}.l4{stroke:#f778ba}.l5{stroke:#8b949e}}\
    </style>";

/// An axis: what it has, with the unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) what: &'static str,
    pub(crate) is_logarithmic: bool,
}

/// Lines over a number.
pub(crate) struct Lines {
    pub(crate) title: &'static str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<(String, Vec<(f64, f64)>)>,
}

/// Groups of bars, one of each peer.
pub(crate) struct Bars {
    pub(crate) title: &'static str,
    /// What a bar has, with the unit.
    pub(crate) what: &'static str,
    pub(crate) groups: Vec<(String, Vec<(String, f64)>)>,
}

type Canvas<'s> = SVGBackend<'s>;
type Area<'s> = DrawingArea<Canvas<'s>, Shift>;

impl Lines {
    pub(crate) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|(_, points)| points);
        let x = range(points().map(|(x, _)| *x), self.x.is_logarithmic, false);
        let y = range(points().map(|(_, y)| *y), self.y.is_logarithmic, true);
        drawn(SIZE, |root| {
            let names: Vec<&str> = self.series.iter().map(|(name, _)| name.as_str()).collect();
            let height = head(root, self.title, if names.len() > 1 { &names } else { &[] });
            let (_, below) = root.split_vertically(height);
            let mut chart = ChartBuilder::on(&below);
            chart.margin(6).margin_right(30).margin_bottom(10).x_label_area_size(44).y_label_area_size(72);
            match (self.x.is_logarithmic, self.y.is_logarithmic) {
                (true, true) => {
                    self.draw(chart.build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale()).unwrap());
                }
                (true, false) => self.draw(chart.build_cartesian_2d((x.0..x.1).log_scale(), y.0..y.1).unwrap()),
                (false, true) => self.draw(chart.build_cartesian_2d(x.0..x.1, (y.0..y.1).log_scale()).unwrap()),
                (false, false) => self.draw(chart.build_cartesian_2d(x.0..x.1, y.0..y.1).unwrap()),
            }
        })
    }

    fn draw<'c, 's: 'c, X, Y>(&self, mut chart: ChartContext<'c, Canvas<'s>, Cartesian2d<X, Y>>)
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let text = (FONT, 13).into_font().color(&INK);
        chart
            .configure_mesh()
            .x_desc(self.x.what)
            .y_desc(self.y.what)
            .axis_desc_style(text.clone())
            .label_style(text.clone())
            .axis_style(INK)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .draw()
            .unwrap();
        for (place, (_, points)) in self.series.iter().enumerate() {
            let colour = colour(place);
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2))).unwrap();
            // Of a curve with many points, the points are the curve.
            if points.len() <= 20 {
                let dots = points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
                chart.draw_series(dots).unwrap();
            }
        }
    }
}

impl Bars {
    pub(crate) fn svg(&self) -> String {
        const BAR: i32 = 16;
        const GAP: i32 = 14;
        const LEFT: i32 = 220;
        const RIGHT: i32 = 84;
        let mut peers: Vec<&str> = Vec::new();
        for (peer, _) in self.groups.iter().flat_map(|(_, bars)| bars) {
            if !peers.contains(&&**peer) {
                peers.push(peer);
            }
        }
        let bars: i32 = self.groups.iter().map(|(_, bars)| BAR * bars.len() as i32 + GAP).sum();
        let values = self.groups.iter().flat_map(|(_, bars)| bars).map(|(_, value)| *value);
        let most = values.fold(f64::MIN_POSITIVE, f64::max);
        let (width, top) = (SIZE.0 as i32, legend_height(&peers) + 12);
        drawn((SIZE.0, u32::try_from(top + bars + 30).unwrap()), |root| {
            head(root, self.title, &peers);
            let mut y = top;
            for (name, bars) in &self.groups {
                put(root, name, (LEFT - 10, y + BAR * bars.len() as i32 / 2), 13, HPos::Right);
                for (peer, value) in bars {
                    let place = peers.iter().position(|known| known == peer).unwrap();
                    let length = (value / most * f64::from(width - LEFT - RIGHT)).round() as i32;
                    let bar = [(LEFT, y + 1), (LEFT + length.max(1), y + BAR - 1)];
                    root.draw(&Rectangle::new(bar, colour(place).filled())).unwrap();
                    put(root, &number(*value), (LEFT + length + 6, y + BAR / 2), 12, HPos::Left);
                    y += BAR;
                }
                y += GAP;
            }
            root.draw(&PathElement::new(vec![(LEFT, top - 4), (LEFT, y - GAP + 4)], INK)).unwrap();
            put(root, self.what, (LEFT, y + 8), 13, HPos::Left);
        })
    }
}

/// Draws the title, and below it what the colours mean; how much room they take.
fn head(root: &Area<'_>, title: &str, names: &[&str]) -> i32 {
    put(root, title, (SIZE.0 as i32 / 2, 24), 17, HPos::Center);
    for (place, (name, (x, y))) in names.iter().zip(legend(names)).enumerate() {
        root.draw(&Rectangle::new([(x, y - 6), (x + 12, y + 6)], colour(place).filled())).unwrap();
        put(root, name, (x + 18, y), 13, HPos::Left);
    }
    legend_height(names)
}

/// Where each name stands, in rows.
fn legend(names: &[&str]) -> Vec<(i32, i32)> {
    const LEFT: i32 = 78;
    let (mut x, mut y, mut places) = (LEFT, 52, Vec::new());
    for name in names {
        let width = 40 + 7 * name.chars().count() as i32;
        if x > LEFT && x + width > SIZE.0 as i32 {
            (x, y) = (LEFT, y + 20);
        }
        places.push((x, y));
        x += width;
    }
    places
}

fn legend_height(names: &[&str]) -> i32 {
    legend(names).last().map_or(40, |(_, y)| y + 14)
}

fn put(root: &Area<'_>, words: &str, at: (i32, i32), size: i32, horizontal: HPos) {
    let style = (FONT, size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center));
    root.draw_text(words, &style, at).unwrap();
}

fn colour(place: usize) -> RGBColor {
    RGBColor(4, 0, u8::try_from(place % SERIES).unwrap())
}

/// What is drawn on a panel of this size.
fn drawn(size: (u32, u32), draw: impl FnOnce(&Area<'_>)) -> String {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&PANEL).unwrap();
        draw(&root);
        root.present().unwrap();
    }
    classed(&svg)
}

/// The same with classes in the place of colours.
fn classed(svg: &str) -> String {
    let mut classes = vec![("010000".to_owned(), "panel".to_owned(), String::new())];
    classes.push(("020000".to_owned(), "ink".to_owned(), "inkline".to_owned()));
    classes.push(("030000".to_owned(), String::new(), "grid".to_owned()));
    for place in 0..SERIES {
        classes.push((format!("0400{place:02X}"), format!("f{place}"), format!("l{place}")));
    }
    let mut svg = svg.to_owned();
    for (colour, fill, stroke) in classes {
        svg = svg.replace(&format!("fill=\"#{colour}\""), &format!("class=\"{fill}\""));
        svg = svg.replace(&format!("stroke=\"#{colour}\""), &format!("class=\"{stroke}\""));
    }
    let head = svg.find('>').unwrap() + 1;
    svg.insert_str(head, STYLE);
    svg
}

/// From the least to the most, with some room; from zero where the axis is linear.
fn range(values: impl Iterator<Item = f64>, is_logarithmic: bool, has_room: bool) -> (f64, f64) {
    let (mut least, mut most) = (f64::MAX, f64::MIN);
    for value in values {
        (least, most) = (least.min(value), most.max(value));
    }
    match (is_logarithmic, has_room) {
        // From a power of ten.
        (true, true) => (10_f64.powf(least.max(1e-3).log10().floor()), most.max(1e-2) * 1.5),
        (true, false) => (least, most),
        (false, true) => (0.0, most * 1.08),
        (false, false) => (least.min(0.0), most),
    }
}

/// A number on an axis.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let text = format!("{value:.3}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}
