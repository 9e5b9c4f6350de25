//! Passwords: from the environment or a private file, never from the configuration itself.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::file::Field;
use crate::config::file::Section;

/// The environment as the process found it at start.
pub type Environment = BTreeMap<String, String>;

/// The environment of this process. Variables that are no UTF-8 are left out; they hold no password of ours.
#[must_use]
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that is not empty.
    pub(super) fn filled(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The text itself, for those who must send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether a password is named at all, and the password where it could be read. `env_key` and `file_key` are the keys
/// that say where it is.
pub(super) fn password(
    section: &Section<'_>,
    [inline_key, env_key, file_key]: [&'static str; 3],
    base: &Path,
    environment: &Environment,
) -> (bool, Option<Secret>) {
    let advice =
        format!("set `{env_key} = \"NAME\"` (an environment variable) or `{file_key} = \"path\"`");
    section.refuse(inline_key, "no password in this file", &advice);
    let by_env = section.get(env_key);
    let by_file = section.get(file_key);
    match (by_env, by_file) {
        (None, None) => (false, None),
        (Some(_), Some(by_file)) => {
            by_file.unexpected(format!("`{env_key}` or `{file_key}`, not both"), "take one out");
            (true, None)
        }
        (Some(field), None) => (true, from_environment(&field, environment)),
        (None, Some(field)) => (true, from_file(&field, base)),
    }
}

fn from_environment(field: &Field<'_>, environment: &Environment) -> Option<Secret> {
    let name = field.line(100)?;
    let value = environment.get(&name).map(String::as_str).and_then(Secret::filled);
    if value.is_none() {
        let advice = format!("start with {name}=… in the environment");
        field.unexpected("the name of an environment variable that is set", advice);
    }
    value
}

/// The first line of a file that only its owner can read.
fn from_file(field: &Field<'_>, base: &Path) -> Option<Secret> {
    let path = base.join(field.line(400)?);
    let Ok(metadata) = std::fs::metadata(&path) else {
        let advice = format!("write the password to {} with mode 0600", path.display());
        field.unexpected("the path of a file that exists", advice);
        return None;
    };
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        field.unexpected("a file with one line", "put only the password in it");
        return None;
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        let advice = format!("chmod 600 {}", path.display());
        field.unexpected(format!("a file for its owner alone, not mode {mode:04o}"), advice);
        return None;
    }
    let line = std::fs::read_to_string(&path).ok();
    let line = line.as_deref().and_then(|text| text.lines().next()).and_then(Secret::filled);
    if line.is_none() {
        field.unexpected("a readable file with the password on its first line", "check the file");
    }
    line
}

/// Group may read (a service's own group is common); others may not, and nobody else may write.
const OTHERS: u32 = 0o027;
const MAX_BYTES: u64 = 4096;
