//! From a figure to its place in a drawing.

/// A scale from figures to 0 … 1.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// A linear scale that has all figures and some room at both ends; `None` without finite figures.
    pub fn linear(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = extent(figures)?;
        let room = match high - low {
            0.0 => high.abs().max(1.0) * 0.1,
            range => range * 0.06,
        };
        Some(Self {
            low: low - room,
            high: high + room,
            logarithmic: false,
        })
    }

    /// A linear scale that starts at zero; for figures that are not negative.
    pub fn from_zero(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (_, high) = extent(figures)?;
        Some(Self {
            low: 0.0,
            high: if high > 0.0 { high * 1.08 } else { 1.0 },
            logarithmic: false,
        })
    }

    /// A logarithmic scale that has all positive figures and some room; `None` without any.
    pub fn logarithmic(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let positive = figures.into_iter().filter(|figure| *figure > 0.0);
        let inner = Self::linear(positive.map(f64::ln))?;
        Some(Self {
            low: inner.low.exp(),
            high: inner.high.exp(),
            logarithmic: true,
        })
    }

    /// A logarithmic scale between two positive ends.
    pub fn ratios(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            logarithmic: true,
        }
    }

    /// The place of a figure: 0 at the low end, 1 at the high end, and no further.
    pub fn place(&self, figure: f64) -> f64 {
        let share = match self.logarithmic {
            true => (figure / self.low).ln() / (self.high / self.low).ln(),
            false => (figure - self.low) / (self.high - self.low),
        };
        share.clamp(0.0, 1.0)
    }

    /// Whether a figure lies between the ends.
    pub fn contains(&self, figure: f64) -> bool {
        (self.low..=self.high).contains(&figure)
    }

    /// Round figures along the scale, about `count` of them.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        match self.logarithmic {
            true => self.logarithmic_ticks(count),
            false => self.linear_ticks(count),
        }
    }

    fn linear_ticks(&self, count: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.low / step).ceil();
        (0..=count * 2)
            .map(|number| (first + number as f64) * step)
            .filter(|tick| self.contains(*tick))
            .collect()
    }

    fn logarithmic_ticks(&self, count: usize) -> Vec<f64> {
        let of = |factors: &[f64]| -> Vec<f64> {
            let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            powers
                .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
                .filter(|tick| self.contains(*tick))
                .collect()
        };
        let choices = [
            of(&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]),
            of(&[1.0, 2.0, 5.0]),
            of(&[1.0, 3.0]),
            of(&[1.0]),
        ];
        let fits = choices.iter().find(|ticks| ticks.len() <= count);
        let mut ticks = fits.or(choices.last()).cloned().unwrap_or_default();
        if ticks.len() < 2 {
            // Less than a decade without round powers: a linear step is as readable.
            ticks = self.linear_ticks(count);
        }
        let every = ticks.len().div_ceil(count.max(1)).max(1);
        ticks.into_iter().step_by(every).collect()
    }
}

fn extent(figures: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = figures.into_iter().filter(|figure| figure.is_finite());
    finite.fold(None, |extent, figure| match extent {
        None => Some((figure, figure)),
        Some((low, high)) => Some((low.min(figure), high.max(figure))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let linear = Scale::linear([0.0, 10.0]).expect("figures");
        assert_eq!(linear.ticks(5), [0.0, 5.0, 10.0]);
        let decades = Scale::logarithmic([1e3, 1e6]).expect("figures");
        assert_eq!(decades.ticks(4), [1e3, 1e4, 1e5, 1e6]);
        let narrow = Scale::logarithmic([101.0, 104.0]).expect("figures");
        assert!(narrow.ticks(4).len() >= 2, "{:?}", narrow.ticks(4));
        for wild in [Scale::linear([5.0]), Scale::logarithmic([5.0])] {
            assert!(wild.expect("one figure").ticks(4).len() < 10);
        }
    }

    #[test]
    fn places_stay_in_the_drawing() {
        let scale = Scale::ratios(0.5, 2.0);
        assert!((scale.place(1.0) - 0.5).abs() < 1e-12);
        assert_eq!((scale.place(0.1), scale.place(9.0)), (0.0, 1.0));
        assert!(Scale::linear([f64::NAN]).is_none());
        assert!(Scale::logarithmic([0.0, -1.0]).is_none());
    }
}
