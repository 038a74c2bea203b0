//! Members: who of a customer has used how much of the part that a quota gives to each of them, and
//! what somebody hears of it.
//!
//! A mark is what was told of a member in a window: the highest threshold that was reached, once,
//! and again after a correction undid it by the margin that quotas have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id},
    ports::{PortError, Tenant},
};

use super::{
    alert::MARGIN_PERCENT,
    counted,
    holder::{Holder, Reading},
    shown::UsedUp,
    standing::{Facts, percent},
    store,
};

/// Of how many members a look takes note: of those who have used most.
pub const MEMBERS_MAX: usize = 100;

/// That a member has reached this much of its part, in percent.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct MemberMark {
    /// Who.
    pub member: String,
    /// How much.
    pub threshold: u32,
}

/// What members have used of a quota, the largest first.
#[derive(Debug, Default)]
pub struct Members(Vec<(String, i64)>);

/// What becomes of the marks of a window.
#[derive(Debug, Default, Eq, PartialEq)]
struct News {
    told: Vec<MemberMark>,
    taken_back: Vec<MemberMark>,
}

impl MemberMark {
    /// The word under which it is kept.
    pub fn word(&self) -> String {
        format!("member:{}:{}", self.threshold, self.member)
    }

    /// Reads what [`MemberMark::word`] wrote.
    pub fn parse(word: &str) -> Option<Self> {
        let (threshold, member) = word.strip_prefix("member:")?.split_once(':')?;
        Some(Self { member: member.to_owned(), threshold: threshold.parse().ok()? })
    }
}

impl Members {
    /// Counts them, where the quota has a part for each.
    pub async fn read(
        at: &impl Tenant,
        holder: &Holder,
        reading: &Reading<'_>,
    ) -> Result<Self, PortError> {
        if reading.terms.member_limit.is_none() {
            return Ok(Self::default());
        }
        let (meter, span) = (&reading.quota.meter, reading.terms.span);
        let (name, span) = (&holder.subject.subject, (span.from, span.to));
        counted::by_member(at, meter, name, span, MEMBERS_MAX).await.map(Self)
    }

    /// Which of them may use nothing more.
    pub fn used_up<'a>(&'a self, facts: &'a Facts<'a>) -> impl Iterator<Item = UsedUp> + 'a {
        let full = self.0.iter().filter(|(_, used)| !facts.allows_member(*used, 1));
        full.map(|(member, _)| UsedUp {
            quota: facts.quota.key(),
            meter: facts.quota.meter.clone(),
            member: Some(member.clone()),
            until: facts.terms.span.to,
        })
    }

    /// Tells what there is to tell of them.
    pub async fn tell(
        &self,
        at: &impl Tenant,
        holder: &Holder,
        facts: &Facts<'_>,
    ) -> Result<Commit, PortError> {
        let Some(limit) = facts.terms.member_limit else { return Ok(Commit::new()) };
        let (subject, quota) = (holder.subject.subject.as_str(), facts.quota.key());
        let from = facts.terms.span.from;
        let marks = store::member_marks(at, subject, &quota, from).await?;
        let News { told, taken_back } = self.news(&facts.quota.thresholds, limit, &marks);
        let commit = taken_back.iter().fold(Commit::new(), |commit, mark| {
            commit.and(store::take_back(subject, &quota, from, &mark.word()))
        });
        Ok(told.iter().fold(commit, |commit, mark| {
            let used = self.used(&mark.member).unwrap_or(0);
            let data = json!({
                "plan": holder.plan.name, "quota": quota, "meter": facts.quota.meter,
                "window": facts.terms.span, "member": mark.member, "used": used, "limit": limit,
                "percent": percent(used, limit), "threshold": mark.threshold,
            });
            let subject_ = Id::trusted(subject.to_owned());
            commit
                .and(store::tell(subject, &quota, from, &mark.word(), facts.now))
                .entry(Draft::new("quota.member_reached", &subject_).with(data))
        }))
    }

    fn used(&self, member: &str) -> Option<i64> {
        self.0.iter().find(|it| it.0 == member).map(|it| it.1)
    }

    fn news(&self, thresholds: &BTreeSet<u32>, limit: i64, marks: &BTreeSet<MemberMark>) -> News {
        let mut news = News::default();
        let mut highest: BTreeMap<&str, u32> = BTreeMap::new();
        for mark in marks {
            // Whoever is not among those who used most may have used something still.
            let all_are_known = self.0.len() < MEMBERS_MAX;
            let used = self.used(&mark.member).or(all_are_known.then_some(0));
            if used.is_some_and(|it| is_undone(mark.threshold, it, limit)) {
                news.taken_back.push(mark.clone());
                continue;
            }
            let known = highest.entry(&mark.member).or_default();
            *known = mark.threshold.max(*known);
        }
        for (member, used) in self.0.iter().filter(|it| it.1 > 0) {
            let is_reached = |it: &&u32| percent(*used, limit) >= i64::from(**it);
            let reached = thresholds.iter().rfind(is_reached);
            let told = highest.get(member.as_str());
            if let Some(threshold) = reached.filter(|it| told < Some(*it)) {
                news.told.push(MemberMark { member: member.clone(), threshold: *threshold });
            }
        }
        news
    }
}

fn is_undone(threshold: u32, used: i64, limit: i64) -> bool {
    let most = i128::from(limit) * i128::from(i64::from(threshold) - MARGIN_PERCENT);
    used <= 0 || i128::from(used) * 100 <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told as the usage of two members goes through these values, of 100.
    fn told(usages: &[(i64, i64)]) -> Vec<(String, u32)> {
        let (mut marks, mut told) = (BTreeSet::new(), Vec::new());
        for (ann, bob) in usages {
            let members = Members(vec![("ann".to_owned(), *ann), ("bob".to_owned(), *bob)]);
            let news = members.news(&BTreeSet::from([50, 80, 100]), 100, &marks);
            marks.retain(|it| !news.taken_back.contains(it));
            told.extend(news.told.iter().map(|it| (it.member.clone(), it.threshold)));
            marks.extend(news.told);
        }
        told
    }

    #[test]
    fn each_member_is_told_of_once_for_each_threshold() {
        let ann = |threshold| ("ann".to_owned(), threshold);

        assert_eq!(told(&[(49, 0), (50, 0), (51, 0), (79, 49)]), [ann(50)]);
        assert_eq!(told(&[(100, 0), (300, 0)]), [ann(100)], "only the highest");
        assert_eq!(told(&[(50, 0), (85, 50)]), [ann(50), ann(80), ("bob".to_owned(), 50)]);
    }

    #[test]
    fn jitter_tells_nothing_and_a_correction_does() {
        assert_eq!(told(&[(50, 0), (46, 0), (50, 0)]).len(), 1);
        assert_eq!(told(&[(50, 0), (45, 0), (50, 0)]).len(), 2);
    }

    #[test]
    fn a_mark_reads_back_whatever_the_member_is_called() {
        for member in ["ann", "a:b", "50"] {
            let mark = MemberMark { member: member.to_owned(), threshold: 80 };
            assert_eq!(MemberMark::parse(&mark.word()), Some(mark));
        }
    }

    #[test]
    fn who_is_not_among_the_first_is_not_taken_for_somebody_who_used_nothing() {
        let members = Members((0..MEMBERS_MAX).map(|it| (it.to_string(), 90)).collect());
        let mark = MemberMark { member: "ann".to_owned(), threshold: 50 };

        let news = members.news(&BTreeSet::from([50]), 100, &BTreeSet::from([mark]));

        assert!(news.taken_back.is_empty());
    }
}
