//! A writer of XML that closes what it opens and escapes what it is given.

use paper::printable;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document of one root element with its namespaces.
    pub(super) fn document(
        root: &str,
        namespaces: &[(&str, &str)],
        fill: impl FnOnce(&mut Self),
    ) -> String {
        let mut xml = Self(Writer::new_with_indent(Vec::new(), b' ', 1));
        xml.put(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        xml.put(Event::Start(BytesStart::new(root).with_attributes(namespaces.iter().copied())));
        fill(&mut xml);
        xml.put(Event::End(BytesEnd::new(root)));
        String::from_utf8(xml.0.into_inner()).unwrap_or_default()
    }

    /// An element of elements.
    pub(super) fn within(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.put(Event::Start(BytesStart::new(name)));
        fill(self);
        self.put(Event::End(BytesEnd::new(name)));
    }

    /// An element of text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.text_with(name, &[], text);
    }

    /// An element of text, if there is one.
    pub(super) fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// An element of text with attributes.
    pub(super) fn text_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        let attributes: Vec<_> =
            attributes.iter().map(|(key, value)| (*key, printable(value))).collect();
        let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str()));
        self.put(Event::Start(BytesStart::new(name).with_attributes(attributes)));
        self.put(Event::Text(BytesText::new(&printable(text))));
        self.put(Event::End(BytesEnd::new(name)));
    }

    fn put(&mut self, event: Event<'_>) {
        // A Vec takes all that is written.
        let _ = self.0.write_event(event);
    }
}
