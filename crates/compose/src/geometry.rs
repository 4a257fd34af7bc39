//! Sizes of pages and frames.

/// A page's size in CSS pixels, and how many pixels of a frame each of them is wide and high.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewport {
    pub width: u32,
    pub height: u32,
    pub scale: u32,
}

impl Viewport {
    /// Width and height of a frame.
    pub fn pixels(self) -> (u32, u32) {
        (self.width * self.scale, self.height * self.scale)
    }
}
