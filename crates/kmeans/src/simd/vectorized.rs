//! Plain loops, compiled for the instructions that the processor has.

/// Runs a closure, compiled for AVX-512 or AVX2 where the processor has them, so that loops over slices
/// are vectorised for them. The results are the same with all of them.
///
/// This is a macro, because each of the three must have a closure of its own: a closure that is called
/// in three places is inlined into none of them if it is long, and compiled for no special
/// instructions.
macro_rules! vectorized {
    ($work:expr) => {{
        #[cfg(target_arch = "x86_64")]
        let result = if let Some(avx512) = $crate::simd::Avx512::detect() {
            avx512.run($work)
        } else if let Some(avx2) = $crate::simd::Avx2::detect() {
            avx2.run($work)
        } else {
            $work()
        };
        #[cfg(not(target_arch = "x86_64"))]
        let result = $work();
        result
    }};
}

pub(crate) use vectorized;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::super::vector::{has_avx2, has_avx512};

    /// A processor with AVX-512.
    pub(crate) struct Avx512(());

    impl Avx512 {
        #[inline]
        pub(crate) fn detect() -> Option<Self> {
            has_avx512().then_some(Avx512(()))
        }

        #[inline(always)]
        pub(crate) fn run<R>(self, work: impl FnOnce() -> R) -> R {
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
            fn run<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            // SAFETY: the processor has these instructions, or there were no `self`.
            unsafe { run(work) }
        }
    }

    /// A processor with AVX2 and fused multiply-add.
    pub(crate) struct Avx2(());

    impl Avx2 {
        #[inline]
        pub(crate) fn detect() -> Option<Self> {
            has_avx2().then_some(Avx2(()))
        }

        #[inline(always)]
        pub(crate) fn run<R>(self, work: impl FnOnce() -> R) -> R {
            #[target_feature(enable = "avx2,fma")]
            fn run<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            // SAFETY: the processor has these instructions, or there were no `self`.
            unsafe { run(work) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{Avx2, Avx512};
