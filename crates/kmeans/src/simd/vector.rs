//! A register of several numbers.

use std::ops::{Add, Mul, Sub};

/// A register of [`LANES`](Self::LANES) numbers.
///
/// # Safety of all functions
/// The processor must have the instructions, and pointers must be valid for as many numbers as the
/// function says.
pub(super) trait Vector: Copy {
    type Scalar: Copy;
    const LANES: usize;

    unsafe fn zero() -> Self;
    /// Reads [`LANES`](Self::LANES) numbers.
    unsafe fn load(from: *const Self::Scalar) -> Self;
    /// Reads the first `count` numbers, less than [`LANES`](Self::LANES); the others are 0.
    unsafe fn load_first(from: *const Self::Scalar, count: usize) -> Self;
    /// `self + (a − b)²`.
    unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self;
    /// The sum of all lanes: halves are added to each other until one number is left.
    unsafe fn sum(self) -> Self::Scalar;
}

/// Plain arrays, for processors without AVX2. There is no fused multiply-add.
#[derive(Clone, Copy)]
pub(super) struct Portable<T, const LANES: usize>([T; LANES]);

impl<T, const LANES: usize> Vector for Portable<T, LANES>
where
    T: Copy + Default + Add<Output = T> + Sub<Output = T> + Mul<Output = T>,
{
    type Scalar = T;
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Portable([T::default(); LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's promise.
        Portable(unsafe { from.cast::<[T; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        let mut lanes = [T::default(); LANES];
        for (lane, value) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: the caller's promise.
            *value = unsafe { *from.add(lane) };
        }
        Portable(lanes)
    }

    #[inline(always)]
    unsafe fn add_squared_difference(mut self, a: Self, b: Self) -> Self {
        for lane in 0..LANES {
            let difference = a.0[lane] - b.0[lane];
            self.0[lane] = self.0[lane] + difference * difference;
        }
        self
    }

    #[inline(always)]
    unsafe fn sum(mut self) -> T {
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                self.0[lane] = self.0[lane] + self.0[lane + half];
            }
            half /= 2;
        }
        self.0[0]
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{Avx2, has_avx2};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::Vector;

    /// Whether the processor has AVX2 and fused multiply-add.
    #[inline]
    pub(crate) fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    /// A register of 256 bits.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2<T: Register>(T::Register);

    pub(crate) trait Register {
        type Register: Copy;
    }

    impl Register for f64 {
        type Register = __m256d;
    }

    impl Register for f32 {
        type Register = __m256;
    }

    impl Vector for Avx2<f64> {
        type Scalar = f64;
        const LANES: usize = 4;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise, here and below.
            Avx2(unsafe { _mm256_setzero_pd() })
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            Avx2(unsafe { _mm256_loadu_pd(from) })
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f64, count: usize) -> Self {
            const MASKS: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];
            unsafe {
                let mask = _mm256_loadu_si256(MASKS.as_ptr().add(4 - count).cast());
                Avx2(_mm256_maskload_pd(from, mask))
            }
        }

        #[inline(always)]
        unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
            unsafe {
                let difference = _mm256_sub_pd(a.0, b.0);
                Avx2(_mm256_fmadd_pd(difference, difference, self.0))
            }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f64 {
            unsafe {
                let low = _mm256_castpd256_pd128(self.0);
                let pair = _mm_add_pd(low, _mm256_extractf128_pd::<1>(self.0));
                _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)))
            }
        }
    }

    impl Vector for Avx2<f32> {
        type Scalar = f32;
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise, here and below.
            Avx2(unsafe { _mm256_setzero_ps() })
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Avx2(unsafe { _mm256_loadu_ps(from) })
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            const MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
            unsafe {
                let mask = _mm256_loadu_si256(MASKS.as_ptr().add(8 - count).cast());
                Avx2(_mm256_maskload_ps(from, mask))
            }
        }

        #[inline(always)]
        unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
            unsafe {
                let difference = _mm256_sub_ps(a.0, b.0);
                Avx2(_mm256_fmadd_ps(difference, difference, self.0))
            }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe {
                let low = _mm256_castps256_ps128(self.0);
                let four = _mm_add_ps(low, _mm256_extractf128_ps::<1>(self.0));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }
    }
}
