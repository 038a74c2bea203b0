//! How large what we deploy is: as a file, and as it is uploaded.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use flate2::{Compression, write::GzEncoder};

/// What the module for Workers may be, gzipped. Cloudflare takes 10 MB on its paid plan; the rest is
/// room for a start-up within its second.
const WORKERS_GZIP_BYTES_MAX: usize = 6_000_000;

/// A file, and how large it is.
struct Size {
    name: String,
    raw: usize,
    gzipped: usize,
}

/// Prints the sizes of some files.
pub fn print(paths: &[PathBuf]) -> anyhow::Result<()> {
    println!("{:<24}{:>12}{:>12}", "file", "bytes", "gzipped");
    for path in paths {
        let size = Size::of(path)?;
        println!("{:<24}{:>12}{:>12}", size.name, size.raw, size.gzipped);
    }
    Ok(())
}

/// Prints the sizes of all that is deployed, and fails when the module for Workers is too large.
pub fn check() -> anyhow::Result<()> {
    print(&crate::build::components()?)?;
    println!();
    let module = crate::build::module();
    print(&module)?;
    let mut gzipped = 0;
    for path in &module {
        gzipped += Size::of(path)?.gzipped;
    }
    if gzipped > WORKERS_GZIP_BYTES_MAX {
        bail!("the module for Workers has {gzipped} bytes; {WORKERS_GZIP_BYTES_MAX} are allowed");
    }
    println!("\nthe module for Workers: {gzipped} of {WORKERS_GZIP_BYTES_MAX} bytes");
    Ok(())
}

impl Size {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, raw: bytes.len(), gzipped: gzip.finish()?.len() })
    }
}
