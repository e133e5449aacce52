//! Small SVG drawings that take their colours from the page, stretch to its width and have words.
//!
//! Plotting crates write fixed colours, fonts and sizes into every element. Here an element has a class, so that
//! one drawing serves light, dark and paper; x is in per cent and y in pixels, so that text and markers keep
//! their size on a phone; and a drawing cannot be made without its text alternative.

use std::fmt::{self, Write};

/// A drawing that is being made: x from 0 to 100 (per cent of the width), y in pixels from the top.
#[derive(Debug)]
pub struct Drawing {
    body: String,
    height: f64,
}

/// A finished drawing: markup that was escaped when it was made.
#[derive(Debug, Clone)]
pub struct Svg(String);

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Svg {}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    /// It starts there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

impl Drawing {
    /// An empty drawing of this height.
    pub fn new(height: f64) -> Self {
        Self {
            body: String::new(),
            height,
        }
    }

    /// A line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{}%\" y1=\"{}\" x2=\"{}%\" y2=\"{}\"/>",
            Short(x1),
            Short(y1),
            Short(x2),
            Short(y2)
        ));
    }

    /// A rectangle from its upper left to its lower right corner.
    pub fn rectangle(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{}%\" y=\"{}\" width=\"{}%\" height=\"{}\"/>",
            Short(x1),
            Short(y1),
            Short((x2 - x1).max(0.0)),
            Short((y2 - y1).max(0.0))
        ));
    }

    /// A text.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(format_args!(
            "<text class=\"{class}\" x=\"{}%\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            Short(x),
            Short(y),
            Escaped(text)
        ));
    }

    /// A marker, one of the symbols of the page.
    pub fn marker(&mut self, symbol: &str, class: &str, (x, y): (f64, f64)) {
        self.push(format_args!(
            "<use href=\"#{symbol}\" class=\"{class}\" x=\"{}%\" y=\"{}\"/>",
            Short(x),
            Short(y)
        ));
    }

    /// A line through many points; they stretch with the page, and its width does not.
    pub fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.is_empty() {
            return;
        }
        let height = Short(self.height);
        let mut data = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let command = if index == 0 { "M" } else { "L" };
            // Per mille without fraction: finer than a pixel.
            let _ = write!(data, "{command}{:.0} {}", x * 10.0, Short(*y));
        }
        self.push(format_args!(
            "<svg width=\"100%\" height=\"{height}\" viewBox=\"0 0 1000 {height}\" \
             preserveAspectRatio=\"none\"><path class=\"{class}\" d=\"{data}\"/></svg>"
        ));
    }

    /// The drawing with its title and what it shows in words.
    pub fn finish(self, title: &str, description: &str) -> Svg {
        Svg(format!(
            "<svg class=\"plot\" width=\"100%\" height=\"{}\" role=\"img\" aria-label=\"{}\"><title>{}</title>\
             <desc>{}</desc>{}</svg>",
            Short(self.height),
            Escaped(&format!("{title}. {description}")),
            Escaped(title),
            Escaped(description),
            self.body
        ))
    }

    /// The drawing without words, where the same figures stand beside it as text.
    pub fn finish_beside_text(self) -> Svg {
        Svg(format!(
            "<svg class=\"plot\" width=\"100%\" height=\"{}\" aria-hidden=\"true\">{}</svg>",
            Short(self.height),
            self.body
        ))
    }

    fn push(&mut self, markup: fmt::Arguments) {
        // Writing to a string does not fail.
        let _ = self.body.write_fmt(markup);
    }
}

/// A number with at most one digit after the point: a tenth of a pixel, or of a per cent.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 10.0).round() / 10.0;
        match rounded.is_finite() {
            // Adding 0 turns −0 into 0.
            true => write!(f, "{}", rounded + 0.0),
            false => f.write_str("0"),
        }
    }
}

/// Text in which nothing is markup.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// The class of a variant's marks; a plan has at most eight variants.
pub fn series(variant: usize) -> String {
    format!("s{}", variant % 8)
}

/// The marker of a variant.
pub fn symbol(variant: usize) -> String {
    format!("p{}", variant % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped_and_numbers_short() {
        let mut drawing = Drawing::new(20.0);
        drawing.text("t", (33.333, f64::NAN), Anchor::Middle, "<b>\"&'");
        drawing.path("p", &[(0.0, 1.25), (100.0, -0.01)]);
        let svg = drawing.finish("a<b", "c\"d").to_string();
        assert!(svg.contains("x=\"33.3%\" y=\"0\""), "{svg}");
        assert!(svg.contains(">&lt;b&gt;&quot;&amp;&#39;</text>"), "{svg}");
        assert!(svg.contains("d=\"M0 1.3L1000 0\""), "{svg}");
        assert!(svg.contains("aria-label=\"a&lt;b. c&quot;d\""), "{svg}");
    }
}
