//! Texts of the command line in both languages.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::files::import_report::TextLanguage;
use crate::logic::dialer::command::AgentState;
use crate::logic::dialer::{LeadState, Promises};
use crate::logic::outcome::Outcome;

/// Language of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    /// Japanese.
    Ja,
    /// English.
    En,
}

impl Lang {
    /// From `ja`, `en`, or a locale such as `ja_JP.UTF-8`; what is neither is English.
    #[expect(clippy::unnecessary_wraps, reason = "clap's value parsers return a Result")]
    pub(crate) fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(if text.to_ascii_lowercase().starts_with("ja") { Self::Ja } else { Self::En })
    }
}

impl Lang {
    /// The same for the texts of the files room.
    pub(crate) const fn for_files(self) -> TextLanguage {
        match self {
            Self::Ja => TextLanguage::Ja,
            Self::En => TextLanguage::En,
        }
    }
}

/// The text of a language, for one that is said in one place only.
pub(crate) const fn either(lang: Lang, en: &'static str, ja: &'static str) -> &'static str {
    match lang {
        Lang::En => en,
        Lang::Ja => ja,
    }
}

/// The texts of a language.
pub(crate) const fn texts(lang: Lang) -> &'static Texts {
    match lang {
        Lang::Ja => &JA,
        Lang::En => &EN,
    }
}

/// Every text; a missing one does not compile.
#[derive(Debug)]
pub(crate) struct Texts {
    lang: Lang,
    pub(crate) abandoned: &'static str,
    pub(crate) agents: &'static str,
    pub(crate) answered: &'static str,
    pub(crate) attempt: &'static str,
    pub(crate) attempts: &'static str,
    pub(crate) average_talk: &'static str,
    pub(crate) average_wrap_up: &'static str,
    pub(crate) calls: &'static str,
    pub(crate) call_now: &'static str,
    pub(crate) calls_per_second: &'static str,
    pub(crate) campaign: &'static str,
    pub(crate) cancelling: &'static str,
    pub(crate) cap: &'static str,
    pub(crate) channels: &'static str,
    pub(crate) clock: &'static str,
    pub(crate) connected: &'static str,
    pub(crate) customer_id: &'static str,
    pub(crate) dialing: &'static str,
    pub(crate) dispositions: &'static str,
    pub(crate) done: &'static str,
    pub(crate) draining: &'static str,
    pub(crate) due: &'static str,
    pub(crate) duration: &'static str,
    pub(crate) faults: &'static str,
    pub(crate) gates: &'static str,
    pub(crate) hang_up: &'static str,
    pub(crate) held_by: &'static str,
    pub(crate) known_file: &'static str,
    pub(crate) ledger: &'static str,
    pub(crate) list: &'static str,
    pub(crate) message: &'static str,
    pub(crate) messages: &'static str,
    pub(crate) name: &'static str,
    pub(crate) no_dialer: &'static str,
    pub(crate) no_nodes: &'static str,
    pub(crate) number: &'static str,
    pub(crate) occupancy: &'static str,
    pub(crate) of_live: &'static str,
    pub(crate) outcomes: &'static str,
    pub(crate) overdue: &'static str,
    pub(crate) pass_by: &'static str,
    pub(crate) promised: &'static str,
    pub(crate) rejects: &'static str,
    pub(crate) report: &'static str,
    pub(crate) results: &'static str,
    pub(crate) ringing: &'static str,
    pub(crate) saved: &'static str,
    pub(crate) saving: &'static str,
    pub(crate) seconds: &'static str,
    pub(crate) seller: &'static str,
    pub(crate) store: &'static str,
    pub(crate) talking: &'static str,
    pub(crate) trunk: &'static str,
    pub(crate) waiting: &'static str,
}

impl Texts {
    pub(crate) const fn agent_state(&self, state: AgentState) -> &'static str {
        match (self.lang, state) {
            (Lang::Ja, AgentState::Offline) => "未接続",
            (Lang::Ja, AgentState::LoggingIn) => "呼出中",
            (Lang::Ja, AgentState::Paused) => "離席",
            (Lang::Ja, AgentState::Ready) => "待機",
            (Lang::Ja, AgentState::Previewing) => "確認中",
            (Lang::Ja, AgentState::Reserved) => "確保",
            (Lang::Ja, AgentState::OnCall) => "通話",
            (Lang::Ja, AgentState::WrapUp) => "後処理",
            (Lang::En, AgentState::Offline) => "offline",
            (Lang::En, AgentState::LoggingIn) => "login",
            (Lang::En, AgentState::Paused) => "paused",
            (Lang::En, AgentState::Ready) => "ready",
            (Lang::En, AgentState::Previewing) => "preview",
            (Lang::En, AgentState::Reserved) => "reserved",
            (Lang::En, AgentState::OnCall) => "on call",
            (Lang::En, AgentState::WrapUp) => "wrap-up",
        }
    }

    /// A lead's state.
    pub(crate) const fn lead_state(&self, state: LeadState) -> &'static str {
        let ja = match state {
            LeadState::Ready => "発信待ち",
            LeadState::Waiting => "時刻待ち",
            LeadState::Claimed => "確保中",
            LeadState::Done => "完了",
            LeadState::Held => "対応結果待ち",
            LeadState::Blocked => "発信不可",
        };
        either(self.lang, state.as_str(), ja)
    }

    /// This machine's clock and the database's are so far apart that no call starts.
    pub(crate) fn clocks_apart(&self, ahead_ms: i64) -> String {
        let (whole, tenth) =
            (ahead_ms.unsigned_abs() / 1_000, ahead_ms.unsigned_abs() % 1_000 / 100);
        match (self.lang, ahead_ms > 0) {
            (Lang::En, ahead) => format!(
                "this machine's clock is {whole}.{tenth} s {} the database's: no call starts until they are within 1 s; \
                 let both keep time by NTP",
                if ahead { "ahead of" } else { "behind" }
            ),
            (Lang::Ja, ahead) => format!(
                "この端末の時計がデータベースの時計より {whole}.{tenth} 秒{}います。差が1秒以内になるまで発信しません。\
                 両方を NTP で合わせてください",
                if ahead { "進んで" } else { "遅れて" }
            ),
        }
    }

    /// How promised calls stand; nothing where none is open.
    pub(crate) fn promises(&self, promises: Promises) -> Option<String> {
        let Promises { open, due, overdue } = promises;
        (open > 0).then(|| format!("{open}  {} {due}  {} {overdue}", self.due, self.overdue))
    }

    /// What a window of the ledger owes.
    pub(crate) fn window_owes(&self, owed: u64, debt: u64) -> String {
        match self.lang {
            Lang::En => {
                format!("that window owes {owed} calls (it may owe {debt} before it closes)")
            }
            Lang::Ja => {
                format!("この期間は放棄呼 {owed} 件の超過です(終わるまでは {debt} 件まで許容)")
            }
        }
    }

    /// An outcome by its stable text; a text that this version does not know stays as it is.
    pub(crate) fn outcome<'a>(&self, text: &'a str) -> &'a str {
        match (self.lang, text.parse()) {
            (Lang::Ja, Ok(outcome)) => japanese(outcome),
            (Lang::Ja, Err(_)) | (Lang::En, _) => text,
        }
    }
}

const fn japanese(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Connected => "通話",
        Outcome::Abandoned => "放棄呼",
        Outcome::AgentLost => "担当者切断",
        Outcome::MessagePlayed => "案内再生済",
        Outcome::MessageCut => "案内途中切断",
        Outcome::NoAnswer => "不在",
        Outcome::Busy => "話中",
        Outcome::Rejected => "着信拒否",
        Outcome::Unwanted => "架電拒否",
        Outcome::Invalid => "欠番",
        Outcome::Unreachable => "圏外・電源オフ",
        Outcome::Congestion => "回線混雑",
        Outcome::TrunkFault => "回線障害",
        Outcome::NotDelivered => "未達",
        Outcome::NotPlaced => "未発信",
        Outcome::Cancelled => "取消",
        Outcome::Unknown => "結果不明",
    }
}

/// Columns a text takes on a terminal (UAX #11): Japanese characters take two.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// As much of a text as fits into so many columns, without what would steer a terminal: names are other people's text.
pub(crate) fn cut(text: &str, to: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        used += letter.width().unwrap_or(0);
        if used > to {
            break;
        }
        out.push(letter);
    }
    out
}

/// As many spaces as the text lacks, and the text.
pub(crate) fn pad_left(text: &str, to: usize) -> String {
    format!("{}{text}", " ".repeat(to.saturating_sub(width(text))))
}

/// The text and as many spaces as it lacks.
pub(crate) fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

const EN: Texts = Texts {
    lang: Lang::En,
    abandoned: "abandoned",
    agents: "agents",
    answered: "answered",
    attempt: "attempt",
    attempts: "attempts",
    average_talk: "average talk",
    average_wrap_up: "average wrap-up",
    calls: "calls",
    call_now: "call",
    calls_per_second: "calls/s",
    campaign: "campaign",
    cancelling: "cancelling",
    cap: "cap",
    channels: "channels",
    clock: "clock",
    connected: "connected",
    customer_id: "customer id",
    dialing: "dialing",
    dispositions: "what agents said",
    done: "done",
    draining: "no new calls: shutting down",
    due: "due",
    duration: "duration",
    faults: "faults",
    gates: "held back",
    hang_up: "hang up the customer",
    held_by: "waits for",
    known_file: "this very file was imported before: nothing to do",
    ledger: "ledger",
    list: "list",
    message: "message",
    messages: "messages played",
    name: "name",
    no_dialer: "no dialer runs; the database says:",
    no_nodes: "no dialer runs on this database, and none ended in the last hour",
    number: "number",
    occupancy: "occupancy",
    of_live: "of live answers",
    outcomes: "outcomes",
    overdue: "overdue",
    pass_by: "pass by",
    promised: "promised",
    rejects: "rows to repair",
    report: "End of the run",
    results: "results",
    ringing: "ringing",
    saved: "<- saved",
    saving: "<- saving ...",
    seconds: "s",
    seller: "seller",
    store: "store",
    talking: "talking",
    trunk: "trunk",
    waiting: "waiting",
};

const JA: Texts = Texts {
    lang: Lang::Ja,
    abandoned: "放棄呼",
    agents: "担当者",
    answered: "応答",
    attempt: "架電番号",
    attempts: "架電数",
    average_talk: "平均通話時間",
    average_wrap_up: "平均後処理時間",
    calls: "呼",
    call_now: "発信",
    calls_per_second: "発信/秒",
    campaign: "業務",
    cancelling: "取消中",
    cap: "上限",
    channels: "チャネル",
    clock: "時計の差",
    connected: "通話",
    customer_id: "顧客番号",
    dialing: "発信中",
    dispositions: "対応結果",
    done: "完了",
    draining: "終了処理中: 新規発信なし",
    due: "予定時刻到来",
    duration: "時間",
    faults: "障害",
    gates: "発信条件",
    hang_up: "お客様との通話を切る",
    held_by: "待ち",
    known_file: "このファイルは取込済です",
    ledger: "放棄呼台帳",
    list: "リスト",
    message: "案内",
    messages: "案内再生",
    name: "氏名",
    no_dialer: "発信プログラムは停止中。データベースの内容:",
    no_nodes: "このデータベースで動いている発信プログラムはなく、過去1時間に終了したものもありません",
    number: "電話番号",
    occupancy: "稼働率",
    of_live: "対有人応答",
    outcomes: "発信結果",
    overdue: "超過",
    pass_by: "見送り",
    promised: "再コール予約",
    rejects: "修正が必要な行",
    report: "実行結果",
    results: "結果ファイル",
    ringing: "呼出中",
    saved: "<- 保存済",
    saving: "<- 保存中",
    seconds: "秒",
    seller: "委託元",
    store: "DB",
    talking: "通話中",
    trunk: "回線",
    waiting: "応答待ち",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_chooses_the_language() {
        for (text, lang) in
            [("ja_JP.UTF-8", Lang::Ja), ("ja", Lang::Ja), ("C.UTF-8", Lang::En), ("", Lang::En)]
        {
            assert_eq!(Lang::parse(text), Ok(lang), "{text}");
        }
    }

    #[test]
    fn japanese_takes_two_columns() {
        assert_eq!(width("通話 ok"), 7);
        assert_eq!(pad("通話", 6), "通話  ");
        assert_eq!(pad("long", 2), "long");
        assert_eq!((cut("通話中", 5), cut("a\x1b[2J", 9)), ("通話".to_owned(), "a [2J".to_owned()));
    }
}
