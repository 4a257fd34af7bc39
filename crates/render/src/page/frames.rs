//! Frames of videos on their way from the plan to the page.

use std::path::{Path, PathBuf};

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};

use crate::page::files::content_type;
use crate::video_track::VideoTrack;

/// Below this path a frame is called by two numbers: the video's in the plan, and its own in the video. No project has a
/// folder of this name.
pub(crate) const PLACE: &str = "/__frames/";

/// The frame called `name`, if there is one.
pub(super) async fn answer(tracks: &[VideoTrack], name: &str) -> Option<Response<Full<Bytes>>> {
    let file = file(tracks, name)?;
    let mut response = Response::new(Full::new(Bytes::from(tokio::fs::read(&file).await.ok()?)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&file)));
    // A copy of every frame in the browser's cache on disk would help nobody.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// The names of the directory and the file of the frame called `name`, if there is one.
pub(super) fn place(tracks: &[VideoTrack], name: &str) -> Option<(String, String)> {
    let file = file(tracks, name)?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Some((name(file.parent()?), name(&file)))
}

fn file(tracks: &[VideoTrack], name: &str) -> Option<PathBuf> {
    let (video, frame) = name.split_once('/')?;
    let track = tracks.get(video.parse::<usize>().ok()?)?;
    let frame = frame.parse::<u32>().ok().filter(|frame| *frame < track.frames)?;
    Some(track.file(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frames_that_exist_have_a_name() {
        let track = VideoTrack {
            id: "v".into(),
            src: "v.mp4".into(),
            start: 0.0,
            end: 1.0,
            media_start: 0.0,
            rate: 1.0,
            cycle: None,
            frames: 30,
            dir: "/plan/video-frames/v".into(),
            extension: "png",
            width: 16,
            height: 16,
            duration: 1.0,
        };
        for (name, expected) in [
            ("0/0", Some("frame_00001.png")),
            ("0/29", Some("frame_00030.png")),
            ("0/30", None),
            ("1/0", None),
            ("0", None),
            ("0/-1", None),
            ("0/../../meta", None),
            ("v/0", None),
        ] {
            let expected = expected.map(|file| PathBuf::from("/plan/video-frames/v").join(file));
            assert_eq!(file(std::slice::from_ref(&track), name), expected, "{name}");
        }
    }
}
