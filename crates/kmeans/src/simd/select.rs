//! The places of some numbers among many.

#[cfg(target_arch = "x86_64")]
use super::vector::{has_avx2, has_avx512};
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
    } else if has_avx2() {
        // SAFETY: as above.
        return unsafe { with_avx2(values, limits, places, selected) };
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

/// For each set of lanes of eight, the lanes that are in it, and any others behind them; a byte each.
#[cfg(target_arch = "x86_64")]
const LANES_OF_SET: [u64; 256] = {
    let mut lanes_of_set = [0; 256];
    let mut set = 0;
    while set < 256 {
        let (mut lane, mut count) = (0, 0);
        while lane < 8 {
            if set >> lane & 1 == 1 {
                lanes_of_set[set] |= lane << (8 * count);
                count += 1;
            }
            lane += 1;
        }
        set += 1;
    }
    lanes_of_set
};

/// # Safety
/// The lengths are those that [`select_above`] asks for.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
unsafe fn with_avx2(
    values: &[u32],
    limits: &[u32],
    places: &mut [u32],
    selected: &mut [u32],
) -> usize {
    use std::arch::x86_64::*;
    const LANES: usize = 8;
    let whole = values.len() / LANES * LANES;
    let mut place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let mut count = 0;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: there are as many values and limits; what is written begins at `count`, which is at most
        // `at`, and there is room for eight lanes from there on.
        unsafe {
            let value = _mm256_loadu_si256(values.as_ptr().add(at).cast());
            let limit = _mm256_loadu_si256(limits.as_ptr().add(at).cast());
            // There is no comparison of unsigned numbers other than for being equal.
            let not_above = _mm256_cmpeq_epi32(_mm256_max_epu32(value, limit), limit);
            let above = !_mm256_movemask_ps(_mm256_castsi256_ps(not_above)) & 0xFF;
            let lanes = _mm_cvtsi64_si128(LANES_OF_SET[above as usize].cast_signed());
            let lanes = _mm256_cvtepu8_epi32(lanes);
            let places_above = _mm256_permutevar8x32_epi32(place, lanes);
            _mm256_storeu_si256(places.as_mut_ptr().add(count).cast(), places_above);
            let selected_above = _mm256_permutevar8x32_epi32(value, lanes);
            _mm256_storeu_si256(selected.as_mut_ptr().add(count).cast(), selected_above);
            count += above.count_ones() as usize;
        }
        place = _mm256_add_epi32(place, _mm256_set1_epi32(LANES as i32));
    }
    for at in whole..values.len() {
        places[count] = at as u32;
        selected[count] = values[at];
        count += usize::from(values[at] > limits[at]);
    }
    count
}

/// Most entries of a table in which [`look_up`] finds an entry without reading it from memory.
pub(crate) const IN_REGISTERS: usize = 16;

/// Writes the entry of the table for each index. There may be [`IN_REGISTERS`] entries at most, and every index
/// must be that of one.
pub(crate) fn look_up(indices: &[u8], table: &[u32], found: &mut [u32]) {
    assert!(indices.len() == found.len() && table.len() <= IN_REGISTERS);
    let mut entries = [0; IN_REGISTERS];
    entries[..table.len()].copy_from_slice(table);
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the processor has these instructions, and there are as many places as indices.
        return unsafe { look_up_with_avx512(indices, &entries, found) };
    } else if has_avx2() {
        // SAFETY: as above.
        return unsafe { look_up_with_avx2(indices, &entries, found) };
    }
    look_up_each(indices, &entries, found);
}

#[inline(always)]
fn look_up_each(indices: &[u8], entries: &[u32; IN_REGISTERS], found: &mut [u32]) {
    for (found, &index) in found.iter_mut().zip(indices) {
        *found = entries[usize::from(index) % IN_REGISTERS];
    }
}

/// # Safety
/// There are as many places as indices.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2")]
unsafe fn look_up_with_avx512(indices: &[u8], entries: &[u32; IN_REGISTERS], found: &mut [u32]) {
    use std::arch::x86_64::*;
    const LANES: usize = 16;
    let whole = indices.len() / LANES * LANES;
    // SAFETY: all that is read and written lies before `whole`.
    unsafe {
        let entries = _mm512_loadu_si512(entries.as_ptr().cast());
        for at in (0..whole).step_by(LANES) {
            let index = _mm_loadu_si128(indices.as_ptr().add(at).cast());
            let entry = _mm512_permutexvar_epi32(_mm512_cvtepu8_epi32(index), entries);
            _mm512_storeu_si512(found.as_mut_ptr().add(at).cast(), entry);
        }
    }
    look_up_each(&indices[whole..], entries, &mut found[whole..]);
}

/// # Safety
/// There are as many places as indices.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn look_up_with_avx2(indices: &[u8], entries: &[u32; IN_REGISTERS], found: &mut [u32]) {
    use std::arch::x86_64::*;
    const LANES: usize = 8;
    let whole = indices.len() / LANES * LANES;
    // SAFETY: all that is read and written lies before `whole`, and there are 16 entries.
    unsafe {
        let low = _mm256_loadu_si256(entries.as_ptr().cast());
        let high = _mm256_loadu_si256(entries.as_ptr().add(LANES).cast());
        for at in (0..whole).step_by(LANES) {
            let index = _mm_loadl_epi64(indices.as_ptr().add(at).cast());
            let index = _mm256_cvtepu8_epi32(index);
            let in_low = _mm256_permutevar8x32_epi32(low, index);
            let in_high = _mm256_permutevar8x32_epi32(high, index);
            let is_high = _mm256_cmpgt_epi32(index, _mm256_set1_epi32(LANES as i32 - 1));
            let entry = _mm256_blendv_epi8(in_low, in_high, is_high);
            _mm256_storeu_si256(found.as_mut_ptr().add(at).cast(), entry);
        }
    }
    look_up_each(&indices[whole..], entries, &mut found[whole..]);
}
