//! `{{ name }}` in the manifest.

use anyhow::Context as _;

/// Puts the value of each `{{ name }}` in its place.
pub fn expand(
    template: &str,
    value_of: impl Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let mut expanded = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) =
            after.split_once("}}").with_context(|| format!("{{{{ is not closed in {template}"))?;
        expanded.push_str(before);
        expanded.push_str(&value_of(name.trim())?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tea(template: &str) -> Option<String> {
        let value_of = |name: &str| match name {
            "tea" => Ok("{{ oolong }}".to_owned()),
            _ => anyhow::bail!("no {name}"),
        };
        expand(template, value_of).ok()
    }

    #[test]
    fn names_are_replaced_once() {
        for (template, expanded) in [
            ("", Some("")),
            ("plain } and { plain", Some("plain } and { plain")),
            ("{{ tea }}", Some("{{ oolong }}")),
            ("https://{{tea}}:{{ tea }}/", Some("https://{{ oolong }}:{{ oolong }}/")),
            ("{{ coffee }}", None),
            ("{{ tea", None),
        ] {
            assert_eq!(with_tea(template).as_deref(), expanded, "{template}");
        }
    }
}
