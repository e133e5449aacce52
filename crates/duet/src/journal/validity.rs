//! What a process can have reported, and what not.

use crate::process::Turn;

/// Why the process of the variant `name`, of a block that ended well, cannot have run so; `None` if it can.
///
/// The instrument checks each turn when it comes. A journal that was copied, edited or written by a broken
/// disk is checked again when it is read.
pub fn fault(
    name: &str,
    error: Option<&str>,
    has_observation: bool,
    turns: &[Turn],
) -> Option<String> {
    if let Some(error) = error {
        return Some(format!("{name}: {error}"));
    }
    if !has_observation {
        return Some(format!("{name}: it has no observation"));
    }
    let mut before = 0;
    for (number, turn) in turns.iter().enumerate() {
        if turn.iterations == 0 {
            return Some(format!("{name}: turn {number} has no iterations"));
        }
        if turn.end_ns == turn.start_ns {
            return Some(format!("{name}: turn {number} took no time"));
        }
        if turn.end_ns < turn.start_ns || turn.start_ns < before {
            return Some(format!("{name}: the clock went back in turn {number}"));
        }
        let elapsed_ns = turn.end_ns - turn.start_ns;
        if turn
            .active_ns
            .is_some_and(|active_ns| active_ns == 0 || active_ns > elapsed_ns)
        {
            return Some(format!(
                "{name}: turn {number} was let run for none of its time, or for more than it had"
            ));
        }
        before = turn.end_ns;
    }
    None
}
