//! What the pages say, in six languages. All of them have every word, or this does not compile.

mod de;
mod en;
mod es;
mod fr;
mod it;
mod nl;

/// A noun for one and for more.
pub type Counted = (&'static str, &'static str);

/// The words of a language, and how it writes numbers and dates.
#[derive(Debug)]
pub struct Words {
    /// BCP 47, as in the attribute `lang`.
    pub lang: &'static str,
    /// Of months, January first.
    pub months: [&'static str; 12],
    /// A date, of `{d}`, `{m}` and `{y}`.
    pub date: &'static str,
    /// The first day of a month, where it is not written as the others are.
    pub first: &'static str,
    /// Between whole units and parts.
    pub point: char,
    /// Between thousands.
    pub group: char,
    /// How many digits are grouped at least: 4 writes 1,000 and 5 writes 1000 (CLDR).
    pub group_from: usize,
    /// Whether the currency stands before the amount.
    pub currency_first: bool,
    /// Whether it stands there without a space, if it is a sign.
    pub currency_close: bool,
    /// What stands behind a percentage, with the space before it.
    pub percent: &'static str,

    pub invoice: &'static str,
    pub credit_note: &'static str,
    pub draft: &'static str,
    pub open: &'static str,
    pub paid: &'static str,
    pub paid_on: &'static str,
    pub void: &'static str,

    pub seller: &'static str,
    pub buyer: &'static str,
    pub vat_id: &'static str,
    pub tax_id: &'static str,
    pub legal_id: &'static str,
    pub contact: &'static str,

    pub details: &'static str,
    pub number: &'static str,
    pub issued: &'static str,
    pub due: &'static str,
    pub period: &'static str,
    pub delivered: &'static str,
    pub preceding: &'static str,
    pub buyer_reference: &'static str,
    pub order: &'static str,

    pub lines: &'static str,
    pub item: &'static str,
    pub quantity: &'static str,
    pub price: &'static str,
    pub vat: &'static str,
    pub amount: &'static str,
    pub allowance: &'static str,
    pub charge: &'static str,

    pub sums: &'static str,
    pub subtotal: &'static str,
    pub net: &'static str,
    /// Of `{rate}` and `{base}`.
    pub vat_on: &'static str,
    /// Of `{base}`.
    pub no_vat_on: &'static str,
    pub tax: &'static str,
    pub gross: &'static str,
    pub prepaid: &'static str,
    pub round: &'static str,
    pub to_pay: &'static str,
    pub to_credit: &'static str,

    pub payment: &'static str,
    pub terms: &'static str,
    pub payee: &'static str,
    pub iban: &'static str,
    pub reference: &'static str,
    pub scan: &'static str,
    pub notes: &'static str,
    /// Of `{n}` and `{of}`.
    pub page: &'static str,

    pub hour: Counted,
    pub day: Counted,
    pub month: Counted,
    pub year: Counted,

    pub exempt: &'static str,
    pub small_enterprise: &'static str,
    pub reverse_charge: &'static str,
    pub export: &'static str,
    pub out_of_scope: &'static str,

    /// Of [`COUNTRIES`], in their order.
    pub countries: [&'static str; COUNTRIES.len()],
}

/// The member states, their neighbours, and the United States (ISO 3166-1 alpha-2). Any other
/// country is told by its code.
pub const COUNTRIES: [&str; 33] = [
    "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU",
    "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    "US",
];

impl Words {
    /// The name of a country by its code.
    pub fn country<'a>(&self, code: &'a str) -> &'a str {
        let names = COUNTRIES.iter().zip(&self.countries);
        names.into_iter().find(|(it, _)| **it == code).map_or(code, |(_, name)| name)
    }
}

/// The language of a BCP 47 tag, by its first part; English where it is none of the six.
pub fn of(locale: &str) -> &'static Words {
    let language = locale.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    ALL.iter().find(|it| it.lang == language).unwrap_or(&ENGLISH)
}

/// What is used where a language is none of them.
static ENGLISH: Words = en::EN;
/// All of them.
pub static ALL: [Words; 6] = [en::EN, de::DE, fr::FR, es::ES, it::IT, nl::NL];
