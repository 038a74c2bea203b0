//! The PDF: PDF/A-3a, in which the electronic invoice is where there is one. `layout` says where
//! everything stands.

mod layout;

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};
use paper::About;

use super::{Error, content::Content, facturx};

/// Writes the file: its bytes, and the characters that the font lacks. The day of issue is the
/// day at which the file says it was made, so that equal content makes equal bytes.
pub fn write(
    content: &Content,
    issued: NaiveDate,
    invoice: Option<&String>,
) -> Result<(Vec<u8>, BTreeSet<char>), Error> {
    let canvas = layout::draw(content)?;
    let missing = canvas.fonts.missing();
    let about = About {
        title: &content.title,
        creator: &content.seller.name,
        lang: content.words.lang,
        made: issued.and_time(NaiveTime::MIN),
        attachment: invoice.map(|it| facturx::attached(it)),
        descriptions: &invoice.map_or(Ok(String::new()), |_| facturx::metadata())?,
    };
    Ok((paper::write(canvas, &about)?, missing))
}
