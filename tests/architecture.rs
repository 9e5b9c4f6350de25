//! The drawing of rooms in the README, as a test that fails when a room uses a room above it.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

use std::collections::BTreeSet;
use std::path::Path;

/// Which rooms each room may use. Floors rise from top to bottom.
const MAY_USE: &[(&str, &[&str])] = &[
    ("logic", &[]),
    ("simulation", &["logic"]),
    ("telemetry", &["logic"]),
    ("wire", &["logic"]),
    ("store", &["logic"]),
    ("files", &["logic"]),
    ("config", &["logic", "simulation"]),
    ("media", &["logic", "wire", "files", "telemetry"]),
    ("carrier", &["logic", "simulation", "wire", "media", "telemetry"]),
    ("runtime", &["logic", "store", "wire", "media", "files", "telemetry", "config"]),
    ("web", &["logic", "files", "runtime", "store"]),
    (
        "cli",
        &[
            "logic",
            "simulation",
            "telemetry",
            "wire",
            "store",
            "files",
            "config",
            "media",
            "carrier",
            "runtime",
            "web",
        ],
    ),
];

/// What the pure floor must not touch.
const IMPURE: &[&str] = &[
    "tokio::",
    "sqlx::",
    "rusqlite::",
    "mio::",
    "std::fs",
    "std::net::Udp",
    "std::net::Tcp",
    "std::thread",
    "std::env",
    "std::process",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "rand::",
    "getrandom",
    "HashMap",
    "HashSet",
    "RandomState",
    "Uuid",
    "Branch::default",
    "Tag::default",
    "println!",
    // Nothing can be awaited without it, and `.await` is the start of honest names too.
    "async ",
];

/// Rooms inside logic that stand side by side: none may name another.
const SIBLINGS: &[&str] = &["compliance", "pacing", "campaign", "attempt", "agent", "sip", "rtp"];

#[test]
fn rooms_use_only_the_rooms_below_them() {
    for (room, allowed) in MAY_USE {
        rust_files(&Path::new("src").join(room), &mut |path, text| {
            for (other, _) in MAY_USE.iter().filter(|(other, _)| other != room) {
                let used = text.contains(&format!("crate::{other}"));
                assert!(!used || allowed.contains(other), "{} uses {other}", path.display());
            }
        });
    }
}

#[test]
fn every_room_is_in_the_drawing() {
    for entry in std::fs::read_dir("src").unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(
                MAY_USE.iter().any(|(room, _)| *room == name),
                "src/{name} is in no row of the table"
            );
        }
    }
}

/// The block in the README, as paths from the repository's root with the rooms behind the arrow.
fn drawing() -> Vec<(String, Option<Vec<String>>)> {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let block = readme.split("```text drawing\n").nth(1).unwrap().split("```").next().unwrap();
    let mut drawn: Vec<(String, Option<Vec<String>>)> = Vec::new();
    let mut folders: Vec<&str> = Vec::new();
    for line in block.lines() {
        let rooms = line
            .split_once("<-")
            .map(|(_, rooms)| rooms.split_whitespace().map(str::to_owned).collect());
        let depth = (line.len() - line.trim_start().len()) / 2;
        let name = line.split_whitespace().next().unwrap();
        if name == "<-" {
            // The arrow of the line before.
            drawn.last_mut().unwrap().1 = rooms;
            continue;
        }
        folders.truncate(depth);
        folders.push(name);
        drawn.push((folders.concat(), rooms));
    }
    drawn
}

#[test]
fn what_the_readme_draws_is_there() {
    let drawn = drawing();
    assert!(drawn.len() > 25, "the drawing is still found");
    for (path, _) in drawn {
        let there = Path::new(&path);
        let as_drawn = if path.ends_with('/') { there.is_dir() } else { there.is_file() };
        assert!(as_drawn, "the README draws {path}");
    }
}

#[test]
fn the_readme_draws_every_room_and_every_room_inside_logic() {
    let drawn = drawing();
    for folder in ["src/", "src/logic/"] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let slash = if entry.file_type().unwrap().is_dir() { "/" } else { "" };
            let path = format!("{folder}{name}{slash}");
            let told = name == "mod.rs" || drawn.iter().any(|(drawn, _)| *drawn == path);
            assert!(told, "the README's drawing lacks {path}");
        }
    }
}

#[test]
fn the_readme_says_of_each_room_what_it_may_use() {
    let there = |room: &&str| Path::new("src").join(room).is_dir();
    for (path, told) in drawing() {
        let Some(room) = path.strip_prefix("src/").and_then(|path| path.strip_suffix('/')) else {
            continue;
        };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == room) else { continue };
        let allowed: BTreeSet<&str> = allowed.iter().copied().filter(|r| there(r)).collect();
        let told = told.unwrap_or_else(|| panic!("no arrow behind {path}"));
        if told == ["all"] {
            let others = MAY_USE.iter().map(|(name, _)| *name).filter(|r| *r != room && there(r));
            assert_eq!(allowed, others.collect(), "{path}");
        } else {
            assert_eq!(allowed, told.iter().map(String::as_str).collect(), "{path}");
        }
    }
}

#[test]
fn the_pure_floor_touches_nothing_of_the_world() {
    for room in ["src/logic", "src/simulation"] {
        rust_files(Path::new(room), &mut |path, text| {
            for word in IMPURE {
                let found = text
                    .lines()
                    .find(|line| line.contains(word) && !line.trim_start().starts_with("//"));
                assert!(
                    found.is_none(),
                    "{}: `{word}` in the pure floor: {}",
                    path.display(),
                    found.unwrap()
                );
            }
        });
    }
}

#[test]
fn rooms_inside_logic_do_not_name_their_neighbours() {
    for room in SIBLINGS {
        let check = &mut |path: &Path, text: &str| {
            for other in SIBLINGS.iter().filter(|other| *other != room) {
                let used = text.contains(&format!("logic::{other}"));
                assert!(!used, "{} uses logic::{other}: let the dialer join them", path.display());
            }
        };
        let folder = Path::new("src/logic").join(room);
        if folder.is_dir() {
            rust_files(&folder, check);
        }
        let file = folder.with_extension("rs");
        if file.is_file() {
            check(&file, &std::fs::read_to_string(&file).unwrap());
        }
    }
}

#[test]
fn named_packages_stay_in_their_rooms() {
    let homes: &[(&str, &[&str])] = &[
        ("governor::", &["src/logic/pacing/call_rate.rs"]),
        ("rsip::", &["src/logic/sip/message"]),
        ("md5::", &["src/logic/sip/digest.rs"]),
        ("sqlx::", &["src/store"]),
        ("rusqlite::", &["src/store"]),
        ("rlibphonenumber::", &["src/logic/phone"]),
        ("ratatui::", &["src/cli/screen"]),
    ];
    rust_files(Path::new("src"), &mut |path, text| {
        for (package, rooms) in homes {
            let home = rooms
                .iter()
                .any(|room| path.starts_with(room) || path.starts_with(format!("{room}.rs")));
            assert!(home || !text.contains(package), "{} uses {package}", path.display());
        }
    });
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    for folder in ["src", "tests"] {
        rust_files(Path::new(folder), &mut |path, text| {
            assert!(text.starts_with("//!"), "{} begins without `//!`", path.display());
        });
    }
}

#[test]
fn room_imports_are_written_one_room_a_line() {
    rust_files(Path::new("src"), &mut |path, text| {
        assert!(
            !text.contains("use crate::{"),
            "{}: write one `use crate::room::…` a line",
            path.display()
        );
    });
}

fn rust_files(folder: &Path, check: &mut dyn FnMut(&Path, &str)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rust_files(&path, check);
        } else if path.extension().is_some_and(|e| e == "rs") {
            check(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}
