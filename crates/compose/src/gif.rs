//! What a GIF file says of itself: how many pictures it has and how often they are shown.

/// A GIF with more than one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Animated {
    /// Whether it starts again when it is over; a finite number of repeats counts as without end.
    pub(crate) repeats: bool,
}

/// Reads the blocks of a GIF; `None` for a still picture and for what is no GIF.
pub(crate) fn animated(bytes: &[u8]) -> Option<Animated> {
    let is_gif = bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a");
    let flags = *bytes.get(10).filter(|_| is_gif)?;
    let mut at = 13 + table(flags);
    let (mut pictures, mut repeats) = (0, false);
    while pictures < 2 || !repeats {
        match bytes.get(at) {
            Some(0x21) => {
                let block = bytes.get(at + 2..)?;
                // NETSCAPE2.0: one block of application name, one of a 1 and the number of repeats, 0 for ever.
                let is_loop = block.get(1..12) == Some(b"NETSCAPE2.0") && block.get(13) == Some(&1);
                repeats |= is_loop && block.get(14..16).is_some_and(|count| count != [1, 0]);
                at = skip_blocks(bytes, at + 2)?;
            }
            Some(0x2c) => {
                pictures += 1;
                let flags = *bytes.get(at + 9)?;
                at = skip_blocks(bytes, at + 11 + table(flags))?;
            }
            _ => break,
        }
    }
    (pictures > 1).then_some(Animated { repeats })
}

/// Bytes of a colour table, by the flags that announce it.
fn table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Where the blocks that start at `at` end.
fn skip_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gif(pictures: usize, repeats: Option<u8>) -> Vec<u8> {
        let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        if let Some(count) = repeats {
            bytes.extend(b"\x21\xff\x0bNETSCAPE2.0\x03\x01");
            bytes.extend([count, 0, 0]);
        }
        for _ in 0..pictures {
            bytes.extend(b"\x21\xf9\x04\0\x0a\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
        }
        bytes.push(0x3b);
        bytes
    }

    #[test]
    fn a_gif_is_animated_if_it_has_two_pictures_and_repeats_if_it_says_so() {
        for (bytes, expected) in [
            (gif(1, None), None),
            (gif(1, Some(0)), None),
            (gif(2, None), Some(Animated { repeats: false })),
            (gif(3, Some(0)), Some(Animated { repeats: true })),
            (gif(3, Some(5)), Some(Animated { repeats: true })),
            (b"\x89PNG".to_vec(), None),
            (gif(2, None)[..20].to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(animated(&bytes), expected);
        }
    }
}
