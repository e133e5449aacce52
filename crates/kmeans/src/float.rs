//! The two floating point types that can be clustered.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Mul, Sub};

use crate::simd::Kernels;

/// What other libraries ask of the type.
#[cfg(feature = "linfa")]
pub trait Interface: linfa::Float {}
/// What other libraries ask of the type.
#[cfg(not(feature = "linfa"))]
pub trait Interface {}

/// A floating point type of which samples can be made: `f32` or `f64`. Sealed.
///
/// Distances are computed in the type itself; everything that is added up over rows (centroids,
/// inertia, variances) is added up in `f64`.
pub trait Float:
    Interface
    + Kernels
    + Copy
    + Debug
    + Display
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + 'static
{
    /// The name of the type, for messages.
    #[doc(hidden)]
    const NAME: &'static str;
    /// The distance from 1 to the next larger number.
    #[doc(hidden)]
    const ULP: f64;
    /// The largest finite number.
    #[doc(hidden)]
    const LARGEST: f64;
    /// Positive infinity.
    #[doc(hidden)]
    const INFINITE: Self;

    /// The same number as `f64`.
    #[doc(hidden)]
    fn widen(self) -> f64;

    /// The nearest number of this type.
    #[doc(hidden)]
    fn narrow(value: f64) -> Self;

    /// Whether 32 bits hold a number without rounding.
    #[doc(hidden)]
    const IN_32_BITS: bool;

    /// A number that is not negative in 32 bits, rounded up; these are ordered as the numbers are.
    #[doc(hidden)]
    fn pack_up(self) -> u32;

    /// The same, rounded down.
    #[doc(hidden)]
    fn pack_down(self) -> u32;

    /// The number that 32 bits stand for.
    #[doc(hidden)]
    fn unpack(bits: u32) -> f64;

    /// The difference of the numbers that 32 bits stand for.
    #[doc(hidden)]
    #[inline(always)]
    fn unpacked_difference(a: u32, b: u32) -> f64 {
        Self::unpack(a) - Self::unpack(b)
    }
}

macro_rules! float {
    ($type:ident { $($packing:tt)* }) => {
        impl Interface for $type {}

        impl Float for $type {
            const NAME: &'static str = stringify!($type);
            const ULP: f64 = $type::EPSILON as f64;
            const LARGEST: f64 = $type::MAX as f64;
            const INFINITE: Self = $type::INFINITY;

            #[inline(always)]
            fn widen(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn narrow(value: f64) -> Self {
                value as Self
            }

            $($packing)*
        }
    };
}

float!(f32 {
    const IN_32_BITS: bool = true;

    #[inline(always)]
    fn pack_up(self) -> u32 {
        self.to_bits()
    }

    #[inline(always)]
    fn pack_down(self) -> u32 {
        self.to_bits()
    }

    #[inline(always)]
    fn unpack(bits: u32) -> f64 {
        f64::from(f32::from_bits(bits))
    }

    // In the type itself, which is faster.
    #[inline(always)]
    fn unpacked_difference(a: u32, b: u32) -> f64 {
        f64::from(f32::from_bits(a) - f32::from_bits(b))
    }
});

// The upper half: sign, exponent and 20 of the bits behind the point, a relative error below 2^-20.
float!(f64 {
    const IN_32_BITS: bool = false;

    #[inline(always)]
    fn pack_up(self) -> u32 {
        (self.to_bits().wrapping_add(0xFFFF_FFFF) >> 32) as u32
    }

    #[inline(always)]
    fn pack_down(self) -> u32 {
        (self.to_bits() >> 32) as u32
    }

    #[inline(always)]
    fn unpack(bits: u32) -> f64 {
        f64::from_bits(u64::from(bits) << 32)
    }
});
