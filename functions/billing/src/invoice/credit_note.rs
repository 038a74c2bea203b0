//! A credit note: the mirror of an invoice, or of some of its lines.

use super::{Document, Error, Kind};

impl Document {
    /// Takes the whole invoice back: the same lines, allowances and charges with the same tax.
    pub fn credit(&self) -> Result<Self, Error> {
        if self.kind != Kind::Invoice {
            return Err(Error::NotAnInvoice);
        }
        // What was paid before is refunded apart; it does not lower what is taken back.
        Ok(Self { kind: Kind::CreditNote, prepaid: 0, ..self.clone() })
    }

    /// Takes some lines back, whole, each named once. The allowances and charges of the document
    /// stay with the invoice: they go only with the whole.
    pub fn credit_lines(&self, ids: &[&str]) -> Result<Self, Error> {
        let whole = self.credit()?;
        let known = |id: &&str| self.lines.iter().any(|it| it.id == *id);
        if let Some(unknown) = ids.iter().find(|it| !known(it)) {
            return Err(Error::UnknownLine((*unknown).to_owned()));
        }
        let mut lines = whole.lines.clone();
        lines.retain(|it| ids.contains(&it.id.as_str()));
        if lines.is_empty() {
            return Err(Error::UnknownLine(String::new()));
        }
        let (adjustments, taxes) = Default::default();
        Ok(Self { lines, adjustments, round: 0, taxes, ..whole })
    }
}
