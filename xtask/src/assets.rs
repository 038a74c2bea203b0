//! The static files: the reference page of the API, and what shows it.

use std::{fs, path::Path};

use anyhow::Context as _;

const OURS: &str = "infra/docs";
const SWAGGER: &str = "node_modules/swagger-ui-dist";
const OUT: &str = "build/assets/docs";

/// Puts all static files in `build/assets`. Without npm's packages the page is not there to show,
/// and everything else works.
pub fn build() -> anyhow::Result<()> {
    fs::create_dir_all(OUT).with_context(|| format!("making {OUT}"))?;
    for name in ["index.html", "reference.js"] {
        copy(OURS, name)?;
    }
    if !Path::new(SWAGGER).exists() {
        println!("npm's packages are missing: {OUT} has no reference page (npm ci)");
        return Ok(());
    }
    for name in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        copy(SWAGGER, name)?;
    }
    Ok(())
}

fn copy(from: &str, name: &str) -> anyhow::Result<()> {
    let (from, to) = (Path::new(from).join(name), Path::new(OUT).join(name));
    fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}
