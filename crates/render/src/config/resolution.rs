//! The size of the output by name, drawn from the same page with more pixels.

use crate::error::{Result, refuse_config as refuse};

/// Sizes by name.
const SIZES: [(&str, u32, u32); 12] = [
    ("landscape", 1920, 1080),
    ("portrait", 1080, 1920),
    ("square", 1080, 1080),
    ("landscape-4k", 3840, 2160),
    ("portrait-4k", 2160, 3840),
    ("square-4k", 2160, 2160),
    ("landscape-720p", 1280, 720),
    ("portrait-720p", 720, 1280),
    ("square-720p", 720, 720),
    ("landscape-480p", 854, 480),
    ("portrait-480p", 480, 854),
    ("square-480p", 480, 480),
];

/// Names that say how large, not which way round.
const TURNING: [(&str, &str); 6] = [
    ("1080p", "landscape"),
    ("hd", "landscape"),
    ("4k", "landscape-4k"),
    ("uhd", "landscape-4k"),
    ("720p", "landscape-720p"),
    ("480p", "landscape-480p"),
];

/// Other ways to write some of the sizes.
const ALIASES: [(&str, &str); 9] = [
    ("1080p-portrait", "portrait"),
    ("portrait-1080p", "portrait"),
    ("4k-portrait", "portrait-4k"),
    ("1080p-square", "square"),
    ("square-1080p", "square"),
    ("4k-square", "square-4k"),
    ("720p-portrait", "portrait-720p"),
    ("480p-portrait", "portrait-480p"),
    ("720p-square", "square-720p"),
];

/// The most pixels of a frame for one of the page, in each direction.
pub(crate) const MAX_SCALE: u32 = 16;

/// How large frames are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    name: String,
    width: u32,
    height: u32,
    /// Whether the sides change places for a composition that is higher than wide.
    turns: bool,
}

impl Resolution {
    /// The size called `name`, whatever its case.
    pub(super) fn named(name: &str, turns: bool) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        let turning = TURNING.iter().find(|(alias, _)| *alias == lower);
        let full = turning
            .or(ALIASES.iter().find(|(alias, _)| *alias == lower))
            .map_or(&*lower, |(_, full)| full);
        let Some((_, width, height)) = SIZES.iter().find(|(size, ..)| *size == full) else {
            let names: Vec<_> = TURNING
                .iter()
                .map(|(name, _)| *name)
                .chain(SIZES.iter().map(|(name, ..)| *name))
                .collect();
            return refuse(
                "outputResolution",
                format!("must be one of {}, not \"{name}\"", names.join(", ")),
            );
        };
        Ok(Self {
            name: name.to_owned(),
            width: *width,
            height: *height,
            turns: turns || turning.is_some(),
        })
    }

    /// By how much a page of this size is enlarged; only whole factors keep every pixel sharp.
    pub(crate) fn scale(&self, width: u32, height: u32) -> Result<u32> {
        let is_turned = self.turns && height > width;
        let (wide, high) =
            if is_turned { (self.height, self.width) } else { (self.width, self.height) };
        let scale = wide / width;
        if (1..=MAX_SCALE).contains(&scale) && (scale * width, scale * height) == (wide, high) {
            return Ok(scale);
        }
        refuse(
            "outputResolution",
            format!(
                "{} is {wide}x{high}, which is not 1 to {MAX_SCALE} times the composition's {width}x{height}",
                self.name
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_is_a_whole_multiple_of_the_composition() {
        for (name, turns, width, height, expected) in [
            ("4k", false, 1920, 1080, Some(2)),
            ("4K", false, 1080, 1920, Some(2)),
            ("landscape-4k", false, 1080, 1920, None),
            ("landscape-4k", true, 1080, 1920, Some(2)),
            ("1080p", false, 640, 360, Some(3)),
            ("portrait", false, 540, 960, Some(2)),
            ("1080p", false, 1920, 1080, Some(1)),
            ("1080p", false, 3840, 2160, None),
            ("4k", false, 1920, 1200, None),
            ("square-4k", false, 1080, 1080, Some(2)),
            ("square-4k", false, 16, 16, None),
        ] {
            let scale = Resolution::named(name, turns).unwrap().scale(width, height).ok();
            assert_eq!(scale, expected, "{name} of {width}x{height}");
        }
        let error = Resolution::named("8k", false).unwrap_err().to_string();
        assert!(error.contains("must be one of 1080p"), "{error}");
    }
}
