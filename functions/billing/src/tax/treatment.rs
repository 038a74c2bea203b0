//! Where a service is supplied, and what follows from it. Articles are of Directive 2006/112/EC.

use super::{Category, Rate, VatId, is_member, standard_rate};

/// What an invoice of a small enterprise says (BT-120).
pub const SMALL_ENTERPRISE: &str =
    "Exempt from VAT: small enterprise (Article 284 of Directive 2006/112/EC)";

/// Who sells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seller {
    /// The member state of establishment, ISO 3166-1 alpha-2.
    pub country: String,
    /// Small enterprise: exempt at home (Article 284).
    pub is_small: bool,
    /// Whether sales to consumers in other member states passed EUR 10 000 in this or the last
    /// year, or the seller chose to be taxed there (Article 59c). Below, home taxes them.
    pub taxes_at_destination: bool,
    /// Registered for the One Stop Shop of the Union (Articles 369a to 369k).
    pub has_oss: bool,
    /// How supplies to buyers outside of the Union are told.
    pub outside: Outside,
}

/// The category of what is supplied outside of the Union.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Outside {
    /// O. It forbids VAT ids on the invoice and any other category beside it (BR-O-02, BR-O-11).
    #[default]
    NotSubject,
    /// G, with the seller's VAT id: what some tax offices and buyers expect instead.
    Export,
}

/// Who buys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Buyer {
    /// Where the buyer is established or lives, ISO 3166-1 alpha-2.
    pub country: String,
    /// A VAT id that somebody has checked with VIES: it makes the buyer a business. `None` is a
    /// consumer.
    pub vat_id: Option<VatId>,
}

/// What the law of the taxing country says of the service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Supply {
    /// The standard rate, from the table.
    Standard,
    /// A rate that the caller knows better: reduced, or newer than the table.
    At(Rate),
    /// The rate 0.
    Zero,
    /// Exempt, for this reason, which is printed: for example Article 132(1)(i), education.
    Exempt(String),
}

/// What to charge, and what to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Treatment {
    /// BT-118.
    pub category: Category,
    /// BT-119.
    pub rate: Rate,
    /// The country whose tax it is, or would be: the place of supply.
    pub place: String,
    /// Declared through the One Stop Shop, not in the seller's own return.
    pub by_oss: bool,
    /// BT-121.
    pub reason_code: Option<&'static str>,
    /// BT-120: what the law wants on the invoice.
    pub legal_text: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// A country is not two capital letters.
    #[error("a country is two capital letters of ISO 3166-1")]
    BadCountry,
    /// Sellers outside of the Union follow other rules.
    #[error("the seller is not established in the Union")]
    SellerOutside,
    /// A VAT id of a country that the buyer is not in.
    #[error("the buyer's VAT id is of {0}; invoice the establishment that has it")]
    ForeignVatId(String),
    /// Tax is due in the buyer's country, and the seller can declare it nowhere.
    #[error("VAT of {0} is due; register for the One Stop Shop (or in {0}) first")]
    NeedsOss(String),
    /// S with the rate 0: that is Zero.
    #[error("a rate of 0 is told as a supply at the rate zero")]
    RateIsZero,
}

/// How what `seller` supplies to `buyer` is taxed. `law` answers for the member state that taxes it,
/// and is asked only where one does.
pub fn treat(
    seller: &Seller,
    buyer: &Buyer,
    law: impl Fn(&str) -> Supply,
) -> Result<Treatment, Error> {
    check(seller, buyer)?;
    let abroad = buyer.country != seller.country;
    if abroad && !is_member(&buyer.country) {
        // A business: Article 44. A consumer: Article 58. Either way not in the Union.
        let category = match seller.outside {
            Outside::NotSubject => Category::OutOfScope,
            Outside::Export => Category::Export,
        };
        return Ok(untaxed(category, &buyer.country));
    }
    if abroad && buyer.vat_id.is_some() {
        // Article 44 puts it at the buyer's, Article 196 makes the buyer owe the tax.
        return Ok(untaxed(Category::ReverseCharge, &buyer.country));
    }
    if abroad && seller.taxes_at_destination {
        // Article 58.
        if !seller.has_oss {
            return Err(Error::NeedsOss(buyer.country.clone()));
        }
        let by_place = taxed(&buyer.country, law(&buyer.country))?;
        return Ok(Treatment { by_oss: true, ..by_place });
    }
    // At home by Article 44 or 45, or by Article 59c below the threshold.
    if seller.is_small {
        return taxed(&seller.country, Supply::Exempt(SMALL_ENTERPRISE.to_owned()));
    }
    taxed(&seller.country, law(&seller.country))
}

fn check(seller: &Seller, buyer: &Buyer) -> Result<(), Error> {
    for country in [&seller.country, &buyer.country] {
        if country.len() != 2 || !country.bytes().all(|it| it.is_ascii_uppercase()) {
            return Err(Error::BadCountry);
        }
    }
    if !is_member(&seller.country) {
        return Err(Error::SellerOutside);
    }
    let foreign = buyer.vat_id.as_ref().filter(|it| it.country() != buyer.country);
    if let Some(id) = foreign {
        return Err(Error::ForeignVatId(id.country().to_owned()));
    }
    Ok(())
}

fn untaxed(category: Category, place: &str) -> Treatment {
    Treatment {
        category,
        rate: Rate::ZERO,
        place: place.to_owned(),
        by_oss: false,
        reason_code: category.reason_code(),
        legal_text: category.legal_text().map(str::to_owned),
    }
}

/// Taxed by `place`, a member state.
fn taxed(place: &str, supply: Supply) -> Result<Treatment, Error> {
    let (category, rate, legal_text) = match supply {
        Supply::Standard => (Category::Standard, standard_rate(place).unwrap_or(Rate::ZERO), None),
        Supply::At(Rate::ZERO) => return Err(Error::RateIsZero),
        Supply::At(rate) => (Category::Standard, rate, None),
        Supply::Zero => (Category::Zero, Rate::ZERO, None),
        Supply::Exempt(why) => (Category::Exempt, Rate::ZERO, Some(why)),
    };
    let place = place.to_owned();
    Ok(Treatment { category, rate, place, by_oss: false, reason_code: None, legal_text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seller(country: &str) -> Seller {
        Seller {
            country: country.into(),
            is_small: false,
            taxes_at_destination: true,
            has_oss: true,
            outside: Outside::NotSubject,
        }
    }

    fn consumer(country: &str) -> Buyer {
        Buyer { country: country.into(), vat_id: None }
    }

    fn business(id: &str) -> Buyer {
        let id = VatId::parse(id).unwrap();
        Buyer { country: id.country().to_owned(), vat_id: Some(id) }
    }

    fn told(seller: &Seller, buyer: &Buyer) -> (&'static str, u32, String, bool) {
        let it = treat(seller, buyer, |_| Supply::Standard).unwrap();
        assert!(it.category.admits(it.rate));
        assert_eq!(it.legal_text.is_none(), it.category == Category::Standard);
        (it.category.code(), it.rate.hundredths(), it.place, it.by_oss)
    }

    #[test]
    fn the_place_of_supply_decides() {
        let german = seller("DE");
        let below = Seller { taxes_at_destination: false, has_oss: false, ..seller("DE") };
        let small = Seller { is_small: true, ..below.clone() };
        let exporter = Seller { outside: Outside::Export, ..seller("DE") };

        assert_eq!(told(&german, &consumer("DE")), ("S", 1_900, "DE".into(), false));
        assert_eq!(told(&german, &business("DE123456789")), ("S", 1_900, "DE".into(), false));
        assert_eq!(told(&german, &business("EL123456789")), ("AE", 0, "GR".into(), false));
        assert_eq!(told(&german, &consumer("FI")), ("S", 2_550, "FI".into(), true));
        assert_eq!(told(&german, &consumer("US")), ("O", 0, "US".into(), false));
        assert_eq!(told(&exporter, &consumer("GB")), ("G", 0, "GB".into(), false));
        assert_eq!(told(&below, &consumer("FI")), ("S", 1_900, "DE".into(), false));
        assert_eq!(told(&small, &consumer("DE")), ("E", 0, "DE".into(), false));
        assert_eq!(told(&small, &business("FR12123456789")), ("AE", 0, "FR".into(), false));
    }

    #[test]
    fn the_law_of_the_place_is_told_by_the_caller() {
        let reduced = Rate::new(550).unwrap();
        let books = treat(&seller("DE"), &consumer("FR"), |_| Supply::At(reduced)).unwrap();
        let zero = treat(&seller("IE"), &consumer("IE"), |_| Supply::Zero).unwrap();
        let why = |_: &str| Supply::Exempt("Article 132(1)(i): education".into());
        let school = treat(&seller("AT"), &consumer("AT"), why).unwrap();

        assert_eq!((books.rate, books.by_oss), (reduced, true));
        assert_eq!((zero.category, zero.legal_text), (Category::Zero, None));
        assert_eq!(school.legal_text.as_deref(), Some("Article 132(1)(i): education"));
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let no_oss = Seller { has_oss: false, ..seller("DE") };
        let odd = Buyer { country: "AT".into(), ..business("DE123456789") };
        let go = |seller: &Seller, buyer: &Buyer| treat(seller, buyer, |_| Supply::Standard);

        assert_eq!(go(&no_oss, &consumer("FR")), Err(Error::NeedsOss("FR".into())));
        assert_eq!(go(&seller("DE"), &odd), Err(Error::ForeignVatId("DE".into())));
        assert_eq!(go(&seller("US"), &consumer("FR")), Err(Error::SellerOutside));
        assert_eq!(go(&seller("DE"), &consumer("fr")), Err(Error::BadCountry));
        let zero = treat(&seller("DE"), &consumer("DE"), |_| Supply::At(Rate::ZERO));
        assert_eq!(zero, Err(Error::RateIsZero));
    }
}
