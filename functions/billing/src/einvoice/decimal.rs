//! Integers written as decimals.

/// `value` with its last `digits` behind the point: 1050 with 2 is 10.50, 1050 with 0 is 1050.
pub(super) fn fixed(value: i64, digits: u32) -> String {
    let one = 10u64.saturating_pow(digits);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
    match digits {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{part:0width$}", width = digits as usize),
    }
}

/// The same without zeros at the end: 1050 with 2 is 10.5.
pub(super) fn trimmed(value: i64, digits: u32) -> String {
    let text = fixed(value, digits);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_stands_where_it_should() {
        let all = [fixed(1_050, 2), fixed(-5, 2), fixed(1_050, 0), trimmed(1_050, 2)];
        assert_eq!(all, ["10.50", "-0.05", "1050", "10.5"]);
        assert_eq!([trimmed(1_000, 3), trimmed(100, 0), trimmed(0, 2)], ["1", "100", "0"]);
        assert_eq!(fixed(i64::MIN, 2), "-92233720368547758.08");
    }
}
