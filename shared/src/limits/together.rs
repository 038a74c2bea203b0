//! Those who ask an instance at the same time, decided together.
//!
//! While one of them writes, the others wait, and then go together: the first of them decides for
//! all. So the more ask, the more one statement writes, and nobody waits for company.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use super::{Ask, book::Book, decide};
use crate::{
    bell::{Bell, Rung, bell},
    limit::Standing,
    ports::PortError,
};

/// How many are decided together.
const TOGETHER_MAX: usize = 100;
/// How often somebody waits anew, because whoever decided was ended.
const WAITS_MAX: u32 = 3;

/// Who waits for a book. A clone is the same.
#[derive(Clone, Default)]
pub struct Together(Rc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: RefCell<VecDeque<Waiting>>,
    is_led: Cell<bool>,
}

struct Waiting {
    ask: Ask,
    /// Where it is told, and the bell that rings then; `None` for whoever leads.
    tell: Option<(Weak<Slot>, Bell)>,
}

/// What somebody was told, until it looks.
type Slot = RefCell<Option<Told>>;

/// What somebody is told who waits.
enum Told {
    Decided(Result<Vec<Standing>, PortError>),
    /// It is the first of those who wait, and decides for all.
    Lead(Lead),
}

/// The right to decide. When it is dropped, the next one has it.
struct Lead(Together);

impl Together {
    /// Decides what is asked, with what others ask meanwhile.
    ///
    /// # Errors
    /// As of [`decide`].
    pub async fn decide(&self, book: &impl Book, ask: Ask) -> Result<Vec<Standing>, PortError> {
        for _ in 0..WAITS_MAX {
            let told = Rc::new(Slot::default());
            if let Some(rung) = self.queue(ask.clone(), &told) {
                rung.await;
            }
            match told.take() {
                Some(Told::Decided(standings)) => return standings,
                Some(Told::Lead(lead)) => return lead.decide(book).await,
                None => {}
            }
        }
        Err(PortError::new("limiter", "whoever decided was ended"))
    }

    /// Takes a place among those who wait, until the bell rings. The first one leads at once.
    fn queue(&self, ask: Ask, told: &Rc<Slot>) -> Option<Rung> {
        let mut waiting = self.0.waiting.borrow_mut();
        if !self.0.is_led.replace(true) {
            waiting.push_back(Waiting { ask, tell: None });
            told.replace(Some(Told::Lead(Lead(self.clone()))));
            return None;
        }
        let (bell, rung) = bell();
        waiting.push_back(Waiting { ask, tell: Some((Rc::downgrade(told), bell)) });
        Some(rung)
    }
}

impl Lead {
    /// Decides for all who wait, of whom this one is the first.
    async fn decide(self, book: &impl Book) -> Result<Vec<Standing>, PortError> {
        let (asks, tell): (Vec<_>, Vec<_>) = {
            let mut waiting = self.0.0.waiting.borrow_mut();
            let some = waiting.len().min(TOGETHER_MAX);
            waiting.drain(..some).map(|it| (it.ask, it.tell)).unzip()
        };
        let mut decided = decide(book, &asks).await.map(Vec::into_iter);
        let mut next = || match &mut decided {
            Ok(all) => all.next().ok_or_else(|| PortError::new("limiter", "one was left out")),
            Err(err) => Err(err.clone()),
        };
        let mut own = None;
        for tell in tell {
            match tell {
                Some((slot, _bell)) => {
                    let decided = Told::Decided(next());
                    // Whoever has gone needs no answer.
                    if let Some(it) = slot.upgrade() {
                        it.replace(Some(decided));
                    }
                }
                None => own = Some(next()),
            }
        }
        own.unwrap_or_else(|| Err(PortError::new("limiter", "nobody led")))
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        loop {
            let mut waiting = self.0.0.waiting.borrow_mut();
            let Some(first) = waiting.front_mut() else { break self.0.0.is_led.set(false) };
            // Whoever led, or waited, may have gone.
            let tell = first.tell.take().and_then(|(slot, bell)| Some((slot.upgrade()?, bell)));
            let Some((slot, _bell)) = tell else {
                waiting.pop_front();
                continue;
            };
            drop(waiting);
            slot.replace(Some(Told::Lead(Lead(self.0.clone()))));
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};
    use pollster::block_on;

    use super::*;
    use crate::{
        domain::Timestamp,
        limit::{Act, Algorithm, Limit},
        memory::{Memory, MemorySql},
        ports::{Edge, Question, Row, Sql, SqlError, Statement},
    };

    /// A database that lets others come first, and counts what it is asked.
    struct Slow(MemorySql, Cell<usize>);

    impl Sql for Slow {
        async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
            self.1.set(self.1.get() + 1);
            let mut turns = 3;
            std::future::poll_fn(|context| {
                turns -= 1;
                context.waker().wake_by_ref();
                if turns == 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            self.0.query(statement).await
        }

        async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
            self.0.batch(statements).await
        }
    }

    fn slow() -> Slow {
        Slow(MemorySql::migrated(), Cell::new(0))
    }

    /// Takes one of ten.
    fn ask(key: &str) -> Ask {
        let limit = Limit::new(Algorithm::FixedWindow, 10, 60_000, None).unwrap();
        let question = Question { key: key.to_owned(), limit, act: Act::Take(1) };
        Ask::new(&[question], &[], Timestamp(1_000_000)).unwrap()
    }

    fn admitted(of: &[Result<Vec<Standing>, PortError>]) -> usize {
        of.iter().filter(|it| it.as_ref().unwrap().iter().all(|it| it.admitted)).count()
    }

    #[test]
    fn those_who_come_meanwhile_are_decided_by_one_statement() {
        let (together, sql) = (Together::default(), slow());

        let all = join_all((0..50).map(|_| together.decide(&sql, ask("together"))));

        assert_eq!(admitted(&block_on(all)), 10);
        // The first reads and writes; the others, of whom some are refused, as well.
        assert!(sql.1.get() <= 5, "{}", sql.1.get());
    }

    #[test]
    fn whoever_leads_may_go_and_the_next_one_leads() {
        let (together, sql) = (Together::default(), slow());
        let mut first = Box::pin(together.decide(&sql, ask("gone")));
        let mut second = Box::pin(together.decide(&sql, ask("gone")));
        let third = Box::pin(together.decide(&sql, ask("gone")));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        let mut third = third;
        assert!((&mut third).now_or_never().is_none());

        drop(first);
        drop(second);

        assert!(block_on(third).unwrap().iter().all(|it| it.admitted));
        assert!(block_on(together.decide(&sql, ask("gone"))).is_ok());
    }

    #[test]
    fn a_database_that_fails_is_told_to_all() {
        let together = Together::default();
        let sql = Slow(MemorySql::empty(), Cell::new(0));

        let all = block_on(join_all((0..5).map(|_| together.decide(&sql, ask("failed")))));

        assert!(all.iter().all(Result::is_err));
        let memory = Memory::default();
        assert!(block_on(together.decide(&memory.directory(), ask("failed"))).is_ok());
    }
}
