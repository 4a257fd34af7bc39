//! Media queries, answered for the page that a render draws: a screen of one size, in light colours, with no pointer.

use crate::css::split_at_commas;
use crate::geometry::Viewport;

/// Whether one of the queries of a list holds. A feature that is not known here does not, as in a browser.
pub(crate) fn holds(list: &str, viewport: Viewport) -> bool {
    let list = list.trim().to_ascii_lowercase();
    list.is_empty()
        || split_at_commas(&list).into_iter().any(|(_, query)| query_holds(query, viewport))
}

fn query_holds(query: &str, viewport: Viewport) -> bool {
    let query = query.trim();
    if let Some(rest) = query.strip_prefix("not ") {
        return !query_holds(rest, viewport);
    }
    let query = query.strip_prefix("only ").unwrap_or(query);
    if query.contains(" or ") {
        return query.split(" or ").any(|part| query_holds(part, viewport));
    }
    query.split(" and ").all(|part| part_holds(part.trim(), viewport).unwrap_or(false))
}

fn part_holds(part: &str, viewport: Viewport) -> Option<bool> {
    let Some(feature) = part.strip_prefix('(').and_then(|part| part.strip_suffix(')')) else {
        return Some(matches!(part, "all" | "screen"));
    };
    if feature.starts_with('(') || feature.starts_with("not ") {
        return Some(query_holds(feature, viewport));
    }
    match feature.split_once(':') {
        Some((name, value)) => named(name.trim(), value.trim(), viewport),
        None if feature.contains(['<', '>', '=']) => compared(feature, viewport),
        None => Some(matches!(feature.trim(), "width" | "height" | "color" | "aspect-ratio")),
    }
}

/// `min-width: 600px` and its like.
fn named(name: &str, value: &str, viewport: Viewport) -> Option<bool> {
    let (bound, name) = match (name.strip_prefix("min-"), name.strip_prefix("max-")) {
        (Some(name), _) => (Some(true), name),
        (_, Some(name)) => (Some(false), name),
        _ => (None, name),
    };
    if let Some(actual) = measure(name, viewport) {
        let wanted = quantity(value)?;
        return Some(match bound {
            Some(true) => actual >= wanted,
            Some(false) => actual <= wanted,
            None => (actual - wanted).abs() < 1e-6,
        });
    }
    let is = match name {
        "orientation" if viewport.height >= viewport.width => "portrait",
        "orientation" => "landscape",
        "prefers-color-scheme" => "light",
        "prefers-reduced-motion" | "prefers-contrast" | "prefers-reduced-transparency" => {
            "no-preference"
        }
        "display-mode" => "browser",
        "scripting" => "enabled",
        "hover" | "any-hover" | "pointer" | "any-pointer" => "none",
        _ => return None,
    };
    Some(value == is)
}

/// `600px <= width < 900px` and its parts.
fn compared(feature: &str, viewport: Viewport) -> Option<bool> {
    let is_sign = |c: char| "<>=".contains(c);
    let mut sides = feature.split(is_sign).map(str::trim).filter(|side| !side.is_empty());
    let mut signs = feature.split(|c| !is_sign(c)).filter(|sign| !sign.is_empty());
    let value = |side: &str| measure(side, viewport).or_else(|| quantity(side));
    let mut left = value(sides.next()?)?;
    for right in sides {
        let right = value(right)?;
        let holds = match signs.next()? {
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            ">=" => left >= right,
            "=" => (left - right).abs() < 1e-6,
            _ => return None,
        };
        if !holds {
            return Some(false);
        }
        left = right;
    }
    Some(true)
}

fn measure(name: &str, viewport: Viewport) -> Option<f64> {
    let (width, height) = (f64::from(viewport.width), f64::from(viewport.height));
    match name {
        "width" | "device-width" => Some(width),
        "height" | "device-height" => Some(height),
        "aspect-ratio" | "device-aspect-ratio" => Some(width / height),
        "resolution" | "-webkit-device-pixel-ratio" => Some(f64::from(viewport.scale)),
        _ => None,
    }
}

/// A length in pixels, a ratio, or dots a pixel.
fn quantity(text: &str) -> Option<f64> {
    if let Some((over, under)) = text.split_once('/') {
        return Some(over.trim().parse::<f64>().ok()? / under.trim().parse::<f64>().ok()?);
    }
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..end].trim().parse().ok()?;
    let unit = match &text[end..] {
        "" | "px" | "dppx" | "x" => 1.0,
        "em" | "rem" => 16.0,
        "dpi" => 1.0 / 96.0,
        "in" => 96.0,
        "cm" => 96.0 / 2.54,
        "pt" => 96.0 / 72.0,
        _ => return None,
    };
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_query_is_answered_for_the_page() {
        let viewport = Viewport { width: 320, height: 180, scale: 1 };
        for (query, expected) in [
            ("", true),
            ("all", true),
            ("print", false),
            ("only screen and (min-width: 300px)", true),
            ("(min-width:20em) and (orientation: landscape)", true),
            ("(max-width: 319px)", false),
            ("not print", true),
            ("not (max-width: 319px)", true),
            ("(max-width: 10px), (height: 180px)", true),
            ("(orientation: portrait) or (min-aspect-ratio: 16/9)", true),
            ("(300px <= width < 320px)", false),
            ("(WIDTH > 300px)", true),
            ("(prefers-color-scheme: dark)", false),
            ("(prefers-reduced-motion: no-preference)", true),
            ("(min-resolution: 2dppx)", false),
            ("(some-new-feature: 1)", false),
        ] {
            assert_eq!(holds(query, viewport), expected, "{query}");
        }
    }
}
