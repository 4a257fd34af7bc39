//! Runs `bootstrap` and looks at what it made.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A place for one test, and the commands run from it.
pub(crate) struct Bench {
    dir: TempDir,
}

/// What one run of `bootstrap` left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A file of `.tools/`; a test cannot be skipped for want of it.
pub(crate) fn tool(path: &str) -> PathBuf {
    let tool = root().join(".tools").join(path);
    let setup = if path.starts_with("aws/") { "setup-aws.sh" } else { "setup.sh" };
    assert!(tool.exists(), "{} is missing: run scripts/{setup}", tool.display());
    tool
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("fixtures/projects").join(name)
}

/// Stages this `bootstrap` and its tools, packed rather quickly than well, in the new directory `task`; or what is in the ZIP that
/// `FRAMEWRIGHT_BUNDLE` names.
pub(crate) fn stage(task: &Path) {
    let mut command;
    if let Some(bundle) = std::env::var_os("FRAMEWRIGHT_BUNDLE") {
        command = Command::new("python3");
        command.args(["-m", "zipfile", "-e"]).arg(root().join(bundle)).arg(task);
    } else {
        command = Command::new(root().join("scripts/stage.sh"));
        command.arg(task).args(["packed", "9"]);
        command.env("BOOTSTRAP", env!("CARGO_BIN_EXE_bootstrap"));
    }
    let staged = command.output().unwrap();
    assert!(staged.status.success(), "{}", String::from_utf8_lossy(&staged.stderr));
    // Python's zipfile leaves the modes aside.
    let bootstrap = task.join("bootstrap");
    fs::set_permissions(bootstrap, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Bench {
    pub(crate) fn new() -> Self {
        tool("chrome/chromium");
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("scratch")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command that keeps its work below this bench.
    pub(crate) fn bootstrap(&self, action: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
        command
            .arg(action)
            .arg("--tools")
            .arg(root().join(".tools"))
            .arg("--scratch")
            .arg(self.path("scratch"));
        command
    }

    /// Renders `project` to `out.mp4` here and returns the summary.
    pub(crate) fn render(&self, project: &Path, args: &[&str]) -> Value {
        let run = self.try_render(project, args);
        assert_eq!(run.status, Some(0), "{}: {}", project.display(), run.stderr);
        serde_json::from_str(&run.stdout).unwrap()
    }

    pub(crate) fn try_render(&self, project: &Path, args: &[&str]) -> Run {
        self.try_render_to("out.mp4", project, args)
    }

    /// Renders `project` to the file or directory called `name` here and returns the summary.
    pub(crate) fn render_to(&self, name: &str, project: &Path, args: &[&str]) -> Value {
        let run = self.try_render_to(name, project, args);
        assert_eq!(run.status, Some(0), "{} to {name}: {}", project.display(), run.stderr);
        serde_json::from_str(&run.stdout).unwrap()
    }

    pub(crate) fn try_render_to(&self, name: &str, project: &Path, args: &[&str]) -> Run {
        let mut command = self.bootstrap("render");
        command.arg(project).arg("-o").arg(self.path(name)).arg("--json").args(args);
        run(&mut command)
    }

    /// Hands one event to `bootstrap invoke`.
    pub(crate) fn invoke(&self, event: &Value) -> Run {
        let file = self.path("event.json");
        fs::write(&file, event.to_string()).unwrap();
        run(self.bootstrap("invoke").arg(file))
    }

    /// Asserts that no work directory is left.
    pub(crate) fn assert_no_scratch(&self) {
        let left: Vec<_> = fs::read_dir(self.path("scratch"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "scratch is left: {left:?}");
    }

    /// The ids of running processes that were started with a path below this bench among their arguments.
    pub(crate) fn processes(&self, program: &str) -> Vec<i32> {
        let needle = self.dir.path().to_str().unwrap().to_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let command_line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command_line = String::from_utf8_lossy(&command_line).into_owned();
            let executable = command_line.split('\0').next().unwrap_or_default();
            if executable.ends_with(program) && command_line.contains(&needle) {
                found.push(id);
            }
        }
        found
    }
}

pub(crate) fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    Run {
        status: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// The exit status of a command that is wrong from the start, and that of one which fails.
pub(crate) const WRONG: Option<i32> = Some(2);
pub(crate) const FAILED: Option<i32> = Some(1);

impl Run {
    /// The code of a failure, as it is printed.
    pub(crate) fn code(&self) -> &str {
        let code = self
            .stderr
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("error: ")?.split(':').next());
        code.map_or("no code", observe_code)
    }
}

fn observed_codes_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("observed-codes")
}

/// Notes that `bootstrap` has failed with a code, for the test that wants every code to be provoked.
pub(crate) fn observe_code(code: &str) -> &str {
    fs::create_dir_all(observed_codes_dir()).unwrap();
    fs::write(observed_codes_dir().join(code), "").unwrap();
    code
}

/// The codes that all tests have observed since the directory was removed.
pub(crate) fn observed_codes() -> BTreeSet<String> {
    let entries = fs::read_dir(observed_codes_dir()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A decoded video: red, green and blue bytes of every frame.
pub(crate) struct Frames {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Frames {
    /// Decodes `file` as what its tags say it is: BT.709, limited range.
    pub(crate) fn decode(file: &Path, width: usize, height: usize) -> Self {
        let filter = "scale=in_color_matrix=bt709:in_range=tv:out_range=pc:flags=accurate_rnd+full_chroma_int,format=rgb24";
        let output = Command::new(tool("ffmpeg/ffmpeg"))
            .args(["-v", "error", "-i"])
            .arg(file)
            .args(["-vf", filter, "-f", "rawvideo", "-"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { width, height, bytes: output.stdout }
    }

    pub(crate) fn count(&self) -> usize {
        self.bytes.len() / (self.width * self.height * 3)
    }

    pub(crate) fn pixel(&self, frame: usize, x: usize, y: usize) -> [u8; 3] {
        let at = ((frame * self.height + y) * self.width + x) * 3;
        self.bytes[at..at + 3].try_into().unwrap()
    }
}

/// A decoded video or sequence of pictures: red, green, blue and alpha of every frame, not premultiplied.
pub(crate) struct Layers {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Layers {
    /// Decodes `file`, which may be a directory of pictures, with all that can be seen through it.
    pub(crate) fn decode(file: &Path, width: usize, height: usize) -> Self {
        let mut command = Command::new(tool("ffmpeg/ffmpeg"));
        command.args(["-v", "error"]);
        let ending = file.extension().and_then(|ending| ending.to_str());
        if ending == Some("webm") {
            // FFmpeg's own decoder of VP9 leaves alpha aside.
            command.args(["-c:v", "libvpx-vp9"]);
        }
        if file.is_dir() {
            command.args(["-f", "image2", "-i"]).arg(file.join("frame_%06d.png"));
        } else {
            command.arg("-i").arg(file);
        }
        let filter = if file.is_dir() || ending == Some("gif") {
            "format=rgba"
        } else {
            "scale=in_color_matrix=bt709:in_range=tv:out_range=pc:flags=accurate_rnd+full_chroma_int+full_chroma_inp,format=rgba"
        };
        command.args(["-vf", filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { width, height, bytes: output.stdout }
    }

    pub(crate) fn count(&self) -> usize {
        self.bytes.len() / (self.width * self.height * 4)
    }

    pub(crate) fn frame(&self, index: usize) -> &[u8] {
        let size = self.width * self.height * 4;
        &self.bytes[index * size..][..size]
    }

    pub(crate) fn pixel(&self, frame: usize, x: usize, y: usize) -> [u8; 4] {
        let at = (y * self.width + x) * 4;
        self.frame(frame)[at..at + 4].try_into().unwrap()
    }

    /// How near a frame is to that of another video, in dB, where both are seen over grey: what cannot be seen has any colour.
    pub(crate) fn psnr(&self, other: &Self, index: usize) -> f64 {
        let (mine, theirs) = (self.frame(index), other.frame(index));
        let over_grey = |pixel: &[u8], channel: usize| {
            let alpha = f64::from(pixel[3]) / 255.0;
            f64::from(pixel[channel]) * alpha + 128.0 * (1.0 - alpha)
        };
        let mut sum = 0.0;
        for (a, b) in mine.chunks_exact(4).zip(theirs.chunks_exact(4)) {
            for channel in 0..3 {
                let off = over_grey(a, channel) - over_grey(b, channel);
                sum += off * off;
            }
        }
        let pixels = u32::try_from(mine.len() / 4).unwrap();
        10.0 * (255.0 * 255.0 * 3.0 * f64::from(pixels) / sum.max(1e-9)).log10()
    }
}

/// The largest difference of any component.
pub(crate) fn distance(a: [u8; 3], b: [u8; 3]) -> u8 {
    a.into_iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap()
}

/// What ffprobe says of the first video stream.
pub(crate) fn probe(file: &Path) -> Value {
    let output = Command::new(tool("ffprobe/ffprobe"))
        .args([
            "-v",
            "error",
            "-of",
            "json",
            "-select_streams",
            "v:0",
            "-show_streams",
            "-show_packets",
            "-show_entries",
        ])
        .arg("packet=pts,dts,duration,flags")
        .arg(file)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}
