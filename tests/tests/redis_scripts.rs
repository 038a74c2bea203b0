//! Limits by Redis: the scripts, on a `redis-server` of their own and without a host.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use pollster::block_on;
use serde_json::Value;
use shared::{
    domain::{Id, Timestamp},
    limit::{Act, Algorithm, Limit, State},
    limits::{
        Ask,
        book::{Book, Entry, Known},
        counts::Counts,
        decide,
        redis::{Redis, RedisBook, Reply, taking},
    },
    memory::{Memory, MemorySql},
    ports::{PortError, Question, Sql, Statement, Tally},
};
use tests::redis::RedisServer;

const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// Runs this with a server, if there can be one.
fn with_redis(check: impl Fn(&RedisServer)) {
    if !RedisServer::is_installed() {
        println!("skipped: redis-server is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    check(&RedisServer::start(folder.path()));
}

fn chance(seed: u8) -> [u8; 16] {
    [seed; 16]
}

fn book(server: &RedisServer, seed: u8) -> RedisBook<&RedisServer> {
    RedisBook::new(server, NOW, chance(seed))
}

/// What is counted of a tenant under these labels.
fn counts(tenant: &str, labels: &[&str], fields: &[(&str, i64)]) -> Counts {
    let tally = |label: &&str| Tally {
        tenant: tenant.into(),
        function: "gate".into(),
        label: (*label).into(),
        admitted: fields.iter().map(|(field, n)| ((*field).into(), *n)).collect(),
        refused: vec![],
    };
    let tallies: Vec<_> = labels.iter().map(tally).collect();
    let mut counts = Counts::default();
    counts.add(&Ask::new(&[], &tallies, NOW).unwrap(), true);
    counts
}

/// Writes the key `k`, which had this version and is as good as forgotten a second later.
fn write(book: &impl Book, version: i64) -> bool {
    let known = Known { version, state: State::default() };
    let until = NOW + Duration::from_secs(1);
    let counts = counts("ten_a", &["a label"], &[("passed", 2), ("units", -5)]);
    let entry = Entry { name: "k", known: &known, at: NOW, until };
    block_on(book.write(&[entry], &counts, NOW)).unwrap()
}

/// The version that the key `k` has.
fn version(server: &RedisServer) -> i64 {
    block_on(book(server, 99).read(&["k".to_owned()])).unwrap()[0].1.version
}

#[test]
fn what_was_changed_meanwhile_is_not_written() {
    with_redis(|server| {
        let (one, two) = (book(server, 1), book(server, 2));

        assert!(write(&one, 0));

        assert!(!write(&two, 0), "it is not new any more");
        let known = block_on(two.read(&["k".to_owned(), "never".to_owned()])).unwrap();
        assert_eq!(known.len(), 1);
        assert!(write(&two, known[0].1.version));
        let counted: i64 = server.ask(&["HGET", "{backplane}:counts:ten_a:gate:a label", "passed"]);
        assert_eq!(counted, 4, "what was refused is not counted");
    });
}

/// The clock of a sandbox stands still: by the time alone, the version would be that of before.
#[test]
fn a_key_that_expired_in_between_is_another() {
    with_redis(|server| {
        let (one, two, late) = (book(server, 1), book(server, 2), book(server, 3));
        write(&one, 0);
        let remembered = one.version_after(0, NOW);

        let _: i64 = server.ask(&["DEL", "{backplane}:state:k"]);
        assert!(write(&two, 0), "it is as new");

        assert!(!write(&late, remembered));
    });
}

/// Loses the answer of the first command that changes something.
struct Lossy<'a>(&'a RedisServer, Cell<bool>);

impl Redis for Lossy<'_> {
    async fn call(&self, command: &str, args: Vec<String>) -> Result<Vec<Reply>, PortError> {
        let replies = self.0.call(command, args).await?;
        match self.1.replace(true) {
            true => Ok(replies),
            false => Err(PortError::new("redis", "the connection broke")),
        }
    }
}

#[test]
fn a_write_whose_answer_was_lost_is_done_once() {
    with_redis(|server| {
        // Redis knows the script, so the first command does what it should.
        write(&book(server, 1), 0);
        let lossy = RedisBook::new(Lossy(server, Cell::new(false)), NOW, chance(2));

        assert!(write(&lossy, version(server)));

        let counted: i64 = server.ask(&["HGET", "{backplane}:counts:ten_a:gate:a label", "passed"]);
        assert_eq!(counted, 4, "twice two");
    });
}

#[test]
fn a_state_is_kept_until_it_is_as_good_as_none_and_longer_on_another_clock() {
    with_redis(|server| {
        let kept = || -> i64 { server.ask(&["PTTL", "{backplane}:state:k"]) };
        write(&book(server, 1), 0);
        assert!((5_500..=6_000).contains(&kept()), "{}", kept());

        let (day, real) = (24 * 60 * 60 * 1000, NOW + Duration::from_secs(60));
        write(&RedisBook::new(server, real, chance(2)), version(server));
        assert!((day + 500..=day + 1_000).contains(&kept()), "{}", kept());
    });
}

#[test]
fn several_who_decide_at_once_admit_the_limit() {
    with_redis(|server| {
        let limit = Limit::new(Algorithm::FixedWindow, 10, 60_000, None).unwrap();
        let question = |key: &str| Question { key: key.into(), limit, act: Act::Take(1) };
        let tally = Tally {
            tenant: "ten_a".into(),
            function: "gate".into(),
            label: "l".into(),
            admitted: vec![("passed".into(), 1)],
            refused: vec![("blocked".into(), 1)],
        };
        let asks: Vec<_> = (0..25)
            .map(|_| {
                let questions = [question("a"), question("b")];
                Ask::new(&questions, std::slice::from_ref(&tally), NOW).unwrap()
            })
            .collect();

        let standings = block_on(decide(&book(server, 1), &asks)).unwrap();

        let admitted = standings.iter().filter(|it| it.iter().all(|it| it.admitted)).count();
        assert_eq!(admitted, 10);
        let counts = "{backplane}:counts:ten_a:gate:l";
        let counted: Vec<i64> = server.ask(&["HMGET", counts, "passed", "blocked"]);
        assert_eq!(counted, [10, 15]);
    });
}

/// Fails from its n-th command on, before or after the command was done.
struct Dies<'a>(&'a RedisServer, Cell<u32>, bool);

impl Redis for Dies<'_> {
    async fn call(&self, command: &str, args: Vec<String>) -> Result<Vec<Reply>, PortError> {
        let died = || Err(PortError::new("redis", "whoever asked died"));
        let Some(left) = self.1.get().checked_sub(1) else { return died() };
        self.1.set(left);
        let replies = self.0.call(command, args).await?;
        if left == 0 && self.2 { died() } else { Ok(replies) }
    }
}

fn bring(redis: &impl Redis, sql: &MemorySql, id: u8) -> Result<(), PortError> {
    let new_id = || Ok(Id::new("tly", NOW, &[id; 10]));
    block_on(taking::bring(redis, sql, ("ten_a", "gate"), NOW, new_id))
}

/// What waits in the queue, by its id. It is removed, as a drain would.
fn taken_in(sql: &MemorySql, known: &mut BTreeMap<String, Value>) {
    let rows = block_on(sql.query(Statement::new("select id, body from queue", []))).unwrap();
    for row in rows {
        let [id, body] = row.columns().unwrap();
        // A function takes each id in once; the same id is always the same.
        let (id, body): (_, Value) = (id.text().unwrap(), body.json().unwrap());
        let before = known.insert(id, body.clone());
        assert!(before.is_none_or(|it| it == body), "an id came twice, and as something else");
    }
    block_on(sql.query(Statement::new("delete from queue", []))).unwrap();
}

fn sum(items: &BTreeMap<String, Value>) -> i64 {
    items.values().map(|it| it["counts"]["passed"].as_i64().unwrap()).sum()
}

fn count(server: &RedisServer, seed: u8, labels: usize) {
    let labels: Vec<_> = (0..labels).map(|it| format!("label {it}")).collect();
    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
    let counts = counts("ten_a", &labels, &[("passed", 1)]);
    assert!(block_on(book(server, seed).write(&[], &counts, NOW)).unwrap());
}

#[test]
fn all_that_was_counted_is_brought_in_parts_and_nothing_is_left() {
    with_redis(|server| {
        count(server, 1, 250);
        count(server, 2, 250);
        let waiting = block_on(taking::waiting(&server, NOW)).unwrap();
        assert_eq!(waiting, [("ten_a".to_owned(), "gate".to_owned())]);
        assert_eq!(block_on(taking::waiting(&server, Timestamp(NOW.0 - 1))).unwrap(), []);
        let (sql, mut items, ids) =
            (Memory::default().store("ten_a"), BTreeMap::new(), Cell::new(0));
        let new_id = || {
            ids.set(ids.get() + 1);
            Ok(Id::new("tly", NOW, &[ids.get(); 10]))
        };

        block_on(taking::bring(&server, &sql, ("ten_a", "gate"), NOW, new_id)).unwrap();

        taken_in(&sql, &mut items);
        assert_eq!((items.len(), sum(&items)), (250, 500));
        assert!(server.keys().iter().all(|it| it.contains(":mark:")), "{:?}", server.keys());
    });
}

/// At each step, before and after what Redis does there.
#[test]
fn whoever_dies_while_bringing_loses_nothing_and_doubles_nothing() {
    with_redis(|server| {
        for (step, after) in (0..8).flat_map(|it| [(it, false), (it, true)]) {
            let seed = u8::try_from(step * 2).unwrap() + u8::from(after) + 1;
            let (sql, mut items) = (Memory::default().store("ten_a"), BTreeMap::new());
            count(server, seed, 5);

            let died = bring(&Dies(server, Cell::new(step), after), &sql, seed);
            // What was left in the queue may be taken in before the next one comes.
            taken_in(&sql, &mut items);
            count(server, 100 + seed, 5);
            bring(&server, &sql, 100 + seed).unwrap();
            bring(&server, &sql, 200 + seed).unwrap();
            taken_in(&sql, &mut items);

            println!("step {step}, after {after}: {died:?}");
            assert_eq!(sum(&items), 10, "step {step}, after {after}: {items:#?}");
        }
    });
}

#[test]
fn a_tenant_that_is_erased_leaves_no_counts() {
    with_redis(|server| {
        count(server, 1, 3);
        let other = counts("ten_b", &["l"], &[("passed", 1)]);
        block_on(book(server, 2).write(&[], &other, NOW)).unwrap();

        block_on(taking::forget(&server, "ten_a")).unwrap();

        let left = server.keys();
        assert!(!left.iter().any(|it| it.contains("ten_a")), "{left:?}");
        assert!(left.iter().any(|it| it.contains("ten_b")), "{left:?}");
    });
}
