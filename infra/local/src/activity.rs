//! How many instances are at work, so that a stop can wait for them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts the instances that have a request, or something left to do after an answer.
#[derive(Clone, Default)]
pub struct Activity(Arc<AtomicUsize>);

/// What one instance adds to the count.
pub struct Work {
    activity: Activity,
    busy: bool,
}

impl Activity {
    /// A new instance, which is made because there is a request.
    pub fn begin(&self) -> Work {
        let mut work = Work { activity: self.clone(), busy: false };
        work.set(true);
        work
    }

    /// Whether no instance is at work.
    pub fn is_idle(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

impl Work {
    /// Says whether the instance is at work.
    pub fn set(&mut self, busy: bool) {
        match (self.busy, busy) {
            (false, true) => self.activity.0.fetch_add(1, Ordering::AcqRel),
            (true, false) => self.activity.0.fetch_sub(1, Ordering::AcqRel),
            _ => return,
        };
        self.busy = busy;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_when_all_work_is_done() {
        let activity = Activity::default();
        let (mut first, second) = (activity.begin(), activity.begin());

        first.set(false);
        first.set(false);
        assert!(!activity.is_idle());

        drop(second);
        assert!(activity.is_idle());
    }
}
