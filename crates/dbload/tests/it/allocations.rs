//! What must not allocate, counted by the allocator of this program.

use std::hint::black_box;

use dbload::LatencyRecorder;

#[test]
fn recording_a_latency_allocates_nothing() {
    let mut recorder = LatencyRecorder::new();
    let recorded = allocation_counter::measure(|| {
        for exponent in 0..64 {
            recorder.record_ns(black_box(1 << exponent));
            recorder.record_ns(black_box(u64::MAX >> exponent));
        }
    });
    assert_eq!(recorded.count_total, 0);
    assert_eq!(recorder.count(), 128);
    // The counter does count.
    let counted = allocation_counter::measure(|| drop(black_box(LatencyRecorder::new())));
    assert!(counted.count_total > 0);
}
