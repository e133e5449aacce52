//! NumPy's legacy generator.

use ndarray::Array2;
use rand_mt::Mt;

use crate::DatasetError;
use crate::error::try_buffer;

/// The stream of numbers of `numpy.random.RandomState(seed)`.
///
/// The generator is MT19937 (Matsumoto and Nishimura, *Mersenne Twister*, ACM TOMACS 8(1), 1998)
/// with the seeding routine `init_genrand`; the distributions are those of NumPy's
/// [legacy random generation](https://numpy.org/doc/stable/reference/random/legacy.html), which
/// NumPy has frozen. Each method says which NumPy call it mirrors. Calls may be mixed in any order:
/// the streams stay equal, the cached second normal variate included.
///
/// Values are equal to NumPy's bit for bit, except that [`gauss`](Self::gauss) and what is built
/// on it may differ in the last bit, because NumPy takes the logarithm of its platform.
///
/// ```
/// use datasets::RandomState;
///
/// let mut random = RandomState::new(42);
/// assert_eq!(random.double(), 0.3745401188473625);
/// assert_eq!(random.double(), 0.9507143064099162);
///
/// let mut order: Vec<usize> = (0..10).collect();
/// RandomState::new(42).shuffle(&mut order);
/// assert_eq!(order, [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
/// ```
#[derive(Debug, Clone)]
pub struct RandomState {
    generator: Mt,
    /// The polar method makes two variates at a time; the second one waits here.
    spare_gauss: Option<f64>,
}

impl RandomState {
    /// Starts the stream of `seed`, as `RandomState(seed)` does.
    pub fn new(seed: u32) -> Self {
        Self {
            generator: Mt::new(seed),
            spare_gauss: None,
        }
    }

    /// A double in [0, 1) with 53 random bits: `random_sample()`.
    pub fn double(&mut self) -> f64 {
        let high = f64::from(self.generator.next_u32() >> 5);
        let low = f64::from(self.generator.next_u32() >> 6);
        // 27 bits above 26 bits, divided by 2^53.
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// A standard normal variate: `standard_normal()`.
    ///
    /// Marsaglia's polar method (G. Marsaglia and T. A. Bray, *A Convenient Method for Generating
    /// Normal Variables*, SIAM Review 6(3), 1964). Of the two variates of a pair, the second
    /// coordinate's is returned first.
    pub fn gauss(&mut self) -> f64 {
        if let Some(spare) = self.spare_gauss.take() {
            return spare;
        }
        loop {
            let x1 = 2.0 * self.double() - 1.0;
            let x2 = 2.0 * self.double() - 1.0;
            let r2 = x1 * x1 + x2 * x2;
            if r2 > 0.0 && r2 < 1.0 {
                let factor = (-2.0 * libm::log(r2) / r2).sqrt();
                self.spare_gauss = Some(factor * x1);
                return factor * x2;
            }
        }
    }

    /// A double in [`low`, `high`): `uniform(low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.double()
    }

    /// A normal variate with mean `mu` and standard deviation `sigma`: `normal(mu, sigma)`.
    pub fn normal(&mut self, mu: f64, sigma: f64) -> f64 {
        mu + sigma * self.gauss()
    }

    /// An integer in 0..=`max`, by rejection under a bit mask, as NumPy's legacy code draws it.
    ///
    /// Nothing is drawn when `max` is 0.
    pub fn interval(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let value = self.generator.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// As [`interval`](Self::interval), with two words of the generator where one is too short.
    fn wide_interval(&mut self, max: u64) -> u64 {
        if let Ok(max) = u32::try_from(max) {
            return u64::from(self.interval(max));
        }
        let mask = u64::MAX >> max.leading_zeros();
        loop {
            let high = u64::from(self.generator.next_u32());
            let low = u64::from(self.generator.next_u32());
            let value = (high << 32 | low) & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// Puts `items` into random order: `shuffle(items)`, which is the Fisher–Yates shuffle from
    /// the back.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.wide_interval(i as u64) as usize;
            items.swap(i, j);
        }
    }

    /// `n` rows of `d` standard normal variates, drawn row by row: `randn(n, d)`.
    ///
    /// # Errors
    /// [`DatasetError::TooLarge`] when there is no memory for the array.
    pub fn randn(&mut self, n: usize, d: usize) -> Result<Array2<f64>, DatasetError> {
        let mut values = try_buffer(n, d)?;
        values.extend((0..n * d).map(|_| self.gauss()));
        Array2::from_shape_vec((n, d), values).map_err(|_| DatasetError::TooLarge {
            rows: n,
            columns: d,
        })
    }

    /// `n` integers in `low..high`: `randint(low, high, n)`.
    ///
    /// As NumPy does for its default type of 64 bits, a range shorter than 2³² takes one word of
    /// the generator per trial and a longer one takes two.
    ///
    /// # Errors
    /// [`DatasetError::EmptyRange`] unless `low < high`; [`DatasetError::TooLarge`] when there is
    /// no memory for the integers.
    pub fn randint(&mut self, low: i64, high: i64, n: usize) -> Result<Vec<i64>, DatasetError> {
        if low >= high {
            return Err(DatasetError::EmptyRange { low, high });
        }
        // The distance of two 64-bit integers always fits into 64 bits without a sign.
        let max = high.abs_diff(low) - 1;
        let mut values = try_buffer(n, 1)?;
        values.extend((0..n).map(|_| low.wrapping_add_unsigned(self.wide_interval(max))));
        Ok(values)
    }
}
