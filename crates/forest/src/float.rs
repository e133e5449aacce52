//! The two floating point types of which forests can be made.

use std::fmt::{Debug, Display};

/// What other libraries ask of the type.
#[cfg(feature = "linfa")]
pub trait Interface: linfa::Float {}
/// What other libraries ask of the type.
#[cfg(not(feature = "linfa"))]
pub trait Interface {}

/// A floating point type of which samples can be made: `f32` or `f64`. Sealed.
///
/// Trees compare values and thresholds of the type itself; weights, impurities, probabilities and
/// means are `f64`.
pub trait Float:
    Interface + Copy + Debug + Display + Default + PartialOrd + Send + Sync + 'static
{
    /// The same number as `f64`.
    #[doc(hidden)]
    fn widen(self) -> f64;

    /// The nearest number of this type.
    #[doc(hidden)]
    fn narrow(value: f64) -> Self;

    /// A number whose order among those of other values is that of the values; both zeros have the
    /// same. Those of `f32` fill the upper half.
    #[doc(hidden)]
    fn order(self) -> u64;
}

impl Interface for f32 {}

impl Float for f32 {
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn order(self) -> u64 {
        // Adding zero makes the negative one positive.
        let bits = (self + 0.0).to_bits();
        let flip = ((bits as i32 >> 31) as u32) | 1 << 31;
        u64::from(bits ^ flip) << 32
    }
}

impl Interface for f64 {}

impl Float for f64 {
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn order(self) -> u64 {
        let bits = (self + 0.0).to_bits();
        bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
    }
}

/// A number from `low` on and below `high`, halfway between where rounding permits; `low` must be
/// the smaller one.
pub(crate) fn halfway<F: Float>(low: F, high: F) -> F {
    // Halves are added because the sum of two huge numbers overflows.
    let middle = F::narrow(low.widen() / 2.0 + high.widen() / 2.0);
    if low <= middle && middle < high {
        middle
    } else {
        low
    }
}

/// Whether no value is NaN or infinite. There is no early exit, so that it is vectorised.
#[inline(always)]
pub(crate) fn all_finite<F: Float>(values: &[F]) -> bool {
    values.iter().fold(true, |ok, x| ok & x.widen().is_finite())
}

/// The upper halves of the orders of neighbouring values; returns whether all values are finite.
#[inline(always)]
pub(crate) fn upper_halves<F: Float>(values: &[F], upper: &mut [u32]) -> bool {
    let mut finite = true;
    for (upper, value) in upper.iter_mut().zip(values) {
        finite &= value.widen().is_finite();
        *upper = (value.order() >> 32) as u32;
    }
    finite
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_values_is_that_of_numbers() {
        let values = [
            f64::MIN,
            -1.5,
            -1.0,
            -5e-324,
            0.0,
            5e-324,
            1e-300,
            1.0,
            1.5,
            f64::MAX,
        ];
        for pair in values.windows(2) {
            assert!(pair[0].order() < pair[1].order(), "{pair:?}");
            let pair = [pair[0] as f32, pair[1] as f32].map(Float::order);
            assert!(pair[0] <= pair[1]);
        }
        assert_eq!((-0.0_f64).order(), 0.0_f64.order());
        assert_eq!((-0.0_f32).order(), 0.0_f32.order());
        assert_eq!(1e-10_f32.order() as u32, 0);
    }

    #[track_caller]
    fn check_halfway(low: f64, high: f64, expected: f64) {
        assert_eq!(halfway(low, high), expected);
    }

    #[test]
    fn thresholds_separate_neighbours() {
        check_halfway(1.0, 2.0, 1.5);
        check_halfway(-f64::MAX, f64::MAX, 0.0);
        check_halfway(f64::MAX.next_down(), f64::MAX, f64::MAX.next_down());
        check_halfway(1.0, 1.0_f64.next_up(), 1.0);
        check_halfway(1.0_f64.next_down(), 1.0, 1.0_f64.next_down());
        check_halfway(0.0, 5e-324, 0.0);
        check_halfway(-5e-324, 0.0, -5e-324);
        assert_eq!(halfway(1.0_f32, 1.0_f32.next_up()), 1.0);
        assert_eq!(halfway(f32::MIN, f32::MAX), 0.0);
    }
}
