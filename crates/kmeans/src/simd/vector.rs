//! A register of several numbers.

use std::ops::{Add, Mul, Sub};

/// A register of [`LANES`](Self::LANES) numbers.
///
/// # Safety of all functions
/// The processor must have the instructions, and pointers must be valid for as many numbers as the
/// function says.
pub(super) trait Vector: Copy {
    type Scalar: Copy + Default;
    const LANES: usize;
    /// Registers that there are.
    const REGISTERS: usize = 16;

    unsafe fn zero() -> Self;
    /// Reads [`LANES`](Self::LANES) numbers.
    unsafe fn load(from: *const Self::Scalar) -> Self;
    /// Reads the first `count` numbers, less than [`LANES`](Self::LANES); the others are 0.
    unsafe fn load_first(from: *const Self::Scalar, count: usize) -> Self;
    /// `self + (a − b)²`.
    unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self;
    /// The sum of all lanes: halves are added to each other until one number is left.
    unsafe fn sum(self) -> Self::Scalar;
    /// The sums of the lanes of four registers, added up in the same order.
    #[inline(always)]
    unsafe fn sum_four(four: [Self; 4]) -> [Self::Scalar; 4] {
        // SAFETY: the caller's promise.
        four.map(|one| unsafe { one.sum() })
    }
    /// The sums of the lanes of eight registers, added up in the same order.
    #[inline(always)]
    unsafe fn sum_eight([a, b, c, d, e, f, g, h]: [Self; 8]) -> [Self::Scalar; 8] {
        // SAFETY: the caller's promise.
        let [a, b, c, d] = unsafe { Self::sum_four([a, b, c, d]) };
        let [e, f, g, h] = unsafe { Self::sum_four([e, f, g, h]) };
        [a, b, c, d, e, f, g, h]
    }
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
pub(crate) use x86_64::{has_avx2, has_avx512};

#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) use x86_64::WIDEST;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::Vector;

    #[cfg(test)]
    thread_local! {
        /// The widest registers that this thread may use, in bits: tests go through all of them.
        pub(crate) static WIDEST: std::cell::Cell<usize> = const { std::cell::Cell::new(512) };
    }

    /// Whether the processor has AVX-512 as servers have had it from the beginning, and AVX2 with fused
    /// multiply-add beside it.
    #[inline]
    pub(crate) fn has_avx512() -> bool {
        #[cfg(test)]
        if WIDEST.get() < 512 {
            return false;
        }
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && has_avx2()
    }

    impl Vector for __m512d {
        type Scalar = f64;
        const LANES: usize = 8;
        const REGISTERS: usize = 32;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise, here and below.
            unsafe { _mm512_setzero_pd() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            unsafe { _mm512_loadu_pd(from) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f64, count: usize) -> Self {
            unsafe { _mm512_maskz_loadu_pd((1 << count) - 1, from) }
        }

        #[inline(always)]
        unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
            unsafe {
                let difference = _mm512_sub_pd(a, b);
                _mm512_fmadd_pd(difference, difference, self)
            }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f64 {
            unsafe { halves_f64(self).sum() }
        }

        #[inline(always)]
        unsafe fn sum_four([a, b, c, d]: [Self; 4]) -> [f64; 4] {
            unsafe {
                let halves = [halves_f64(a), halves_f64(b), halves_f64(c), halves_f64(d)];
                Vector::sum_four(halves)
            }
        }
    }

    impl Vector for __m512 {
        type Scalar = f32;
        const LANES: usize = 16;
        const REGISTERS: usize = 32;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise, here and below.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            unsafe { _mm512_maskz_loadu_ps((1 << count) - 1, from) }
        }

        #[inline(always)]
        unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
            unsafe {
                let difference = _mm512_sub_ps(a, b);
                _mm512_fmadd_ps(difference, difference, self)
            }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { halves_f32(self).sum() }
        }

        #[inline(always)]
        unsafe fn sum_four([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            unsafe {
                let halves = [halves_f32(a), halves_f32(b), halves_f32(c), halves_f32(d)];
                Vector::sum_four(halves)
            }
        }

        #[inline(always)]
        unsafe fn sum_eight([a, b, c, d, e, f, g, h]: [Self; 8]) -> [f32; 8] {
            unsafe {
                let [a, b, c, d] = [halves_f32(a), halves_f32(b), halves_f32(c), halves_f32(d)];
                let [e, f, g, h] = [halves_f32(e), halves_f32(f), halves_f32(g), halves_f32(h)];
                Vector::sum_eight([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// Whether the processor has AVX2 and fused multiply-add.
    #[inline]
    pub(crate) fn has_avx2() -> bool {
        #[cfg(test)]
        if WIDEST.get() < 256 {
            return false;
        }
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    /// The sum of both halves of a register.
    #[inline]
    #[target_feature(enable = "avx512f,avx2")]
    fn halves_f64(register: __m512d) -> __m256d {
        _mm256_add_pd(
            _mm512_castpd512_pd256(register),
            _mm512_extractf64x4_pd::<1>(register),
        )
    }

    /// The sum of both halves of a register.
    #[inline]
    #[target_feature(enable = "avx512f,avx2")]
    fn halves_f32(register: __m512) -> __m256 {
        let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(register));
        _mm256_add_ps(_mm512_castps512_ps256(register), _mm256_castpd_ps(high))
    }

    impl Vector for __m256d {
        type Scalar = f64;
        const LANES: usize = 4;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise, here and below.
            unsafe { _mm256_setzero_pd() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f64) -> Self {
            unsafe { _mm256_loadu_pd(from) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f64, count: usize) -> Self {
            const MASKS: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];
            unsafe {
                let mask = _mm256_loadu_si256(MASKS.as_ptr().add(4 - count).cast());
                _mm256_maskload_pd(from, mask)
            }
        }

        #[inline(always)]
        unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
            unsafe {
                let difference = _mm256_sub_pd(a, b);
                _mm256_fmadd_pd(difference, difference, self)
            }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f64 {
            unsafe {
                let low = _mm256_castpd256_pd128(self);
                let pair = _mm_add_pd(low, _mm256_extractf128_pd::<1>(self));
                _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)))
            }
        }

        #[inline(always)]
        unsafe fn sum_four([a, b, c, d]: [Self; 4]) -> [f64; 4] {
            unsafe {
                // The halves of two registers are added at once: a and c, b and d.
                let halves = |x, y| {
                    let low = _mm256_permute2f128_pd::<0x20>(x, y);
                    _mm256_add_pd(low, _mm256_permute2f128_pd::<0x31>(x, y))
                };
                let (ac, bd) = (halves(a, c), halves(b, d));
                let low = _mm256_unpacklo_pd(ac, bd);
                let sums = _mm256_add_pd(low, _mm256_unpackhi_pd(ac, bd));
                std::mem::transmute::<__m256d, [f64; 4]>(sums)
            }
        }
    }

    impl Vector for __m256 {
        type Scalar = f32;
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise, here and below.
            unsafe { _mm256_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            const MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
            unsafe {
                let mask = _mm256_loadu_si256(MASKS.as_ptr().add(8 - count).cast());
                _mm256_maskload_ps(from, mask)
            }
        }

        #[inline(always)]
        unsafe fn add_squared_difference(self, a: Self, b: Self) -> Self {
            unsafe {
                let difference = _mm256_sub_ps(a, b);
                _mm256_fmadd_ps(difference, difference, self)
            }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe {
                let low = _mm256_castps256_ps128(self);
                let four = _mm_add_ps(low, _mm256_extractf128_ps::<1>(self));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }

        #[inline(always)]
        unsafe fn sum_four([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            unsafe {
                let halves =
                    |x| _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
                let quarters = |x, y| _mm_add_ps(_mm_movelh_ps(x, y), _mm_movehl_ps(y, x));
                let ab = quarters(halves(a), halves(b));
                let cd = quarters(halves(c), halves(d));
                let even = _mm_shuffle_ps::<0b10_00_10_00>(ab, cd);
                let sums = _mm_add_ps(even, _mm_shuffle_ps::<0b11_01_11_01>(ab, cd));
                std::mem::transmute::<__m128, [f32; 4]>(sums)
            }
        }

        #[inline(always)]
        unsafe fn sum_eight([a, b, c, d, e, f, g, h]: [Self; 8]) -> [f32; 8] {
            unsafe {
                // Of two registers, halves change places, so that one addition does for both; then
                // quarters, then neighbours. A blend is cheaper than a shuffle.
                let halves = |x, y| {
                    let others = _mm256_permute2f128_ps::<0x21>(x, y);
                    _mm256_add_ps(_mm256_blend_ps::<0b1111_0000>(x, y), others)
                };
                let quarters = |x, y| {
                    let others = _mm256_shuffle_ps::<0b01_00_11_10>(x, y);
                    _mm256_add_ps(_mm256_blend_ps::<0b1100_1100>(x, y), others)
                };
                let even = quarters(halves(a, e), halves(c, g));
                let odd = quarters(halves(b, f), halves(d, h));
                let others = _mm256_blend_ps::<0b0101_0101>(even, odd);
                let others = _mm256_permute_ps::<0b10_11_00_01>(others);
                let sums = _mm256_add_ps(_mm256_blend_ps::<0b1010_1010>(even, odd), others);
                std::mem::transmute::<__m256, [f32; 8]>(sums)
            }
        }
    }
}
