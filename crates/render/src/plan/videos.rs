//! `meta/videos.json`: written from what was extracted, and read back with every entry checked and every frame there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::ffmpeg::source::Picture;
use crate::frame::Fps;
use crate::plan::layout::{
    self, ColorSpace, Dimensions, Extracted, Manifest, VideoEntry, VideoMetadata, Videos,
};
use crate::video::window::Window;
use crate::video::{ExtractedVideo, is_name};
use crate::video_track::VideoTrack;

/// The rates that a plan of any maker may ask for.
const RATES: std::ops::RangeInclusive<f64> = 0.05..=20.0;

/// The videos of the plan in `dir`; a plan without the file has none.
pub(super) fn open_videos(dir: &Path, manifest: &Manifest) -> Result<Vec<VideoTrack>> {
    let path = dir.join(layout::VIDEOS_JSON);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    let videos = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    let Dimensions { fps_num, fps_den, .. } = manifest.dimensions;
    // Frame rates that are none are refused where the rest of the plan is looked at.
    let Some(fps) = Fps::exact(fps_num, fps_den) else { return Ok(Vec::new()) };
    tracks(videos, fps, &dir.join(layout::VIDEO_FRAMES))
}

/// What `meta/videos.json` says of the videos whose frames were extracted at `fps`.
pub(super) fn entries(extracted: &[ExtractedVideo], fps: Fps) -> Videos {
    let (videos, extracted) = extracted.iter().map(|video| entry(video, fps)).unzip();
    Videos { videos, extracted }
}

fn entry(video: &ExtractedVideo, fps: Fps) -> (VideoEntry, Extracted) {
    let ExtractedVideo {
        clip,
        path,
        picture,
        seconds,
        has_sound,
        has_alpha,
        window,
        dir,
        extension,
        frames,
        width,
        height,
    } = video;
    let Window { start, end, media_start, rate, cycle, frames: _ } = *window;
    let entry = VideoEntry {
        id: clip.id.clone(),
        src: clip.src.clone(),
        start,
        end,
        media_start,
        repeats: cycle.is_some(),
        has_audio: *has_sound,
        playback_rate: rate,
    };
    let Picture { transfer, primaries, matrix, .. } = picture;
    let (nominal, average) = (ratio(&picture.frame_rate), ratio(&picture.average_frame_rate));
    let extracted = Extracted {
        video_id: clip.id.clone(),
        src_path: path.clone(),
        frame_pattern: format!("frame_%05d.{extension}"),
        fps: fps.as_f64(),
        total_frames: *frames,
        frames_dir: (*dir != clip.id).then(|| dir.clone()),
        metadata: VideoMetadata {
            duration_seconds: *seconds,
            video_stream_duration_seconds: picture.duration,
            video_stream_start_seconds: picture.start,
            width: *width,
            height: *height,
            fps: average.or(nominal).unwrap_or_default(),
            video_codec: picture.codec.clone(),
            has_audio: *has_sound,
            is_vfr: nominal.zip(average).is_some_and(|(a, b)| (a - b).abs() / a.max(b) > 0.1),
            has_alpha: *has_alpha,
            color_space: [transfer, primaries, matrix].iter().any(|part| !part.is_empty()).then(
                || ColorSpace {
                    transfer: transfer.clone(),
                    primaries: primaries.clone(),
                    matrix: matrix.clone(),
                },
            ),
        },
    };
    (entry, extracted)
}

/// The value of `num/den`, if it is a rate.
fn ratio(text: &str) -> Option<f64> {
    let (num, den) = text.split_once('/')?;
    let value = num.parse::<f64>().ok()? / den.parse::<f64>().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::VideoMetadata { reason: reason.into() }
}

fn tracks(videos: Videos, fps: Fps, frames_dir: &Path) -> Result<Vec<VideoTrack>> {
    let count = videos.extracted.len();
    let mut frames: BTreeMap<String, Extracted> =
        videos.extracted.into_iter().map(|frames| (frames.video_id.clone(), frames)).collect();
    if frames.len() != count {
        return Err(invalid("a video has two entries in extracted"));
    }
    let mut found = Vec::new();
    for video in videos.videos {
        let Some(frames) = frames.remove(&video.id) else {
            let reason =
                format!("video \"{}\" has no entry in extracted, or two in videos", video.id);
            return Err(invalid(reason));
        };
        let id = video.id.clone();
        let track = track(video, &frames, fps, frames_dir);
        found.push(track.map_err(|reason| invalid(format!("video \"{id}\": {reason}")))?);
    }
    match frames.keys().next() {
        Some(id) => Err(invalid(format!("the frames of \"{id}\" belong to no video"))),
        None => Ok(found),
    }
}

fn track(
    video: VideoEntry,
    extracted: &Extracted,
    fps: Fps,
    frames_dir: &Path,
) -> std::result::Result<VideoTrack, String> {
    let VideoEntry { id, src, start, end, media_start, repeats, has_audio: _, playback_rate } =
        video;
    let Extracted { frame_pattern, total_frames, frames_dir: name, metadata, .. } = extracted;
    let duration = metadata.duration_seconds;
    let numbers = [start, end, media_start, playback_rate, extracted.fps, duration];
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err("a number is not finite".into());
    }
    if end < start || media_start < 0.0 || !RATES.contains(&playback_rate) {
        return Err(format!(
            "{start} to {end} s from {media_start} s on at rate {playback_rate} is no window"
        ));
    }
    if (extracted.fps - fps.as_f64()).abs() > 0.01 {
        return Err(format!("{} frames a second are not the plan's {fps}", extracted.fps));
    }
    let extension = match frame_pattern.as_str() {
        "frame_%05d.jpg" => "jpg",
        "frame_%05d.png" => "png",
        other => return Err(format!("\"{other}\" is no pattern of frames")),
    };
    let name = name.as_deref().unwrap_or(&id);
    if !is_name(name) {
        return Err(format!("\"{name}\" is no name of a directory"));
    }
    let playable = metadata.video_stream_duration_seconds.unwrap_or(duration);
    let cycle = repeats.then_some(playable - media_start).filter(|cycle| *cycle > 0.0);
    let track = VideoTrack {
        dir: frames_dir.join(name),
        id,
        src,
        start,
        end,
        media_start,
        rate: playback_rate,
        cycle,
        frames: *total_frames,
        extension,
        width: metadata.width,
        height: metadata.height,
        duration,
    };
    match (0..track.frames).map(|number| track.file(number)).find(|file| !file.is_file()) {
        _ if track.frames == 0 => Err("it has no frames".into()),
        Some(file) => {
            let name = file.file_name().unwrap_or_default().display().to_string();
            Err(format!("{name} is not in the plan"))
        }
        None => Ok(track),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    type Change = Box<dyn FnOnce(&mut Value)>;

    fn videos() -> Value {
        json!({
            "videos": [
                { "id": "v", "src": "v.mp4", "start": 0, "end": 1, "mediaStart": 0, "loop": false, "hasAudio": false },
            ],
            "extracted": [{
                "videoId": "v", "srcPath": "v.mp4", "framePattern": "frame_%05d.jpg", "fps": 30, "totalFrames": 2,
                "metadata": {
                    "durationSeconds": 1, "videoStreamDurationSeconds": 1, "width": 16, "height": 16, "fps": 30,
                    "videoCodec": "h264", "hasAudio": false, "isVFR": false, "hasAlpha": false, "colorSpace": null,
                },
            }],
        })
    }

    fn check(change: impl FnOnce(&mut Value)) -> Result<Vec<VideoTrack>> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("v")).unwrap();
        for frame in ["frame_00001.jpg", "frame_00002.jpg"] {
            fs::write(dir.path().join("v").join(frame), "x").unwrap();
        }
        let mut value = videos();
        change(&mut value);
        let videos = serde_json::from_value(value).unwrap();
        tracks(videos, Fps { num: 30, den: 1 }, dir.path())
    }

    #[test]
    fn a_plan_of_another_maker_plays_videos_as_recorded() {
        let tracks = check(|_| {}).unwrap();
        assert_eq!((tracks.len(), tracks[0].rate, tracks[0].frames), (1, 1.0, 2));
        assert_eq!(tracks[0].cycle, None);
    }

    #[test]
    fn videos_that_share_frames_name_the_directory() {
        let tracks = check(|value| {
            let (mut video, mut frames) =
                (value["videos"][0].clone(), value["extracted"][0].clone());
            video["id"] = json!("a/b");
            frames["videoId"] = json!("a/b");
            frames["framesDir"] = json!("v");
            value["videos"].as_array_mut().unwrap().push(video);
            value["extracted"].as_array_mut().unwrap().push(frames);
        })
        .unwrap();
        assert_eq!(tracks[0].dir, tracks[1].dir);
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_name() {
        let twice = |list: &'static str| {
            move |value: &mut Value| {
                let entry = value[list][0].clone();
                value[list].as_array_mut().unwrap().push(entry);
            }
        };
        let set = |path: &'static str, to: Value| {
            move |value: &mut Value| *value.pointer_mut(path).unwrap() = to
        };
        let changes: Vec<(Change, &str)> = vec![
            (Box::new(twice("videos")), "no entry in extracted, or two in videos"),
            (Box::new(twice("extracted")), "two entries in extracted"),
            (Box::new(set("/videos/0/id", json!("w"))), "\"w\" has no entry"),
            (Box::new(set("/videos", json!([]))), "belong to no video"),
            (Box::new(set("/videos/0/end", json!(-1))), "no window"),
            (Box::new(set("/videos/0/mediaStart", json!(-1))), "no window"),
            (Box::new(set("/extracted/0/fps", json!(24))), "not the plan's 30/1"),
            (Box::new(set("/extracted/0/framePattern", json!("../%d.jpg"))), "no pattern"),
            (Box::new(set("/extracted/0/totalFrames", json!(0))), "no frames"),
            (
                Box::new(set("/extracted/0/totalFrames", json!(3))),
                "frame_00003.jpg is not in the plan",
            ),
        ];
        for (change, named) in changes {
            let error = check(change).unwrap_err();
            assert!(matches!(error, Error::VideoMetadata { .. }), "{error}");
            assert!(error.to_string().contains(named), "{error} does not say: {named}");
        }
        let escaping = check(|value| {
            value["videos"][0]["id"] = json!("..");
            value["extracted"][0]["videoId"] = json!("..");
        });
        assert!(escaping.unwrap_err().to_string().contains("no name of a directory"));
    }
}
