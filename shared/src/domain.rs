//! The words of Backplane, pure: no clock, no chance, no I/O.

mod actor;
mod address;
mod canonical;
mod commit;
mod entry;
mod id;
mod job;
mod page;
mod phone;
mod time;
mod word;
pub mod zone;

pub use actor::{Actor, OPERATOR, Principal, Scopes};
pub use address::{Address, NoAddress};
pub use canonical::{canonical, leaf_hash, sha256_hex};
pub use commit::{Commit, Write};
pub use entry::{Draft, Entry};
pub use id::Id;
pub use job::{Failure, Job, NewJob, Retry};
pub use page::{Cursor, LIMIT_DEFAULT, LIMIT_MAX, Page};
pub use phone::{NoPhone, Phone};
pub use time::Timestamp;
pub use word::{WORD, is_word};
pub use zone::Zone;
