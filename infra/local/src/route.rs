//! Which component answers a path.

use std::cmp::Reverse;

use crate::manifest::{HttpTrigger, RouteOption};

/// A pattern for paths, and the component that answers them.
#[derive(Debug)]
pub struct Route {
    /// As in the manifest.
    pub raw: String,
    /// The name of the component.
    pub component: String,
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Exact(String),
    Named(String),
    Rest,
}

/// A path that a route answers.
#[derive(Debug)]
pub struct Match<'a> {
    /// The route.
    pub route: &'a Route,
    /// What `/...` stands for, with its slash.
    pub rest: String,
    /// What each `:name` stands for.
    pub named: Vec<(&'a str, &'a str)>,
}

/// The public routes of an application, best first.
pub struct Routes(Vec<Route>);

impl Routes {
    /// Takes the public routes.
    pub fn of(triggers: &[HttpTrigger]) -> Self {
        let public = triggers.iter().filter_map(|trigger| match &trigger.route {
            RouteOption::Public(route) => Some(Route::new(route, &trigger.component)),
            RouteOption::Private { .. } => None,
        });
        let mut routes: Vec<_> = public.collect();
        // Segment by segment, what is written out comes first, then `:name`, then `...`. A prefix
        // of a longer route never answers the same path, unless its last segment is `...`.
        routes.sort_by_key(|route| {
            let ranks = route.segments.iter().map(|segment| match segment {
                Segment::Exact(_) => 2,
                Segment::Named(_) => 1,
                Segment::Rest => 0,
            });
            // An end is better than `...`: `/tea` before `/tea/...`.
            Reverse(ranks.chain([1]).collect::<Vec<_>>())
        });
        Self(routes)
    }

    /// The route that answers the path.
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        self.0.iter().find_map(|route| route.matches(path))
    }
}

impl Route {
    /// Reads a pattern.
    pub fn new(raw: &str, component: &str) -> Self {
        let segments = segments(raw).map(|segment| match segment {
            "..." => Segment::Rest,
            segment => match segment.strip_prefix(':') {
                Some(name) => Segment::Named(name.to_owned()),
                None => Segment::Exact(segment.to_owned()),
            },
        });
        Self { raw: raw.to_owned(), component: component.to_owned(), segments: segments.collect() }
    }

    /// The pattern without `/...`.
    pub fn prefix(&self) -> &str {
        self.raw.strip_suffix("/...").unwrap_or(&self.raw)
    }

    /// Whether the path fits, and what the open parts of the pattern stand for.
    pub fn matches<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let mut rest = segments(path);
        let mut named = vec![];
        for segment in &self.segments {
            match (segment, rest.clone().next()) {
                (Segment::Rest, _) => {
                    return Some(Match { route: self, rest: joined(rest, path), named });
                }
                (Segment::Exact(exact), Some(found)) if exact == found => {}
                (Segment::Named(name), Some(found)) if !found.is_empty() => {
                    named.push((name.as_str(), found));
                }
                _ => return None,
            }
            rest.next();
        }
        rest.next().is_none().then(|| Match { route: self, rest: String::new(), named })
    }
}

/// A slash at the end makes no other path.
fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').filter(move |_| !path.is_empty())
}

/// What is left of the path: its last slash included, which Spin keeps here.
fn joined<'a>(segments: impl Iterator<Item = &'a str>, path: &str) -> String {
    let mut joined = String::new();
    for segment in segments {
        joined.push('/');
        joined.push_str(segment);
    }
    if path.ends_with('/') {
        joined.push('/');
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(patterns: &[&str]) -> Routes {
        let trigger = |route: &&str| HttpTrigger {
            route: RouteOption::Public((*route).to_owned()),
            component: "any".to_owned(),
        };
        Routes::of(&patterns.iter().map(trigger).collect::<Vec<_>>())
    }

    const PATTERNS: &[&str] = &[
        "/...",
        "/tea",
        "/tea/...",
        "/tea/:kind",
        "/tea/green",
        "/tea/:kind/cups",
        "/tea/green/cups/...",
        "/exact",
    ];

    #[test]
    fn the_most_specific_route_answers() {
        for (path, raw, rest) in [
            ("/", "/...", "/"),
            ("/other/path", "/...", "/other/path"),
            ("/tea", "/tea", ""),
            ("/tea/", "/tea", ""),
            ("/tea/green", "/tea/green", ""),
            ("/tea/black", "/tea/:kind", ""),
            ("/tea/black/cups", "/tea/:kind/cups", ""),
            ("/tea/black/pots", "/tea/...", "/black/pots"),
            ("/tea/black/pots/", "/tea/...", "/black/pots/"),
            ("/tea/green/cups", "/tea/green/cups/...", ""),
            ("/tea/green/cups/1", "/tea/green/cups/...", "/1"),
            ("/exact/more", "/...", "/exact/more"),
            ("/teapot", "/...", "/teapot"),
        ] {
            // The order in the manifest says nothing.
            for patterns in [PATTERNS.to_vec(), PATTERNS.iter().rev().copied().collect()] {
                let routes = routes(&patterns);
                let found = routes.find(path).unwrap();
                assert_eq!((found.route.raw.as_str(), found.rest.as_str()), (raw, rest), "{path}");
            }
        }
    }

    #[test]
    fn names_stand_for_one_segment() {
        let routes = routes(&["/tea/:kind/:cup"]);

        assert_eq!(routes.find("/tea/a/b").unwrap().named, [("kind", "a"), ("cup", "b")]);
        assert!(routes.find("/tea/a").is_none());
        assert!(routes.find("/tea/a/b/c").is_none());
        assert!(routes.find("/tea//b").is_none());
    }

    #[test]
    fn private_routes_answer_nobody() {
        let private = RouteOption::Private { private: true };
        let trigger = HttpTrigger { route: private, component: "any".to_owned() };

        assert_eq!(Routes::of(&[trigger]).0.len(), 0);
    }
}
