//! Which parts of which files have to be decoded, each once, and what every sound takes of them.

use compose::media::clip::{Clip, Repeat, Sound};

use crate::audio::place::{Slot, Supply};
use crate::audio::sample;
use crate::error::{Error, Result};
use crate::ffmpeg::sound::Part;
use crate::ffmpeg::source::Source;

/// A part of a file, and the sounds that are made of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Need<'a> {
    /// Names the file, and in errors the element: the first that wants it.
    pub(crate) clip: &'a Clip,
    pub(crate) part: Part,
    pub(crate) uses: Vec<Use<'a>>,
}

/// A sound that is heard in the video.
#[derive(Debug, PartialEq)]
pub(crate) struct Use<'a> {
    pub(crate) sound: &'a Sound,
    pub(crate) slot: Slot,
    /// The in-point as a sample of the source.
    from: u64,
}

/// What `sounds` need of their files in a mix of `total` samples, in the order in which the files are first named.
pub(crate) fn needs(sounds: &[Sound], total: u64) -> Vec<Need<'_>> {
    let mut needs: Vec<Need<'_>> = Vec::new();
    for sound in sounds {
        let clip = &sound.clip;
        let Some(slot) = Slot::of(clip, total) else { continue };
        let from = u64::try_from(sample::at(clip.media_start)).unwrap_or(0);
        let part = Part { from, samples: slot.samples(), rate: clip.rate };
        let used = Use { sound, slot, from };
        let same = needs.iter_mut().find_map(|need| {
            let joined = join(need.part, part).filter(|_| need.clip.file == clip.file)?;
            Some((need, joined))
        });
        match same {
            Some((need, joined)) => {
                need.part = joined;
                need.uses.push(used);
            }
            None => needs.push(Need { clip, part, uses: vec![used] }),
        }
    }
    needs
}

/// The part of one file that has both in it. A changed speed begins at the in-point, so only equal ones can be shared.
fn join(a: Part, b: Part) -> Option<Part> {
    let plain = |part: Part| part.rate.to_bits() == 1.0_f64.to_bits();
    if plain(a) && plain(b) {
        let from = a.from.min(b.from);
        let end = (a.from + a.samples).max(b.from + b.samples);
        return Some(Part { from, samples: end - from, rate: 1.0 });
    }
    let is_same = a.from == b.from && a.rate.to_bits() == b.rate.to_bits();
    is_same.then(|| Part { samples: a.samples.max(b.samples), ..a })
}

impl Need<'_> {
    /// Where in the decoded part the in-point of `used` is.
    pub(crate) fn offset(&self, used: &Use<'_>) -> u64 {
        used.from - self.part.from
    }

    /// What a sound has for its slot when `decoded` samples came of the part.
    pub(crate) fn supply(&self, used: &Use<'_>, source: &Source, decoded: u64) -> Result<Supply> {
        let Clip { element, media_start, rate, repeat, .. } = &used.sound.clip;
        let samples = decoded.saturating_sub(self.offset(used));
        // The sound of a video may end before its picture; then it is silence that was asked for.
        let is_past_all =
            source.picture.is_none() || source.duration.is_none_or(|end| *media_start >= end);
        if samples == 0 && is_past_all {
            let reason =
                format!("there is nothing to hear from its in-point at {media_start} s on");
            return Err(Error::media_unusable(element, reason));
        }
        let of_picture = |source: &Source| {
            let seconds = source.picture.as_ref()?.duration.or(source.duration)?;
            Some(sample::exact((seconds - media_start) / rate)).filter(|cycle| *cycle >= 1.0)
        };
        let cycle = match repeat {
            Repeat::Once => None,
            // A video's sound starts again with its picture, however long it is itself.
            Repeat::Loop => of_picture(source).or_else(|| {
                (1..used.slot.samples()).contains(&samples).then(|| sample::float(samples))
            }),
        };
        Ok(Supply { samples, cycle })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::ffmpeg::source::Picture;
    use compose::media::clip::Volume;

    fn sound(file: &str, start: f64, end: f64, media_start: f64, rate: f64) -> Sound {
        let clip = Clip {
            id: file.into(),
            element: format!("<audio src=\"{file}\">"),
            src: file.into(),
            file: PathBuf::from(file),
            start,
            from: 0.0,
            end,
            media_start,
            rate,
            repeat: Repeat::Once,
        };
        Sound { clip, volume: Volume::Constant(1.0), fade: Volume::Constant(1.0) }
    }

    /// Each need as file, first sample, samples and rate, with the offsets of its sounds.
    fn check(sounds: &[Sound], expected: &[(&str, u64, u64, f64, &[u64])]) {
        let needs = needs(sounds, 480_000);
        let found: Vec<_> = needs
            .iter()
            .map(|need| {
                let Part { from, samples, rate } = need.part;
                let offsets: Vec<_> = need.uses.iter().map(|used| need.offset(used)).collect();
                (need.clip.src.as_str(), from, samples, rate, offsets)
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(a, b, c, d, e)| (*a, *b, *c, *d, e.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_is_decoded_once_for_all_its_sounds() {
        check(
            &[
                sound("a", 0.0, 1.0, 5.0, 1.0),
                sound("b", 0.0, 1.0, 0.0, 1.0),
                sound("a", 3.0, 4.0, 2.0, 1.0),
                sound("a", 9.0, 12.0, 5.5, 1.0),
                sound("never", 10.0, 12.0, 0.0, 1.0),
            ],
            &[("a", 96_000, 216_000, 1.0, &[144_000, 0, 168_000]), ("b", 0, 48_000, 1.0, &[0])],
        );
    }

    #[test]
    fn sounds_at_another_speed_share_only_what_is_equal() {
        check(
            &[
                sound("a", 0.0, 1.0, 5.0, 2.0),
                sound("a", 4.0, 6.0, 5.0, 2.0),
                sound("a", 0.0, 1.0, 6.0, 2.0),
                sound("a", 0.0, 1.0, 5.0, 1.0),
            ],
            &[
                ("a", 240_000, 96_000, 2.0, &[0, 0]),
                ("a", 288_000, 48_000, 2.0, &[0]),
                ("a", 240_000, 48_000, 1.0, &[0]),
            ],
        );
    }

    fn picture(seconds: f64) -> Picture {
        Picture {
            codec: "h264".into(),
            width: 16,
            height: 16,
            pixel_format: "yuv420p".into(),
            sample_aspect: "1:1".into(),
            frame_rate: "30/1".into(),
            average_frame_rate: "30/1".into(),
            duration: Some(seconds),
            start: 0.0,
            transfer: String::new(),
            primaries: String::new(),
            matrix: String::new(),
            range: String::new(),
            alpha_mode: false,
        }
    }

    #[test]
    fn a_loop_lasts_as_long_as_the_picture_or_else_as_the_sound() {
        let mut sound = sound("a", 0.0, 10.0, 0.5, 2.0);
        for (repeat, pictured, decoded, expected) in [
            (Repeat::Once, None, 12_000, None),
            (Repeat::Loop, None, 12_000, Some(12_000.0)),
            (Repeat::Loop, None, 480_000, None),
            (Repeat::Loop, Some(2.5), 12_000, Some(48_000.0)),
            (Repeat::Once, Some(2.5), 12_000, None),
        ] {
            sound.clip.repeat = repeat;
            let sounds = [sound.clone()];
            let needs = needs(&sounds, 480_000);
            let source = Source {
                duration: Some(3.0),
                start: 0.0,
                picture: pictured.map(picture),
                sound: None,
            };
            let supply = needs[0].supply(&needs[0].uses[0], &source, decoded).unwrap();
            assert_eq!(
                supply,
                Supply { samples: decoded, cycle: expected },
                "{repeat:?} {pictured:?}"
            );
        }
    }

    #[test]
    fn an_in_point_after_the_end_is_refused_but_for_a_video_whose_sound_ends_early() {
        for (media_start, pictured, is_refused) in
            [(5.0, None, true), (5.0, Some(8.0), false), (9.0, Some(8.0), true)]
        {
            let sounds = [sound("a", 0.0, 1.0, media_start, 1.0)];
            let needs = needs(&sounds, 480_000);
            let source = Source {
                duration: Some(8.0),
                start: 0.0,
                picture: pictured.map(picture),
                sound: None,
            };
            let supply = needs[0].supply(&needs[0].uses[0], &source, 0);
            assert_eq!(supply.is_err(), is_refused, "{media_start} {pictured:?}");
        }
    }
}
