//! The instructions that processors have today, where there are some.

/// Runs a closure, compiled for the bit and vector instructions that most x86-64 processors have, so that
/// counting the bits of a word is one instruction instead of a dozen. The results are the same with
/// and without them.
///
/// This is a macro, because the closure must be inlined: one that is not is compiled for no special instructions.
macro_rules! accelerated {
    (|| $work:expr) => {{
        #[cfg(target_arch = "x86_64")]
        let result = match $crate::accelerate::Accelerated::detect() {
            Some(accelerated) => accelerated.run(
                #[inline(always)]
                || $work,
            ),
            None => $crate::accelerate::run_plain(|| $work),
        };
        #[cfg(not(target_arch = "x86_64"))]
        let result = $crate::accelerate::run_plain(|| $work);
        result
    }};
}

pub(crate) use accelerated;

/// Runs a closure as it is.
pub(crate) fn run_plain<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// A processor with these instructions.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Accelerated(());

#[cfg(target_arch = "x86_64")]
impl Accelerated {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        let all = std::arch::is_x86_feature_detected!("popcnt")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt")
            && std::arch::is_x86_feature_detected!("avx2");
        all.then_some(Accelerated(()))
    }

    #[inline(always)]
    pub(crate) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "popcnt,bmi1,bmi2,lzcnt,avx2")]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: the processor has these instructions, or there were no `self`.
        unsafe { run(work) }
    }
}
