//! The number of a row's nearest seed, in as few bytes as will do.

/// The number of a seed. There is one for each row and restart.
pub(crate) trait Label: Copy + Default + PartialEq + Send + Sync {
    /// The label of a seed.
    fn new(seed: usize) -> Self;
    /// The number of the seed.
    fn seed(self) -> usize;
    /// The same labels, if they are bytes.
    fn bytes(labels: &[Self]) -> Option<&[u8]>;
}

macro_rules! label {
    ($type:ty, $bytes:expr) => {
        impl Label for $type {
            #[inline]
            fn new(seed: usize) -> Self {
                debug_assert!(seed <= <$type>::MAX as usize);
                seed as $type
            }

            #[inline]
            fn seed(self) -> usize {
                self as usize
            }

            #[inline]
            fn bytes(labels: &[Self]) -> Option<&[u8]> {
                let bytes: fn(&[Self]) -> Option<&[u8]> = $bytes;
                bytes(labels)
            }
        }
    };
}

label!(u8, |labels| Some(labels));
label!(u32, |_| None);
