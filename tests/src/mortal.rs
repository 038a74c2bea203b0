//! Functions whose steps die now and then, after what they did and before it is written.

use std::{cell::Cell, marker::PhantomData};

use shared::{
    domain::{Commit, Entry, Failure, Job, Retry},
    function::Function,
    http::Response,
    ports::{PortError, Tenant},
    problem::Problem,
    route::{Call, Route},
};

thread_local! {
    /// Where chance is, and how many of a hundred steps die.
    static CHANCE: Cell<u64> = const { Cell::new(0) };
    static DEATHS: Cell<u64> = const { Cell::new(0) };
    /// How many died so far.
    static DIED: Cell<u64> = const { Cell::new(0) };
}

/// A number below `most`: the same for the same seed.
pub fn chance(most: u64) -> u64 {
    let mut x = CHANCE.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    CHANCE.set(x);
    (x >> 11) % most
}

/// From now on so many of a hundred steps die, the same ones for the same seed.
pub fn begin(seed: u64, deaths: u64) {
    CHANCE.set(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    DEATHS.set(deaths);
}

/// From now on none dies.
pub fn spare() {
    DEATHS.set(0);
}

/// How many died so far.
pub fn died() -> u64 {
    DIED.get()
}

fn dies() -> bool {
    let dies = DEATHS.get() > 0 && chance(100) < DEATHS.get();
    DIED.set(DIED.get() + u64::from(dies));
    dies
}

/// A function whose steps die now and then: after what they did outside, and before it is written.
pub struct Mortal<F>(PhantomData<F>);

impl<F: Function> Function for Mortal<F> {
    const NAME: &'static str = F::NAME;

    fn routes() -> impl Iterator<Item = &'static Route> {
        F::routes()
    }

    async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        F::handle(at, call).await
    }

    async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        let done = F::work(at, job).await;
        let is_done = match &done {
            Ok(_) => true,
            Err(failure) => matches!(failure.retry, Retry::Postpone(_)),
        };
        // The last try is let live: what nobody can do is another matter.
        match is_done && dies() && !job.is_last() {
            true => Err(Failure::again("it died")),
            false => done,
        }
    }

    async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
        F::give_up(at, job).await
    }

    fn follows(name: &str) -> &'static [&'static str] {
        F::follows(name)
    }

    async fn follow(name: &str, at: &impl Tenant, new: &[Entry]) -> Result<Commit, PortError> {
        match F::follow(name, at, new).await {
            Ok(_) if dies() => Err(PortError::new("test", "it died")),
            done => done,
        }
    }
}
