//! Nearest centroids with bounds that make most distances needless.
//!
//! Y. Ding, Y. Zhao, X. Shen, M. Musuvathi and T. Mytkowicz, *Yinyang K-Means: A Drop-In
//! Replacement of the Classic K-Means with Consistent Speedup*, ICML 2015, section 3: every row
//! keeps an upper bound of the distance to its own centroid and, for each group of centroids, a
//! lower bound of the distances to the others in it. When centroids move the bounds are loosened by
//! as much; distances are computed only where bounds do not decide. To these comes Hamerly's test
//! (*Making k-means Even Faster*, SDM 2010): nothing is nearer than half the distance from the own
//! centroid to the next one.
//!
//! Bounds are kept in `f32`, as multiples of the diameter of the data, and rounded outwards.

use rayon::prelude::*;

use crate::moves::{Move, Moves};
use crate::nearest::TILE;
use crate::simd::{distances, pair_distances, vectorized};
use crate::{Float, Samples};

/// Centroids of a group, as long as memory allows.
const GROUP: usize = 12;

pub(crate) struct Bounds<F> {
    /// The centroids of each group, in ascending order.
    groups: Vec<Vec<u32>>,
    /// Which group a centroid is in.
    group_of: Vec<usize>,
    upper: Vec<f32>,
    /// For each row one for each group.
    lower: Vec<f32>,
    scale: Scale,
    _type: std::marker::PhantomData<F>,
}

/// Conversion of squared distances to bounds.
#[derive(Clone, Copy)]
struct Scale {
    /// 1 / diameter.
    factor: f64,
    /// Relative error of a distance.
    error: f64,
}

impl Scale {
    /// A bound that is certainly not below the distance.
    fn up(self, squared: f64) -> f32 {
        let scaled = squared.sqrt() * self.factor * (1.0 + self.error);
        next_up(scaled as f32)
    }

    /// A bound that is certainly not above the distance.
    fn down(self, squared: f64) -> f32 {
        let scaled = squared.sqrt() * self.factor * (1.0 - self.error);
        next_down(scaled as f32)
    }
}

/// A number above the result of one rounding. Exactness is not needed, that it be branch-free is.
#[inline(always)]
fn next_up(x: f32) -> f32 {
    x * (1.0 + f32::EPSILON) + f32::MIN_POSITIVE
}

/// A number below the result of one rounding, but not below 0.
#[inline(always)]
fn next_down(x: f32) -> f32 {
    (x * (1.0 - f32::EPSILON) - f32::MIN_POSITIVE).max(0.0)
}

/// How far the centroids have moved, as bounds.
struct Drifts {
    of_centroid: Vec<f32>,
    /// The largest in each group.
    of_group: Vec<f32>,
    /// Half of the distance of each centroid to the nearest other one.
    gap: Vec<f32>,
}

impl<F: Float> Bounds<F> {
    /// Bounds for rows whose nearest centroids are known: `closest` are their squared distances, packed and
    /// rounded up.
    pub(crate) fn new(
        samples: &Samples<F>,
        centroids: &[F],
        closest: &[u32],
        diameter: f64,
    ) -> Self {
        let (n, d) = (samples.n_samples(), samples.n_features());
        let scale = Scale {
            factor: if diameter > 0.0 { 1.0 / diameter } else { 1.0 },
            error: (d + 16) as f64 * F::ULP,
        };
        // The bounds may take a thirty-second of the data and some megabytes.
        let affordable = (samples.bytes() / 32 + (16 << 20)) / (n * size_of::<f32>());
        let groups = groups(centroids, d, affordable.max(1));
        let mut group_of = vec![0; centroids.len() / d];
        for (group, centroids) in groups.iter().enumerate() {
            for &centroid in centroids {
                group_of[centroid as usize] = group;
            }
        }
        Bounds {
            upper: closest
                .par_iter()
                .map(|&x| scale.up(F::unpack(x)))
                .collect(),
            // Written here, because a page that is read before it is written to is mapped twice.
            lower: (0..n * groups.len()).into_par_iter().map(|_| 0.0).collect(),
            groups,
            group_of,
            scale,
            _type: std::marker::PhantomData,
        }
    }

    /// Does what [`nearest::assign`](crate::nearest::assign) does, after the centroids have moved
    /// from where they were at the last call.
    pub(crate) fn assign(
        &mut self,
        samples: &Samples<F>,
        old: &[F],
        centroids: &[F],
        labels: &mut [u32],
    ) -> Moves {
        let chunk_len = samples.chunk_len();
        let drifts = self.drifts(samples.n_features(), old, centroids);
        let rows: Vec<&[F]> = centroids.chunks(samples.n_features()).collect();
        let members: Vec<Vec<&[F]>> = self
            .groups
            .iter()
            .map(|group| group.iter().map(|&c| rows[c as usize]).collect())
            .collect();
        let pass = Pass {
            samples: *samples,
            groups: &self.groups,
            group_of: &self.group_of,
            members: &members,
            centroids: &rows,
            drifts: &drifts,
            scale: self.scale,
        };
        let moves = labels
            .par_chunks_mut(chunk_len)
            .zip(self.upper.par_chunks_mut(chunk_len))
            .zip(self.lower.par_chunks_mut(chunk_len * self.groups.len()))
            .enumerate()
            .map(|(chunk, ((labels, upper), lower))| pass.chunk(chunk, labels, upper, lower));
        Moves::concat(moves.collect())
    }

    /// Forgets the bounds of a row that was given to another cluster from outside.
    pub(crate) fn forget(&mut self, row: usize) {
        let n_groups = self.groups.len();
        self.upper[row] = f32::INFINITY;
        self.lower[row * n_groups..][..n_groups].fill(0.0);
    }

    fn drifts(&self, d: usize, old: &[F], centroids: &[F]) -> Drifts {
        let pairs = old.chunks(d).zip(centroids.chunks(d));
        let of_centroid: Vec<f32> = pairs
            .map(|(old, new)| {
                let differences = old.iter().zip(new).map(|(a, b)| a.widen() - b.widen());
                self.scale.up(differences.map(|x| x * x).sum())
            })
            .collect();
        let largest = |group: &Vec<u32>| {
            let drifts = group.iter().map(|&c| of_centroid[c as usize]);
            drifts.fold(0.0, f32::max)
        };
        let rows: Vec<&[F]> = centroids.chunks(d).collect();
        let gap = |(index, row): (usize, &&[F])| {
            let mut between = vec![F::default(); rows.len()];
            distances(&rows, &[row], &mut between);
            between[index] = F::INFINITE;
            let nearest = between.iter().fold(f64::INFINITY, |m, x| m.min(x.widen()));
            if nearest.is_finite() {
                0.5 * self.scale.down(nearest)
            } else {
                // There is no other centroid.
                f32::INFINITY
            }
        };
        Drifts {
            of_group: self.groups.iter().map(largest).collect(),
            gap: rows.par_iter().enumerate().map(gap).collect(),
            of_centroid,
        }
    }
}

/// What all chunks of rows have in common.
struct Pass<'a, F> {
    samples: Samples<'a, F>,
    groups: &'a [Vec<u32>],
    group_of: &'a [usize],
    /// The centroids of each group.
    members: &'a [Vec<&'a [F]>],
    centroids: &'a [&'a [F]],
    drifts: &'a Drifts,
    scale: Scale,
}

impl<F: Float> Pass<'_, F> {
    fn chunk(
        &self,
        chunk: usize,
        labels: &mut [u32],
        upper: &mut [f32],
        lower: &mut [f32],
    ) -> Moves {
        let first = self.samples.chunk(chunk).start;
        let mut undecided = vec![0; labels.len()];
        let count = vectorized!(|| self.loosen(labels, upper, lower, &mut undecided));
        let mut moves = Moves::new(labels.len());
        let mut compared = Compared::new();
        for tile in undecided[..count].chunks(TILE) {
            compared.tighten(self, tile, first, labels, upper, lower);
            for group in 0..self.groups.len() {
                compared.compare(self, group, first, upper, lower);
            }
            for (&row, &(_, nearest)) in compared.rows.iter().zip(&compared.nearest) {
                if labels[row] != nearest {
                    moves.push(Move {
                        row: first + row,
                        from: labels[row],
                        to: nearest,
                    });
                    labels[row] = nearest;
                }
            }
        }
        moves
    }

    /// Loosens all bounds, and lists the rows for which they do not decide; returns their number.
    #[inline(always)]
    fn loosen(
        &self,
        labels: &[u32],
        upper: &mut [f32],
        lower: &mut [f32],
        undecided: &mut [usize],
    ) -> usize {
        let n_groups = self.groups.len();
        let mut count = 0;
        for (row, (upper, lower)) in upper
            .iter_mut()
            .zip(lower.chunks_exact_mut(n_groups))
            .enumerate()
        {
            let label = labels[row] as usize;
            *upper = next_up(*upper + self.drifts.of_centroid[label]);
            let mut least = f32::INFINITY;
            for (lower, drift) in lower.iter_mut().zip(&self.drifts.of_group) {
                *lower = next_down(*lower - drift);
                least = if *lower < least { *lower } else { least };
            }
            let least = least.max(self.drifts.gap[label]);
            undecided[count] = row;
            count += usize::from(*upper >= least);
        }
        count
    }
}

/// Rows of which distances have been computed.
struct Compared<F> {
    rows: Vec<usize>,
    /// For each of them the least squared distance found so far, and the centroid.
    nearest: Vec<(F, u32)>,
    selected: Vec<usize>,
    distances: Vec<F>,
}

impl<F: Float> Compared<F> {
    fn new() -> Self {
        Compared {
            rows: Vec::with_capacity(TILE),
            nearest: Vec::with_capacity(TILE),
            selected: Vec::with_capacity(TILE),
            distances: Vec::new(),
        }
    }

    /// Computes the distances to the own centroids; keeps the rows for which that does not decide.
    fn tighten(
        &mut self,
        pass: &Pass<F>,
        tile: &[usize],
        first: usize,
        labels: &[u32],
        upper: &mut [f32],
        lower: &[f32],
    ) {
        let n_groups = pass.groups.len();
        let mut rows: [&[F]; TILE] = [&[]; TILE];
        let mut own: [&[F]; TILE] = [&[]; TILE];
        for (i, &row) in tile.iter().enumerate() {
            rows[i] = pass.samples.row(first + row);
            own[i] = pass.centroids[labels[row] as usize];
        }
        let mut distances = [F::default(); TILE];
        let distances = &mut distances[..tile.len()];
        pair_distances(&rows[..tile.len()], &own[..tile.len()], distances);

        self.rows.clear();
        self.nearest.clear();
        for (&row, &distance) in tile.iter().zip(&*distances) {
            upper[row] = pass.scale.up(distance.widen());
            let lower = &lower[row * n_groups..][..n_groups];
            let least = lower.iter().fold(f32::INFINITY, |m, &x| m.min(x));
            if upper[row] >= least.max(pass.drifts.gap[labels[row] as usize]) {
                self.rows.push(row);
                self.nearest.push((distance, labels[row]));
            }
        }
    }

    /// Compares the rows with the centroids of one group, as far as its bounds do not decide.
    fn compare(
        &mut self,
        pass: &Pass<F>,
        group: usize,
        first: usize,
        upper: &mut [f32],
        lower: &mut [f32],
    ) {
        let n_groups = pass.groups.len();
        self.selected.clear();
        let undecided = |&i: &usize| {
            let row = self.rows[i];
            upper[row] >= lower[row * n_groups + group]
        };
        self.selected.extend((0..self.rows.len()).filter(undecided));
        if self.selected.is_empty() {
            return;
        }
        let mut rows: [&[F]; TILE] = [&[]; TILE];
        for (slice, &i) in rows.iter_mut().zip(&self.selected) {
            *slice = pass.samples.row(first + self.rows[i]);
        }
        let count = self.selected.len();
        self.distances
            .resize(count * pass.members[group].len(), F::default());
        distances(&rows[..count], &pass.members[group], &mut self.distances);

        let mut least = [F::INFINITE; TILE];
        let mut second = [F::INFINITE; TILE];
        let mut place = [0_u32; TILE];
        vectorized!(|| {
            for (member, distances) in (0..).zip(self.distances.chunks(count)) {
                keep_two_nearest(member, distances, &mut least, &mut second, &mut place);
            }
        });

        for (i, &selected) in self.selected.iter().enumerate() {
            let row = self.rows[selected];
            let lower = &mut lower[row * n_groups..][..n_groups];
            let centroid = pass.groups[group][place[i] as usize];
            let (distance, nearest) = self.nearest[selected];
            let nearer = least[i] < distance || (least[i] == distance && centroid < nearest);
            if nearer {
                // The centroid that was nearest becomes one of the others.
                let other = &mut lower[pass.group_of[nearest as usize]];
                *other = other.min(pass.scale.down(distance.widen()));
                self.nearest[selected] = (least[i], centroid);
                upper[row] = pass.scale.up(least[i].widen());
            }
            let of_others = if nearer || centroid == nearest {
                second[i]
            } else {
                least[i]
            };
            lower[group] = if of_others < F::INFINITE {
                pass.scale.down(of_others.widen())
            } else {
                // The group has no other centroid.
                f32::INFINITY
            };
        }
    }
}

/// Notes for which rows a centroid is nearer than those before, and the distance to the second nearest. A
/// function, because the compiler knows of its arguments that they do not overlap.
#[inline(always)]
fn keep_two_nearest<F: Float>(
    member: u32,
    distances: &[F],
    least: &mut [F],
    second: &mut [F],
    place: &mut [u32],
) {
    let bests = least.iter_mut().zip(second).zip(place);
    for (((least, second), place), &distance) in bests.zip(distances) {
        let nearer = distance < *least;
        let loser = if nearer { *least } else { distance };
        *second = if loser < *second { loser } else { *second };
        *place = if nearer { member } else { *place };
        *least = if nearer { distance } else { *least };
    }
}

/// Divides centroids into groups of near ones: halves at the median of the widest feature, again
/// and again.
fn groups<F: Float>(centroids: &[F], d: usize, affordable: usize) -> Vec<Vec<u32>> {
    let n_clusters = centroids.len() / d;
    let wanted = n_clusters.div_ceil(GROUP).min(affordable);
    let mut groups = Vec::with_capacity(wanted);
    let mut rest = vec![((0..n_clusters as u32).collect::<Vec<u32>>(), wanted)];
    while let Some((mut members, parts)) = rest.pop() {
        if parts == 1 {
            members.sort_unstable();
            groups.push(members);
            continue;
        }
        let value =
            |centroid: u32, feature: usize| centroids[centroid as usize * d + feature].widen();
        let width = |feature: usize| {
            let values = members.iter().map(|&c| value(c, feature));
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
            high - low
        };
        let widest = (0..d).fold((0, f64::NEG_INFINITY), |widest, feature| {
            let width = width(feature);
            if width > widest.1 {
                (feature, width)
            } else {
                widest
            }
        });
        members.sort_by(|&a, &b| value(a, widest.0).total_cmp(&value(b, widest.0)));
        let left = parts / 2;
        let upper = members.split_off(members.len() * left / parts);
        rest.push((upper, parts - left));
        rest.push((members, left));
    }
    groups
}
