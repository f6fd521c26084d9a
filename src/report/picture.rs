//! The report's picture, drawn in this process: a PNG.

use std::sync::Once;

use jiff::SignedDuration;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::SPAN;
use super::figures::{Figures, FixTimes, FixedBy};
use crate::slack::text::age;
use crate::text::cut;

const WIDTH: u32 = 1000;
/// The open findings, above.
const OPEN_HEIGHT: u32 = 380;
/// Each rule's pair of bars, in the middle.
const RULE_HEIGHT: u32 = 54;
/// By whom, below.
const FIXED_HEIGHT: u32 = 150;
/// Between two parts.
const GAP: u32 = 20;
/// A part's title.
const TITLE_HEIGHT: u32 = 56;

const INK: RGBColor = RGBColor(33, 37, 41);
const FAINT: RGBColor = RGBColor(206, 212, 218);
const OPEN: RGBColor = RGBColor(214, 69, 65);
const MEDIAN: RGBColor = RGBColor(29, 53, 87);
const NINETIETH: RGBColor = RGBColor(129, 161, 193);
const PEOPLE: RGBColor = RGBColor(42, 157, 143);
const AUTOMATIC: RGBColor = RGBColor(233, 150, 70);
const ELSEWHERE: RGBColor = RGBColor(173, 181, 189);

/// How many rules have bars; the others are told in words.
const RULES: usize = 5;

/// Why the picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PictureError(String);

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn = Result<(), PictureError>;

fn failed(error: impl std::fmt::Display) -> PictureError {
    PictureError(error.to_string())
}

/// Lambda has no fonts: ours is in the binary.
fn font() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // It parses: the test draws with it.
        _ = register_font(
            "sans-serif",
            FontStyle::Normal,
            epaint_default_fonts::UBUNTU_LIGHT,
        );
    });
}

/// Draws the figures; a PNG of 1000 pixels' width.
pub(super) fn draw(figures: &Figures) -> Result<Vec<u8>, PictureError> {
    font();
    let rules = figures.times.len().clamp(1, RULES) as u32;
    let middle = TITLE_HEIGHT + rules * RULE_HEIGHT + GAP;
    let height = OPEN_HEIGHT + middle + FIXED_HEIGHT;
    let mut pixels = vec![0; (WIDTH * height * 3) as usize];
    {
        let canvas = BitMapBackend::with_buffer(&mut pixels, (WIDTH, height)).into_drawing_area();
        canvas.fill(&WHITE).map_err(failed)?;
        let (above, rest) = canvas.split_vertically(OPEN_HEIGHT);
        let (middle, below) = rest.split_vertically(middle);
        open_findings(&above, figures)?;
        fix_times(&middle, figures)?;
        fixed_by(&below, &figures.fixed_by)?;
        canvas.present().map_err(failed)?;
    }
    encode(&pixels, height)
}

fn encode(pixels: &[u8], height: u32) -> Result<Vec<u8>, PictureError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, WIDTH, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

fn style(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn write(canvas: &Canvas, text: &str, size: u32, place: (i32, i32)) -> Drawn {
    canvas
        .draw(&Text::new(text.to_owned(), place, style(size)))
        .map_err(failed)
}

fn bar(canvas: &Canvas, color: RGBColor, from: (i32, i32), to: (i32, i32)) -> Drawn {
    canvas
        .draw(&Rectangle::new([from, to], color.filled()))
        .map_err(failed)
}

fn open_findings(canvas: &Canvas, figures: &Figures) -> Drawn {
    let most = figures
        .open
        .iter()
        .copied()
        .max()
        .unwrap_or_default()
        .max(4);
    let days = figures.open.len().saturating_sub(1);
    write(canvas, "Open findings over 30 days", 30, (24, 14))?;
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(TITLE_HEIGHT)
        .margin_left(8)
        .margin_right(48)
        .margin_bottom(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0..days, 0..most + most.div_ceil(10))
        .map_err(failed)?;
    let begin = figures.until - SPAN;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(FAINT)
        .axis_style(FAINT)
        .label_style(style(20))
        .x_labels(7)
        .y_labels(5)
        .x_label_formatter(&|day| {
            let at =
                begin + SignedDuration::from_hours(24 * i64::try_from(*day).unwrap_or_default());
            at.strftime("%-d %b").to_string()
        })
        .draw()
        .map_err(failed)?;
    let points = || figures.open.iter().copied().enumerate();
    let area = AreaSeries::new(points(), 0, OPEN.mix(0.25)).border_style(OPEN.stroke_width(3));
    chart.draw_series(area).map_err(failed)?;
    Ok(())
}

/// The rules with the most fixes, a pair of bars each.
fn fix_times(canvas: &Canvas, figures: &Figures) -> Drawn {
    write(canvas, "Time to fix, by rule", 30, (24, 8))?;
    bar(canvas, MEDIAN, (480, 18), (500, 34))?;
    write(canvas, "median", 20, (508, 16))?;
    bar(canvas, NINETIETH, (620, 18), (640, 34))?;
    write(canvas, "90th percentile", 20, (648, 16))?;
    let mut rules: Vec<(&str, &FixTimes)> = figures
        .times
        .iter()
        .map(|(rule, times)| (rule.as_str(), times))
        .collect();
    rules.sort_by_key(|(_, times)| std::cmp::Reverse(times.fixes));
    rules.truncate(RULES);
    if rules.is_empty() {
        return write(canvas, "Nothing was fixed.", 22, (24, 60));
    }
    let longest = rules
        .iter()
        .map(|(_, times)| times.ninetieth)
        .max()
        .unwrap_or_default();
    for (row, (rule, times)) in (0..).zip(rules) {
        let top = TITLE_HEIGHT.cast_signed() + row * RULE_HEIGHT.cast_signed();
        write(canvas, &cut(rule, 38), 20, (24, top + 8))?;
        timed_bar(canvas, MEDIAN, times.median, longest, top)?;
        timed_bar(canvas, NINETIETH, times.ninetieth, longest, top + 23)?;
    }
    Ok(())
}

fn timed_bar(
    canvas: &Canvas,
    color: RGBColor,
    time: SignedDuration,
    longest: SignedDuration,
    top: i32,
) -> Drawn {
    let end = 400
        + share(
            time.as_secs().unsigned_abs(),
            longest.as_secs().unsigned_abs(),
            440,
        )
        .max(3);
    bar(canvas, color, (400, top), (end, top + 20))?;
    write(canvas, &age(time.as_secs()), 18, (end + 8, top + 1))
}

/// Draws the bar of fixes, in a part for each of those who fixed.
fn fixed_by(canvas: &Canvas, by: &FixedBy) -> Drawn {
    write(canvas, "Fixed by", 30, (24, 8))?;
    let FixedBy {
        people,
        automatic,
        elsewhere,
    } = *by;
    let all = people + automatic + elsewhere;
    if all == 0 {
        return write(canvas, "Nobody fixed anything.", 22, (24, 60));
    }
    let parts = [
        ("people", people, PEOPLE),
        ("auto-response", automatic, AUTOMATIC),
        ("others", elsewhere, ELSEWHERE),
    ];
    let (mut left, mut legend) = (24, 24);
    for (name, number, color) in parts {
        let right = left + share(number, all, 952);
        if number > 0 {
            bar(canvas, color, (left, 54), (right, 90))?;
        }
        left = right;
        bar(canvas, color, (legend, 108), (legend + 20, 124))?;
        write(canvas, &format!("{name}: {number}"), 20, (legend + 28, 106))?;
        legend += 260;
    }
    Ok(())
}

/// `part` of `whole`, of so many pixels.
fn share(part: u64, whole: u64, pixels: u64) -> i32 {
    let share = u128::from(part) * u128::from(pixels) / u128::from(whole.max(1));
    i32::try_from(share).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;

    fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        (frame.width, frame.height, pixels)
    }

    fn has(pixels: &[u8], color: RGBColor) -> bool {
        pixels
            .chunks(3)
            .any(|pixel| pixel == [color.0, color.1, color.2])
    }

    #[test]
    fn a_picture_shows_what_there_is() {
        let times = |hours: i64| FixTimes {
            fixes: 3,
            median: SignedDuration::from_mins(7),
            ninetieth: SignedDuration::from_hours(hours),
        };
        let figures = Figures {
            until: Timestamp::from_second(1_767_225_600).unwrap(),
            open: (0..31).map(|day| (day * 7) % 12).collect(),
            times: BTreeMap::from([
                ("defendable-restricted-ports".parse().unwrap(), times(30)),
                ("r".repeat(128).parse().unwrap(), times(2)),
            ]),
            fixed_by: FixedBy {
                people: 4,
                automatic: 20,
                elsewhere: 1,
            },
        };
        let (width, height, pixels) = decode(&draw(&figures).unwrap());
        assert_eq!((width, height), (WIDTH, 380 + 56 + 2 * 54 + 20 + 150));
        for color in [OPEN, MEDIAN, NINETIETH, PEOPLE, AUTOMATIC, ELSEWHERE, INK] {
            assert!(has(&pixels, color), "{color:?}");
        }
    }

    #[test]
    fn an_empty_month_is_a_picture_too() {
        let figures = Figures {
            until: Timestamp::UNIX_EPOCH,
            open: vec![0; 31],
            times: BTreeMap::new(),
            fixed_by: FixedBy::default(),
        };
        let (.., pixels) = decode(&draw(&figures).unwrap());
        assert!(has(&pixels, INK) && !has(&pixels, PEOPLE));
    }
}
