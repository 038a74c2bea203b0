//! Documents that people read, read by others: qpdf, PDFium, ZXing, a validator of PDF/A, the XSD
//! and Schematron of EN 16931, and dkimpy, which reads signed mail. All of them come from PyPI.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, ensure};

use crate::command;

/// The readers, and where they are installed.
const READERS: &str = "factur-x==7.8 saxonche==13.1.1 pikepdf==10.17.0 pypdfium2==5.15.2 \
                       pdf_oxide==0.3.78 fonttools==4.68.0 zxing-cpp==3.1.1 dkimpy==1.1.8 \
                       pynacl==1.6.2";
const FOLDER: &str = "target/tools/invoices";
/// What is there when they are.
const INSTALLED: &str = "dkimpy-1.1.8.dist-info";
/// A script, the folders of its files, and how their names end.
const CHECKS: [(&str, &[&str], &str); 4] = [
    ("fixtures/billing/einvoices/check.py", &["fixtures/billing/einvoices"], "xml"),
    ("fixtures/billing/documents/check_pdfs.py", &["fixtures/billing/documents"], "pdf"),
    // The longest report is left there by a test of the gate: it is too large to be kept.
    (
        "fixtures/gate/reports/check_reports.py",
        &["fixtures/gate/reports", "target/tools/reports"],
        "pdf",
    ),
    ("fixtures/notify/dkim/check_dkim.py", &["fixtures/notify/dkim"], "eml"),
];

/// Lets the readers read all invoices, reports and mails that are kept. The scripts also spoil some of them, and fail when
/// nobody notices.
pub fn check() -> anyhow::Result<()> {
    if !PathBuf::from(FOLDER).join(INSTALLED).is_dir() {
        let line = format!("python3 -m pip install --quiet --upgrade --target {FOLDER} {READERS}");
        command::run(&mut command::words(&line))?;
    }
    for (script, folders, ending) in CHECKS {
        let mut all = vec![];
        for folder in folders {
            let files = files(folder, ending)?;
            ensure!(!files.is_empty(), "{folder} has no {ending}");
            all.extend(files);
        }
        let mut python = command::program("python3");
        // Without `-B` the one script would leave a folder beside the other.
        python.args(["-B", script]).args(all).env("PYTHONPATH", FOLDER);
        command::run(&mut python)?;
    }
    Ok(())
}

fn files(folder: &str, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).with_context(|| format!("listing {folder}"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
