//! Hosts of a list: whether an address that somebody else names is on one of them.
//!
//! A host is written whole and in lower case, or with a `*` in place of one label, which stands
//! for a region as Amazon names them: `sns.*.amazonaws.com`.

use url::Url;

/// What stands for a region.
const REGION: &str = "*";
/// A region, to see what a name with one looks like.
const SOME_REGION: &str = "eu-west-1";

/// The region in the address's host, if it is on one of `hosts`: empty for a host that is written
/// whole. The address is https, on the usual port, and without a name or password.
pub fn region<'a>(url: &'a Url, hosts: &[impl AsRef<str>]) -> Option<&'a str> {
    let host = url.host_str()?;
    let is_bare = url.username().is_empty() && url.password().is_none();
    // `port` is `None` for the usual one.
    let is_plain = url.scheme() == "https" && is_bare && url.port().is_none();
    hosts.iter().find_map(|it| region_in(host, it.as_ref())).filter(|_| is_plain)
}

/// The same name, with `*` as the region that it stands for.
pub fn with_region(name: &str, region: &str) -> String {
    name.replacen(REGION, region, 1)
}

/// A name that `name` may stand for; `None` when its `*` can stand for no region.
///
/// A label is all `*` in a host, and in the name on a certificate it may be a part: `sns-*.a.b`.
pub fn example(name: &str) -> Option<String> {
    let Some((before, after)) = name.split_once(REGION) else { return Some(name.to_owned()) };
    // Whoever owns two labels more is not anybody.
    let is_owned = after.trim_start_matches('.').contains('.') && after.starts_with('.');
    let is_one = !after.contains(REGION) && !before.is_empty();
    (is_owned && is_one).then(|| with_region(name, SOME_REGION))
}

/// Whether the name has a `*`, and it is all of its label.
pub fn has_whole_region(name: &str) -> bool {
    name.split('.').any(|it| it == REGION)
}

fn region_in<'a>(host: &'a str, pattern: &str) -> Option<&'a str> {
    let Some((before, after)) = pattern.split_once(REGION) else {
        return (host == pattern).then_some("");
    };
    host.strip_prefix(before)?.strip_suffix(after).filter(|it| is_region(it))
}

/// Whether this is a region such as `us-gov-west-1`: words of letters and then a number.
///
/// The letters matter: whoever has the bucket `sns` has the host `sns.s3-us-west-2.amazonaws.com`.
fn is_region(label: &str) -> bool {
    let words: Vec<_> = label.split('-').collect();
    let is_word = |it: &&str| {
        !it.is_empty() && it.len() <= 12 && it.bytes().all(|it| it.is_ascii_lowercase())
    };
    let is_number =
        |it: &&str| (1..=2).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit());
    match words.as_slice() {
        [words @ .., last] => {
            (2..=4).contains(&words.len()) && words.iter().all(is_word) && is_number(last)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [&str; 3] = ["sns.*.amazonaws.com", "sns.*.amazonaws.com.cn", "api.example.com"];

    fn region_of(url: &str) -> Option<String> {
        region(&Url::parse(url).ok()?, &HOSTS).map(str::to_owned)
    }

    #[test]
    fn an_address_is_on_a_host_that_is_listed_or_in_a_region() {
        for (url, expected) in [
            ("https://api.example.com/a", ""),
            ("https://sns.eu-west-1.amazonaws.com/x.pem", "eu-west-1"),
            ("https://sns.us-gov-west-1.amazonaws.com:443/", "us-gov-west-1"),
            ("https://sns.cn-north-1.amazonaws.com.cn/?a=b", "cn-north-1"),
            // As every client reads it.
            ("HTTPS://SNS.EU-West-1.AMAZONAWS.COM/", "eu-west-1"),
            ("https://%73ns.eu-west-1.amazonaws.com/", "eu-west-1"),
        ] {
            assert_eq!(region_of(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn an_address_is_nowhere_else() {
        for url in [
            "http://sns.eu-west-1.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws.com:8443/",
            "https://sns.eu-west-1.amazonaws.com:80/",
            "https://sns.eu-west-1.amazonaws.com./",
            "https://sns.eu-west-1.amazonaws.com.evil.test/",
            "https://sns.evil.com/.amazonaws.com",
            "https://sns.evil.com\\.eu-west-1.amazonaws.com/",
            "https://sns.evil.com#.eu-west-1.amazonaws.com/",
            "https://sns.evil.com?.eu-west-1.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws.com@evil.test/",
            "https://evil.test@sns.eu-west-1.amazonaws.com/",
            "https://:a@sns.eu-west-1.amazonaws.com/",
            "https://sns.evil.eu-west-1.amazonaws.com/",
            "https://sns..amazonaws.com/",
            "https://sns.amazonaws.com/",
            "https://sns.*.amazonaws.com/",
            "https://sns.s3.amazonaws.com/evil.pem",
            "https://sns.s3-us-west-2.amazonaws.com/evil.pem",
            "https://sns.s3-website-us-west-2.amazonaws.com/evil.pem",
            "https://sns.elb.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws.cn/",
            "https://xsns.eu-west-1.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws.com.cn.evil.test/",
            "https://sns.eu-wést-1.amazonaws.com/",
            "https://ѕns.eu-west-1.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws。com.evil.test/",
            "https://sns.eu-west-1%2eevil%2etest%2famazonaws.com/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "//sns.eu-west-1.amazonaws.com/",
            "file://sns.eu-west-1.amazonaws.com/etc/passwd",
            "ftp://sns.eu-west-1.amazonaws.com/",
            "data:text/plain,sns.eu-west-1.amazonaws.com",
            "sns.eu-west-1.amazonaws.com",
            "",
        ] {
            assert_eq!(region_of(url), None, "{url}");
        }
    }

    #[test]
    fn a_pattern_is_of_somebodys_own() {
        for good in ["a.b", "sns.*.amazonaws.com", "sns-*.amazonaws.com.cn"] {
            assert!(example(good).is_some(), "{good}");
        }
        for bad in ["*", "*.example.com", "sns.*.com", "sns.*", "sns.*amazonaws.com", "a.*.*.b.c"] {
            assert_eq!(example(bad), None, "{bad}");
        }
        assert!(has_whole_region(HOSTS[0]) && !has_whole_region("sns-*.a.b"));
    }
}
