//! What a person is told about a wrong file, to the letter.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::logic::outcome::Outcome;
use crate::logic::settings::CallingHours;
use crate::logic::settings::NumberFormat;
use crate::logic::settings::TimeRange;

/// A folder with the sounds and secrets that the texts below name.
fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for (name, mode) in [("ja.wav", 0o644), ("secret", 0o600), ("open-secret", 0o644)] {
        let path = folder.path().join(name);
        std::fs::write(&path, "s3cret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    folder
}

const CAMPAIGN: &str = r#"name = "winter"
seller = "ACME"
country = "JP"
languages = ["ja"]
dial_mode = "progressive"
caller_id = "+81312345678"

[hours]
mon_fri = ["09:00-12:00", "13:00-20:00"]

[messages.safe_harbour]
ja = "ja.wav"
[messages.call_lost]
ja = "ja.wav"
"#;

const OUTDIAL: &str = r#"database = "sqlite://outdial.db"
[sip]
bind = "127.0.0.1:5060"
[rtp]
ports = "20000-20999"
[[trunk]]
name = "main"
peers = ["192.0.2.1"]
caller_ids = ["+81312345678"]
calls_per_second = 1
channels = 10
[[agent]]
name = "hanako"
uri = "sip:1001@192.0.2.7"
"#;

fn campaign(text: &str) -> Result<CampaignFile, Problems> {
    parse_campaign("campaign.toml", text, folder().path())
}

fn outdial(text: &str) -> Result<OutdialFile, Problems> {
    let environment = Environment::from([("TRUNK_PASSWORD".to_owned(), "s3cret".to_owned())]);
    parse_outdial("outdial.toml", text, folder().path(), &environment)
}

/// `text` with the line that starts like `line` (up to ` = `) replaced, or `line` put at the top.
fn with(text: &str, line: &str) -> String {
    let key = format!("{} = ", line.split(" = ").next().unwrap_or_default());
    if !text.lines().any(|old| old.starts_with(&key)) {
        return format!("{line}\n{text}");
    }
    text.lines()
        .map(|old| if old.starts_with(&key) { line } else { old })
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Each change, and what is said of it.
fn said<T: std::fmt::Debug>(
    base: &str,
    read: impl Fn(&str) -> Result<T, Problems>,
    changes: &[&str],
) -> String {
    read(base).expect("the unchanged text is right");
    let answer = |change: &&str| {
        let text = match change.strip_prefix("+ ") {
            Some(tail) => format!("{base}{tail}\n"),
            None => with(base, change),
        };
        let answer = read(&text).map(|_| "FINE".to_owned()).unwrap_or_else(|p| p.to_string());
        let folder = without_folder(&answer);
        format!("{change}\n    {}\n", folder.replace('\n', "\n    "))
    };
    changes.iter().map(answer).collect()
}

/// The temporary folder's own name is not part of what we say.
fn without_folder(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(' ') {
        match word.rsplit_once('/') {
            Some((folder, file)) if folder.starts_with('/') => {
                out.push_str("<folder>/");
                out.push_str(file);
            }
            Some(_) | None => out.push_str(word),
        }
    }
    out
}

#[test]
fn wrong_words_and_values_of_a_campaign() {
    let said = said(
        CAMPAIGN,
        campaign,
        &[
            "callerid = \"+81312345678\"",
            "volume = 11",
            "name = 5",
            "name = \"\"",
            "seller = [\"ACME\"]",
            "country = \"jp\"",
            "country = \"Japan\"",
            "country = \"US\"",
            "countries = [\"SG\", \"AU\"]",
            "languages = []",
            "languages = [\"Japanese\"]",
            "languages = [\"ja\", \"en\"]",
            "dial_mode = \"agentless\"",
            "dial_mode = \"progresive\"",
            "caller_id = \"03-1234-5678\"",
            "test_only = [\"+819012345678\", 90]",
            "simulated_only = \"yes\"",
            "hang_up_keys = \"#\"",
            "lists = \"contacts.csv\"",
            "skills = [\"\"]",
            "script_file = \"no-such.txt\"",
            "preset = \"japan\"",
            "preset = \"sg-pdpa\"",
            "retry = \"never\"",
            "name = ",
            "name",
            "seller = \"ACME",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn wrong_sections_of_a_campaign() {
    let said = said(
        CAMPAIGN,
        campaign,
        &[
            "mon_fri = \"09:00-12:00\"",
            "mon_fri = [\"9:00-12:00\"]",
            "mon_fri = [\"12:00-09:00\"]",
            "mon_fri = [\"09:00-24:30\"]",
            "mon_fri = [\"13:00-20:00\", \"09:00-12:00\"]",
            "mon_fri = []",
            "mon_fri = [\"09:00-20:00\"]\nzone = \"Europe/London\"",
            "mon_fri = [\"09:00-20:00\"]\nextra_holidays = [\"29.12.2026\", 2026-12-29]",
            "mon_fri = [\"09:00-20:00\"]\nholidays = []",
            "ja = \"no-such.wav\"",
            "+ [limits]\nring = \"10s\"\nset_up = 60",
            "+ [limits]\nring = \"60s\"\nset_up = \"30s\"\nconnect = \"2001ms\"",
            "+ [attempts]\nper_day = 0\nmin_gap = \"soon\"",
            "+ [retry]\nbusy = { after = \"1s\", max = 3 }\nanswered = \"none\"\nno_anser = \"none\"\nconnected = \"none\"",
            "+ [retry]\nbusy = { max = 3 }",
            "+ [abandon]\nmax_percent = 7.5\nwindow = \"week\"\nzone = \"Tokyo\"",
            "+ [abandon]\nmax_percent = \"3%\"",
            "+ [abandon]\nbound = \"window\"",
            "+ [abandon]\nbound = \"window\"\ndebt = 0\nrepaid_before = \"30m\"",
            "+ [abandon]\ndebt = 5",
            "+ [abandon]\nbound = \"window\"\ndebt = 5\nrepaid_before = \"4h\"",
            "+ [[disposition]]\ncode = \"sale\"\ndigits = \"1#\"\nen = \"sale\"\nja = \"成約\"\neffect = \"won\"",
            "+ [[disposition]]\ncode = \"A\"\ndigits = \"1\"\nen = \"a\"\nja = \"あ\"\neffect = \"retry\"\n\
         [[disposition]]\ncode = \"A\"\ndigits = \"12\"\nen = \"a\"\nja = \"あ\"\neffect = \"final\"\nafter = \"1h\"",
            "+ [disposition]\ncode = \"A\"",
            "+ [[list]]\npath = \"a.csv\"\nencoding = \"sjis\"\ncolumns = { fone = \"TEL\", phone = [\"TEL\", 1], compny = \"x\" }",
            "+ [[list]]\nencoding = \"cp932\"",
            "+ [[prefix_rate]]\nprefix = \"8190\"\ncalls_per_second = 0",
            "+ [[prefix_rate]]\nprefix = \"+8190\"\ncalls_per_second = 5\n\
         [[prefix_rate]]\nprefix = \"+8190\"\ncalls_per_second = 2\nrate = 3",
            "+ [return_calls]\nper_hour = 0\ntalk = \"5s\"",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn a_campaign_may_tighten_its_preset_but_not_loosen_it() {
    let base = with(CAMPAIGN, "preset = \"jp\"");
    let said = said(
        &base,
        campaign,
        &[
            "mon_fri = [\"10:00-19:00\"]",
            "mon_fri = [\"08:00-21:00\"]",
            "mon_fri = [\"08:00-21:00\"]\nsat = []\nholiday = [\"08:00-09:00\"]",
            "+ [attempts]\nper_day = 4\nmin_gap = \"1h\"\ntotal = 5",
            "+ [limits]\nring = \"15s\"",
            "+ [abandon]\nmax_percent = 3.1\nwindow = \"month\"",
            "+ [retry]\nabandoned = { after = \"24h\", max = 1 }",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn a_reason_lets_a_campaign_loosen_its_preset_and_is_kept() {
    let text = with(&with(CAMPAIGN, "preset = \"jp\""), "mon_fri = [\"08:00-21:00\"]");
    let text = with(&text, "override_reason = \"the seller's customers work shifts\"");
    let file = campaign(&text).unwrap();
    assert!(
        file.notes.iter().any(|note| note
            == "`mon_fri` is looser than preset jp (within 09:00-20:00): the seller's customers work shifts"),
        "{:?}",
        file.notes
    );
}

#[test]
fn wrong_messages_of_a_campaign() {
    let base = with(CAMPAIGN, "dial_mode = \"agentless\"") + MESSAGE;
    let said = said(
        &base,
        campaign,
        &[
            "file = \"no-such.wav\"",
            "file = { en = \"ja.wav\" }",
            "basis = \"\"",
            "repeat = 9",
            "+ wait = \"1m\"",
            "+ wrong_keys = 0",
            "+ lines = 0",
            "keys = { 1 = \"SALE\" }",
            "keys = { 10 = \"remove\", a = \"SALE\" }",
            "keys = { 9 = \"remove\", 0 = \"agent\" }",
            "keys = { 9 = \"remove\", 3 = \"CALLBACK\" }",
            "keys = { 9 = \"REFUSED\", \"*\" = \"NOT_ELIGIBLE\", \"#\" = \"remove\" }",
            "+ sound = \"ja.wav\"",
            "+ [[disposition]]\ncode = \"A\"\ndigits = \"1\"\nen = \"a\"\nja = \"あ\"\neffect = \"final\"",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn a_message_is_read_with_its_keys_and_says_on_what_it_rests() {
    let file = campaign(&(with(CAMPAIGN, "dial_mode = \"agentless\"") + MESSAGE)).unwrap();
    let recording = file.settings.recording.unwrap();
    assert_eq!(recording.keys, [('1', "SALE".to_owned()), ('9', "REFUSED".to_owned())].into());
    assert_eq!((recording.repeat, recording.wait), (1, Duration::from_secs(5)));
    assert!(recording.files["ja"].ends_with("ja.wav"));
    assert!(file.notes.iter().any(|note| note.ends_with("rest on: consent in the order form")));
    let without = campaign(&with(CAMPAIGN, "dial_mode = \"agentless\"")).unwrap_err();
    assert!(without.to_string().contains("no `[message]`"), "{without}");
}

const MESSAGE: &str = r#"[message]
basis = "consent in the order form"
file = "ja.wav"
repeat = 1
keys = { 9 = "remove", 1 = "SALE" }
"#;

#[test]
fn all_that_is_missing_is_said_at_once() {
    insta::assert_snapshot!(campaign("").unwrap_err());
    insta::assert_snapshot!(outdial("").unwrap_err());
}

#[test]
fn calls_at_any_hour_and_short_limits_are_for_simulation_only() {
    let section = "[hours]\nmon_fri = [\"09:00-12:00\", \"13:00-20:00\"]\n";
    let real = with(&CAMPAIGN.replace(section, ""), "hours = \"always\"");
    let short =
        format!("{real}[limits]\nring = \"1500ms\"\nset_up = \"5s\"\nwrap_up = \"300ms\"\n");
    insta::assert_snapshot!(campaign(&short).unwrap_err());
    let simulated = campaign(&with(&short, "simulated_only = true")).unwrap();
    assert_eq!(simulated.settings.hours, CallingHours::Always);
    assert_eq!(simulated.settings.limits.ring, Duration::from_millis(1500));
}

#[test]
fn holidays_of_their_own_need_a_calendar() {
    let text = with(CAMPAIGN, "country = \"FR\"").replace("[hours]", "[hours]\nholiday = []");
    insta::assert_snapshot!(campaign(&text).unwrap_err(), @"campaign.toml:8:1: found hours of their own for holidays, but no calendar of FR ships, expected the holidays in `extra_holidays` of [hours]; list them: extra_holidays = [\"2026-12-25\"]");
    let text = text.replace("[hours]", "[hours]\nextra_holidays = [\"2026-12-25\"]");
    let CallingHours::Weekly(weekly) = campaign(&text).unwrap().settings.hours else { panic!() };
    assert_eq!(*weekly.calendar.dates, ["2026-12-25".to_owned()]);
    assert_eq!(weekly.calendar.known_until.as_deref(), Some("2027-01-01"));
}

#[test]
fn wrong_lines_of_the_installation() {
    let said = said(
        OUTDIAL,
        outdial,
        &[
            "databse = \"x\"",
            "database = \"mysql://x\"",
            "database = \"sqlite://\"",
            "database = \"postgres://u:hunter2@db/outdial\"",
            "database_password = \"hunter2\"",
            "lines = 0",
            "bind = \"5060\"",
            "bind = \"0.0.0.0:5060\"",
            "bind = \"127.0.0.1:20500\"",
            "bind = \"127.0.0.1:5060\"\nadvertised_address = \"0.0.0.0\"",
            "ports = 20000",
            "ports = \"20001-20999\"",
            "ports = \"20000-20002\"",
            "peers = []",
            "peers = [\"sip.example.net:99999\", \"a b\"]",
            "caller_ids = [\"0312345678\"]",
            "calls_per_second = 0",
            "channels = \"ten\"",
            "channels = 10\nsip_from = [\"192.0.2.7/24\", \"192.0.2.0/33\"]",
            "channels = 10\npassword = \"hunter2\"",
            "channels = 10\nuser = \"u\"",
            "channels = 10\npassword_env = \"TRUNK_PASSWORD\"",
            "channels = 10\nuser = \"u\"\npassword_env = \"NOT_SET\"",
            "channels = 10\nuser = \"u\"\npassword_file = \"no-such\"",
            "channels = 10\nuser = \"u\"\npassword_file = \"open-secret\"",
            "channels = 10\nuser = \"u\"\npassword_file = \"secret\"\npassword_env = \"TRUNK_PASSWORD\"",
            "channels = 10\ndial_format = \"national\"",
            "channels = 10\ndial_format = { national = \"JM\" }",
            "channels = 10\ndial_format = { number = \"e164\", prefix = \"x\" }",
            "channels = 10\nfrom_display = \"a \\\"b\\\"\"",
            "uri = \"1001\"",
            "uri = \"sips:1001@192.0.2.7\"",
            "uri = \"sip:1001@192.0.2.7\"\npeer = \"\"",
            "uri = \"sip:1001@192.0.2.7\"\nauto_answer = \"yes\"",
            "+ [[agent]]\nname = \"hanako\"\nuri = \"sip:1002@192.0.2.8\"",
            "+ [[trunk]]\nname = \"main\"\npeers = [\"192.0.2.9\"]\nsimulated = true\ncalls_per_second = 1\nchannels = 1",
            "+ [log]\nlevel = \"loud\"\nformat = \"xml\"",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn a_campaign_without_trouble_becomes_its_settings() {
    let text = format!(
        "{}[limits]\nring = \"25s\"\nwrap_up = \"1m30s\"\n[abandon]\nmax_percent = 2.5\nwindow = \"month\"\n\
         [retry]\nbusy = {{ after = \"10m\", max = 2 }}\n",
        with(CAMPAIGN, "countries = [\"SG\"]")
    );
    let file = campaign(&text).unwrap();
    let settings = &file.settings;
    assert_eq!(settings.countries, ["81", "65"]);
    assert_eq!(file.regions, ["JP", "SG"]);
    assert_eq!(settings.limits.ring, Duration::from_secs(25));
    assert_eq!(settings.wrap_up, Duration::from_secs(90));
    assert_eq!(settings.abandon.cap_ppm, 25_000);
    assert_eq!(settings.abandon.zone, "Asia/Tokyo");
    assert_eq!(settings.retry.get(&Outcome::Busy).unwrap().max, 2);
    assert_eq!(settings.language, "ja");
    assert_eq!(settings.dispositions.len(), 10);
    assert_eq!(file.text, text);
    let CallingHours::Weekly(weekly) = &settings.hours else { panic!("{:?}", settings.hours) };
    // A number of either country is called when both are open: which one is not known yet.
    assert_eq!(weekly.default_zones, ["Asia/Singapore", "Asia/Tokyo"]);
    assert_eq!(
        weekly.days[0],
        [TimeRange { start: 540, end: 720 }, TimeRange { start: 780, end: 1200 }]
    );
    assert_eq!(weekly.days[5], []);
    assert!(weekly.calendar.dates.contains(&"2027-01-01".to_owned()));
}

#[test]
fn a_list_names_its_columns_and_its_encoding() {
    let list = "[[list]]\npath = \"a.csv\"\nencoding = \"cp932\"\n\
        columns = { phone = [\"携帯\", \"自宅\"], name = \"お名前\" }\n";
    let lists = campaign(&format!("{CAMPAIGN}{list}")).unwrap().lists;
    let column = |field: &str, header: &str| (field.to_owned(), header.to_owned());
    assert_eq!(
        lists[0].columns,
        [column("name", "お名前"), column("phone", "携帯"), column("phone", "自宅")]
    );
    assert_eq!(lists[0].encoding.as_deref(), Some("cp932"));
    assert!(lists[0].path.ends_with("a.csv"));
}

#[test]
fn a_preset_alone_gives_hours_caps_and_cap() {
    let text = with(CAMPAIGN, "preset = \"jp\"")
        .replace("[hours]\nmon_fri = [\"09:00-12:00\", \"13:00-20:00\"]\n", "");
    let file = campaign(&text).unwrap();
    let CallingHours::Weekly(weekly) = &file.settings.hours else { panic!() };
    assert_eq!(weekly.days[6], [TimeRange { start: 540, end: 1200 }]);
    assert_eq!(file.settings.caps.per_day, 3);
    let abandoned = file.settings.retry.get(&Outcome::Abandoned).unwrap();
    assert_eq!(abandoned.delay, Duration::from_secs(72 * 3600));
    assert!(file.notes.iter().any(|note| note.starts_with("preset jp, hours: default")));
}

#[test]
fn an_installation_without_trouble_becomes_its_settings() {
    let text = with(
        OUTDIAL,
        "channels = 10\nuser = \"u\"\npassword_file = \"secret\"\n\
         dial_format = { national = \"JP\", prefix = \"9\" }\nsip_from = [\"192.0.2.0/24\"]",
    );
    let file = outdial(&text).unwrap();
    let trunk = file.trunks[0].without_peers();
    assert_eq!(trunk.credentials.as_ref().unwrap().password, "s3cret");
    assert_eq!(
        trunk.dial_format,
        NumberFormat::Prefixed {
            prefix: "9".to_owned(),
            then: Box::new(NumberFormat::National {
                calling_code: "81".to_owned(),
                trunk_prefix: "0".to_owned(),
            }),
        }
    );
    assert_eq!(file.rtp_address, file.sip_bind.ip());
    assert_eq!(file.rtp_ports, 20000..=20999);
    assert!(matches!(&file.database, Database::Sqlite(path) if path.ends_with("outdial.db")));
    assert!(!format!("{file:?}").contains("s3cret"));
}

#[test]
fn names_are_looked_up_and_addresses_are_not() {
    let text = with(OUTDIAL, "peers = [\"sip.example.net:5070\", \"192.0.2.1\"]");
    let file = outdial(&text).unwrap();
    let mut asked = Vec::new();
    let resolved = file.resolve(|host| {
        asked.push(host.host.clone());
        Ok(vec!["198.51.100.1".parse().unwrap(), "198.51.100.2".parse().unwrap()])
    });
    let resolved = resolved.unwrap();
    assert_eq!(asked, ["sip.example.net"]);
    let peers: Vec<String> = resolved.trunks[0].peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["198.51.100.1:5070", "198.51.100.2:5070", "192.0.2.1:5060"]);
    assert_eq!(resolved.agents[0].peer.to_string(), "192.0.2.7:5060");
    let problems = file.resolve(|_| Err("NXDOMAIN".to_owned())).unwrap_err();
    insta::assert_snapshot!(problems, @"outdial.toml:8:10: found the host sip.example.net (NXDOMAIN), expected a name that the DNS knows; correct it, or write the address");
}

#[test]
fn both_files_are_held_against_each_other() {
    let find = |campaign_line: &str, outdial_line: &str| {
        let (campaign, outdial) =
            (campaign(&with(CAMPAIGN, campaign_line)), outdial(&with(OUTDIAL, outdial_line)));
        let findings = check::check_against(&outdial.unwrap(), &campaign.unwrap());
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let found = [
        find("name = \"winter\"", "name = \"main\""),
        find("trunk = \"other\"", "channels = 10"),
        find("caller_id = \"+81312345679\"", "channels = 10"),
        find("simulated_only = true", "channels = 10"),
        find("test_only = [\"+819012345678\"]", "channels = 10\nsimulated = true"),
        find("skills = [\"gold\"]", "channels = 10"),
        find("languages = [\"ja\"]", "uri = \"sip:1001@192.0.2.7\"\nlanguages = [\"en\"]"),
        find("name = \"winter\"", "ports = \"20000-20007\""),
        find("name = \"winter\"", "caller_ids = []"),
    ];
    insta::assert_snapshot!(found.join("\n--\n"));
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_a_problem_with_its_name() {
    let folder = folder();
    let path = folder.path().join("campaign.toml");
    let missing = read_campaign(&path).unwrap_err().to_string();
    assert!(missing.contains("campaign.toml:1:1: found \"No such file"), "{missing}");
    std::fs::write(&path, b"name = \"a\"\nseller = \"\xff\"\n").unwrap();
    let bytes = read_campaign(&path).unwrap_err().to_string();
    assert!(bytes.ends_with(
        "campaign.toml:2:11: found bytes that are no UTF-8, expected UTF-8 text; save the file as UTF-8"
    ), "{bytes}");
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_key() {
    let folder = folder();
    let path = folder.path().join("campaign.toml");
    std::fs::write(&path, format!("\u{feff}{CAMPAIGN}")).unwrap();
    assert_eq!(read_campaign(&path).unwrap().settings.name, "winter");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,400}") {
        let folder = Path::new("/nowhere");
        let _refused = parse_campaign("c", &text, folder);
        let _refused = parse_outdial("o", &text, folder, &Environment::new());
    }

    #[test]
    fn any_change_of_one_byte_is_read_or_refused_with_a_place(
        at in 0..CAMPAIGN.len(), with in any::<char>(), second in 0..OUTDIAL.len()
    ) {
        let replaced = |text: &str, at: usize| {
            let chars = text.char_indices().map(|(i, c)| if i == at { with } else { c });
            chars.collect::<String>()
        };
        let folder = Path::new("/nowhere");
        if let Err(problems) = parse_campaign("c", &replaced(CAMPAIGN, at), folder) {
            prop_assert!(!problems.0.is_empty());
            prop_assert!(problems.0.iter().all(|p| p.line >= 1 && p.column >= 1 && !p.advice.is_empty()));
        }
        if let Err(problems) = parse_outdial("o", &replaced(OUTDIAL, second), folder, &Environment::new()) {
            prop_assert!(!problems.0.is_empty());
        }
    }
}

#[test]
fn nothing_is_read_beyond_what_a_file_may_have() {
    let texts = folder();
    let script = |bytes: usize| {
        std::fs::write(texts.path().join("script.txt"), "a".repeat(bytes)).unwrap();
        let text = with(CAMPAIGN, "script_file = \"script.txt\"");
        parse_campaign("campaign.toml", &text, texts.path())
    };
    assert_eq!(script(16_384).unwrap().settings.script.len(), 16_384);
    assert!(script(16_385).unwrap_err().to_string().contains("at most 16384 bytes"));
    // A device without an end.
    let endless = campaign(&with(CAMPAIGN, "script_file = \"/dev/zero\"")).unwrap_err();
    assert!(endless.to_string().contains("at most 16384 bytes"), "{endless}");
    let endless = read_campaign(Path::new("/dev/zero")).unwrap_err();
    assert!(endless.to_string().contains("more than 1 MiB"), "{endless}");
}
