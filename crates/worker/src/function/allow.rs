//! Which prefixes in S3 an event may name: an event comes from whoever may start an execution, and reads and writes with this
//! function's rights.

use store::Uri;

use crate::actions::Event;
use crate::actions::cache::Cache;
use crate::error::{Error, Result};

/// The setting that lists them, as `bucket` or `bucket/prefix`, with commas between them.
pub(crate) const SETTING: &str = "HYPERFRAMES_RENDER_BUCKET";

/// The setting that says whether a render reaches only what has its own name: `own`, or else everything that is allowed.
pub(crate) const RENDER_PATHS: &str = "FRAMEWRIGHT_RENDER_PATHS";

/// Where renders have a directory of their own, called as they are.
const OF_RENDERS: [&str; 3] = ["work", "outputs", "renders"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowList {
    prefixes: Vec<AllowedPrefix>,
    paths: RenderPaths,
    /// What no event names: who could write here would decide what others' videos show.
    cache: Option<Cache>,
}

/// What of that a render may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RenderPaths {
    /// Of other renders nothing.
    Own,
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedPrefix {
    bucket: String,
    /// Keys must be below it; empty for a whole bucket.
    prefix: String,
}

impl AllowList {
    /// Reads the setting; without it, nothing is allowed.
    pub(crate) fn parse(setting: Option<&str>) -> Self {
        let entries = setting.unwrap_or_default().split(',').map(str::trim);
        let prefixes = entries.filter(|entry| !entry.is_empty()).map(|entry| {
            let entry = entry.strip_prefix("s3://").unwrap_or(entry);
            let (bucket, prefix) = entry.split_once('/').unwrap_or((entry, ""));
            AllowedPrefix { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() }
        });
        Self { prefixes: prefixes.collect(), paths: RenderPaths::Any, cache: None }
    }

    /// The same for renders that reach what `paths` says.
    pub(crate) fn with_paths(self, paths: Option<&str>) -> Self {
        let paths = if paths == Some("own") { RenderPaths::Own } else { RenderPaths::Any };
        Self { paths, ..self }
    }

    /// The same without what is kept in `cache`.
    pub(crate) fn without(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
    }

    /// Checks every URI that an event of `render` names, before any of them is touched. An event without a render comes from somebody
    /// who may invoke the function itself.
    pub(crate) fn check(&self, event: &Event, render: Option<&str>) -> Result<()> {
        for (field, uri) in event.uris() {
            let refused = |reason| {
                Err(Error::NotAllowed { field: field.clone(), uri: uri.to_string(), reason })
            };
            match uri {
                Uri::File(_) => return refused("only s3:// is read and written here"),
                Uri::S3 { .. } if self.prefixes.is_empty() => {
                    return refused("HYPERFRAMES_RENDER_BUCKET names no bucket");
                }
                uri if self.cache.as_ref().is_some_and(|cache| cache.holds(uri)) => {
                    return refused("the function keeps unchanged chunks there");
                }
                Uri::S3 { bucket, key } => {
                    // A prefix may be the whole of what is allowed; what is below it is written with a name of its own.
                    let key =
                        if field.ends_with("Prefix") { format!("{key}/") } else { key.clone() };
                    if !self.prefixes.iter().any(|allowed| allowed.holds(bucket, &key)) {
                        return refused("it is outside what HYPERFRAMES_RENDER_BUCKET lists");
                    }
                    let is_of_another = render.is_some_and(|render| !is_own(&field, &key, render));
                    if self.paths == RenderPaths::Own && is_of_another {
                        return refused(
                            "it is another render's; the template's RenderPaths=any allows that",
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether `key` is none of another render. Where a video goes is for HyperFrames' SDK to say, by its output key: anywhere below
/// `renders/`, or directly into `outputs/`, whose directories are renders.
fn is_own(field: &str, key: &str, render: &str) -> bool {
    let mut parts = key.split('/');
    let (place, name) = (parts.next().unwrap_or_default(), parts.next());
    let is_free = place == "renders" || (place == "outputs" && parts.next().is_none());
    let is_chosen = is_free && field == "OutputS3Uri";
    !OF_RENDERS.contains(&place) || is_chosen || name == Some(render)
}

impl AllowedPrefix {
    fn holds(&self, bucket: &str, key: &str) -> bool {
        let below = key.strip_prefix(&self.prefix);
        self.bucket == bucket
            && (self.prefix.is_empty() || below.is_some_and(|rest| rest.starts_with('/')))
    }
}

#[cfg(test)]
mod tests {
    use render::config::Settings;
    use render::config::output::Format;

    use super::*;
    use crate::actions::assemble::AssembleEvent;
    use crate::actions::plan::PlanEvent;
    use crate::actions::protocol::{PlanLocation, Protocol};
    use crate::actions::render_chunk::RenderChunkEvent;

    fn event(uri: &str) -> Event {
        Event::RenderChunk(RenderChunkEvent {
            plan: PlanLocation::Archive(Uri::parse("s3://ours/renders/b/plan.tar.gz").unwrap()),
            plan_hash: String::new(),
            chunk_index: 0,
            output_prefix: Uri::parse(uri).unwrap(),
            format: Format::Mp4,
        })
    }

    #[test]
    fn uris_are_allowed_by_bucket_and_by_whole_parts_of_the_prefix() {
        for (setting, uri, allowed) in [
            ("ours", "s3://ours/anything/x", true),
            (" ours , theirs/out/ ", "s3://theirs/out/x", true),
            ("s3://ours/renders", "s3://ours/renders/b", true),
            ("ours/renders", "s3://ours/renders-of-others/b", false),
            ("ours/renders", "s3://ours/renders", true),
            ("ours/renders", "s3://ours/renders/", true),
            ("ours/renders/b", "s3://ours/renders", false),
            ("ours/renders", "s3://ours/sites/b", false),
            ("ours,theirs/out", "s3://theirs/secret", false),
            ("ours", "s3://ours2/x", false),
            ("ours", "file:///tmp/x", false),
            ("", "s3://ours/x", false),
            (",", "s3://ours/x", false),
        ] {
            let checked = AllowList::parse(Some(setting)).check(&event(uri), None);
            assert_eq!(checked.is_ok(), allowed, "{setting} {uri}: {checked:?}");
        }
        assert!(AllowList::parse(None).check(&event("s3://ours/x"), None).is_err());
    }

    #[test]
    fn every_uri_of_an_event_is_checked_and_named_by_its_field() {
        let list = AllowList::parse(Some("ours"));
        let uri = |text: &str| Uri::parse(text).unwrap();
        let (ours, theirs) = (uri("s3://ours/x"), uri("s3://theirs/x"));
        let settings = serde_json::Map::from_iter([("fps".to_owned(), 30.into())]);
        let settings = Settings::parse(&settings).unwrap();
        let plan = |project: &Uri, prefix: &Uri| {
            Event::Plan(PlanEvent {
                project: project.clone(),
                output_prefix: prefix.clone(),
                settings: settings.clone(),
                protocol: Protocol::V1,
            })
        };
        let assemble = |plan: &Uri, chunk: &Uri, audio: &Uri, output: &Uri| {
            Event::Assemble(AssembleEvent {
                plan: PlanLocation::Archive(plan.clone()),
                plan_hash: None,
                chunks: vec![ours.clone(), chunk.clone()],
                audio: Some(audio.clone()),
                output: output.clone(),
                format: Format::Mp4,
                cfr: false,
                took: None,
            })
        };
        for (event, field) in [
            (plan(&theirs, &ours), "ProjectS3Uri"),
            (plan(&ours, &theirs), "PlanOutputS3Prefix"),
            (event("s3://theirs/x"), "ChunkOutputS3Prefix"),
            (assemble(&theirs, &ours, &ours, &ours), "PlanS3Uri"),
            (assemble(&ours, &theirs, &ours, &ours), "ChunkS3Uris[1]"),
            (assemble(&ours, &ours, &theirs, &ours), "AudioS3Uri"),
            (assemble(&ours, &ours, &ours, &theirs), "OutputS3Uri"),
        ] {
            let error = list.check(&event, None).unwrap_err();
            assert_eq!(error.code().name(), "S3_URI_NOT_ALLOWED");
            assert!(
                error.to_string().starts_with(&format!("event: {field} s3://theirs")),
                "{error}"
            );
        }
        assert!(list.check(&assemble(&ours, &ours, &ours, &ours), None).is_ok());
    }

    #[test]
    fn a_render_reaches_what_has_its_name_and_no_other_render_s() {
        let list = AllowList::parse(Some("ours"));
        let own = list.clone().with_paths(Some("own"));
        let chunk = |plan: &str, prefix: &str| {
            Event::RenderChunk(RenderChunkEvent {
                plan: PlanLocation::Archive(Uri::parse(plan).unwrap()),
                plan_hash: String::new(),
                chunk_index: 0,
                output_prefix: Uri::parse(prefix).unwrap(),
                format: Format::Mp4,
            })
        };
        let (mine, theirs) = ("s3://ours/work/mine/p", "s3://ours/work/mine2/p");
        for (event, is_allowed) in [
            (chunk(mine, "s3://ours/work/mine"), true),
            (chunk(mine, "s3://ours/renders/mine/"), true),
            (chunk(theirs, "s3://ours/work/mine"), false),
            (chunk(mine, "s3://ours/work/mine2"), false),
            (chunk(mine, "s3://ours/work"), false),
            (chunk(mine, "s3://ours/renders/theirs"), false),
            (chunk(mine, "s3://ours/outputs/theirs/x"), false),
        ] {
            assert_eq!(own.check(&event, Some("mine")).is_ok(), is_allowed, "{event:?}");
            assert!(own.check(&event, None).is_ok());
            assert!(list.check(&event, Some("mine")).is_ok());
        }
        for (field, key, expected) in [
            ("ProjectS3Uri", "projects/any/project.tar.gz", true),
            ("OutputS3Uri", "renders/batch/a.mp4", true),
            ("OutputS3Uri", "outputs/theirs/a.mp4", false),
            ("OutputS3Uri", "outputs/mine/a.mp4", true),
            ("OutputS3Uri", "outputs/a.mp4", true),
            ("PlanOutputS3Prefix", "outputs/a", false),
            ("PlanOutputS3Prefix", "renders/batch/", false),
        ] {
            assert_eq!(is_own(field, key, "mine"), expected, "{field} {key}");
        }
    }
}
