//! The instructions that processors have today, where there are some.

/// Runs `work`, compiled for the bit and vector instructions that most x86-64 processors have: the
/// closure is inlined into a function with these, so that counting the bits of a word is one
/// instruction instead of a dozen. The results are the same with and without them.
#[inline]
pub(crate) fn accelerated<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "popcnt,bmi1,bmi2,lzcnt,avx2")]
        fn with<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        if std::arch::is_x86_feature_detected!("popcnt")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt")
            && std::arch::is_x86_feature_detected!("avx2")
        {
            // SAFETY: the processor has these instructions.
            return unsafe { with(work) };
        }
    }
    work()
}
