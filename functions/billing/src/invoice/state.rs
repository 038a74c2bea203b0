//! The life of an invoice: a pure function that refuses every step that is not one.

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It may be edited, and has no number.
    Draft,
    /// It has a number, and is owed.
    Finalised,
    /// Nothing is due. It stays so: money goes back by a refund and a credit note.
    Paid,
    /// Taken back as a whole, by a credit note only.
    Void,
    /// Given up as a bad debt; it may still be paid.
    Uncollectible,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// It gets its number.
    Finalise,
    /// Money came; this much is due after it, in minor units.
    Pay {
        /// What is still due.
        left: i64,
    },
    /// A credit note was issued; this much of the gross is not credited, in minor units.
    Credit {
        /// What no credit note has taken back.
        left: i64,
    },
    /// It is given up.
    WriteOff,
}

/// The step is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an invoice that is {from:?} does not take the event {event:?}")]
pub struct Refused {
    /// Where it stood, and stands.
    pub from: State,
    /// What was tried.
    pub event: Event,
}

impl State {
    /// The state after `event`.
    ///
    /// A part payment and a part credit change nothing; a payment beyond what is due, or a credit
    /// beyond the whole (`left` below 0), is refused.
    pub fn after(self, event: Event) -> Result<Self, Refused> {
        use Event::{Credit, Finalise, Pay, WriteOff};
        match (self, event) {
            (Self::Draft, Finalise) => Ok(Self::Finalised),
            (Self::Finalised | Self::Uncollectible, Pay { left: 0 }) => Ok(Self::Paid),
            (Self::Finalised | Self::Uncollectible, Pay { left: 1.. }) => Ok(self),
            (Self::Finalised | Self::Uncollectible, Credit { left: 0 }) => Ok(Self::Void),
            (Self::Finalised | Self::Uncollectible, Credit { left: 1.. }) => Ok(self),
            (Self::Paid, Credit { left: 0.. }) => Ok(Self::Paid),
            (Self::Finalised, WriteOff) => Ok(Self::Uncollectible),
            _ => Err(Refused { from: self, event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event::*, State::*, *};

    #[test]
    fn each_state_takes_its_events_and_no_other() {
        let events = [
            Finalise,
            Pay { left: 5 },
            Pay { left: 0 },
            Credit { left: 5 },
            Credit { left: 0 },
            WriteOff,
            Pay { left: -1 },
            Credit { left: -1 },
        ];
        let table = |from: State| events.map(|it| from.after(it).ok());

        let no = None;
        assert_eq!(table(Draft), [Some(Finalised), no, no, no, no, no, no, no]);
        let owed = |it| [no, Some(it), Some(Paid), Some(it), Some(Void)];
        assert_eq!(table(Finalised)[..5], owed(Finalised));
        assert_eq!(table(Finalised)[5..], [Some(Uncollectible), no, no]);
        assert_eq!(table(Uncollectible)[..5], owed(Uncollectible));
        assert_eq!(table(Uncollectible)[5..], [no, no, no]);
        assert_eq!(table(Paid), [no, no, no, Some(Paid), Some(Paid), no, no, no]);
        assert_eq!(table(Void), [no; 8]);
    }
}
