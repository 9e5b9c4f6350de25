//! A small installation in a folder of its own, whose trunk and agent are nowhere, and the program run in it.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// A folder with an outdial.toml and the demo's campaign under another name, without its list.
pub(crate) fn small_site() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
database = "sqlite://outdial.db"

[sip]
bind = "127.0.0.1:25060"

[rtp]
ports = "25100-25199"

[log]
file = "outdial.log"

[[trunk]]
name = "main"
peers = ["127.0.0.1:25061"]
calls_per_second = 1
channels = 2
caller_ids = []

[[agent]]
name = "hanako"
uri = "sip:hanako@127.0.0.1:25062"
"#;
    std::fs::write(folder.path().join("outdial.toml"), text).unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/demo");
    let text = std::fs::read_to_string(demo.join("campaign.toml")).unwrap();
    let text = text.replace("sounds/", &format!("{}/sounds/", demo.display()));
    let campaign = folder.path().join("campaigns").join(CAMPAIGN);
    std::fs::create_dir_all(&campaign).unwrap();
    std::fs::write(campaign.join("campaign.toml"), text).unwrap();
    folder
}

/// Runs a verb in the folder, in English unless told otherwise.
pub(crate) fn outdial(folder: &Path, args: &[&str]) -> Output {
    outdial_with(folder, args, |_| {})
}

/// The same in another environment.
pub(crate) fn outdial_with(
    folder: &Path,
    args: &[&str],
    change: impl FnOnce(&mut Command),
) -> Output {
    let mut command = Command::cargo_bin("outdial").unwrap();
    command.current_dir(folder).env_remove("OUTDIAL_CONFIG").env("LANG", "C.UTF-8");
    change(&mut command);
    command.args(args).output().unwrap()
}

/// The folder of the campaign, which its file calls `demo`.
pub(crate) const CAMPAIGN: &str = "small";
