//! Holidays: a date, or a date that comes again by a rule of RFC 5545. Pure.
//!
//! Of RFC 5545, section 3.3.10, a rule is `FREQ=YEARLY` or `FREQ=MONTHLY` with `INTERVAL`, `UNTIL`
//! (a date), `BYMONTH`, and either `BYMONTHDAY` or `BYDAY`, or `BYDAY` without numbers beside
//! `BYMONTHDAY`. The date is its DTSTART, and what it leaves out its EXDATE. Anything else is
//! refused, as is a date that is none of the rule's own: what RFC 5545 leaves open, we do not guess.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many days a rule leaves out at most.
pub const EXCEPT_MAX: usize = 50;
/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 80;
/// The longest rule, in characters.
const RULE_CHARS_MAX: usize = 200;
/// The most years or months between two days of a rule.
const INTERVAL_MAX: i32 = 100;
/// What a rule is.
const RULE: &str = "FREQ=YEARLY or FREQ=MONTHLY, then INTERVAL, UNTIL, BYMONTH, BYMONTHDAY and BYDAY of \
                    RFC 5545, as FREQ=YEARLY;BYMONTH=11;BYDAY=4TH";

/// A day on which nobody works.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkingHoliday)]
pub struct Holiday {
    /// The date, or the first one when there is a rule.
    #[schema(value_type = String, format = Date)]
    pub date: NaiveDate,
    /// What it is called, up to 80 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it comes again: a part of RFC 5545, as `FREQ=YEARLY`, or
    /// `FREQ=YEARLY;BYMONTH=11;BYDAY=4TH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Days of the rule that are none, up to 50.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub except: BTreeSet<NaiveDate>,
}

/// When a holiday comes again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    from: NaiveDate,
    until: Option<NaiveDate>,
    monthly: bool,
    interval: i32,
    /// In which months, from 1; in all when empty.
    months: BTreeSet<u32>,
    /// On which days of the month; from its end when negative.
    days: BTreeSet<i32>,
    /// On which weekdays: on all of a month for 0, else on the first, or the last for -1.
    weekdays: Vec<(i32, Weekday)>,
    except: BTreeSet<NaiveDate>,
}

impl Holiday {
    /// When it comes again. `None` when it does not.
    ///
    /// # Errors
    /// Why it is no holiday, in words for who wrote it.
    pub fn rule(&self) -> Result<Option<Rule>, String> {
        if self.name.chars().count() > NAME_CHARS_MAX {
            return Err(format!("a name has at most {NAME_CHARS_MAX} characters"));
        }
        let Some(text) = &self.rule else {
            let why = "except is for the days of a rule";
            return if self.except.is_empty() { Ok(None) } else { Err(why.to_owned()) };
        };
        if self.except.len() > EXCEPT_MAX {
            return Err(format!("a rule leaves out at most {EXCEPT_MAX} days"));
        }
        let rule = Rule { except: self.except.clone(), ..Rule::parse(text, self.date)? };
        if let Some(it) = self.except.iter().find(|it| !rule.would_name(**it)) {
            return Err(format!("{it} is no day of {text}"));
        }
        Ok(Some(rule))
    }
}

impl Rule {
    /// Reads a rule that begins on this date.
    ///
    /// # Errors
    /// Why it is none of those that are known.
    fn parse(text: &str, from: NaiveDate) -> Result<Self, String> {
        let known = || format!("{text} is not known: write {RULE}");
        if text.len() > RULE_CHARS_MAX {
            return Err(format!("a rule has at most {RULE_CHARS_MAX} characters"));
        }
        let mut rule = Self { from, interval: 1, ..Self::default() };
        let mut seen = BTreeSet::new();
        let upper = text.to_ascii_uppercase();
        for part in upper.strip_prefix("RRULE:").unwrap_or(&upper).split(';') {
            let (name, value) = part.split_once('=').ok_or_else(known)?;
            if !seen.insert(name) {
                return Err(format!("{text} says {name} twice"));
            }
            rule.take(name, value).ok_or_else(known)?;
        }
        rule.filled(&seen).ok_or_else(known)?.checked(text)
    }

    /// Takes one part of it. `None` when it is not known.
    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let values = value.split(',');
        match (name, value) {
            ("FREQ", "YEARLY") => {}
            ("FREQ", "MONTHLY") => self.monthly = true,
            ("INTERVAL", _) => self.interval = number(value, 1, INTERVAL_MAX)?,
            ("UNTIL", _) => self.until = Some(NaiveDate::parse_from_str(value, "%Y%m%d").ok()?),
            ("BYMONTH", _) => {
                let months = values.map(|it| u32::try_from(number(it, 1, 12)?).ok());
                self.months = months.collect::<Option<_>>()?;
            }
            ("BYMONTHDAY", _) => {
                let days = values.map(|it| number(it, -31, 31).filter(|it| *it != 0));
                self.days = days.collect::<Option<_>>()?;
            }
            ("BYDAY", _) => self.weekdays = values.map(weekday).collect::<Option<_>>()?,
            _ => return None,
        }
        Some(())
    }

    /// The same, with what RFC 5545 takes from DTSTART. `None` where it would be guessed.
    fn filled(mut self, seen: &BTreeSet<&str>) -> Option<Self> {
        let bare = self.days.is_empty() && self.weekdays.is_empty();
        let numbered = self.weekdays.iter().any(|(it, _)| *it != 0);
        if !seen.contains("FREQ") || (numbered && !self.days.is_empty()) {
            return None;
        }
        if !self.monthly && self.months.is_empty() {
            if !bare {
                return None;
            }
            self.months.insert(self.from.month());
        }
        if bare {
            self.days.insert(i32::try_from(self.from.day()).ok()?);
        }
        Some(self)
    }

    fn checked(self, text: &str) -> Result<Self, String> {
        if self.would_name(self.from) {
            Ok(self)
        } else {
            Err(format!("{} is no day of {text}: begin with one that is", self.from))
        }
    }

    /// Whether this is one of its days.
    pub fn names(&self, date: NaiveDate) -> bool {
        self.would_name(date) && !self.except.contains(&date)
    }

    /// Whether this is one of its days, or one that it leaves out.
    fn would_name(&self, date: NaiveDate) -> bool {
        // The month first: most days fail by it.
        if !(self.months.is_empty() || self.months.contains(&date.month())) || date < self.from {
            return false;
        }
        let (day, left) = day_and_left(date);
        let by_day = self.days.is_empty() || self.days.contains(&day) || self.days.contains(&-left);
        let fits = |(number, weekday): &(i32, Weekday)| {
            let place = if *number < 0 { -((left + 6) / 7) } else { (day + 6) / 7 };
            date.weekday() == *weekday && (*number == 0 || *number == place)
        };
        let by_weekday = self.weekdays.is_empty() || self.weekdays.iter().any(fits);
        by_day && by_weekday && self.until.is_none_or(|it| date <= it) && self.is_in_step(date)
    }

    fn is_in_step(&self, date: NaiveDate) -> bool {
        let month = |it: NaiveDate| it.month().try_into().unwrap_or(0);
        let years = date.year() - self.from.year();
        let steps: i32 =
            if self.monthly { years * 12 + month(date) - month(self.from) } else { years };
        steps % self.interval == 0
    }
}

/// The day of the month, and how many are left of it with this one.
fn day_and_left(date: NaiveDate) -> (i32, i32) {
    let length = i32::from(date.num_days_in_month());
    let day = i32::try_from(date.day()).unwrap_or(1);
    (day, length - day + 1)
}

fn number(text: &str, least: i32, most: i32) -> Option<i32> {
    text.parse().ok().filter(|it| (least..=most).contains(it))
}

/// A weekday, and the how manieth of the month: `MO`, `4TH`, `-1MO`.
fn weekday(text: &str) -> Option<(i32, Weekday)> {
    let (place, word) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let place = if place.is_empty() { 0 } else { number(place, -5, 5).filter(|it| *it != 0)? };
    let day = match word {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    };
    Some((place, day))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn holiday(date: &str, rule: &str, except: &[&str]) -> Result<Rule, String> {
        let it = json!({"date": date, "rule": rule, "except": except});
        let it: Holiday = serde_json::from_value(it).unwrap();
        it.rule().map(|it| it.unwrap())
    }

    /// Its days to the end of a year.
    fn days(date: &str, rule: &str, until: i32) -> Vec<String> {
        let rule = holiday(date, rule, &[]).unwrap();
        let all = date.parse::<NaiveDate>().unwrap().iter_days();
        let all = all.take_while(|it| it.year() <= until).filter(|it| rule.names(*it));
        all.map(|it| it.to_string()).collect()
    }

    #[test]
    fn a_year_later_it_comes_again() {
        let christmas = days("2029-12-25", "FREQ=YEARLY", 2031);
        assert_eq!(christmas, ["2029-12-25", "2030-12-25", "2031-12-25"]);
        assert_eq!(days("2028-02-29", "FREQ=YEARLY", 2033), ["2028-02-29", "2032-02-29"]);
        let other = days("2029-06-01", "FREQ=YEARLY;INTERVAL=2;UNTIL=20330601", 2040);
        assert_eq!(other, ["2029-06-01", "2031-06-01", "2033-06-01"]);
    }

    #[test]
    fn days_of_the_week_are_counted_from_either_end_of_the_month() {
        let thanks = days("2029-11-22", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", 2031);
        assert_eq!(thanks, ["2029-11-22", "2030-11-28", "2031-11-27"]);
        let memorial = days("2029-05-28", "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO", 2031);
        assert_eq!(memorial, ["2029-05-28", "2030-05-27", "2031-05-26"]);
        // The Saturday between 20 and 26 June: Midsummer in Sweden is the Friday before it.
        let rule = "FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=20,21,22,23,24,25,26;BYDAY=SA";
        assert_eq!(days("2029-06-23", rule, 2030), ["2029-06-23", "2030-06-22"]);
    }

    #[test]
    fn months_have_their_own_ends() {
        let last = days("2031-10-31", "FREQ=MONTHLY;BYMONTHDAY=-1", 2031);
        assert_eq!(last, ["2031-10-31", "2031-11-30", "2031-12-31"]);
        let third = days("2031-01-31", "FREQ=MONTHLY;INTERVAL=3", 2031);
        assert_eq!(third, ["2031-01-31", "2031-07-31", "2031-10-31"]);
    }

    #[test]
    fn what_is_left_out_is_none() {
        let rule = holiday("2029-12-25", "FREQ=YEARLY", &["2030-12-25"]).unwrap();

        assert!(!rule.names("2030-12-25".parse().unwrap()));
        assert!(rule.names("2031-12-25".parse().unwrap()));
        assert!(holiday("2029-12-25", "FREQ=YEARLY", &["2030-12-24"]).is_err());
    }

    #[test]
    fn what_would_be_guessed_is_refused() {
        for bad in [
            "",
            "FREQ",
            "FREQ=DAILY",
            "FREQ=WEEKLY;BYDAY=MO",
            "FREQ=YEARLY;COUNT=3",
            "FREQ=YEARLY;BYDAY=MO",
            "FREQ=YEARLY;BYMONTHDAY=25",
            "FREQ=YEARLY;BYMONTH=12;BYMONTH=12;BYMONTHDAY=25",
            "FREQ=YEARLY;BYMONTH=13;BYMONTHDAY=25",
            "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=0",
            "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25;BYDAY=1TU",
            "FREQ=YEARLY;BYMONTH=12;BYDAY=0MO",
            "FREQ=YEARLY;BYMONTH=12;BYDAY=ÄMO",
            "FREQ=YEARLY;INTERVAL=0",
            "FREQ=YEARLY;UNTIL=20300101T000000Z",
            "FREQ=YEARLY;BYSETPOS=1",
            "BYMONTH=12;BYMONTHDAY=25",
            // The date is no day of the rule.
            "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=26",
            "FREQ=YEARLY;UNTIL=20200101",
        ] {
            assert!(holiday("2029-12-25", bad, &[]).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_rule_makes_it_panic(text in "(FREQ=(YEARLY|MONTHLY)|[A-Z]{2,8}=[-0-9A-Z,]{0,8}|;|é){0,6}") {
            let _ = holiday("2028-02-29", &text, &[]);
        }
    }
}
