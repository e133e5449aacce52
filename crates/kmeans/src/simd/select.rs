//! The places of some numbers among many.

#[cfg(target_arch = "x86_64")]
use super::vector::has_avx512;
use super::vectorized;

/// Room that [`select_above`] wants behind the last number.
pub(crate) const SPARE: usize = 16;

/// Lists the places of the `values` that are above the limits in the same places, in ascending order,
/// and those values; returns how many there are. Both lists must have room for all values and
/// [`SPARE`] more.
pub(crate) fn select_above(
    values: &[u32],
    limits: &[u32],
    places: &mut [u32],
    selected: &mut [u32],
) -> usize {
    let room = values.len() + SPARE;
    assert!(limits.len() == values.len() && places.len() >= room && selected.len() >= room);
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the processor has these instructions, and the lengths have been checked.
        return unsafe { with_avx512(values, limits, places, selected) };
    }
    // Without a branch, which could not be predicted.
    vectorized!(|| {
        let mut count = 0;
        for (place, (&value, &limit)) in values.iter().zip(limits).enumerate() {
            places[count] = place as u32;
            selected[count] = value;
            count += usize::from(value > limit);
        }
        count
    })
}

/// # Safety
/// The lengths are those that [`select_above`] asks for.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,popcnt")]
unsafe fn with_avx512(
    values: &[u32],
    limits: &[u32],
    places: &mut [u32],
    selected: &mut [u32],
) -> usize {
    use std::arch::x86_64::*;
    const LANES: usize = 16;
    let first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut count = 0;
    for at in (0..values.len()).step_by(LANES) {
        let present = match values.len() - at {
            rest @ ..LANES => (1 << rest) - 1,
            _ => !0,
        };
        // SAFETY: lanes that are not present are not read; what is written begins at `count`, which
        // is at most `at`, and there is room for the lanes from there on.
        unsafe {
            let value = _mm512_maskz_loadu_epi32(present, values.as_ptr().add(at).cast());
            let limit = _mm512_maskz_loadu_epi32(present, limits.as_ptr().add(at).cast());
            let above = _mm512_mask_cmpgt_epu32_mask(present, value, limit);
            let place = _mm512_add_epi32(first, _mm512_set1_epi32(at as i32));
            // Compressing into memory is slow on some processors, into a register on none.
            let places_above = _mm512_maskz_compress_epi32(above, place);
            _mm512_storeu_si512(places.as_mut_ptr().add(count).cast(), places_above);
            let selected_above = _mm512_maskz_compress_epi32(above, value);
            _mm512_storeu_si512(selected.as_mut_ptr().add(count).cast(), selected_above);
            count += above.count_ones() as usize;
        }
    }
    count
}
