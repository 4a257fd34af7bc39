//! Sizes of pages and frames.

use std::fmt;

/// Pixels of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A page's size in CSS pixels, and how many pixels of a frame each of them is wide and high.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewport {
    pub width: u32,
    pub height: u32,
    pub scale: u32,
}

impl Viewport {
    /// The size of a frame.
    pub fn frame(self) -> Size {
        Size { width: self.width * self.scale, height: self.height * self.scale }
    }
}
