//! Medians of rounds, and tables of them.

/// The middle one of `values`, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "there is no median of nothing");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// With three digits that count, and never an exponent.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        v if v < 0.0005 => "0.000".into(),
        v if v < 1.0 => format!("{value:.3}"),
        v if v < 10.0 => format!("{value:.2}"),
        v if v < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Prints a Markdown table under a title.
pub fn print(title: &str, head: &[String], rows: &[Vec<String>]) {
    println!("\n{title}\n\n| {} |", head.join(" | "));
    println!("|{}", "---|".repeat(head.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::{median, short};

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn three_digits_count() {
        assert_eq!(short(67_612.4), "67612");
        assert_eq!(short(18.84), "18.8");
        assert_eq!(short(4.1), "4.10");
        assert_eq!(short(0.0312), "0.031");
        assert_eq!(short(0.0), "0");
    }
}
