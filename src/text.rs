//! Texts of a limited length.

/// At most `limit` characters of `text`; what is cut ends in an ellipsis: `"äöüß"` cut to 3 is `"äö…"`.
pub fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut(&"ß".repeat(300), 256).chars().count(), 256);
    }
}
