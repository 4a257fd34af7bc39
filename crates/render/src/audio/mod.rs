//! The sound of a composition: every clip in its place and as loud as it should be, mixed once into one file of exact length.

pub(crate) mod envelope;
pub(crate) mod place;
pub(crate) mod sample;
pub(crate) mod sources;
pub(crate) mod track;

use std::fs;
use std::path::Path;
use std::time::Duration;

use compose::media::clip::{Clip, Sound};
use futures::{StreamExt, TryStreamExt, stream};

use crate::audio::envelope::Envelope;
use crate::audio::place::{Slot, Supply};
use crate::audio::sources::{Need, Use, needs};
use crate::audio::track::{Excess, Spool, Track};
use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::ffmpeg::probe::{check_mix, probe_sounds};
use crate::ffmpeg::sound::{decode, flac};
use crate::ffmpeg::source::{Source, probe_source};
use crate::frame::{Fps, FrameRange};
use crate::process::run;
use crate::tools::Tools;

/// For the longest timeline, on a slow machine.
const LIMIT: Duration = Duration::from_mins(15);

/// Sources that are decoded at the same time.
const DECODERS: usize = 2;

/// Mixes `sounds` to `out`, from the first to the last of `frames`, and returns warnings; `None` if no sound lies before their
/// end.
///
/// The mix is lossless, so that there is one lossy step in all, at the end. `work` is for what is in between.
pub(crate) async fn mix(
    tools: &Tools,
    sounds: &[Sound],
    frames: FrameRange,
    fps: Fps,
    work: &Path,
    out: &Path,
) -> Result<Option<Vec<String>>> {
    let (from, samples) =
        (sample::in_frames(frames.start, fps), sample::in_frames(frames.len(), fps));
    let total = from + samples;
    let needs = needs(sounds, total);
    if needs.is_empty() {
        return Ok(None);
    }
    let dir = tempfile::tempdir_in(work).map_err(Error::io("make a work directory in", work))?;
    let raw = dir.path().join("mix.raw");
    let mut track = Track::create(&raw, total)?;
    let decoding = needs.iter().enumerate().map(|(i, need)| {
        let spool = dir.path().join(format!("{i}.raw"));
        async move { Ok::<_, Error>((need, fetch(tools, need, &spool).await?, spool)) }
    });
    let mut decoded = std::pin::pin!(stream::iter(decoding).buffered(DECODERS));
    while let Some((need, source, path)) = decoded.try_next().await? {
        let spool = Spool::open(&path)?;
        let parts = parts(need, &source, spool.samples)?;
        track = blocking(move || {
            for MixPart { slot, supply, offset, envelopes } in &parts {
                track.add(*slot, *supply, &spool, *offset, envelopes)?;
            }
            Ok(track)
        })
        .await?;
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    let excess = blocking(move || track.finish()).await?;
    run(&flac(tools, &raw, from, out), LIMIT).await?;
    check_mix(out, &probe_sounds(tools, out).await?, samples)?;
    Ok(Some(excess.iter().map(Excess::warning).collect()))
}

/// One sound, with all that mixing has to know of it.
struct MixPart {
    slot: Slot,
    supply: Supply,
    offset: u64,
    envelopes: [Envelope; 2],
}

fn parts(need: &Need<'_>, source: &Source, decoded: u64) -> Result<Vec<MixPart>> {
    let part = |used: &Use<'_>| {
        Ok(MixPart {
            slot: used.slot,
            supply: need.supply(used, source, decoded)?,
            offset: need.offset(used),
            envelopes: [&used.sound.volume, &used.sound.fade].map(Envelope::new),
        })
    };
    need.uses.iter().map(part).collect()
}

/// Decodes what is needed of a file to `spool`.
async fn fetch(tools: &Tools, need: &Need<'_>, spool: &Path) -> Result<Source> {
    let Clip { element, file, .. } = need.clip;
    let unusable = |reason: String| Error::media_unusable(element, reason);
    if !file.is_file() {
        return Err(unusable("its file is not there".to_owned()));
    }
    let refused = |error| match error {
        // FFmpeg came to an end and said no. Anything else is not the file's fault.
        Error::Command { exit_code: Some(_), ref stderr, .. } if !error.is_disk_full() => {
            unusable(format!("its sound cannot be decoded: {stderr}"))
        }
        error => error,
    };
    let source = probe_source(tools, file).await.map_err(refused)?;
    if source.sound.is_none() {
        return Err(unusable("its file has no sound".to_owned()));
    }
    run(&decode(tools, file, &source, need.part, spool), LIMIT).await.map_err(refused)?;
    Ok(source)
}

#[cfg(test)]
mod tests;
