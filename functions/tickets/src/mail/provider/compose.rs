//! A mail put together from what a provider took apart.

use data_encoding::BASE64;

/// What stands between parts. A line of Base64 never begins with it.
const BOUNDARY: &str = "=_backplane";
/// Fields that say how the mail was written, and not how this one is.
const REPLACED: &[&str] =
    &["content-type", "content-transfer-encoding", "content-disposition", "mime-version", "bcc"];

/// A mail that is being put together.
#[derive(Default)]
pub struct Composer {
    names: Vec<String>,
    header: String,
    parts: String,
}

impl Composer {
    /// Adds a field, unless it is empty or there is one of its name that came first.
    pub fn field(&mut self, name: &str, value: &str) {
        let lower = name.trim().to_ascii_lowercase();
        let is_name =
            !lower.is_empty() && lower.bytes().all(|it| it.is_ascii_graphic() && it != b':');
        // A line break would begin another field.
        let value: String =
            value.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        // Servers write these more than once.
        let is_many = matches!(&*lower, "received" | "authentication-results" | "delivered-to");
        let is_new = is_many || !self.names.contains(&lower);
        if is_name && is_new && !value.trim().is_empty() && !REPLACED.contains(&&*lower) {
            self.header += &format!("{}: {}\r\n", name.trim(), value.trim());
            self.names.push(lower);
        }
    }

    /// Adds a text, as `plain` or `html`.
    pub fn text(&mut self, kind: &str, charset: &str, text: &[u8]) {
        if !text.trim_ascii().is_empty() {
            self.part(&format!("Content-Type: text/{kind}; charset={}\r\n", token(charset)), text);
        }
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, media_type: &str, content_id: Option<&str>, bytes: &[u8]) {
        let name: String = name.bytes().map(|it| format!("%{it:02X}")).collect();
        let how = if content_id.is_some() { "inline" } else { "attachment" };
        let mut header = format!(
            "Content-Type: {}\r\nContent-Disposition: {how}; filename*=utf-8''{name}\r\n",
            token(media_type)
        );
        if let Some(it) = content_id {
            header += &format!("Content-ID: <{}>\r\n", token(it.trim_matches(['<', '>'])));
        }
        self.part(&header, bytes);
    }

    fn part(&mut self, header: &str, bytes: &[u8]) {
        self.parts += &format!("--{BOUNDARY}\r\n{header}Content-Transfer-Encoding: base64\r\n\r\n");
        for line in bytes.chunks(57) {
            self.parts += &BASE64.encode(line);
            self.parts += "\r\n";
        }
    }

    /// The mail. `alternative` says that the parts are one text in several shapes.
    pub fn finish(self, alternative: bool) -> Vec<u8> {
        let kind = if alternative { "alternative" } else { "mixed" };
        let Self { header, parts, .. } = self;
        format!(
            "{header}MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=\"{BOUNDARY}\"\
            \r\n\r\n{parts}--{BOUNDARY}--\r\n"
        )
        .into_bytes()
    }
}

/// What may stand in a header that is ours.
fn token(text: &str) -> String {
    text.chars().filter(|it| it.is_ascii_graphic() && !";\"<>,()".contains(*it)).take(200).collect()
}

/// A mail of texts and files: the texts are one in two shapes.
pub fn mail(
    mut header: Composer,
    texts: &[(&str, &str, &[u8])],
    files: impl FnOnce(&mut Composer),
) -> Vec<u8> {
    let mut body = Composer::default();
    for (kind, charset, text) in texts {
        body.text(kind, charset, text);
    }
    // The same boundary in a part would end it; the inner one has its own name.
    let inner = String::from_utf8(body.finish(true)).unwrap_or_default();
    let inner = inner.replace(BOUNDARY, "=_backplane-texts");
    header.parts = format!("--{BOUNDARY}\r\n{inner}\r\n");
    files(&mut header);
    header.finish(false)
}
